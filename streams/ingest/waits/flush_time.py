"""When does ingest flush? At regular times, and at once where a T can be judged that no flush has told yet.

A T is judged when the least watermark of all partitions has reached it. The flush that tells so must not wait for the
next regular one, as a page waits with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from detectors.policy.policy import Policy
from streams.runtime.clocks import Timing

__all__ = ["FlushTime", "Told"]

#: A backlog makes a T due with every batch: so long, in seconds, nothing is begun for a T after a flush for another.
_APART_SECONDS = 0.2
#: Without a T to judge, seconds. Each flush is a record to evaluate for each input partition, so there is one such
#: between two T a second apart; it is written before the next T is due, which would wait for it.
_REGULAR_SECONDS = 0.5
#: So many records are more than anybody sends in that time: a backlog, of which a flush would hold up the event loop.
_MANY = 4_000
_LONGEST_POLL_MS = 100


class Told(Protocol):
    """What a flush tells of an input partition."""

    @property
    def watermark(self) -> int | None:
        """The watermark, ms; None before the first event."""
        ...

    @property
    def marked(self) -> str:
        """Why the clock stands in for events; "" where it does not."""
        ...


class FlushTime:
    """Knows what the last flush has told.

    Args:
        policy: gives the step between two T, and the delay of the watermark behind the clock.
        timing: its clock stands in for events; its monotonic time measures.
        pace: how many times faster than real time the clock runs. Only each T that is a multiple of so many steps is
            due at once.
    """

    def __init__(self, policy: Policy, timing: Timing, pace: float = 1.0) -> None:
        self._step = policy.step * pace
        self._delay = policy.watermark_delay * pace
        self._pace = pace
        self._clock = timing.clock
        self._monotonic = timing.monotonic
        self._begun_at = float("-inf")
        self._folded = 0  # records that the flushes so far have told
        self._told_at = float("-inf")  # when the last flush began that told another T than the one before
        self._told: float | None = None  # the T that was told last, in steps

    def begin(self, partitions: Iterable[Told], folded: int = 0) -> None:
        """A flush of these partitions begins, which tells of ``folded`` records since the start."""
        self._begun_at, self._folded = self._monotonic(), folded
        reached = self._reached(partitions)
        if reached is not None and reached != self._told:  # less after a rebalance, which brings others
            self._told, self._told_at = reached, self._begun_at

    def is_due(self, partitions: Iterable[Told], folded: int = 0) -> bool:
        """Whether to begin a flush of these partitions now, with ``folded`` records folded since the start."""
        now = self._monotonic()
        many = folded - self._folded >= _MANY
        if now - self._begun_at >= (_APART_SECONDS if many else _REGULAR_SECONDS):
            return True
        reached = self._reached(partitions)
        new = reached is not None and (self._told is None or reached > self._told)
        return new and now - self._told_at >= _APART_SECONDS

    def poll_ms(self, partitions: Iterable[Told]) -> int:
        """For how long to wait for records, ms: to the next T, where it is the clock that reaches it."""
        if any(not one.marked for one in partitions):
            return _LONGEST_POLL_MS  # the event that reaches the next T ends the wait
        left = self._step - (self._clock() - self._delay) % self._step
        return min(_LONGEST_POLL_MS, 1 + int(left / self._pace))

    def _reached(self, partitions: Iterable[Told]) -> float | None:
        """The last T that can be judged as far as these partitions go, in steps.

        A mark follows the clock, and is put by a flush. So the partitions that events move say when; the clock does
        where there are none.
        """
        known = list(partitions)
        moving = [one.watermark for one in known if not one.marked]
        watermarks = [at for at in moving if at is not None]
        if not known or len(watermarks) < len(moving):
            return None
        return min(watermarks, default=self._clock() - self._delay) // self._step
