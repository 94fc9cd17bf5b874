"""How do tests wait for real processes?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

__all__ = ["until"]


async def until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]],
    within: float,
    said: Callable[[], str] = str,
    *,
    every: float = 0.2,
) -> None:
    """Wait until the condition is true.

    Raises:
        AssertionError: the condition was not true within ``within`` seconds; the message has the end of ``said()``.
    """
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if not isinstance(value, bool):
            value = await value
        if value:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {said()[-6000:]}")
        await asyncio.sleep(every)
