"""How fast one receiver is asked: its rate limit, pauses it asks for, a circuit breaker, a bound in parallel.

The clock and the sleep are handed in, so that a test moves time by hand; that is why no library's limiter,
bound to the event loop's own clock, stands here. ``sleep`` must sleep in the time that ``clock`` tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from detectors.backoff import full_jitter
from detectors.instants import MINUTE, SECOND
from sinks.receivers.answers import Answer, Delivered, Refused, Retry

__all__ = ["BACKOFF_CAP", "PACES", "Bucket", "Circuit", "Pace", "ReceiverGate", "backoff", "gates_for"]

Clock = Callable[[], int]
Sleep = Callable[[float], Awaitable[None]]

#: Of a backoff: the first ceiling and the last, ms.
BACKOFF_BASE = SECOND
BACKOFF_CAP = MINUTE


@dataclass(frozen=True)
class Pace:
    """What a receiver bears: requests a minute (0: it says so itself), at once after a rest, in parallel."""

    per_minute: int
    burst: int
    concurrency: int


PACES = {
    # 120 calls a minute and integration key: 20 at once, then 100 a minute, never exceed that.
    "pagerduty": Pace(per_minute=100, burst=20, concurrency=4),
    # One message a second and channel; one at a time, so that a channel reads in order.
    "slack": Pace(per_minute=60, burst=1, concurrency=1),
    # X-RateLimit headers tell.
    "datadog": Pace(per_minute=0, burst=1, concurrency=4),
}

_UNKNOWN_PACE = Pace(per_minute=60, burst=10, concurrency=2)


def gates_for(sinks: Iterable[str], clock: Clock, sleep: Sleep) -> dict[str, ReceiverGate]:
    """A way to each receiver, at its pace (``PACES``)."""
    return {sink: ReceiverGate(PACES.get(sink, _UNKNOWN_PACE), clock, sleep) for sink in sinks}


def backoff(attempt: int, random: float) -> float:
    """Seconds before the next attempt after ``attempt`` (1, 2, …) have failed: exponential with full jitter.

    Args:
        random: in [0, 1).
    """
    return full_jitter(attempt, BACKOFF_BASE, BACKOFF_CAP, random) / SECOND


class Bucket:
    """A rate limit (generic cell rate algorithm): ``burst`` at once, then one each ``60 s / per_minute``."""

    def __init__(self, per_minute: int, burst: int) -> None:
        self._interval = MINUTE / per_minute if per_minute else 0.0
        self._slack = self._interval * (burst - 1)
        self._due = 0.0  # when the next one would be due at an even pace

    def delay(self, now: int) -> float:
        """Milliseconds until the next one may go."""
        return max(self._due - self._slack - now, 0.0)

    def take(self, now: int) -> None:
        """One goes at ``now``."""
        self._due = max(self._due, now) + self._interval


class Circuit:
    """Stops asking a receiver that has failed ``threshold`` times in a row; then probes it, one at a time.

    Each failed probe doubles the pause, from ``first_pause`` to ``longest_pause`` (ms).
    """

    threshold = 5
    first_pause = 5 * SECOND
    longest_pause = MINUTE

    def __init__(self) -> None:
        self.failures = 0
        self._opened_at: int | None = None
        self._pause = self.first_pause

    def state(self, now: int) -> Literal["closed", "open", "half_open"]:
        """Closed: all go. Open: none goes. Half open: one may try."""
        if self._opened_at is None:
            return "closed"
        return "open" if now < self._opened_at + self._pause else "half_open"

    def delay(self, now: int) -> int:
        """Milliseconds until a probe may go; 0 unless open."""
        return max(self._opened_at + self._pause - now, 0) if self._opened_at is not None else 0

    def succeeded(self) -> None:
        """The receiver has answered."""
        self.failures = 0
        self._opened_at = None
        self._pause = self.first_pause

    def failed(self, now: int) -> None:
        """The receiver has failed, or not answered at all."""
        self.failures += 1
        if self._opened_at is not None:
            if self.state(now) == "half_open":
                self._pause = min(self._pause * 2, self.longest_pause)
                self._opened_at = now
        elif self.failures >= self.threshold:
            self._opened_at = now


class ReceiverGate:
    """The way to one receiver: who may go, and when. Those who wait go in the order in which they came."""

    def __init__(self, pace: Pace, clock: Clock, sleep: Sleep) -> None:
        self.circuit = Circuit()
        self._bucket = Bucket(pace.per_minute, pace.burst)
        self._slots = asyncio.Semaphore(pace.concurrency)
        self._turn = asyncio.Lock()
        self._clock = clock
        self._sleep = sleep
        self._held_until = 0
        self._probing = False
        self._left = asyncio.Event()

    async def enter(self, wanted: Callable[[], bool]) -> bool:
        """Wait until one request may go. False, and nothing is taken, if it is not ``wanted`` by then.

        After True, ``leave`` must be called.
        """
        async with self._turn:
            await self._slots.acquire()
            try:
                go = await self._clear(wanted)
            except BaseException:
                self._slots.release()
                raise
            if not go:
                self._slots.release()
            return go

    async def _clear(self, wanted: Callable[[], bool]) -> bool:
        while wanted():
            now = self._clock()
            if self._probing:
                self._left.clear()
                await self._left.wait()
                continue
            wait = max(self._held_until - now, self.circuit.delay(now), self._bucket.delay(now))
            if wait > 0:
                await self._sleep(wait / SECOND)
                continue
            self._bucket.take(now)
            self._probing = self.circuit.state(now) == "half_open"
            return True
        return False

    def leave(self, answer: Answer | None, *, hold: float = 0.0) -> None:
        """A request has come back; None if it was given up on our side.

        Args:
            hold: seconds during which nothing else may go to this receiver either.
        """
        now = self._clock()
        self._slots.release()
        self._probing = False
        self._left.set()
        if isinstance(answer, Delivered | Refused) or (isinstance(answer, Retry) and answer.throttled):
            self.circuit.succeeded()
        elif answer is not None:
            self.circuit.failed(now)
        if hold > 0:
            self._held_until = max(self._held_until, now + round(hold * SECOND))
