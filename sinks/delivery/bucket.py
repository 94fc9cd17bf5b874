"""How many requests a minute does a receiver get from this process?"""

from __future__ import annotations

from detectors.instants import MINUTE

__all__ = ["Bucket"]


class Bucket:
    """A rate limit (generic cell rate algorithm): ``burst`` requests at once, then one each ``60 s / per_minute``.

    A receiver counts the requests of all workers together. Each worker therefore takes its share of rate and burst, by
    the share of the outbox that it sends; the shares of all workers are 1.

    Args:
        per_minute: requests a minute of all workers; 0 for no limit.
        burst: requests of all workers at once.
        spent_at: the present, ms, if the burst counts as spent: whoever sent before may just have spent it. Then one
            request may be sent at once.
    """

    def __init__(self, per_minute: int, burst: int, *, spent_at: int | None = None) -> None:
        self._full = MINUTE / per_minute if per_minute else 0.0
        self._room = self._full * burst  # ms of an even pace that may be used up at once, whatever the share
        self._share = 1.0
        self._due = 0.0  # ms: when the next request is due at an even pace
        if spent_at is not None:
            self._due = spent_at + max(self._room - self._interval, 0.0)

    @property
    def _interval(self) -> float:
        return self._full / self._share

    def delay(self, now: int) -> float:
        """Milliseconds from ``now`` (ms) until the next request may be sent."""
        return max(self._due - max(self._room - self._interval, 0.0) - now, 0.0)

    def take(self, now: int) -> None:
        """Count a request that is sent at ``now`` (ms)."""
        self._due = max(self._due, now) + self._interval

    def set_share(self, share: float, now: int) -> None:
        """Take another share of the rate from ``now`` (ms) on; what may be sent at once does not grow by that.

        Args:
            share: above 0, at most 1.
        """
        if share == self._share or not self._full:
            return
        left = (
            self._room - max(self._due - now, 0.0)
        ) / self._interval  # requests that may be sent at once now
        self._share = share
        self._due = now + max(self._room - max(left, 0.0) * self._interval, 0.0)
