"""Fixtures of the tests that speak HTTP on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from tests.sinks.hooks import Hook


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    # verify: to read the certificates of all authorities for each test takes longer than most tests
    async with httpx.AsyncClient(trust_env=False, timeout=5, verify=False) as client:
        yield client


@pytest.fixture
async def hook() -> AsyncIterator[tuple[Hook, str]]:
    """A receiver of webhooks, and its address."""
    hook, app = Hook(), web.Application()
    app.add_routes([web.post("/webhooks/pagerduty", hook.take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield hook, f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/pagerduty"
    await runner.cleanup()
