"""When may a receiver get the next request? Rate limit, requested pauses, circuit breaker, concurrency limit.

``clock`` and ``sleep`` are injected, so that tests and simulations run on a virtual clock; a library's rate
limiter is bound to the clock of the event loop. ``sleep`` must sleep in the time that ``clock`` returns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

from detectors.backoff import full_jitter
from detectors.instants import MINUTE, SECOND
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from sinks.receivers.contract import Pace, ReceiverSettings
from sinks.receivers.registry import kind_of

__all__ = ["BACKOFF_CAP", "Bucket", "Circuit", "ReceiverGate", "backoff", "gates_for"]

Clock = Callable[[], int]
Sleep = Callable[[float], Awaitable[None]]

#: The longest wait after the first failed attempt, and after any number of them, ms.
BACKOFF_BASE = SECOND
BACKOFF_CAP = MINUTE


def gates_for(sinks: Iterable[str], clock: Clock, sleep: Sleep) -> dict[str, ReceiverGate]:
    """A gate for each sink at the pace that its settings state, or that of a receiver that states none."""
    return {sink: ReceiverGate((kind_of(sink) or ReceiverSettings).pace, clock, sleep) for sink in sinks}


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait before the next attempt: exponential backoff with full jitter.

    Args:
        attempt: number of attempts that have failed, from 1.
        chance: a random number in [0, 1).
    """
    return full_jitter(attempt, BACKOFF_BASE, BACKOFF_CAP, chance) / SECOND


class Bucket:
    """A rate limit (generic cell rate algorithm): ``burst`` requests at once, then one each ``60 s / per_minute``."""

    def __init__(self, per_minute: int, burst: int) -> None:
        self._interval = MINUTE / per_minute if per_minute else 0.0
        self._slack = self._interval * (burst - 1)
        self._due = 0.0  # ms: when the next request is due at an even pace

    def delay(self, now: int) -> float:
        """Milliseconds from ``now`` (ms) until the next request may be sent."""
        return max(self._due - self._slack - now, 0.0)

    def take(self, now: int) -> None:
        """Count a request that is sent at ``now`` (ms)."""
        self._due = max(self._due, now) + self._interval


class Circuit:
    """A circuit breaker: opens after ``threshold`` failures in a row, then lets single probes through.

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
        """The state at ``now`` (ms). Closed: requests pass. Open: none passes. Half open: one probe passes."""
        if self._opened_at is None:
            return "closed"
        return "open" if now < self._opened_at + self._pause else "half_open"

    def delay(self, now: int) -> int:
        """Milliseconds from ``now`` (ms) until a probe may be sent; 0 unless the circuit is open."""
        return max(self._opened_at + self._pause - now, 0) if self._opened_at is not None else 0

    def succeeded(self) -> None:
        """Close the circuit: the receiver has answered."""
        self.failures = 0
        self._opened_at = None
        self._pause = self.first_pause

    def failed(self, now: int) -> None:
        """Count a failure at ``now`` (ms): the receiver has answered with an error, or not at all."""
        self.failures += 1
        if self._opened_at is not None:
            if self.state(now) == "half_open":
                self._pause = min(self._pause * 2, self.longest_pause)
                self._opened_at = now
        elif self.failures >= self.threshold:
            self._opened_at = now


class ReceiverGate:
    """The gate to one receiver: decides when each request may be sent, in the order of arrival."""

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
        """Wait until one request may be sent.

        Args:
            wanted: whether the request is still needed; asked before each wait.

        Returns:
            True if the request may be sent; ``leave`` must then be called after its answer. False if the
            request is no longer wanted; it then uses up nothing of the rate limit.
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
        """Report the end of a request that ``enter`` has let through.

        Args:
            answer: the receiver's answer; None if the request was cancelled on this side.
            hold: seconds during which no other request may be sent to this receiver either.
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
