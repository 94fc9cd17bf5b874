"""What does an incident's answer say beside its record: the response clocks, and the text of an update to send?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from detectors.instants import SECOND, format_instant
from detectors.lifecycle.response_times import clocks
from detectors.policy.policy import Policy
from sinks.wording import ScopeNames, update_words
from streams.records.models import IncidentRecord

__all__ = ["conduct_of"]


def conduct_of(incident: Mapping[str, Any], policy: Policy, names: ScopeNames, now: int) -> dict[str, Any]:
    """Return ``clocks`` and ``update_draft`` of an incident that is not over; {} for one that is.

    Each clock has its name, when it began and is due, the seconds that are left (less than 0 once it is over), and
    whether it has stopped, as somebody has acknowledged the incident.

    Args:
        incident: a record of the topic ``incidents``, as JSON.
        policy: has the response times.
        names: what people call the values of scopes.
        now: ms since the epoch.
    """
    if incident["state"] in ("resolved", "closed"):
        return {}
    try:
        stands = IncidentRecord.model_validate_json(msgspec.json.encode(incident)).incident()
    except ValueError:  # of another version: it is shown as it is
        return {}
    stopped = stands.acknowledged_at
    told = [
        {
            "clock": one.name,
            "began_at": format_instant(stands.opened_at),
            "due_at": format_instant(one.due_at),
            "seconds_left": (one.due_at - (now if stopped is None else stopped)) / SECOND,
            "stopped_at": None if stopped is None else format_instant(stopped),
        }
        for one in clocks(stands, policy)
    ]
    return {"clocks": told, "update_draft": update_words(stands, names)}
