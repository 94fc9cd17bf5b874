"""What do the findings of a step mean for an incident: people, severity, counts, advice?"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace

from detectors.axes import contains
from detectors.bounds import CAUSES_LIMIT, LINK_BYTES, SENTENCE_BYTES, cut, fits
from detectors.incidents import Cause, Incident
from detectors.instants import MINUTE
from detectors.lifecycle.fail_over import advise
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.recorder import Recorder
from detectors.lifecycle.severity import Level, datadog_severity, figure, follow
from detectors.notification.paging import may_page
from detectors.policy.policy import Policy
from detectors.urgency import is_serious

__all__ = ["assess", "assess_common"]


def assess(
    memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder, *, opening: bool = False
) -> None:
    """Update all fields that follow from the evidence, except ``severity``, whose change is a transition.

    Args:
        causes: the causes of this step; empty where nothing fires.
        opening: whether the incident opens now, so that it has no earlier severity.
    """
    at, policy, view, incident = recorder.at, recorder.policy, recorder.view, memory.incident
    scope = incident.scope
    first_bad = _first_bad(incident, causes, recorder) if opening else incident.first_bad_at
    estimate = max((c.estimated_users for c in causes if c.estimated_users is not None), default=None)
    seen, recent = view.people(scope, first_bad), view.people_recent(scope, first_bad)
    impact = figure(seen.people, recent.people, estimate, policy)
    error = {"observed": seen.error, "projected": recent.error}.get(impact.basis) or UNSET
    names = tuple(sorted({*incident.causes, *(cause.detector for cause in causes)}))
    serious = is_serious(replace(incident, causes=names))
    level = None if opening else memory.level
    memory.level = (
        follow(level, impact.users, incident.env, at, policy, may_fall=not view.frozen)
        if serious
        else Level()
    )
    memory.scopes = sorted({*memory.scopes, scope, *(cause.scope for cause in causes)})
    counts = view.counts(scope)
    worse = impact.users > incident.peak_users_impacted or incident.counts_peak is None
    lead = next((cause for cause in causes if cause.scope == scope), causes[0] if causes else None)
    narrower = {
        s for s in (*incident.narrower, *(c.scope for c in causes)) if s != scope and contains(scope, s)
    }
    memory.incident = replace(
        incident,
        causes=names,
        sentence=cut(lead.sentence, SENTENCE_BYTES) if lead else incident.sentence,
        priority=policy.priority.of(incident.env, impact.users if serious else 0),
        datadog_severity=datadog_severity(scope, memory.level.severity, recorder.csps, serious=serious),
        basis=impact.basis,
        users_impacted=impact.users,
        peak_users_impacted=max(incident.peak_users_impacted, impact.users),
        users_impacted_error=error,
        peak_users_impacted_error=(
            error if impact.users > incident.peak_users_impacted else incident.peak_users_impacted_error
        ),
        first_bad_at=first_bad,
        updated_at=at,
        counts_now=counts,
        counts_peak=counts if worse else incident.counts_peak,
        failing_ratio=lead.failing_ratio if lead and lead.scope == scope else counts.failing_ratio,
        csp_caused=lead.csp_caused if lead and lead.scope == scope else incident.csp_caused,
        in_maintenance=_in_maintenance(scope, at, policy),
        narrower=tuple(sorted(narrower)[:CAUSES_LIMIT]),
        fail_over=advise(view, scope, policy, incident.fail_over),
        links=_links(incident, policy),
        policy_hash=policy.hash,
    )
    if not may_page(memory.incident):
        memory.pageable_since = None
    elif memory.pageable_since is None:
        memory.pageable_since = at


def assess_common(
    memory: IncidentMemory, recorder: Recorder, *, opening: bool = False, moved: bool = False
) -> None:
    """Update what the people who fail have in common: each minute, at the opening, and where the scope is new.

    What was found for a scope stays while too few people fail to tell.

    Args:
        opening: whether the incident opens now; what is usual is then read from the hour before.
        moved: whether the incident has come to another scope in this step.
    """
    incident, view = memory.incident, recorder.view
    if not (opening or moved) and recorder.at % MINUTE:
        return
    if opening:
        memory.usual = view.usual_failures(incident.scope, incident.first_bad_at)
    found = view.common(incident.scope, incident.first_bad_at, memory.usual)
    if found is not None or opening or moved:
        memory.incident = replace(incident, common=found or ())


def _first_bad(incident: Incident, causes: Sequence[Cause], recorder: Recorder) -> int:
    """The instant (ms) at which the failures behind an incident began.

    The search starts at the latest ``first_bad`` of the causes, hence in the narrowest window: an isolated failure
    earlier in an hour is not the beginning. A reopened incident keeps its first beginning.
    """
    since = max((c.first_bad for c in causes if c.first_bad is not None), default=incident.first_bad_at)
    found = recorder.view.first_bad(incident.scope, since)
    return min(incident.first_bad_at, since if found is None else found)


def _in_maintenance(scope: str, at: int, policy: Policy) -> bool:
    return any(
        window.start <= at < window.end and contains(window.scope, scope) for window in policy.maintenance
    )


def _links(incident: Incident, policy: Policy) -> dict[str, str]:
    links = dict(incident.links)
    if policy.notify.console_url is not None:
        links["console"] = f"{policy.notify.console_url.rstrip('/')}/#{incident.id}"
    runbook = policy.runbook(incident.scope)
    if runbook is not None:
        links["runbook"] = runbook
    return {name: link for name, link in links.items() if fits(link, LINK_BYTES)}
