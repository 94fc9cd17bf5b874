"""What a person, or PagerDuty for a person, asks of one incident. Each gives back why not, if it cannot be."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from detectors.incidents import IncidentInput, Note
from detectors.lifecycle import transitions as course
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.recorder import Chronicle
from detectors.urgency import is_serious

__all__ = ["acknowledge", "declare", "note", "resolve", "unacknowledge"]

#: Notes kept with an incident; all of them are in the incident log.
NOTES_KEPT = 100


def acknowledge(memory: IncidentMemory, wish: IncidentInput, chronicle: Chronicle) -> str | None:
    """Somebody is at it; once more only if somebody was paged since."""
    incident = memory.incident
    if incident.acknowledged_at is not None and not memory.woken_again:
        return f"{incident.id} is acknowledged already, by {incident.acknowledged_by}"
    changes: dict[str, Any] = {}
    if incident.acknowledged_at is None:
        changes = {"acknowledged_at": chronicle.at, "acknowledged_by": wish.by}
    if incident.state == "open":
        changes["state"] = "acknowledged"
    memory.resume, memory.woken_again = "acknowledged", False
    chronicle.change(
        memory,
        "acknowledged",
        f"{wish.by} acknowledged it.",
        by=wish.by,
        via=wish.via,
        **changes,
    )
    return None


def unacknowledge(memory: IncidentMemory, wish: IncidentInput, chronicle: Chronicle) -> str | None:
    """An acknowledgement is taken back, or has run out at PagerDuty."""
    incident = memory.incident
    if incident.acknowledged_at is None:
        return f"{incident.id} is not acknowledged"
    memory.resume, memory.woken_again = "open", False
    chronicle.change(
        memory,
        "unacknowledged",
        f"The acknowledgement by {incident.acknowledged_by} was taken back.",
        by=wish.by,
        via=wish.via,
        acknowledged_at=None,
        acknowledged_by=None,
        state="open" if incident.state == "acknowledged" else incident.state,
    )
    return None


def declare(memory: IncidentMemory, wish: IncidentInput, chronicle: Chronicle) -> str | None:
    """A service outage is confirmed, once.

    A declared incident is serious whatever was found: receivers that did not hear of a mere surge do now.
    """
    incident = memory.incident
    if incident.declared_at is not None:
        return f"{incident.id} is declared already, by {incident.declared_by}"
    text = f": {wish.text}" if wish.text else "."
    reason = f"{wish.by} declared a service outage{text}"
    if not is_serious(incident):
        memory.incident = replace(incident, causes=tuple(sorted({*incident.causes, "declared"})))
        chronicle.change(memory, "cause", reason, by=wish.by, via=wish.via)
    course.declare(memory, reason, chronicle, by=wish.by, via=wish.via)
    return None


def resolve(memory: IncidentMemory, wish: IncidentInput, chronicle: Chronicle) -> str | None:
    """It is over, whatever is still found: that does not reopen it for a while (``matching``)."""
    memory.held = memory.fired and memory.quiet_for < chronicle.policy.lifecycle.recovering_after
    text = f": {wish.text}" if wish.text else "."
    reason = f"{wish.by} resolved it{text}"
    course.resolve(memory, chronicle, "by a person", reason, by=wish.by, via=wish.via)
    return None


def note(memory: IncidentMemory, wish: IncidentInput, text: str, chronicle: Chronicle) -> None:
    """Put a line on the incident."""
    notes = (*memory.incident.notes, Note(chronicle.at, wish.by, text))[-NOTES_KEPT:]
    chronicle.change(memory, "note", text, by=wish.by, via=wish.via, notes=notes)
