"""How is an incident an alert of Alertmanager? The labels are its identity, all that moves is an annotation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.incidents import Command
from detectors.instants import MINUTE, format_instant
from sinks.receivers.story import plain, tell
from sinks.wording import UNNAMED, ScopeNames, people_words

__all__ = ["HOLD", "alert", "ended", "labels_of"]

#: For how long (ms) an alert stands after it was last sent. It is sent again each minute.
HOLD = 5 * MINUTE
_NAME = "SignInIncident"
_SEVERITIES = {1: "critical", 2: "error", 3: "warning"}


def labels_of(command: Command, names: ScopeNames = UNNAMED) -> dict[str, str]:
    """The labels of an incident as it stands: which one, where, how severe."""
    incident = command.incident
    return {
        "alertname": _NAME,
        "incident": incident.id,
        "epoch": str(incident.epoch),
        "env": incident.env,
        "scope": incident.scope,
        "severity": _SEVERITIES[incident.severity],
        "sla_severity": str(incident.severity),
        **names.named(incident.scope),
    }


def alert(command: Command, *, now: int, names: ScopeNames = UNNAMED) -> dict[str, Any]:
    """The alert of an incident: until five minutes from ``now`` (ms) while it is open, ended now once it is over."""
    incident = command.incident
    story = tell(command, names)
    links = {link.name: link.url for link in story.links}
    over = incident.state in ("resolved", "closed")
    annotations = {
        "summary": story.subject,
        "description": story.news,
        "people": people_words(incident),
        "sentence": plain(incident.sentence),
        "priority": incident.priority,
        "state": incident.state,
        "runbook_url": links.get("runbook", ""),
        "console_url": links.get("console", ""),
    }
    sent: dict[str, Any] = {
        "labels": labels_of(command, names),
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": format_instant(incident.first_bad_at),
        "endsAt": format_instant(max(now, incident.first_bad_at) if over else now + HOLD),
    }
    if "console" in links:
        sent["generatorURL"] = links["console"]
    return sent


def ended(labels: Mapping[str, str], *, since: int, now: int) -> dict[str, Any]:
    """The end of an alert whose labels do not hold any more; ``since`` as it was sent, ms."""
    return {
        "labels": dict(labels),
        "annotations": {},
        "startsAt": format_instant(since),
        "endsAt": format_instant(max(now, since)),
    }
