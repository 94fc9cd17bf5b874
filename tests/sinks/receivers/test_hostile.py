"""A receiver that answers slowly, hugely or halfway costs seconds and KB; real sockets say what went wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import SecretStr

from sinks.receivers import http as module
from sinks.receivers.answers import Refused, Retry
from sinks.receivers.http import ANSWER_BYTES, call
from sinks.sandbox import PagerDutySandbox
from tests.support.kafka.certificates import Certificates, make_certificates

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MB = 1 << 20


@asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server whose connections are served by a function; its base URL."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://localhost:{port}/"
    finally:
        server.close()


async def exchange(url: str) -> httpx.Response | Retry | Refused:
    async with httpx.AsyncClient(timeout=10.0, trust_env=False) as http:
        return await call(http, "POST", url, body=b"{}", secrets=[SecretStr("s3cret" * 4)])


@pytest.mark.parametrize("status", [b"200 OK", b"502 Bad Gateway"])
async def test_of_a_huge_answer_a_few_kb_are_read(status: bytes) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, 30 * MB))
        for _ in range(30 * 16):
            writer.write(b"<p>" + b"x" * (MB // 16 - 3))
            await writer.drain()
            sent += MB // 16

    async with serving(serve) as url:
        tracemalloc.start()
        got = await exchange(url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert sent < 30 * MB  # the connection was closed before
    assert peak < 20 * MB
    if isinstance(got, httpx.Response):
        assert len(got.content) <= ANSWER_BYTES
    else:
        assert isinstance(got, Retry)
        assert len(got.why) < 350


async def test_an_answer_that_unpacks_to_much_is_not_unpacked_further_than_it_is_read() -> None:
    bomb = zlib.compress(b" " * (100 * MB), 9)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(bomb) + bomb)
        await writer.drain()

    async with serving(serve) as url:
        got = await exchange(url)
    assert isinstance(got, httpx.Response)
    assert len(got.content) <= ANSWER_BYTES


async def test_an_answer_that_comes_packed_though_it_was_not_asked_for_is_read() -> None:
    packed = zlib.compress(b'{"ok":true}')

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(packed) + packed)
        await writer.drain()

    async with serving(serve) as url:
        got = await exchange(url)
    assert isinstance(got, httpx.Response)
    assert got.json() == {"ok": True}


async def test_a_byte_every_little_while_does_not_prolong_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.5)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with serving(serve) as url:
        began = time.monotonic()
        got = await exchange(url)
    assert time.monotonic() - began < 3
    assert isinstance(got, Retry)
    assert got.kind == "no_answer"


async def test_half_an_answer_is_tried_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        writer.write_eof()
        await asyncio.sleep(0.2)

    async with serving(serve) as url:
        got = await exchange(url)
    assert isinstance(got, Retry)
    assert got.kind in ("no_answer", "unexpected")


async def test_what_is_no_http_is_tried_again() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()

    async with serving(serve) as url:
        got = await exchange(url)
    assert isinstance(got, Retry)
    assert got.kind == "unexpected"


async def test_a_secret_that_an_error_repeats_where_its_text_is_cut_is_not_told() -> None:
    secret = b"s3cret" * 4

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = (b" " * (4096 - 10) + secret) * 2
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async with serving(serve) as url:
        got = await exchange(url)
    assert isinstance(got, Refused)
    assert "s3cret" not in got.why


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_refused_and_not_followed(status: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"HTTP/1.1 %d Moved\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n"
        writer.write(head % status)
        await writer.drain()

    async with serving(serve) as url:
        got = await exchange(url)
    assert isinstance(got, Refused)
    assert "redirects" in got.why


async def test_a_port_on_which_nothing_listens_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    got = await exchange(f"http://127.0.0.1:{port}/")
    assert isinstance(got, Retry)
    assert (got.kind, got.why) == ("connect", "the connection is refused: nothing listens there")


async def test_a_name_that_nobody_knows_is_said() -> None:
    got = await exchange("http://events.pagerduty.invalid/")
    assert isinstance(got, Retry)
    assert (got.kind, got.why) == ("dns", "the name of the host is not known to DNS")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("which", ["good", "expired", "foreign", "misnamed"])
async def test_a_certificate_that_is_not_trusted_is_said(which: str, certificates: Certificates) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(getattr(certificates, which))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve, tls) as url:
        got = await exchange(url)
    assert isinstance(got, Retry)
    assert got.kind == "tls"
    assert got.why.startswith("TLS fails: ")
    assert "certificate" in got.why


async def test_what_speaks_no_tls_is_said() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    try:
        got = await exchange(f"https://localhost:{server.sockets[0].getsockname()[1]}/")
    finally:
        server.close()
    assert isinstance(got, Retry)
    assert got.kind == "tls"


@pytest.mark.parametrize("fault", ["half", "drip", "huge", "html", "cut"])
async def test_the_sandbox_can_be_as_hostile(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "drip":  # the others have their answers, or ends of them, well before
        monkeypatch.setattr(module, "DEADLINE", 0.5)

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 40)

    sandbox = PagerDutySandbox(clock=lambda: 0, sleep=sleep)
    await sandbox.start()
    try:
        getattr(sandbox, fault)()
        got = await exchange(f"{sandbox.url}/v2/enqueue")
    finally:
        await sandbox.stop()
    expected = {"html": httpx.Response, "huge": Retry}.get(fault, Retry)
    assert isinstance(got, expected), got
