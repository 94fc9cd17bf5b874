"""What a person, or PagerDuty for a person, asks of one incident. Each gives back why not, if it cannot be."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from detectors.incidents import IncidentInput, Note
from detectors.lifecycle import transitions
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.recorder import Recorder
from detectors.urgency import is_serious

__all__ = ["acknowledge", "declare", "note", "resolve", "unacknowledge"]

#: Notes kept with an incident; all of them are in the incident log.
NOTES_KEPT = 100


def acknowledge(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> str | None:
    """Somebody is at it; once more only if somebody was paged since."""
    incident = memory.incident
    if incident.acknowledged_at is not None and not memory.woken_again:
        return f"{incident.id} is acknowledged already, by {incident.acknowledged_by}"
    changes: dict[str, Any] = {}
    if incident.acknowledged_at is None:
        changes = {"acknowledged_at": recorder.at, "acknowledged_by": incident_input.by}
    if incident.state == "open":
        changes["state"] = "acknowledged"
    memory.resume, memory.woken_again = "acknowledged", False
    recorder.change(
        memory,
        "acknowledged",
        f"{incident_input.by} acknowledged it.",
        by=incident_input.by,
        via=incident_input.via,
        **changes,
    )
    return None


def unacknowledge(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> str | None:
    """An acknowledgement is taken back, or has run out at PagerDuty."""
    incident = memory.incident
    if incident.acknowledged_at is None:
        return f"{incident.id} is not acknowledged"
    memory.resume, memory.woken_again = "open", False
    recorder.change(
        memory,
        "unacknowledged",
        f"The acknowledgement by {incident.acknowledged_by} was taken back.",
        by=incident_input.by,
        via=incident_input.via,
        acknowledged_at=None,
        acknowledged_by=None,
        state="open" if incident.state == "acknowledged" else incident.state,
    )
    return None


def declare(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> str | None:
    """A service outage is confirmed, once.

    A declared incident is serious whatever was found: receivers that did not hear of a mere surge do now.
    """
    incident = memory.incident
    if incident.declared_at is not None:
        return f"{incident.id} is declared already, by {incident.declared_by}"
    text = f": {incident_input.text}" if incident_input.text else "."
    reason = f"{incident_input.by} declared a service outage{text}"
    if not is_serious(incident):
        memory.incident = replace(incident, causes=tuple(sorted({*incident.causes, "declared"})))
        recorder.change(memory, "cause", reason, by=incident_input.by, via=incident_input.via)
    transitions.declare(memory, reason, recorder, by=incident_input.by, via=incident_input.via)
    return None


def resolve(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> str | None:
    """It is over, whatever is still found: that does not reopen it for a while (``grouping``)."""
    memory.held = memory.fired and memory.quiet_for < recorder.policy.lifecycle.recovering_after
    text = f": {incident_input.text}" if incident_input.text else "."
    reason = f"{incident_input.by} resolved it{text}"
    transitions.resolve(memory, recorder, "by a person", reason, by=incident_input.by, via=incident_input.via)
    return None


def note(memory: IncidentMemory, incident_input: IncidentInput, text: str, recorder: Recorder) -> None:
    """Put a line on the incident."""
    notes = (*memory.incident.notes, Note(recorder.at, incident_input.by, text))[-NOTES_KEPT:]
    recorder.change(memory, "note", text, by=incident_input.by, via=incident_input.via, notes=notes)
