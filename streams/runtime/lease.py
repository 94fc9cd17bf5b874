"""May this worker still write and send? If it stood still for longer than its session, other workers do its work.

The broker does not fence writers, so a worker checks itself: ``tick`` runs on the event loop, and every part calls
``check`` before it writes or sends. A process that was stopped and continues finds that the last tick is too old.
"""

from __future__ import annotations

from collections.abc import Callable

from detectors.errors import WatchofficerError

__all__ = ["Lease", "LeaseLost"]


class LeaseLost(WatchofficerError):
    """This worker stood still for too long and must end; a new worker continues where its writes ended."""


class Lease:
    """The right to write, renewed by ticking.

    Args:
        seconds: how long the lease lasts: less than the session timeout of the consumer groups by more than one
            heartbeat, because the last heartbeat may have been sent that long before the process stood still.
        clock: seconds that continue while the process is stopped (``time.monotonic``).
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last = clock()

    def begin(self) -> None:
        """Start the lease now; to be called before the first write, when no write can be in doubt."""
        self._last = self._clock()

    def tick(self) -> None:
        """Renew the lease.

        Raises:
            LeaseLost: the lease has expired.
        """
        self.check()
        self._last = self._clock()

    def check(self) -> None:
        """Check that the lease is valid.

        Raises:
            LeaseLost: the lease has expired.
        """
        stood_still = self._clock() - self._last
        if stood_still > self._seconds:
            raise LeaseLost(f"this worker stood still for {stood_still:.0f} s: others may do its work by now")
