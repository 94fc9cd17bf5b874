"""What time is it for the broker, whatever the clock of this machine says?

The clock stands in for events where there are none, and is compared with the times of events. All workers must mean
the same clock by that, and the broker's is the one that has stamped the records. A topic with ``LogAppendTime`` tells
it: each record that is written there comes back with the broker's time, which lies between the sending of the record
and the acknowledgement. The records that are read of such a topic tell it too, to within the wait for them.

What is estimated is the distance of the broker's clock from the monotonic one of this machine, which nobody sets. So a
clock that is set meanwhile changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["BrokerClock"]

#: How far two clocks may drift apart, ms a second: twice what the worst of them do.
_DRIFT = 0.2
#: A record is read so soon after the broker has taken it, where the wait for it is known less exactly, ms.
_DELAY = 100.0


class BrokerClock:
    """The broker's time, ms since the epoch. Until the broker has told its time, it is ``clock``.

    Args:
        clock: the clock of this machine, ms since the epoch.
        monotonic: seconds that never go back.
    """

    pace = 1.0

    def __init__(self, clock: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        # The broker's clock less the monotonic one lies between these, ms, as was known at ``_known_at`` (ms).
        self._least, self._most = -math.inf, math.inf
        self._known_at = 0.0

    def __call__(self) -> int:
        now = self._now()
        self._widen(now)
        if self._least == -math.inf:
            return self._clock()
        if self._most == math.inf:  # only that it is so late at least
            return max(self._clock(), round(now + self._least))
        return round(now + self._least + min(_DELAY, (self._most - self._least) / 2))

    def note(self, stamp: int, *, after: float | None = None) -> None:
        """Note a timestamp that the broker has put on a record which came, or was acknowledged, now.

        Args:
            stamp: the timestamp, ms since the epoch.
            after: the broker took the record after this instant, seconds of ``monotonic``; None where that is unknown.
        """
        now = self._now()
        self._widen(now)
        least, most = stamp - now, math.inf if after is None else stamp - 1_000 * after
        if least > self._most or most < self._least:  # a clock was set, or this machine was suspended
            self._least, self._most = least, most
        else:
            self._least, self._most = max(self._least, least), min(self._most, most)

    @property
    def ahead(self) -> int | None:
        """How far the clock of this machine is ahead of the broker's at least, ms; negative: behind it.

        0 where it may be right; None until the broker has told its time from both sides.
        """
        now = self._now()
        self._widen(now)
        if not math.isfinite(self._most - self._least):
            return None
        ours = self._clock() - now
        if ours > self._most:
            return round(ours - self._most)
        return round(min(0.0, ours - self._least))

    def _now(self) -> float:
        return 1_000 * self._monotonic()

    def _widen(self, now: float) -> None:
        """Allow for what the clocks may have drifted apart since they were compared last."""
        drift = _DRIFT * (now - self._known_at) / 1_000
        self._least, self._most, self._known_at = self._least - drift, self._most + drift, now
