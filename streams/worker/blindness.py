"""Who is notified when the log cannot be read, and when it can be read again?

While the broker is away nothing can be evaluated and nothing can be written, so PagerDuty and Slack are notified past
the outbox. Every worker uses the same key, which PagerDuty folds into one alert. Any worker that reads the log again
resolves the alert, also a worker that has just started.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from mode import Service

from detectors.instants import format_duration
from streams.dispatch.receivers import Notify
from streams.runtime.health import Health

__all__ = ["Blindness"]

log = structlog.get_logger(__name__)

_PROBE_EVERY = 2.0  # seconds


class Blindness(Service):
    """Probes the broker and notifies.

    Args:
        probe: None, or why the log cannot be read.
        notify: the ways to the receivers, by name.
        clock: ms since the epoch.
        blind_after: ms without an answer until the receivers are notified.
        health: receives whether the broker answers.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[str | None]],
        notify: Mapping[str, Notify],
        clock: Callable[[], int],
        blind_after: int,
        health: Health,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._probe = probe
        self._notify = notify
        self._clock = clock
        self._blind_after = blind_after
        self._health = health
        self._answered_at = clock()
        self._since: int | None = None
        # A worker that died while it was blind has left an alert open; resolving one that is not open does nothing.
        self._notified: dict[str, bool] = dict.fromkeys(notify, False)
        self._seeing_again: set[str] = {"pagerduty"} & set(notify)

    @Service.task
    async def _watch(self) -> None:
        self._answered_at = self._clock()
        while not self.should_stop:
            await self.look()
            await self.sleep(_PROBE_EVERY)

    async def look(self) -> None:
        """Probe once, and notify the receivers of a change."""
        why = await self._probe()
        now = self._clock()
        if why is None:
            self._health.ready("broker")
            self._answered_at = now
            self._seeing_again |= {name for name, done in self._notified.items() if done}
            for name in sorted(self._seeing_again):
                if await self._notify[name](self._since or now, "", True):
                    self._seeing_again.discard(name)
                    self._notified[name] = False
            if not self._seeing_again:
                self._since = None
            return
        self._health.unready("broker", why)
        if now - self._answered_at < self._blind_after:
            return
        if self._since is None:
            self._since = self._answered_at
            log.error("log_unreadable", since=self._since, why=why)
        sentence = f"For {format_duration(self._blind_after)} the log could not be read: {why}"
        self._seeing_again.clear()
        for name, done in self._notified.items():
            if not done:
                self._notified[name] = await self._notify[name](self._since, sentence, False)
