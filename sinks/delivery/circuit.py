"""Is a receiver itself broken, or does it only not take what one incident sends it?"""

from __future__ import annotations

from typing import Literal

from detectors.instants import SECOND
from sinks.receivers.answers import Kind

__all__ = ["Circuit"]

State = Literal["closed", "open", "half_open"]

#: Failures that come before a receiver has read anything: they are of no one command.
_OF_THE_RECEIVER: frozenset[Kind] = frozenset({"dns", "connect", "tls"})


class Circuit:
    """A circuit breaker: opens after ``threshold`` failures in a row, then lets a probe through each ``pause``.

    The failures of one key open nothing, however many: a receiver may refuse what one incident sends and take all
    else. Where nothing can be reached at all, one key is enough. The pause is short and does not grow, since what waits
    behind an open circuit may be the page of an incident that the receiver would take.
    """

    threshold = 5
    pause = 4 * SECOND

    def __init__(self) -> None:
        self.failures = 0
        self._keys: set[str] = set()  # that have failed since the last success, two at most
        self._probe_at: int | None = None  # None: closed

    def state(self, now: int) -> State:
        """The state at ``now`` (ms). Closed: requests pass. Open: none passes. Half open: one probe passes."""
        if self._probe_at is None:
            return "closed"
        return "open" if now < self._probe_at else "half_open"

    def delay(self, now: int) -> int:
        """Milliseconds from ``now`` (ms) until a probe may be sent; 0 unless the circuit is open."""
        return max(self._probe_at - now, 0) if self._probe_at is not None else 0

    def sent(self, now: int) -> None:
        """Count a request that is sent at ``now`` (ms): of an open circuit it is the probe."""
        if self._probe_at is not None:
            self._probe_at = now + self.pause

    def succeeded(self) -> bool:
        """The receiver has answered; whether that has closed the circuit."""
        closes = self._probe_at is not None
        self.failures = 0
        self._keys.clear()
        self._probe_at = None
        return closes

    def failed(self, key: str, kind: Kind, now: int) -> bool:
        """Count a failure at ``now`` (ms): an error of the receiver, or no answer; whether that has opened the circuit.

        Args:
            key: whose request it was.
            kind: what the answer amounts to.
        """
        self.failures += 1
        if len(self._keys) < 2:
            self._keys.add(key)
        several = len(self._keys) > 1 or kind in _OF_THE_RECEIVER
        if self._probe_at is None and self.failures >= self.threshold and several:
            self._probe_at = now + self.pause
            return True
        return False
