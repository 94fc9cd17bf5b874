"""What do the findings of a step mean for an incident: people, severity, counts, advice?"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from detectors.axes import contains, overlaps, shared
from detectors.bounds import CAUSES_LIMIT, LINK_BYTES, SENTENCE_BYTES, cut, fits
from detectors.incidents import Cause, Incident
from detectors.instants import MINUTE
from detectors.lifecycle.fail_over import advise
from detectors.lifecycle.memory import IncidentMemory
from detectors.lifecycle.recorder import Recorder
from detectors.lifecycle.severity import (
    Level,
    datadog_severity,
    figure,
    follow,
    grown,
    has_stood,
    projected,
    refuted,
)
from detectors.notification.paging import may_page
from detectors.policy.policy import Policy
from detectors.urgency import is_outage, is_serious
from detectors.windows.impact import Distinct

__all__ = ["assess"]


def assess(
    memory: IncidentMemory,
    causes: Sequence[Cause],
    recorder: Recorder,
    *,
    opening: bool = False,
    moved: bool = False,
) -> None:
    """Update all fields that follow from the evidence, except ``severity``, whose change is a transition.

    Args:
        causes: the causes of this step; empty where nothing fires.
        opening: whether the incident opens now, so that it has no earlier severity.
        moved: whether the incident has come to another scope in this step.
    """
    _weigh(memory, causes, recorder, opening=opening)
    _find_common(memory, recorder, opening=opening, moved=moved)
    memory.incident = replace(memory.incident, links=_links(memory.incident, recorder.policy))


def _weigh(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder, *, opening: bool) -> None:
    """Update the figures of an incident; the arguments are those of ``assess``."""
    at, policy, view, incident = recorder.at, recorder.policy, recorder.view, memory.incident
    scope = incident.scope
    first_bad = incident.first_bad_at
    names = tuple(sorted({*incident.causes, *(cause.detector for cause in causes)}))
    named = replace(incident, causes=names)
    serious = is_serious(named)
    # A surge or slowness says since when it is looked at, and an outage says when it began itself.
    becomes = not opening and not is_serious(incident) and is_outage(named)
    if opening or becomes:
        began = _first_bad(memory, causes, recorder)
        first_bad = began if becomes else min(first_bad, began)
        memory.began_at = max(first_bad, began)
    people = _people(memory, causes, first_bad, recorder, serious=serious, opening=opening)
    memory.scopes = sorted({*memory.scopes, scope, *(cause.scope for cause in causes)})
    counts = view.counts(scope)
    worse = people["users_impacted"] > incident.peak_users_impacted or incident.counts_peak is None
    lead = next((cause for cause in causes if cause.scope == scope), causes[0] if causes else None)
    narrower = {
        s for s in (*incident.narrower, *(c.scope for c in causes)) if s != scope and contains(scope, s)
    }
    memory.incident = replace(
        incident,
        causes=names,
        sentence=cut(lead.sentence, SENTENCE_BYTES) if lead else incident.sentence,
        datadog_severity=datadog_severity(scope, memory.level.severity, recorder.csps, serious=serious),
        **people,
        first_bad_at=first_bad,
        updated_at=at,
        counts_now=counts,
        counts_peak=counts if worse else incident.counts_peak,
        failing_ratio=lead.failing_ratio if lead and lead.scope == scope else counts.failing_ratio,
        csp_caused=lead.csp_caused if lead and lead.scope == scope else incident.csp_caused,
        in_maintenance=recorder.is_maintained(scope),
        **_muted(incident, recorder, opening=opening),
        narrower=tuple(sorted(narrower)[:CAUSES_LIMIT]),
        fail_over=advise(view, scope, policy, incident.fail_over, recovering=incident.state == "recovering"),
        policy_hash=policy.hash,
    )
    if not may_page(memory.incident):
        memory.pageable_since = None
    elif memory.pageable_since is None:
        memory.pageable_since = at


def _people(
    memory: IncidentMemory,
    causes: Sequence[Cause],
    since: int,
    recorder: Recorder,
    *,
    serious: bool,
    opening: bool,
) -> dict[str, Any]:
    """Move the level, the growth and the peak of an incident on, and return its fields that tell of people.

    Args:
        since: the instant (ms) of its first bad event.
        serious, opening: as in ``assess``.
    """
    at, policy, view, incident = recorder.at, recorder.policy, recorder.view, memory.incident
    env, rules = incident.env, policy.severity
    scope, began = incident.scope, max(since, memory.began_at)
    seen = _own_people(incident, since, recorder)
    lately = seen if began == since else _own_people(incident, began, recorder)
    estimate = max((c.estimated_users for c in causes if c.estimated_users is not None), default=None)
    sure = max(seen.people, floor(estimate or 0.0))
    growth = memory.growth = grown(memory.growth, scope, began, at, lately.people, policy)
    begin = growth.seen[0][0]
    recent = lately if begin == began else _own_people(incident, begin, recorder)
    projection = max(projected(growth, at, policy, recent.people), seen.people)
    impact = figure(seen.people, projection, at - began, estimate, policy)
    over = ((1, rules.severity_1_over), (2, rules.severity_2_over))
    gone = [severity for severity, limit in over if refuted(growth, at, sure, limit, policy)]
    level, may_fall = None if opening else memory.level, not view.frozen
    memory.level = (
        follow(level, impact.users, env, at, policy, sure=sure, gone=gone, may_fall=may_fall)
        if serious
        else Level()
    )
    memory.peak_users = max(
        memory.peak_users, impact.users if has_stood(memory.level, impact.users, env, at, policy) else sure
    )
    peak = max(memory.peak_users, impact.users)
    error = (UNSET if impact.basis == "estimated" else seen.error) or UNSET
    return {
        "priority": policy.priority.of(env, impact.users if serious else 0),
        "basis": impact.basis,
        "users_impacted": impact.users,
        "users_impacted_error": error,
        "peak_users_impacted": peak,
        "peak_users_impacted_error": error if impact.users == peak else incident.peak_users_impacted_error,
    }


def _find_common(memory: IncidentMemory, recorder: Recorder, *, opening: bool, moved: bool) -> None:
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


def _across(incident: Incident, recorder: Recorder) -> list[str]:
    """What an incident shares with older incidents that it overlaps: the bad events there are theirs."""
    out = []
    for name, scope in recorder.standing:
        if name == incident.id:
            break
        nested = contains(scope, incident.scope) or contains(incident.scope, scope)
        if overlaps(scope, incident.scope) and not nested:
            out.append(shared(incident.scope, scope))
    return out


def _own_people(incident: Incident, since: int, recorder: Recorder) -> Distinct:
    """Distinct people with a bad event since an instant (ms), without those who fail where an older incident does."""
    seen = recorder.view.people(incident.scope, since)
    others = sum(recorder.view.people(scope, since).people for scope in _across(incident, recorder))
    return seen._replace(people=max(seen.people - others, 0))


def _first_bad(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder) -> int:
    """The instant (ms) at which the failures behind an incident, or behind the new epoch of one, began.

    The search starts at the latest ``first_bad`` of the causes, hence in the narrowest window: an isolated failure
    earlier in an hour is not the beginning. What failed before an earlier epoch had ended belongs to that epoch.
    """
    incident = memory.incident
    since = max((c.first_bad for c in causes if c.first_bad is not None), default=incident.opened_at)
    since = max(since, memory.began_at)
    if _across(incident, recorder):
        return since  # an older incident's failures do not tell when these began
    found = recorder.view.first_bad(incident.scope, since)
    return since if found is None else found


def _muted(incident: Incident, recorder: Recorder, *, opening: bool) -> dict[str, int | None]:
    """The span of the mutes that hold an incident; what has ended stands until ``timers.uncover`` tells of it."""
    span = recorder.mute_of(incident.scope)
    if span is None:
        return {"muted_since": None, "muted_until": None} if opening else {}
    since = incident.muted_since
    return {"muted_since": span[0] if since is None or opening else since, "muted_until": span[1]}


def _links(incident: Incident, policy: Policy) -> dict[str, str]:
    links = dict(incident.links)
    if policy.notify.console_url is not None:
        links["console"] = f"{policy.notify.console_url.rstrip('/')}/incidents/{incident.id}"
    runbook = policy.runbook(incident.scope, incident.causes, incident.common, incident=incident.id)
    if runbook is not None:
        links["runbook"] = runbook
    return {name: link for name, link in links.items() if fits(link, LINK_BYTES)}
