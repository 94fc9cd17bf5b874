"""HTTP over TLS by the server itself: with a certificate that is renewed, and with clients that begin no TLS."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import uvloop
from aiohttp import web

from streams.http.server import HttpServer
from streams.settings.settings import SettingsError, read_settings
from tests.support.kafka.certificates import Certificates, make_certificates

LIMIT = 8


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def files(certificates: Certificates, tmp_path: Path) -> dict[str, str]:
    """The settings of a certificate and key, which both stand in one file that a test may replace."""
    file = tmp_path / "server.pem"
    shutil.copy(certificates.good, file)
    return {
        "WATCHOFFICER_HTTP_TLS__CERT_FILE": str(file),
        "WATCHOFFICER_HTTP_TLS__KEY_FILE": str(file),
    }


@asynccontextmanager
async def served(files: dict[str, str]) -> AsyncIterator[HttpServer]:
    async def secure(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.scheme} {len(await request.read())}")

    server = HttpServer(
        [web.get("/", secure), web.post("/", secure)],
        host="127.0.0.1",
        port=0,
        limit=LIMIT,
        tls=read_settings(files).http_context(),
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ask(server: HttpServer, authority: Path, body: bytes = b"") -> str:
    context = ssl.create_default_context(cafile=authority)
    connector = aiohttp.TCPConnector(ssl=context)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request("POST" if body else "GET", f"{server.url}/", data=body or None) as answer,
    ):
        return await answer.text()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_answers_over_tls_and_a_renewed_certificate_serves_the_next_connection(
    certificates: Certificates, files: dict[str, str], loop: object
) -> None:
    async def run() -> None:
        async with served(files) as server:
            assert await ask(server, certificates.authority) == "https 0"
            assert await ask(server, certificates.authority, b"x" * 50_000) == "https 50000"
            shutil.copy(certificates.misnamed, files["WATCHOFFICER_HTTP_TLS__CERT_FILE"])
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await ask(server, certificates.authority)
            shutil.copy(__file__, files["WATCHOFFICER_HTTP_TLS__CERT_FILE"])
            with pytest.raises(aiohttp.ClientConnectorCertificateError):  # that of before goes on
                await ask(server, certificates.authority)
            shutil.copy(certificates.good, files["WATCHOFFICER_HTTP_TLS__CERT_FILE"])
            assert await ask(server, certificates.authority) == "https 0"

    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        runner.run(run())


async def test_clients_that_begin_no_tls_keep_nobody_out(
    certificates: Certificates, files: dict[str, str]
) -> None:
    async with served(files) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3 * LIMIT)]
        plain, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await plain.read() == b""
        assert server.connections <= LIMIT
        assert await ask(server, certificates.authority) == "https 0"
        for _, one in [*silent, (plain, writer)]:
            one.close()


def test_a_certificate_that_cannot_be_used_is_named_at_the_start(
    files: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("")
    wrong = files | {"WATCHOFFICER_HTTP_TLS__KEY_FILE": str(tmp_path / "empty.pem")}
    with pytest.raises(SettingsError, match="HTTP_TLS__CERT_FILE: and the key file cannot be used"):
        read_settings(wrong).http_context()
    with pytest.raises(SettingsError, match="HTTP_TLS__KEY_FILE: must be set"):
        read_settings({"WATCHOFFICER_HTTP_TLS__CERT_FILE": wrong["WATCHOFFICER_HTTP_TLS__CERT_FILE"]})
    assert read_settings({}).http_context() is None
