"""What became of an input: does it wait, did it apply, or was it refused, and why?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["InputStates"]

#: The inputs that are remembered, the latest.
_REMEMBERED = 10_000
_KEPT = ("id", "kind", "env", "incident", "scope", "axis", "value", "by", "via", "at")


class InputStates:
    """The inputs of ``incident-inputs`` and what ``incident-log`` says of them, by id."""

    def __init__(self) -> None:
        self._states: dict[str, dict[str, Any]] = {}

    def accepted(self, record: Mapping[str, Any]) -> None:
        """Note a record of ``incident-inputs``. A repeat changes nothing."""
        id_ = str(record["id"])
        known = self._states.get(id_, {})
        asked = {name: record[name] for name in _KEPT if record.get(name) is not None}
        self._put(id_, {"state": "accepted", **asked, **known})

    def decided(self, line: Mapping[str, Any]) -> None:
        """Note a line of the incident log. What applied stays applied, also where a repeat of it is refused."""
        id_ = line.get("input")
        if not isinstance(id_, str):
            return
        known = self._states.get(id_, {"id": id_})
        refused = line.get("type") == "refused"
        if known.get("state") == "applied" or (refused and known.get("state") == "refused"):
            return
        decided = {"state": "refused" if refused else "applied", "decided_at": line.get("at")}
        if not refused:
            decided["applied_at"] = line.get("at")
        about = line.get("incident")
        incident = about.get("id") if isinstance(about, Mapping) else about
        found = {"incident": incident} if incident is not None else {}
        self._put(id_, {**known, **decided, **found, "reason": line.get("reason")})

    def get(self, id_: str) -> dict[str, Any] | None:
        """What is known of an input; None for an id that is not known."""
        return self._states.get(id_)

    def _put(self, id_: str, state: dict[str, Any]) -> None:
        self._states.pop(id_, None)
        self._states[id_] = state
        if len(self._states) > _REMEMBERED:
            del self._states[next(iter(self._states))]
