"""Does the event loop go round, and how long does a piece of this process's own work hold it up?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from streams.runtime.progress import Progress

__all__ = ["LoopPulse"]

#: The loop is asked to come round so often, seconds.
_EVERY = 0.1


class LoopPulse:
    """Beats in the event loop, and measures how late each beat comes.

    A beat that comes late because the machine is busy with others is no fault of this process. Only the CPU time that
    the loop's own thread has used meanwhile counts as a stall.

    Args:
        progress: receives the beats of the part ``loop``.
        observe: receives the stall of each beat, seconds.
        monotonic: seconds that never go back.
        thread_time: seconds of CPU time of the calling thread.
        sleep: sleeps for seconds.
    """

    def __init__(
        self,
        progress: Progress,
        observe: Callable[[float], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        thread_time: Callable[[], float] = time.thread_time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._progress = progress
        self._observe = observe
        self._monotonic = monotonic
        self._thread_time = thread_time
        self._sleep = sleep

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await self.beat()

    async def beat(self) -> None:
        """Wait for one beat, report it, and measure what held it up."""
        began, used = self._monotonic(), self._thread_time()
        await self._sleep(_EVERY)
        late = max(0.0, self._monotonic() - began - _EVERY)
        self._progress.beat("loop")
        self._observe(min(late, self._thread_time() - used))
