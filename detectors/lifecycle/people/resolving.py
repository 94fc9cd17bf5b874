"""What does it mean that a person resolves an incident: is it over, or does it still fail?

While nothing fires the incident is over. While a finding fires it goes on as it was, without its acknowledgement, as
nobody works on it any more; its alerts at PagerDuty are resolved. If it still fails ``resolve_grace`` later it pages
again, at a key of its own, three times an epoch at most.
"""

from __future__ import annotations

from msgspec.structs import replace

from detectors.axes import contains
from detectors.incidents import IncidentInput
from detectors.instants import format_duration
from detectors.lifecycle import transitions
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.recorder import Recorder
from detectors.urgency import is_silence

__all__ = ["fires", "resolve"]


def resolve(memory: IncidentMemory, incident_input: IncidentInput, recorder: Recorder) -> str | None:
    """Resolve an incident because a person says so, or note that the person has said so while it fails.

    A silence is over in any case: whoever resolves it knows that nothing will arrive (``absence.gone``).
    """
    incident = memory.incident
    text = f": {incident_input.text}" if incident_input.text else "."
    by, via = incident_input.by, incident_input.via
    if is_silence(incident) or not fires(memory, recorder):
        memory.held = memory.fired and memory.quiet_for < recorder.policy.lifecycle.recovering_after
        transitions.resolve(memory, recorder, "by a person", f"{by} resolved it{text}", by=by, via=via)
        return None
    if incident.said_resolved_at is not None:
        return f"{incident.said_resolved_by} has resolved {incident.id} already, and it still fails"
    memory.resume, memory.woken_again, memory.acknowledged_when = "open", False, None
    wait = format_duration(recorder.policy.lifecycle.resolve_grace)
    recorder.change(
        memory,
        "said_resolved",
        f"Resolved by {by} while failing{text} It stays open, and pages again if it still fails in {wait}.",
        by=by,
        via=via,
        acknowledged_at=None,
        acknowledged_by=None,
        said_resolved_at=recorder.at,
        said_resolved_by=by,
        state="open" if incident.state == "acknowledged" else incident.state,
        pages=tuple(
            replace(page, closed_at=recorder.at) if page.closed_at is None else page
            for page in incident.pages
        ),
    )
    return None


def fires(memory: IncidentMemory, recorder: Recorder) -> bool:
    """Whether a finding fires on the incident in this step."""
    incident = memory.incident
    minor = transitions.left_out(incident, recorder)
    if recorder.view.finding(incident.scope, minor) == "firing":
        return True
    return any(
        cause.detector not in minor and contains(incident.scope, cause.scope) and recorder.is_news(cause)
        for cause in recorder.firing
    )
