"""Fixtures of the HTTP tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.streams.http.serving import Serving, serving


@pytest.fixture
async def served() -> AsyncIterator[Serving]:
    """A server with a token and a webhook secret."""
    async with serving() as running:
        yield running
