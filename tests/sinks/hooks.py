"""A receiver of webhooks of our own."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web


class Hook:
    """Answers as told (202 otherwise) and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self._came = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._came:
            self.got.append((dict(request.headers), body))
            self._came.notify_all()
        return web.Response(status=self.answers.pop(0) if self.answers else 202)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(body)["event"] for _, body in self.got]

    async def wait_for(self, number: int) -> None:
        async with asyncio.timeout(5), self._came:
            await self._came.wait_for(lambda: len(self.got) >= number)
