"""How do lines come by HTTP? `POST /ingest` with a line for each event; 202 once the broker has acknowledged all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable

from aiohttp import web
from pydantic import SecretStr

from streams.http.access.gate import Gate
from streams.http.pages.health import HealthPages
from streams.http.requests import input_id, raw_body
from streams.http.responses import ApiError, json_response
from streams.http.server import HttpServer
from streams.runtime.clocks import RealClock
from streams.settings.api_tokens import ApiToken
from streams.tail.delivery import Deliver, Line
from streams.tail.splitting import LineSplitter
from streams.watchdog.report import Report

__all__ = ["HttpDoor"]

_MOST_BYTES = 4 << 20  # of a body
_MOST_AT_ONCE = 16  # requests whose lines wait for the broker
_PATIENCE = 30.0  # seconds for the broker's acknowledgement
_AGAIN = {"Retry-After": "5"}


class HttpDoor:
    """Takes lines by HTTP, and delivers them.

    Args:
        host, port: where; port 0 for a free one.
        deliver: puts lines onto the topic.
        aside: counts lines that are left out, by reason.
        token: who sends lines must bear it; without one only this machine may send.
        report: what `/readyz` says.
        patience: seconds for the broker's acknowledgement.
    """

    def __init__(
        self,
        host: str,
        port: int,
        deliver: Deliver,
        aside: Callable[[str, int], None],
        *,
        token: SecretStr | None,
        report: Callable[[], Report],
        patience: float = _PATIENCE,
    ) -> None:
        self._host = host
        self._deliver = deliver
        self._aside = aside
        tokens = () if token is None else (ApiToken("operator", "respond", token, shared=True),)
        self._gate = Gate(tokens, bind=host, clock=RealClock())
        self._patience = patience
        self._waiting = 0
        self._deliveries: set[asyncio.Task[int]] = set()
        pages = HealthPages(report)
        routes = [
            web.post("/ingest", self._ingest),
            web.get("/healthz", pages.healthz),
            web.get("/readyz", pages.readyz),
        ]
        self._server = HttpServer(routes, host=host, port=port)
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.port

    async def start(self) -> None:
        """Listen.

        Raises:
            AddressTaken: the address is in use or not available.
        """
        await self._server.start()

    async def run(self) -> None:
        """Serve until ``stop``."""
        await self._stopping.wait()
        await self._server.stop()
        if self._deliveries:
            await asyncio.wait(self._deliveries)

    async def stop(self) -> None:
        """Listen no more; requests under way are answered."""
        self._stopping.set()

    async def _ingest(self, request: web.Request) -> web.Response:
        self._gate.admit(request, writes=True)
        if self._waiting >= _MOST_AT_ONCE:
            raise ApiError(503, "service_unavailable", "too many requests wait: send it again later", _AGAIN)
        self._waiting += 1
        delivering: asyncio.Task[int] | None = None
        try:
            birth, lines, too_long = _lines_of(request, await raw_body(request, _MOST_BYTES))
            # A delivery goes on when its request ends: what the broker does not take stays an obstacle that is told.
            delivering = asyncio.create_task(
                self._deliver([Line(text, f"{birth}/{at}") for at, text in lines])
            )
            self._deliveries.add(delivering)
            delivering.add_done_callback(self._delivered)
        finally:
            if delivering is None:
                self._waiting -= 1
        if not (await asyncio.wait({delivering}, timeout=self._patience))[0]:
            message = "the broker does not acknowledge: send it again; /readyz says what is wrong"
            raise ApiError(503, "service_unavailable", message, _AGAIN)
        self._aside("too long", too_long)
        return json_response(
            {"lines": len(lines), "records": delivering.result(), "too_long": too_long}, status=202
        )

    def _delivered(self, delivering: asyncio.Task[int]) -> None:
        self._deliveries.discard(delivering)
        self._waiting -= 1


def _lines_of(request: web.Request, body: bytes) -> tuple[str, list[tuple[int, bytes]], int]:
    """Return what names a request's lines, the lines with their offsets, and how many are left out as too long.

    A body that is sent again is named alike, so that its events are known as duplicates; so is, whatever its body, a
    request with an ``Idempotency-Key`` that came before.
    """
    named = input_id(request).encode() if "Idempotency-Key" in request.headers else body
    splitter = LineSplitter()
    lines = splitter.feed(body) + splitter.rest()
    return f"tail/{hashlib.sha256(named).hexdigest()[:16]}", lines, splitter.too_long
