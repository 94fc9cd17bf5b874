"""How does an incident begin: anew, or as the next epoch of one that has resolved?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from detectors.incidents import Cause, Incident
from detectors.lifecycle import transitions
from detectors.lifecycle.assessment import assess
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.recorder import Recorder
from detectors.lifecycle.severity import Level
from detectors.urgency import STATED

__all__ = ["begin"]


def begin(
    memory: IncidentMemory | None, incident_id: str, scope: str, causes: Sequence[Cause], recorder: Recorder
) -> IncidentMemory:
    """Open an incident, or reopen the resolved one in ``memory``, on the scope of its causes.

    A reopened incident begins a new epoch: with a response clock, pages and a thread of its own, without its
    acknowledgement, but still declared, and still with the people that it has hit within the hour.
    """
    before = memory.incident if memory is not None else None
    incident = _blank(before, incident_id, scope, causes, recorder)
    begun = IncidentMemory(
        incident=incident,
        level=Level(),
        scopes=list(memory.scopes) if memory else [],
        fired=_fires(causes),
        fired_at=recorder.at,
        spoke_at=recorder.at,
        scope_notified=scope,
        began_at=(before.resolved_at or 0) if before else 0,
        growth=memory.growth if memory else None,
    )
    assess(begun, causes, recorder, opening=True)
    recorder.record(
        begun,
        "opened" if before is None else "reopened",
        begun.incident.sentence,
        before=before,
        causes=causes,
        severity=begun.level.severity,
        peak_severity=begun.peak_severity,
        counts_opening=begun.incident.counts_now,
    )
    transitions.declare_p1(begun, recorder)
    return begun


def _blank(
    before: Incident | None, incident_id: str, scope: str, causes: Sequence[Cause], recorder: Recorder
) -> Incident:
    """An incident at its opening, before the evidence is assessed."""
    at, prefix = recorder.at, recorder.policy.notify.dedup_prefix
    fresh: dict[str, Any] = {
        "scope": scope,
        "state": "open",
        "causes": (),
        "sentence": causes[0].sentence,
        "severity": 3,
        "peak_severity": 3,
        "peak_users_impacted": 0,
        "opened_at": at,
        "updated_at": at,
        "counts_peak": None,
        "narrower": (),
        "common": (),
        "pages": (),
        "routed": (),
    }
    if before is None:
        return Incident(
            id=incident_id,
            env=scope.partition("/")[0],
            epoch=0,
            priority="P4",
            datadog_severity="SEV-5",
            basis="observed",
            users_impacted=0,
            first_bad_at=at,
            key_prefix=prefix,
            **fresh,
        )
    ended = dict.fromkeys(
        (
            "acknowledged_at",
            "acknowledged_by",
            "recovering_at",
            "resolved_at",
            "resolved_by",
            "said_resolved_at",
            "said_resolved_by",
            "resolved_reason",
        )
    )
    links = {name: link for name, link in before.links.items() if name != "pagerduty"}
    return replace(before, epoch=before.epoch + 1, links=links, **fresh, **ended)


def _fires(causes: Sequence[Cause]) -> bool:
    """Whether a detector has found a cause; a person's declaration or report alone is no finding."""
    return any(cause.detector not in STATED for cause in causes)
