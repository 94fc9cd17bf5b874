"""Which request is answered next, when many wait at once?

What takes long is asked for by one route: a flood of requests for it must not keep `/readyz` or `/metrics` waiting.
"""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import web
from aiohttp.typedefs import Middleware

from streams.http.responses import Handler

__all__ = ["Turns"]


class Turns:
    """Lets one request begin in each round of the event loop: the routes take turns.

    Of one route the first goes first. Nobody waits who comes alone. As many wait at most as there are connections.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._begun = False

    async def take(self, route: str) -> None:
        """Wait until a request of this route may begin."""
        if self._begun:
            future = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(route, deque()).append(future)
            await future
        else:
            self._begun = True
            asyncio.get_running_loop().call_soon(self._next)

    def middleware(self) -> Middleware:
        """Return what lets each request of an application wait for its turn."""

        @web.middleware
        async def in_turn(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            await self.take("" if resource is None else resource.canonical)
            return await handler(request)

        return in_turn

    def _next(self) -> None:
        self._begun = self._wake()
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next)

    def _wake(self) -> bool:
        """Let the first of the route whose turn it is begin; return whether there was one."""
        while self._waiting:
            route = next(iter(self._waiting))
            queue = self._waiting.pop(route)
            while queue and queue[0].done():  # whose connection was lost, is cancelled
                queue.popleft()
            if queue:
                queue.popleft().set_result(None)
                if queue:
                    self._waiting[route] = queue  # behind the others
                return True
        return False
