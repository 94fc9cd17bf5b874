"""What does a person's report that sign-in fails, or a declaration of an outage, find or open?

A report joins the open incident that may explain it. Without one it opens an incident that says who said it: outside
business hours it pages where it is of production, within them Slack is told. The data corrects its severity; the
incident ends by a person or as ``faded``.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from detectors.axes import overlaps
from detectors.bounds import SENTENCE_BYTES, cut
from detectors.incidents import Cause, DetectorName, IncidentInput
from detectors.lifecycle.grouping import IncidentGroup
from detectors.lifecycle.memory import COUNTS_WINDOW, IncidentMemory
from detectors.lifecycle.people.notes import note
from detectors.lifecycle.recorder import Recorder
from detectors.lifecycle.response_times import calendar

__all__ = ["declared_cause", "join_report", "reported_cause", "settle_report"]


def join_report(
    memories: list[IncidentMemory], incident_input: IncidentInput, scope: str, recorder: Recorder
) -> bool:
    """Note a report on the open incident that may explain it; whether there is one."""
    for memory in memories:
        if memory.is_open and overlaps(memory.incident.scope, scope):
            note(memory, incident_input, _words(incident_input, scope), recorder)
            return True
    return False


def settle_report(
    cause: Cause, incident_input: IncidentInput, groups: Sequence[IncidentGroup], recorder: Recorder
) -> None:
    """Say on the incident that a report has opened who opened it; or note the report where another cause was stronger.

    Args:
        cause: of the report.
        groups: of the step; one of them has the cause.
    """
    group = next(g for g in groups if any(cause is one for one in (*g.causes, *g.symptoms)))
    memory = (group.into or group).memory
    if memory is None:
        return
    for place, made in enumerate(recorder.transitions):
        opened = made.kind in ("opened", "reopened") and made.incident.id == memory.incident.id
        if opened and made.input is None and made.reason == cut(cause.sentence, SENTENCE_BYTES):
            recorder.transitions[place] = replace(
                made, input=incident_input.id, by=incident_input.by, via=incident_input.via
            )
            return
    before = len(recorder.transitions)
    note(memory, incident_input, _words(incident_input, cause.scope), recorder)
    recorder.transitions[before:] = [
        replace(made, input=incident_input.id) for made in recorder.transitions[before:]
    ]


def _words(incident_input: IncidentInput, scope: str) -> str:
    text = f": {incident_input.text}" if incident_input.text else ""
    return f"reports that {scope} fails{text}"


def reported_cause(incident_input: IncidentInput, scope: str, recorder: Recorder) -> Cause:
    """The cause that stands for a person's report."""
    text = f": {incident_input.text}" if incident_input.text else "."
    at_work = calendar(recorder.policy).is_open(recorder.at)
    detector: DetectorName = "reported" if at_work else "urgent"
    return _stated(detector, scope, f"{incident_input.by} reports that {scope} fails{text}", recorder)


def declared_cause(incident_input: IncidentInput, scope: str, recorder: Recorder) -> Cause:
    """The cause that stands for a person's declaration."""
    text = f": {incident_input.text}" if incident_input.text else "."
    return _stated("declared", scope, f"{incident_input.by} declared an outage of {scope}{text}", recorder)


def _stated(detector: DetectorName, scope: str, sentence: str, recorder: Recorder) -> Cause:
    """A cause that a person has stated. The failures are taken to begin ``COUNTS_WINDOW`` ago."""
    return Cause(
        detector=detector,
        scope=scope,
        state="firing",
        sentence=sentence,
        first_bad=recorder.at - COUNTS_WINDOW,
        failing_ratio=recorder.view.counts(scope).failing_ratio,
    )
