"""Does the broker answer, and can the input be fetched? Asked again and again, and reported if not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mode import Service

from streams.kafka.diagnosis import Diagnosis
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why

__all__ = ["BrokerWatch"]

_PROBE_EVERY = 2.0  # seconds


class BrokerWatch(Service):
    """Probes the broker.

    Args:
        probe: None, or why the broker does not answer.
        unfetched: None, or which partitions of the input cannot be fetched, and why.
        health: receives whether the broker answers.
        progress: receives the obstacles.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[Diagnosis | None]],
        unfetched: Callable[[], str | None],
        health: Health,
        progress: Progress,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._probe = probe
        self._unfetched = unfetched
        self._health = health
        self._progress = progress

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.look()
            await self.sleep(_PROBE_EVERY)

    async def look(self) -> None:
        """Probe once, and report what came out."""
        away = await self._probe()
        if away is None:
            self._progress.going(Why.BROKER)
        else:
            self._progress.stuck(Why.BROKER, away.sentence, remedy=away.remedy)
        why = self._unfetched() if away is None else away.sentence
        if why is None:
            self._health.ready("broker")
        else:
            self._health.unready("broker", why)
