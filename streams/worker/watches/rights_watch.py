"""Which rights of this process are missing while it runs? Asked again and again, and reported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiokafka.errors import KafkaError, UnrecognizedBrokerVersion

from streams.kafka.rights import MissingRight
from streams.runtime.clocks import REAL_TIMING, Timing
from streams.runtime.progress import Progress, Why

__all__ = ["RightsWatch"]

log = structlog.get_logger(__name__)

_LOOK_EVERY = 20.0  # seconds


class RightsWatch:
    """Reports the rights that this process lacks, each as an obstacle of its own.

    Args:
        rights: asks the broker which rights are missing.
        user: the name with which this process enters; None without one.
        progress: is told.
        timing: gives sleep.
    """

    def __init__(
        self,
        rights: Callable[[], Awaitable[Sequence[MissingRight]]],
        user: str | None,
        progress: Progress,
        timing: Timing = REAL_TIMING,
    ) -> None:
        self._rights = rights
        self._user = user
        self._progress = progress
        self._timing = timing
        self._lacked: set[tuple[Why, str]] = set()

    async def follow(self) -> None:
        """Look at the rights again and again: they may be taken from a process that runs."""
        while True:
            await self._timing.sleep(_LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Report the rights that this process lacks now, and that it has again what it lacked before."""
        try:
            self.note(await self._rights())
        except (KafkaError, OSError, UnrecognizedBrokerVersion):
            return  # that the broker does not answer is said by those who read and write

    def note(self, lacked: Sequence[MissingRight]) -> None:
        """Report these rights as lacking, and all others as given."""
        now = set()
        for right in lacked:
            why = Why.WRITE if right.operation == "Write" else Why.BROKER
            key = f"right {right.operation} {right.name}"
            now.add((why, key))
            self._progress.stuck(why, right.sentence, key=key, remedy=right.remedy(self._user))
            if (why, key) not in self._lacked:
                log.warning("right_missing", reason=right.sentence, remedy=right.remedy(self._user))
        for why, key in self._lacked - now:
            self._progress.going(why, key)
            log.info("right_given", right=key.removeprefix("right "))
        self._lacked = now
