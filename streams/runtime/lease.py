"""May this worker still write and send? After standing still for longer than its session, others do its work.

Nothing fences a writer on the broker, so a worker watches itself: ``tick`` runs on the event loop, and whoever is about
to write or to send asks ``check`` first. A process that was stopped and goes on finds that the last tick is too old.
"""

from __future__ import annotations

from collections.abc import Callable

from detectors.errors import WatchofficerError

__all__ = ["Lease", "LeaseLost"]


class LeaseLost(WatchofficerError):
    """This worker stood still for too long. It has to end; a new one begins where the writes ended."""


class Lease:
    """The right to write, renewed by ticking.

    Args:
        seconds: how long it lasts: less than the session timeout of the consumer groups by more than a heartbeat, as
            the last one may have been sent that long before the process stood still.
        clock: seconds that go on while the process is stopped (``time.monotonic``).
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._last = clock()

    def begin(self) -> None:
        """Count from now: nothing has been written yet, so that nothing can have been lost."""
        self._last = self._clock()

    def tick(self) -> None:
        """Renew it.

        Raises:
            LeaseLost: it is too late.
        """
        self.check()
        self._last = self._clock()

    def check(self) -> None:
        """Make sure that it holds.

        Raises:
            LeaseLost: it does not.
        """
        stood_still = self._clock() - self._last
        if stood_still > self._seconds:
            raise LeaseLost(f"this worker stood still for {stood_still:.0f} s: others may do its work by now")
