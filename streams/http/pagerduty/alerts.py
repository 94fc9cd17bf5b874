"""Which alerts of ours does an incident of PagerDuty's hold, as far as the topics say?

The webhook of a note names PagerDuty's incident only, and after a merge so may any other. ``incidents`` says it of
each alert for good, ``incident-inputs`` as soon as a webhook has stated both. Every worker reads both topics, so a
webhook may reach any of them, also one that has just started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

__all__ = ["AlertIndex"]

#: The incidents of PagerDuty's that are remembered, the latest.
_REMEMBERED = 5_000
#: The most alerts that are remembered of one of them; PagerDuty allows 1,000.
_ALERTS = 1_000


class AlertIndex:
    """PagerDuty's id of an incident -> the dedup keys of the alerts that it holds."""

    def __init__(self) -> None:
        self._keys: dict[str, dict[str, None]] = {}
        self._news = asyncio.Event()

    def learn(self, incident: str, *keys: str) -> None:
        """Store that an incident of PagerDuty's holds the alerts with these keys."""
        held = self._keys.pop(incident, {}) | dict.fromkeys(keys)
        self._keys[incident] = dict(list(held.items())[-_ALERTS:])
        if len(self._keys) > _REMEMBERED:
            del self._keys[next(iter(self._keys))]
        self._news.set()
        self._news = asyncio.Event()

    def learn_incident(self, record: Mapping[str, Any]) -> None:
        """Store what a record of the topic ``incidents`` says."""
        for page in record.get("pages") or ():
            theirs, key = page.get("incident"), page.get("dedup_key")
            if isinstance(theirs, str) and isinstance(key, str):
                self.learn(theirs, key)

    def learn_input(self, record: Mapping[str, Any]) -> None:
        """Store what a record of the topic ``incident-inputs`` says."""
        alert = record.get("alert") or {}
        theirs, key, into = (alert.get(name) for name in ("incident", "dedup_key", "into"))
        if isinstance(theirs, str) and isinstance(key, str):
            self.learn(theirs, key)
        if isinstance(into, str):
            moved = [key] if isinstance(key, str) else []
            self.learn(into, *moved, *(self.keys(theirs) if isinstance(theirs, str) else ()))

    def keys(self, incident: str) -> tuple[str, ...]:
        """The dedup keys of the alerts that an incident of PagerDuty's holds; () for one that is not known."""
        return tuple(self._keys.get(incident, ()))

    async def wait_for(self, incident: str, seconds: float) -> bool:
        """Wait until an incident of PagerDuty's is known, at most so many seconds; whether it is."""
        try:
            async with asyncio.timeout(seconds):
                while incident not in self._keys:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True
