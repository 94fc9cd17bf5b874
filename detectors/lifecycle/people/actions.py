"""What an incident input does to one incident. Each action returns the reason for a refusal, or None."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from detectors.incidents import IncidentInput
from detectors.lifecycle import transitions
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.people.notes import say
from detectors.lifecycle.recorder import Recorder
from detectors.urgency import is_serious

__all__ = ["acknowledge", "declare", "take_over", "unacknowledge"]


def acknowledge(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> str | None:
    """Acknowledge an incident. A second acknowledgement applies only if a page was sent after the first."""
    incident = memory.incident
    if incident.acknowledged_at is not None and not memory.woken_again:
        return f"{incident.id} is acknowledged already, by {incident.acknowledged_by}"
    changes: dict[str, Any] = {}
    if incident.acknowledged_at is None:
        changes = {"acknowledged_at": recorder.at, "acknowledged_by": incident_input.by}
        changes |= {"said_resolved_at": None, "said_resolved_by": None}
        memory.acknowledged_when = _when(incident_input)
    if incident.state == "open":
        changes["state"] = "acknowledged"
    memory.resume, memory.woken_again = "acknowledged", False
    recorder.change(
        memory,
        "acknowledged",
        f"{incident_input.by} acknowledged it{': ' + incident_input.text if incident_input.text else '.'}",
        by=incident_input.by,
        via=incident_input.via,
        **changes,
    )
    return None


def unacknowledge(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> str | None:
    """Take an acknowledgement back, by a person or because it has expired at PagerDuty."""
    incident = memory.incident
    if incident.acknowledged_at is None:
        return f"{incident.id} is not acknowledged"
    when, since = _when(incident_input), memory.acknowledged_when
    if when is not None and since is not None and when < since:
        return f"{incident.acknowledged_by} has acknowledged {incident.id} since"
    memory.acknowledged_when = None
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


def _when(incident_input: IncidentInput) -> int | None:
    """When an input was made, ms by the clock of whoever made it; None where that is not known."""
    alert = incident_input.alert
    said = None if alert is None else alert.occurred_at
    return said or incident_input.at or None


def declare(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> str | None:
    """Declare a service outage, once per epoch; of one that is declared, say for which states.

    A declared incident is serious whatever the detectors found: receivers that get no surges are notified now.
    """
    incident, states = memory.incident, incident_input.states
    text = f": {incident_input.text}" if incident_input.text else "."
    process = replace(incident.process, states=states or incident.process.states)
    if incident.declared_at is not None:
        if states is None or process == incident.process:
            return f"{incident.id} is declared already, by {incident.declared_by}"
        concerns = f"It concerns people in {', '.join(states)}{text}"
        say(memory, incident_input, concerns, recorder, "note", process=process)
        return None
    whom = f" for people in {', '.join(states)}" if states else ""
    reason = f"{incident_input.by} declared a service outage{whom}{text}"
    memory.incident = incident = replace(incident, process=process)
    if not is_serious(incident):
        memory.incident = replace(incident, causes=tuple(sorted({*incident.causes, "declared"})))
        recorder.change(memory, "cause", reason, by=incident_input.by, via=incident_input.via)
    transitions.declare(memory, reason, recorder, by=incident_input.by, via=incident_input.via)
    return None


def take_over(kept: IncidentMemory, lost: IncidentMemory, recorder: Recorder) -> None:
    """Declare an incident, and for which states, as one was that has become part of it."""
    part, states = lost.incident, lost.incident.process.states
    process = kept.incident.process
    joined = tuple(sorted({*process.states, *states}))
    reason = f"{part.id}, which is declared, has become part of it."
    if part.declared_at is not None and kept.incident.declared_at is None:
        kept.incident = replace(kept.incident, process=replace(process, states=joined))
        transitions.declare(kept, reason, recorder, by=part.declared_by)
    elif joined != process.states:
        reason = f"{part.id}, which concerns people in {', '.join(states)}, has become part of it."
        recorder.change(kept, "note", reason, by=part.declared_by, process=replace(process, states=joined))
