"""Did each page of an incident go out? What ``incident-deliveries`` says of PagerDuty's triggers, by dedup key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from detectors.instants import format_instant
from sinks.delivery.outcomes import Delivery

__all__ = ["PageStates"]

State = Literal["delivered", "refused", "not_sent", "pending", "off", "unknown"]

#: The alerts that are remembered, the latest.
_REMEMBERED = 5_000
#: What counts of an alert that was triggered more than once: the first of these. A page that was refused and then tried
#: again has gone out.
_RANKS: Mapping[str, tuple[int, State]] = {
    "delivered": (0, "delivered"),
    "dead": (1, "refused"),
    "dropped": (2, "not_sent"),
}


class PageStates:
    """What became of triggers, by the alert's dedup key."""

    def __init__(self) -> None:
        self._known: dict[str, Delivery] = {}

    def learn(self, value: bytes) -> None:
        """Note a record of ``incident-deliveries``. Records come in any order, and more than once.

        Raises:
            ValueError: it is none.
        """
        delivery = msgspec.json.decode(value, type=Delivery)
        key = delivery.dedup_key or delivery.receipt.get("dedup_key", "")
        if (delivery.sink, delivery.action) != ("pagerduty", "trigger") or not key:
            return
        if delivery.outcome not in _RANKS:
            return  # a later trigger of the same key took its place
        known = self._known.pop(key, None)
        self._known[key] = delivery if known is None else min(known, delivery, key=_place)
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]

    def told(self, incident: Mapping[str, Any], *, on: bool) -> dict[str, Any]:
        """A record of ``incidents`` in which each page says what became of it (``delivery``).

        Args:
            incident: the record.
            on: whether PagerDuty is set up.
        """
        pages = incident.get("pages")
        if not isinstance(pages, list):
            return dict(incident)
        over = incident.get("state") in ("resolved", "closed")
        waiting: State = "unknown" if over else "pending" if on else "off"
        return {**incident, "pages": [{**page, "delivery": self._of(page, waiting)} for page in pages]}

    def _of(self, page: Mapping[str, Any], waiting: State) -> dict[str, Any]:
        known = self._known.get(str(page.get("dedup_key")))
        if known is None:
            return {"state": waiting}
        state = _RANKS[known.outcome][1]
        said: dict[str, Any] = {"state": state, "at": format_instant(known.at), "attempts": known.attempts}
        return said | ({"reason": known.reason} if known.reason else {})


def _place(delivery: Delivery) -> tuple[int, int]:
    return _RANKS[delivery.outcome][0], delivery.at
