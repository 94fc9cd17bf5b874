"""How does a console hear within a second that something has changed? By server-sent events, for a bounded number.

An event says no more than that there is news: the console then asks for its page again, which is made once for all who
look at it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from streams.http.pages.changes import Changes
from streams.http.responses import ApiError, Handler

__all__ = ["LISTENERS", "StreamPages"]

#: The most consoles that listen; further ones poll.
LISTENERS = 100
#: Seconds after which an event is sent though nothing has changed, so that ages and clocks go on; and seconds between
#: two events at the least.
_BEAT, _APART = 5.0, 0.5
_RETRY_MS = 2_000


class StreamPages:
    """``/api/v1/stream``.

    Args:
        changes: the number of changes so far.
        pause: waits for a number of seconds.
        beat: seconds after which an event is sent though nothing has changed.
        limit: the most consoles that listen.
    """

    def __init__(
        self,
        changes: Changes,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        beat: float = _BEAT,
        limit: int = LISTENERS,
    ) -> None:
        self._changes = changes
        self._pause = pause
        self._beat = beat
        self._limit = limit
        self._listeners = 0

    def table(self) -> list[tuple[str, str, Handler]]:
        """The routes: method, path, handler."""
        return [("GET", "/api/v1/stream", self.stream)]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """An event ``changed`` with the number of changes as its id, for as long as the console listens."""
        if self._listeners >= self._limit:
            raise ApiError(503, "service_unavailable", "too many listen already: poll", {"Retry-After": "15"})
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        self._listeners += 1
        try:
            await response.prepare(request)
            await response.write(f"retry: {_RETRY_MS}\n".encode())
            while True:
                number = self._changes.number
                await response.write(f"event: changed\nid: {number}\ndata: {number}\n\n".encode())
                await self._pause(_APART)
                await self._news(number)
        except (ConnectionError, OSError):
            return response
        finally:
            self._listeners -= 1

    async def _news(self, number: int) -> None:
        try:
            async with asyncio.timeout(self._beat):
                await self._changes.after(number)
        except TimeoutError:
            return
