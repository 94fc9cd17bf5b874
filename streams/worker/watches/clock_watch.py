"""Is the clock of this machine the broker's, and who is told if it is not?"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from detectors.instants import MINUTE, SECOND, format_duration
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.progress import Progress, Why

__all__ = ["ClockWatch"]

log = structlog.get_logger(__name__)

#: From so far on it is a notice, and from so far on an obstacle, ms.
_NOTICE, _BLIND = 5 * SECOND, MINUTE
_EVERY = 1.0  # seconds between two looks
_REMEDY = "let NTP set the clock of this machine (chronyc tracking), or that of the brokers"


class _Metrics(Protocol):
    def clock_ahead(self, ahead: int) -> None: ...


class ClockWatch:
    """Compares the clock of this machine with the broker's.

    Verdicts go by the broker's time and do not depend on it, but the other clocks of the deployment may be as wrong.

    Args:
        time: the broker's time.
        progress: is told of a clock that is far off.
        metrics: is told of every difference, ms.
    """

    def __init__(self, time: BrokerClock, progress: Progress, metrics: _Metrics) -> None:
        self._time = time
        self._progress = progress
        self._metrics = metrics
        self._noticed = False

    async def follow(self) -> None:
        """Look again and again."""
        while True:
            self.look()
            await asyncio.sleep(_EVERY)

    def look(self) -> None:
        """Compare the clocks once."""
        ahead = self._time.ahead
        if ahead is None:
            return
        self._metrics.clock_ahead(ahead)
        self._progress.broker_ahead = -ahead
        how = f"{format_duration(abs(ahead) // SECOND * SECOND)} {'ahead of' if ahead > 0 else 'behind'}"
        if abs(ahead) > _BLIND:
            self._progress.stuck(
                Why.CLOCK, f"the clock of this machine is {how} the Kafka broker's", remedy=_REMEDY
            )
        else:
            self._progress.going(Why.CLOCK)
        off = abs(ahead) > _NOTICE
        if off and not self._noticed:
            log.warning("clock_off", ahead_seconds=ahead / SECOND, remedy=_REMEDY)
        elif self._noticed and not off:
            log.info("clock_right_again", ahead_seconds=ahead / SECOND)
        self._noticed = off
