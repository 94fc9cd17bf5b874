"""What does the public read on a status page? A title that a person has approved, and words without figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from detectors.incidents import Command, Incident
from sinks.receivers.story import plain
from sinks.wording import UNNAMED, ScopeNames

__all__ = [
    "OPERATIONAL",
    "ComponentStatus",
    "Status",
    "components_of",
    "key_in",
    "render",
    "sentence_of",
    "status_of",
    "statuses_in",
    "worst",
]

Status = Literal["investigating", "identified", "monitoring", "resolved"]
ComponentStatus = Literal[
    "operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"
]
OPERATIONAL: ComponentStatus = "operational"
#: From the best to the worst.
_ORDER: tuple[ComponentStatus, ...] = (
    "operational",
    "under_maintenance",
    "degraded_performance",
    "partial_outage",
    "major_outage",
)
_BY_SEVERITY: dict[int, ComponentStatus] = {1: "major_outage", 2: "partial_outage", 3: "degraded_performance"}
_IMPACT = {1: "critical", 2: "major", 3: "minor"}
_METADATA = "watchofficer"


def status_of(incident: Incident) -> Status:
    """Where the public sees an incident: known once somebody has taken it on or declared it."""
    if incident.state in ("resolved", "closed"):
        return "resolved"
    if incident.state == "recovering":
        return "monitoring"
    known = incident.acknowledged_at is not None or incident.declared_at is not None
    return "identified" if known else "investigating"


def components_of(incident: Incident, ids: Sequence[str]) -> dict[str, ComponentStatus]:
    """The status of each component that an incident affects, by id."""
    over = incident.state in ("resolved", "closed")
    status = OPERATIONAL if over else _BY_SEVERITY[incident.severity]
    return dict.fromkeys(ids, status)


def worst(one: ComponentStatus, other: str) -> ComponentStatus:
    """The worse of two statuses; what is no status counts as operational."""
    return max(one, *(known for known in _ORDER if known == other), key=_ORDER.index) if other else one


def render(
    command: Command,
    *,
    title: str,
    components: Mapping[str, ComponentStatus],
    own: Mapping[str, ComponentStatus],
    says: bool,
    names: ScopeNames = UNNAMED,
) -> dict[str, Any]:
    """The body of a request that creates or changes the incident on the page.

    Args:
        command: the command.
        title: approved by a person.
        components: id -> its status now, by all incidents.
        own: id -> its status by this incident alone, which is kept with it.
        says: whether the change is told to subscribers: a text is an update that reaches all of them.
        names: what people call the values of scopes.
    """
    incident = command.incident
    fields: dict[str, Any] = {
        "status": status_of(incident),
        "impact_override": "none" if incident.state in ("resolved", "closed") else _IMPACT[incident.severity],
        "components": dict(components),
        "component_ids": sorted(components),
        "metadata": {
            _METADATA: {"key": command.dedup_key, "components": dict(own)},
        },
        "deliver_notifications": says,
    }
    if incident.state in ("resolved", "closed"):
        fields["impact_override"] = _IMPACT[incident.peak_severity]  # what it was, in the page's history
    if command.action == "open":
        fields["name"] = title
    if says:
        fields["body"] = sentence_of(incident, names)
    return {"incident": fields}


def key_in(listed: Mapping[str, Any]) -> str | None:
    """Our key in an incident that the page lists; None for an incident of somebody else's."""
    ours = _ours(listed)
    key = ours.get("key")
    return key if isinstance(key, str) else None


def statuses_in(listed: Mapping[str, Any]) -> dict[str, str]:
    """The statuses that one of our incidents on the page has given to components, by id."""
    found = _ours(listed).get("components")
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _ours(listed: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = listed.get("metadata")
    ours = metadata.get(_METADATA) if isinstance(metadata, dict) else None
    return ours if isinstance(ours, dict) else {}


def sentence_of(incident: Incident, names: ScopeNames) -> str:
    """How an incident stands, in a sentence without figures."""
    what = plain(names.words(incident.scope), 200)
    match status_of(incident):
        case "resolved":
            return f"The problem with {what} is over."
        case "monitoring":
            return f"Signing in works again ({what}). We keep watching."
        case "identified":
            return f"Some people cannot sign in ({what}). We know of it and work on it."
        case _:
            return f"Some people cannot sign in ({what}). We are looking into it."
