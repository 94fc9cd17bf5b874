"""Messages of syslog: where they begin and end, what is in them, and connections that deliver or are set aside."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.cli.inputs.tail import TailOptions, tls_of
from streams.tail.delivery import Line
from streams.tail.syslog import SyslogDoor, SyslogFrames, message_of

HEADER = b"<165>1 2026-11-23T15:00:00.003Z web-1 vets-api 111 ID47 "


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (HEADER + b'- {"a":1}', b'{"a":1}'),
        (HEADER + b"- \xef\xbb\xbfsaid", b"said"),
        (HEADER + b'[ex@32473 iut="3" say="a \\" and \\] b"][x@1] said [it]', b"said [it]"),
        (HEADER + b"-", b""),
        (b"<0>1 - - - - - - two\nlines", b"two\nlines"),
        (b"<34>Oct 11 22:14:15 web-1 su: of RFC 3164", None),
        (b"<165>2 - - - - - - x", None),
        (HEADER + b'[open iut="3 said', None),
        (b"", None),
    ],
)
def test_a_message_is_what_stands_behind_its_header(frame: bytes, message: bytes | None) -> None:
    assert message_of(frame) == message


MESSAGES = st.lists(st.tuples(st.text("<1 ab", max_size=12), st.booleans()), max_size=6)


@given(MESSAGES, st.lists(st.integers(0, 60), max_size=4), st.integers(4, 20))
def test_messages_do_not_depend_on_the_pieces(
    messages: list[tuple[str, bool]], cuts: list[int], most: int
) -> None:
    frames = [(b"<1>" + text.encode(), counted) for text, counted in messages]
    whole = b"".join(b"%d %s" % (len(f), f) if counted else f + b"\n" for f, counted in frames)
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    one = SyslogFrames(most)
    found = [f for begin, end in pairwise(places) for f in one.feed(whole[begin:end])]
    assert found + one.rest() == [frame for frame, _ in frames if len(frame) <= most]
    assert one.too_long == sum(len(frame) > most for frame, _ in frames)


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n", b"123456789 x", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"]
)
def test_what_is_no_syslog_is_refused(sent: bytes) -> None:
    with pytest.raises(ValueError, match="neither a count of bytes nor a message"):
        SyslogFrames().feed(sent)


def test_an_endless_message_is_not_kept() -> None:
    frames = SyslogFrames(most=1_000)
    for _ in range(100):
        assert frames.feed(b"<" + b"x" * 99) == []
    assert len(frames._held) <= 1_100
    assert frames.feed(b"\n<1>next\n") == [b"<1>next"]
    assert frames.too_long == 1


class Received:
    """Takes lines, and what was set aside."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.aside: Counter[str] = Counter()
        self.free = asyncio.Event()
        self.free.set()

    async def deliver(self, lines: Sequence[Line]) -> int:
        await self.free.wait()
        self.lines += lines
        return len(lines)

    def set_aside(self, why: str, count: int) -> None:
        self.aside[why] += count


async def send(port: int, *parts: bytes, tls: ssl.SSLContext | None = None) -> None:
    """Send, and wait until the other side has read all and closed."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    writer.writelines(parts)
    if tls is None:
        writer.write_eof()
        await reader.read()
    else:
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_a_connection_delivers_what_it_brought_when_the_door_closes() -> None:
    got = Received()
    got.free.clear()
    door = SyslogDoor("127.0.0.1", 0, got.deliver, got.set_aside)
    await door.start()
    running = asyncio.create_task(door.run())
    frame = HEADER + b"- first"
    sending = asyncio.create_task(
        send(door.port, b"%d %s" % (len(frame), frame), HEADER + b"- second\n", b"<34>old style\n")
    )
    while not got.aside:
        await asyncio.sleep(0)
    await door.stop()
    got.free.set()
    await running
    sending.cancel()
    assert [line.text for line in got.lines] == [b"first", b"second"]
    assert got.aside["not RFC 5424"] == 1
    assert len({line.position for line in got.lines}) == 2


async def test_when_there_are_too_many_connections_the_most_idle_one_ends() -> None:
    got = Received()
    door = SyslogDoor("127.0.0.1", 0, got.deliver, got.set_aside, most=1)
    await door.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    while not door._connections:
        await asyncio.sleep(0)
    await send(door.port, HEADER + b"- said\n")
    assert await reader.read() == b""
    writer.close()
    await door.stop()
    await door.run()
    assert [line.text for line in got.lines] == [b"said"]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A folder with cert.pem, which is its own authority, and key.pem."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command, to make a certificate")
    make = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(make, check=True, capture_output=True)
    return tmp_path


async def test_over_tls_a_client_without_a_certificate_is_refused(certificate: Path) -> None:
    cert, key = certificate / "cert.pem", certificate / "key.pem"
    options = TailOptions(source="syslog+tls://x:1", cert=str(cert), key=str(key), client_ca=str(cert))
    theirs = ssl.create_default_context(cafile=str(cert))
    got = Received()
    door = SyslogDoor("127.0.0.1", 0, got.deliver, got.set_aside, tls=tls_of(options), whole=True)
    await door.start()
    frame = HEADER + b"- said"
    with contextlib.suppress(OSError):  # as soon as the refusal has come
        await send(door.port, b"%d %s" % (len(frame), frame), tls=theirs)
    theirs.load_cert_chain(cert, key)
    await send(door.port, b"%d %s" % (len(frame), frame), tls=theirs)
    while not got.lines:
        await asyncio.sleep(0)
    await door.stop()
    await door.run()
    assert [line.text for line in got.lines] == [frame]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "tcp://x:1"}, "a source is -, a file, syslog://HOST:PORT"),
        ({"source": "http://x:99999"}, "there is no such port"),
        ({"source": "syslog+tls://x:1"}, "needs --cert and --key"),
        ({"source": "app.log", "cert": "c"}, "are for syslog"),
        (
            {"source": "syslog+tls://x:1", "cert": "/dev/null", "key": "/dev/null"},
            "--cert, --key, --client-ca: ",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        tls_of(TailOptions(**given))
    assert said in str(caught.value)
