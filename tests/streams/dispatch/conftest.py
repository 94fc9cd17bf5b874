"""Which HTTP client the tests of dispatch use: one on loopback that ignores proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=5, verify=False) as client:
        yield client
