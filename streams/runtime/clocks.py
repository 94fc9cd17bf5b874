"""What time is it, and how does a loop read and spend it: real time, faster time, and injected time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["REAL_TIMING", "Clock", "FastClock", "RealClock", "Timing"]


class RealClock:
    """A clock that shows the present, ms since the epoch."""

    pace = 1.0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of this clock."""
        await asyncio.sleep(seconds)


class FastClock:
    """A clock that starts ``behind`` ms ago and runs ``pace`` times as fast as real time until it shows the present.

    The clock stands still until ``release`` is called, and for as long as it shows the instant of ``wait_at``: who
    makes what happens at its time says so, that a busy machine delays the clock with its events.

    Args:
        behind: how far in the past the clock starts, ms.
        pace: how many times as fast as real time the clock runs; more than 1.
        real: returns the real time, ms.
    """

    def __init__(self, behind: int, pace: float, real: Callable[[], int] | None = None) -> None:
        if pace <= 1:
            raise ValueError("the clock must run faster than real time, or it never meets it")
        self._real = real or RealClock()
        self._began: float | None = None
        self._stop_at: int | None = None
        self.start = self._real() - behind
        self.pace = pace

    def release(self) -> None:
        """Start the clock."""
        if self._began is None:
            self._began = self._real()

    def wait_at(self, at: int) -> None:
        """Show no later instant (ms) than ``at`` until this is called again; what was shown before stands."""
        self._stop_at = max(at, self())

    def __call__(self) -> int:
        if self._began is None:
            return self.start
        now = self._real()
        shown = self.start + round((now - self._began) * self.pace)
        if self._stop_at is not None and shown > self._stop_at:
            self._began += (shown - self._stop_at) / self.pace
            shown = self._stop_at
        return min(now, shown)

    @property
    def caught_up(self) -> bool:
        """Whether the clock has reached the real time."""
        return self() >= self._real()

    async def sleep(self, seconds: float) -> None:
        """Sleep for seconds of this clock."""
        await asyncio.sleep(seconds if self.caught_up else seconds / self.pace)


Clock = RealClock | FastClock

_REAL_CLOCK = RealClock()


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Every way in which a loop reads time, spends it and draws random numbers; a simulation hands in its own.

    Attributes:
        clock: ms since the epoch.
        sleep: sleeps for seconds of ``clock``.
        monotonic: seconds from an arbitrary beginning, which never go back.
        timer: seconds from an arbitrary beginning, fine enough to measure how long a computation takes.
        wall: the present, ms since the epoch: real time, also where ``clock`` runs faster.
        chance: draws a random number in [0, 1).
    """

    clock: Callable[[], int] = _REAL_CLOCK
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic
    timer: Callable[[], float] = time.perf_counter
    wall: Callable[[], int] = _REAL_CLOCK
    chance: Callable[[], float] = random.random


#: Real time, real sleep and real chance.
REAL_TIMING = Timing()
