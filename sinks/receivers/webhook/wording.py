"""What does a webhook receive? The incident's JSON, or an event in the form of ServiceNow's Event Management."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

from detectors.incidents import Command, Incident
from detectors.instants import format_instant
from sinks.receivers.story import plain, subject_of, tell
from sinks.wording import UNNAMED, ScopeNames, truncate

__all__ = ["BODY_BYTES", "Document", "Template", "render", "render_em_event"]

#: Standard Webhooks asks for bodies below 20 KB.
BODY_BYTES = 20_000
#: An incident -> its JSON, as the topic ``incidents`` has it.
Document = Callable[[Incident], bytes]
#: The form of a body.
Template = Literal["incident", "servicenow"]

_NOTE_LIMIT = 300
#: What is left of texts and lists where they are too long, step by step.
_LIMITS = (400, 100)
_SEVERITIES = {1: "1", 2: "2", 3: "3"}  # ServiceNow: 1 critical, 2 major, 3 minor, 0 clear
_CLEAR = "0"
_SOURCE = "watchofficer"


def render(command: Command, document: Document) -> bytes:
    """The body for a command: ``{"type": "incident.opened", "timestamp": …, "data": {the incident}}``.

    ``data`` is a record of the published schema of incidents. Where the body would be too long, the oldest notes are
    left out first, then texts are cut, those of links first.

    Args:
        command: the command.
        document: makes the JSON of an incident.
    """
    data: dict[str, Any] = json.loads(document(command.incident))
    body = {
        "type": f"incident.{command.kind}",
        "timestamp": format_instant(command.at),
        "reason": plain(command.reason),
        **({"by": plain(command.by, 200)} if command.by else {}),
        "data": data,
    }
    notes = list(data.get("notes", ()))
    while len(encoded := _encoded(body)) > BODY_BYTES and notes:
        notes.pop(0)
        data["notes"] = [{**note, "text": plain(note["text"], _NOTE_LIMIT)} for note in notes]
    for field, limit in itertools.product(("links", "narrower", "common", "pages", "routed", *data), _LIMITS):
        if len(encoded) <= BODY_BYTES:
            break
        data[field] = _shortened(data.get(field), limit)
        encoded = _encoded(body)
    return encoded


def _shortened(value: Any, limit: int) -> Any:
    """A value of JSON with at most ``limit`` characters in each text, and entries in each list."""
    if isinstance(value, str):
        return truncate(value, limit)
    if isinstance(value, dict):
        return {name: _shortened(one, limit) for name, one in value.items() if len(name) <= limit}
    return [_shortened(one, limit) for one in value[:limit]] if isinstance(value, list) else value


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def render_em_event(command: Command, names: ScopeNames = UNNAMED) -> bytes:
    """The body for ServiceNow: one record of ``em_event``, for ``/api/global/em/jsonv2``.

    One incident and epoch is one alert there (``message_key``); a resolution clears it (severity 0).
    """
    incident = command.incident
    story = tell(command, names)
    over = command.action == "resolve"
    record = {
        "source": _SOURCE,
        "event_class": _SOURCE,
        "node": incident.env,
        "resource": incident.scope,
        "metric_name": plain(", ".join(incident.causes), 100) or "unknown",
        "type": "Sign-in incident",
        "message_key": command.dedup_key,
        "severity": _CLEAR if over else _SEVERITIES[incident.severity],
        "time_of_event": datetime.fromtimestamp(command.at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "resolution_state": "Closing" if over else "New",
        "description": plain(f"{subject_of(incident, names)}. {story.news}", 4000),
        # ServiceNow takes further fields as text that holds JSON.
        "additional_info": json.dumps(
            {
                "incident": incident.id,
                "epoch": incident.epoch,
                "kind": command.kind,
                "state": incident.state,
                "sla_severity": incident.severity,
                "peak_severity": incident.peak_severity,
                "priority": incident.priority,
                "datadog_severity": incident.datadog_severity,
                "people_impacted": incident.users_impacted,
                "basis": incident.basis,
                **{f"link_{link.name}": link.url for link in story.links[:8]},
            },
            ensure_ascii=False,
        ),
    }
    return _encoded({"records": [record]})
