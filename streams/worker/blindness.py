"""The watch on the watch: says, past the outbox, that the log cannot be read, and that it can again.

While the broker is away nothing can be judged and nothing can be written, so this goes straight to PagerDuty and Slack.
Every worker says it under the same key, which PagerDuty folds into one alert; whoever sees the end of it resolves it,
also a worker that has only just started.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from mode import Service

from detectors.instants import format_duration
from streams.dispatch.receivers import Tell
from streams.runtime.health import Health

__all__ = ["Blindness"]

log = structlog.get_logger(__name__)

_PROBE_EVERY = 2.0  # seconds


class Blindness(Service):
    """Probes the broker and tells.

    Args:
        probe: None, or why there is nothing to be seen.
        tell: the receivers, by name.
        clock: ms since the epoch.
        blind_after: ms without an answer until it is said.
        health: is told whether the broker answers.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[str | None]],
        tell: Mapping[str, Tell],
        clock: Callable[[], int],
        blind_after: int,
        health: Health,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._probe = probe
        self._tell = tell
        self._clock = clock
        self._blind_after = blind_after
        self._health = health
        self._answered_at = clock()
        self._since: int | None = None
        # A worker that died blind has left an alert behind: to resolve one that is not open does nothing.
        self._told: dict[str, bool] = dict.fromkeys(tell, False)
        self._seeing_again: set[str] = {"pagerduty"} & set(tell)

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.look()
            await self.sleep(_PROBE_EVERY)

    async def look(self) -> None:
        """Probe once, and tell what there is to tell."""
        why = await self._probe()
        now = self._clock()
        if why is None:
            self._health.ready("broker")
            self._answered_at = now
            self._seeing_again |= {name for name, told in self._told.items() if told}
            for name in sorted(self._seeing_again):
                if await self._tell[name](self._since or now, "", True):
                    self._seeing_again.discard(name)
                    self._told[name] = False
            if not self._seeing_again:
                self._since = None
            return
        self._health.unready("broker", why)
        if now - self._answered_at < self._blind_after:
            return
        if self._since is None:
            self._since = self._answered_at
            log.error("the_watch_is_blind", since=self._since, why=why)
        sentence = f"For {format_duration(self._blind_after)} the log could not be read: {why}"
        self._seeing_again.clear()
        for name, told in self._told.items():
            if not told:
                self._told[name] = await self._tell[name](self._since, sentence, False)
