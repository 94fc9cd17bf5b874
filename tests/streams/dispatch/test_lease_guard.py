"""Is nothing sent to a receiver without the lease, between two requests of one command neither?"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx
import pytest

from streams.dispatch.receivers import LeaseGuard, http_client
from streams.runtime.lease import Lease


class TwoRequests:
    """A receiver that searches before it creates, and stands still in between."""

    def __init__(self, http: httpx.AsyncClient, between: Any) -> None:
        self._http = http
        self._between = between

    async def send(self, command: Any, receipts: Any) -> Any:
        await self._http.get("http://receiver.test/search")
        self._between()
        return await self._http.post("http://receiver.test/create")


@pytest.mark.parametrize(("stands_still", "sent"), [(0.0, ["GET", "POST"]), (10.0, ["GET"])])
async def test_a_command_is_not_continued_without_the_lease(stands_still: float, sent: list[str]) -> None:
    now, seen = 0.0, []

    def advance() -> None:
        nonlocal now
        now += stands_still

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return httpx.Response(200)

    async with http_client(transport=httpx.MockTransport(answer)) as http:
        guard = LeaseGuard(cast("Any", TwoRequests(http, advance)), Lease(5.0, lambda: now))
        sending = asyncio.create_task(guard.send(cast("Any", None), lambda incident: {}))
        for _ in range(50):
            await asyncio.sleep(0)
        assert seen == sent
        assert sending.done() == (sent == ["GET", "POST"])
        sending.cancel()
        await http.get("http://receiver.test/by/another/part")  # what holds no lease is not held back
    assert len(seen) == len(sent) + 1
