"""How do messages of syslog become lines? RFC 5424 over TCP or TLS, framed by RFC 6587 (RFC 5425).

A connection is read no faster than the broker acknowledges: TCP holds its sender back.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import ssl
import time
from collections.abc import Callable

import structlog

from detectors.errors import WatchofficerError
from streams.tail.delivery import Deliver, Line
from streams.tail.splitting import MOST_BYTES

__all__ = ["ListenError", "SyslogDoor", "SyslogFrames", "message_of"]

log = structlog.get_logger(__name__)

_CHUNK = 64 << 10
_MOST_CONNECTIONS = 256
_COUNT = re.compile(rb"([1-9][0-9]{0,7}) ")
_STRUCTURED = rb'\[[^ =\]"\x00-\x20]{1,32}(?: [^ =\]"]{1,32}="(?:[^"\\]|\\.)*")*\]'
#: PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]
_HEADER = re.compile(
    rb"<(?:0|[1-9][0-9]{0,2})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) "
    rb"(?:-|(?:" + _STRUCTURED + rb")+)(?: |$)",
    re.DOTALL,
)
_BOM = b"\xef\xbb\xbf"


class ListenError(WatchofficerError):
    """No connections can be taken at the address. The message is one line."""


def message_of(frame: bytes) -> bytes | None:
    """Return the MSG part of a message of RFC 5424; None if it is no such message."""
    found = _HEADER.match(frame)
    return None if found is None else frame[found.end() :].removeprefix(_BOM).strip(b"\r\n")


class SyslogFrames:
    """Finds where messages begin and end: by a count of bytes before each, or at the ends of lines.

    Args:
        most: bytes of a message; a longer one is left out.

    Attributes:
        too_long: messages that were left out.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.too_long = 0
        self._most = most
        self._held = bytearray()
        self._skip = 0  # bytes of a message that is left out
        self._skip_line = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the messages that end in a piece.

        Raises:
            ValueError: what comes is neither a count nor the beginning of a message.
        """
        self._held += chunk
        found: list[bytes] = []
        while self._held:
            if self._skip:
                gone = min(self._skip, len(self._held))
                del self._held[:gone]
                self._skip -= gone
            elif self._skip_line or self._held[:1] == b"<":
                if not self._to_end_of_line(found):
                    break
            elif self._held[0] in b"\r\n \0":  # between messages
                del self._held[:1]
            elif not self._by_count(found):
                break
        return found

    def rest(self) -> list[bytes]:
        """Return the last message that no line end follows, if there is one."""
        whole = self._held[:1] == b"<" and not self._skip_line
        return [bytes(self._held)] if whole else []

    def _to_end_of_line(self, found: list[bytes]) -> bool:
        end = self._held.find(b"\n")
        if end < 0:
            if len(self._held) > self._most:
                self.too_long += not self._skip_line
                self._skip_line = True
                self._held.clear()
            return False
        if not self._skip_line:
            if end > self._most:
                self.too_long += 1
            else:
                found.append(bytes(self._held[:end]))
        self._skip_line = False
        del self._held[: end + 1]
        return True

    def _by_count(self, found: list[bytes]) -> bool:
        counted = _COUNT.match(self._held)
        if counted is None:
            if len(self._held) > 8 or not self._held.isdigit():
                raise ValueError("neither a count of bytes nor a message of RFC 5424")
            return False
        count, begin = int(counted[1]), counted.end()
        if count > self._most:
            self.too_long += 1
            self._skip = count
            del self._held[:begin]
            return True
        if len(self._held) < begin + count:
            return False
        found.append(bytes(self._held[begin : begin + count]))
        del self._held[: begin + count]
        return True


class SyslogDoor:
    """Takes connections, and delivers the messages that come on them.

    Args:
        host, port: where; port 0 for a free one.
        deliver: puts lines onto the topic.
        aside: counts messages that become no line, by reason.
        tls: the certificate that is shown, and who is let in; None for plain TCP.
        whole: whether a line is a whole message, with its header, and not the MSG part alone.
        most: connections at once; when one more comes, the one that has been idle the longest is closed.
    """

    def __init__(
        self,
        host: str,
        port: int,
        deliver: Deliver,
        aside: Callable[[str, int], None],
        *,
        tls: ssl.SSLContext | None = None,
        whole: bool = False,
        most: int = _MOST_CONNECTIONS,
    ) -> None:
        self._host = host
        self.port = port
        self._deliver = deliver
        self._aside = aside
        self._tls = tls
        self._whole = whole
        self._most = most
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, float] = {}  # and when it last brought something
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: the address is in use or not available.
        """
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host, self.port, ssl=self._tls, limit=_CHUNK
            )
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise ListenError(f"{self._host} port {self.port}: {why}; choose another") from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def run(self) -> None:
        """Deliver until ``stop``."""
        await self._stopping.wait()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Close all connections; what came on them is delivered."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        self._stopping.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if len(self._connections) >= self._most:
            idle = min(self._connections, key=lambda one: self._connections[one])
            del self._connections[idle]
            idle.transport.abort()
            log.warning(
                "syslog_connection_closed", say=f"more than {self._most} connections: the most idle one ends"
            )
        self._connections[writer] = time.monotonic()
        try:
            await self._read(reader, writer)
        except (OSError, ssl.SSLError, ValueError) as error:
            self._aside("broken connection", 1)
            log.warning("syslog_connection_failed", error=str(error))
        finally:
            self._connections.pop(writer, None)
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames, birth, number = SyslogFrames(), secrets.token_hex(8), 0
        while chunk := await reader.read(_CHUNK):
            if writer in self._connections:
                self._connections[writer] = time.monotonic()
            number = await self._take(frames.feed(chunk), birth, number)
            self._aside("too long", frames.too_long)
            frames.too_long = 0
        await self._take(frames.rest(), birth, number)

    async def _take(self, frames: list[bytes], birth: str, number: int) -> int:
        """Deliver messages; ``number`` is that of the first of them on this connection. Return the next number."""
        lines = []
        for n, frame in enumerate(frames, number):
            text = message_of(frame)
            if text is None:
                self._aside("not RFC 5424", 1)
            elif text.strip():
                lines.append(Line(frame if self._whole else text, f"tail/{birth}/{n}"))
        if lines:
            await self._deliver(lines)
        return number + len(frames)
