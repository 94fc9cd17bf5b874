"""How does a worker serve HTTP: from its first second, and however many connections others leave open?

The server listens before any broker answers, and goes on while the rest of a worker is made anew. It never holds more
connections than half of the file descriptors that the process may open, so that the other half serves Kafka: when one
more client connects, the connection that has been idle the longest is closed, and if none is idle the one that waits
the longest for its client: for the rest of a body, or to take its answer. A client that sends the head of a request
slowly, or takes its answer slowly, loses its connection in any case. A connection costs little until its first bytes
come: only then is there a parser for it. Requests for one route never keep those for another waiting. No answer says
which software gives it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import ssl
import time
from collections.abc import Callable, Collection
from typing import Any, cast

from aiohttp import web

from detectors.errors import WatchofficerError
from streams.http.access.turns import Turns
from streams.http.responses import json_errors
from streams.settings.values import base_url

__all__ = ["AddressTaken", "HttpServer", "connection_limit"]

_MOST_CONNECTIONS, _FEWEST_CONNECTIONS = 1_000, 16
#: A connection without a request for so long is closed, seconds. Prometheus and browsers ask more often.
_IDLE_SECONDS = 75.0
#: The head of a request must have come within so many seconds, and a client must go on taking an answer within so many.
_HEAD_SECONDS, _ANSWER_SECONDS = 15.0, 60.0
_HANDSHAKE_SECONDS = 5.0  # until TLS must stand
_SWEEP_SECONDS = 5.0
#: Connections that the kernel holds until they are accepted; of one more it drops packets, so that it takes seconds.
_BACKLOG = 2_048
#: Connections that asyncio accepts before it hands one of them over. It takes the length of the kernel's queue for this
#: number: then as many descriptors would be open before the first of them could be counted.
_ACCEPTED_AT_ONCE = 16
#: Ends of lines in one request, with its body: chunks of a byte each cost a hundred times what their bytes cost.
_MOST_LINES = 4_096
_SHUTDOWN_SECONDS = 2.0  # for the requests under way when the server stops


class AddressTaken(WatchofficerError):
    """HTTP cannot be served on the configured address. The message is one line."""


def connection_limit() -> int:
    """How many connections the server may hold: half of the file descriptors that this process may open."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(_FEWEST_CONNECTIONS, min(_MOST_CONNECTIONS, descriptors // 2))


