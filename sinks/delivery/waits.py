"""How is waited for something, and not longer than a number of seconds of an injected time?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

__all__ = ["wait_within"]


async def wait_within(awaited: asyncio.Future[None], sleep: Awaitable[None]) -> None:
    """Return once ``awaited`` is done or ``sleep`` is over. ``awaited`` is left as it is, ``sleep`` has ended."""
    slept = asyncio.ensure_future(sleep)
    try:
        await asyncio.wait({awaited, slept}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        slept.cancel()
        await asyncio.gather(slept, return_exceptions=True)