class HttpServer:
    """Serves routes on one address.

    Args:
        table: the routes.
        host: the address to bind.
        port: the port; 0 for a free one.
        limit: the greatest number of connections.
        idle_seconds: a connection without a request for so long is closed.
        monotonic: seconds that never go back.
        tls: the certificate; None to serve in the clear.
    """

    def __init__(
        self,
        table: Collection[web.RouteDef],
        *,
        host: str,
        port: int,
        limit: int | None = None,
        idle_seconds: float = _IDLE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        application = web.Application(middlewares=[Turns().middleware(), json_errors])
        application.add_routes(table)
        application.on_response_prepare.append(_without_server)
        self._runner = web.AppRunner(
            application, access_log=None, keepalive_timeout=idle_seconds, shutdown_timeout=_SHUTDOWN_SECONDS
        )
        self._host = host
        self.port = port
        self._limit = limit or connection_limit()
        self._idle_seconds = idle_seconds
        self._monotonic = monotonic
        self.tls = tls
        #: Those that were heard last come last.
        self._connections: dict[_Connection, None] = {}
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where this server is reached, without a slash at the end."""
        return base_url("http" if self.tls is None else "https", self._host, self.port)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen.

        Raises:
            AddressTaken: the address is in use or not available.
        """
        await self._runner.setup()
        handlers = cast(Callable[[], Any], self._runner.server)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self, handlers, self._monotonic),
                self._host,
                self.port,
                backlog=_ACCEPTED_AT_ONCE,
            )
            for listening in self._server.sockets:
                with listening.dup() as same:
                    same.listen(_BACKLOG)
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            of_port = error.errno in (errno.EADDRINUSE, errno.EACCES)
            remedy = (
                "choose another with --port"
                if of_port
                else "set WATCHOFFICER_BIND to an address of this machine"
            )
            raise AddressTaken(f"{self._host} port {self.port}: {why}; {remedy}") from None
        self.port = self._server.sockets[0].getsockname()[1]
        self._sweeper = asyncio.create_task(self._sweep(), name="http connections")

    async def stop(self) -> None:
        """Listen no more, let the requests under way end, and close all connections."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        await self._runner.cleanup()
        for connection in list(self._connections):
            connection.abort()

    def opened(self, connection: _Connection) -> bool:
        """Count a new connection; if there are too many, close one that is idle, or else one that waits for its client.

        Returns:
            whether there is room for it: every other connection may have a request that is being answered.
        """
        if len(self._connections) >= self._limit:
            oldest = next((one for one in self._connections if not one.busy), None)
            oldest = oldest or next((one for one in self._connections if one.waits), None)
            if oldest is None:
                return False
            self._connections.pop(oldest)
            oldest.abort()
        self._connections[connection] = None
        return True

    def heard(self, connection: _Connection) -> None:
        """Note that a client has sent something."""
        if connection in self._connections:
            self._connections[connection] = self._connections.pop(connection)

    def closed(self, connection: _Connection) -> None:
        """Count a connection no more."""
        self._connections.pop(connection, None)

    def close_idle(self) -> None:
        """Close the connections that have been idle for too long, and those of clients that are too slow."""
        now = self._monotonic()
        for connection in [one for one in self._connections if one.is_over(now, self._idle_seconds)]:
            self._connections.pop(connection)
            connection.abort()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.close_idle()


class _Connection(asyncio.Protocol):
    """Passes what happens on a connection on to aiohttp's handler, and notes when the client was heard last.

    Args:
        server: counts connections.
        handlers: makes aiohttp's protocol, at the first bytes of a request.
        monotonic: seconds that never go back.
    """

    def __init__(
        self, server: HttpServer, handlers: Callable[[], Any], monotonic: Callable[[], float]
    ) -> None:
        self._server = server
        self._handlers = handlers
        self._handler: Any = None
        self._transport: asyncio.Transport | None = None
        self._monotonic = monotonic
        self.active_at = monotonic()
        self._head_since: float | None = None
        self._full_since: float | None = None
        self._shaking: asyncio.Task[None] | None = None
        self._early = b""
        self._answered: object = None
        self._lines = 0

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._handler is not None and self._handler._current_request is not None

    @property
    def waits(self) -> bool:
        """Whether the client holds up a request: its body has not come, or its answer is not taken."""
        if not self.busy:
            return False
        return self._full_since is not None or not self._handler._current_request.content.is_eof()

    def is_over(self, now: float, idle_seconds: float) -> bool:
        """Whether the client has let this connection wait for too long: for a request, its head, or its answer.

        Args:
            now: as ``monotonic`` says it.
            idle_seconds: for which a connection may be without a request.
        """
        if self._full_since is not None and self._full_since < now - _ANSWER_SECONDS:
            return True
        if self.busy:
            return False
        slow = self._head_since is not None and self._head_since < now - _HEAD_SECONDS
        return slow or self.active_at < now - idle_seconds

    def abort(self) -> None:
        """Close at once: nothing of a request is lost, as an idle connection has none."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._server.opened(self):
            self._transport.abort()
        elif self._server.tls is not None:
            # It counts from now on: whoever opens connections and begins no TLS must not use up what there is.
            self._shaking = asyncio.create_task(self._shake(self._transport, self._server.tls))

    async def _shake(self, plain: asyncio.Transport, tls: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                plain, self, tls, server_side=True, ssl_handshake_timeout=_HANDSHAKE_SECONDS
            )
        except OSError:  # no TLS, no common version, or too slow; TimeoutError is an OSError
            secured = None
        self._shaking = None
        if secured is None:
            plain.abort()
            self._server.closed(self)
        else:
            self._transport = secured
            if self._early:  # it came along with the end of the handshake
                self.data_received(self._early)
                self._early = b""

    def data_received(self, data: bytes) -> None:
        if self._shaking is not None:
            self._early += data  # one read of the transport at most
            return
        if self._handler is None:
            self._handler = self._handlers()
            self._handler.connection_made(self._transport)
        self.active_at = self._monotonic()
        self._server.heard(self)
        if self._has_too_many_lines(data):
            self.abort()
            return
        self._handler.data_received(data)
        if self.busy or self._handler._messages:
            self._head_since = None
        elif self._head_since is None:
            self._head_since = self.active_at

    def _has_too_many_lines(self, data: bytes) -> bool:
        request = self._handler._current_request
        if request is not self._answered or (request is None and not self._handler._messages):
            self._answered, self._lines = request, 0
        self._lines += data.count(b"\n")
        return self._lines > _MOST_LINES

    def eof_received(self) -> bool | None:
        return None if self._handler is None else cast(bool | None, self._handler.eof_received())

    def pause_writing(self) -> None:
        self._full_since = self._monotonic()
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._full_since = None
        if self._handler is not None:
            self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.closed(self)
        if self._handler is not None:
            self._handler.connection_lost(exc)


async def _without_server(request: web.Request, response: web.StreamResponse) -> None:
    """Take the name and the version of the software out of an answer."""
    response.headers.pop("Server", None)
