"""Which transitions does an incident make in a step, given the findings on its scope?

``open -> acknowledged -> recovering -> resolved -> closed``; ``recovering`` may go back to the state before
it, and a resolved incident may be reopened.

Four rules keep a flickering finding from sending many messages. An incident is recovering only once it has been quiet
for ``recovering_after``, twice as long after each relapse of its epoch (at most half of ``recover_for``). Severity
falls only after its dwell. A scope widens once a wider cause has held for ``widen_after``. A scope narrows only after
``scope_change_every`` of evidence for no more than the narrower one.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from detectors.axes import ANY, contains, named, overlaps
from detectors.confidence import surely_above
from detectors.incidents import Cause, FindingState, Incident
from detectors.instants import HOUR, MINUTE, SECOND, format_duration
from detectors.lifecycle.absence.gone import is_expected
from detectors.lifecycle.assessment import assess
from detectors.lifecycle.fail_over import advise
from detectors.lifecycle.memory import COUNTS_WINDOW, IncidentMemory
from detectors.lifecycle.recorder import Recorder
from detectors.lifecycle.severity import PRODUCTION
from detectors.lifecycle.timers import (
    check_resolution,
    check_response_times,
    notify_thread,
    page_if_due,
    tell_notes,
    uncover,
)
from detectors.notification.paging import may_page
from detectors.urgency import STATED, WAKES_NOBODY, is_outage, is_serious

__all__ = ["advance", "after_resolution", "declare", "declare_p1", "left_out", "resolve"]

#: An incident that has just opened narrows once one narrower scope has explained all failures for so long, ms.
_SOON = 5 * SECOND
#: A failing share has risen where it is so many times what was told, and surely (``_SURE`` standard deviations)
#: ``_SURELY`` times: a share that stays the same is not told again by chance.
_RISEN, _SURELY, _SURE = 2.0, 1.5, 2.6

# -- a step of an open incident ------------------------------------------------------------------------------


def advance(memory: IncidentMemory, scope: str, causes: Sequence[Cause], recorder: Recorder) -> None:
    """Advance an incident that is not resolved by one step.

    Args:
        scope: the incident's scope, or that of a cause that contains it or takes it over.
        causes: the causes that belong to the incident in this step.
    """
    before = memory.incident
    finding = _finding(memory, causes, recorder)
    if scope == before.scope:
        _note_wider(memory, causes, recorder)
        scope = _narrowed(memory, causes, recorder)
    else:
        memory.wider_for = 0
    widened = scope != before.scope and contains(scope, before.scope)
    if scope != before.scope:
        known = (*before.narrower, before.scope) if widened else before.narrower
        memory.incident = replace(before, scope=scope, narrower=known)
    assess(memory, causes, recorder, moved=scope != before.scope)
    if scope != before.scope:
        verb = "Widened" if widened else "Narrowed" if contains(before.scope, scope) else "Moved"
        reason = f"{verb} from {before.scope} to {scope}. {memory.incident.sentence}"
        recorder.record(memory, "scope", reason, before=before, causes=causes)
    if is_serious(memory.incident) and not is_serious(before):
        recorder.change(
            memory,
            "cause",
            memory.incident.sentence,
            causes=causes,
            severity=memory.level.severity,
            peak_severity=memory.peak_severity,
        )
    if finding == "firing" and memory.incident.state == "recovering":
        _relapse(memory, causes, recorder)
    _move_severity(memory, causes, recorder)
    if scope != before.scope:
        memory.share, memory.share_since = 0.0, recorder.at
    elif finding == "firing" and recorder.at % MINUTE == 0:
        _tell_rise(memory, causes, recorder, told=memory.incident.severity < before.severity)
    declare_p1(memory, recorder)
    _declare_lasting(memory, finding, recorder)
    if finding != "firing" and not any(cause.detector in STATED for cause in causes):
        if finding == "quiet" and memory.fired:
            _recover(memory, recorder)
        _fade(memory, recorder)
    if memory.is_open:
        _end_silence(memory, causes, recorder)
    if memory.is_open:
        check_resolution(memory, recorder)
        uncover(memory, recorder)
        page_if_due(memory, recorder)
        check_response_times(memory, recorder)
        notify_thread(memory, recorder)
    tell_notes(memory, recorder)


def _finding(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder) -> FindingState:
    """The combined state of the incident's findings; updates the timers that depend on this state."""
    view, scope = recorder.view, memory.incident.scope
    state: FindingState = "firing"
    if not any(cause.detector not in STATED and recorder.is_news(cause) for cause in causes):
        state = view.finding(scope, left_out(memory.incident, recorder))
        if state == "quiet" and view.frozen:
            state = "not_enough_evidence"
    if state == "firing":
        memory.fired, memory.fired_at, memory.quiet_for, memory.succeeded = True, recorder.at, 0, False
        memory.unseen_for = 0
        return state
    if view.frozen:
        memory.unseen_for += recorder.elapsed
    if state == "quiet":
        memory.quiet_for += recorder.elapsed
    if not memory.succeeded:
        memory.succeeded = view.succeeded_since(scope, max(memory.fired_at, recorder.at - HOUR))
    return state


def left_out(incident: Incident, recorder: Recorder) -> frozenset[str]:
    """Detectors that do not decide about the end of an incident.

    They are those that wake nobody, unless it has no others, and silence where nothing is expected.
    """
    minor = WAKES_NOBODY if is_outage(incident) else WAKES_NOBODY.difference(incident.causes)
    expected = is_expected(incident.scope, recorder.gone, recorder.policy, recorder.at)
    return minor if expected else minor | {"silence"}


def _end_silence(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder) -> None:
    """Resolve a silence that has lasted for ``gone_after`` while the rest of the environment was well."""
    incident, view = memory.incident, recorder.view
    if any(cause.detector != "silence" for cause in causes) or not causes:
        memory.silent_for = 0 if causes else memory.silent_for
        return
    rest = incident.scope != incident.env and view.succeeded_since(incident.env, recorder.at - HOUR)
    if rest and recorder.only_silence and not view.frozen:
        memory.silent_for += recorder.elapsed
    after = recorder.policy.lifecycle.gone_after
    if memory.silent_for >= after:
        reason = (
            f"Hardly anything has arrived for {format_duration(after)} while the rest of {incident.env} was"
            " well: it is taken as gone, and expected no more until it comes back."
        )
        resolve(memory, recorder, "gone", reason)


def _note_wider(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder) -> None:
    """Update ``wider_for``: time with evidence for a wider scope, less time without."""
    own = memory.incident.scope
    wider = any(cause.scope != own and contains(cause.scope, own) for cause in causes)
    memory.wider_for = max(0, memory.wider_for + (recorder.elapsed if wider else -recorder.elapsed))


def _narrowed(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder) -> str:
    """The narrower scope that the incident has come down to; the incident's own scope until this is certain.

    The narrower scope must hold all that fires, and a scope beside it must be quiet. For an incident that wakes nobody
    the first condition is enough, and for one that has just opened: it comes down within seconds. A step in which
    nothing fires, or only a part of the narrower scope, says nothing against it.
    """
    own = memory.incident.scope
    found = {c.scope for c in causes if c.detector not in STATED and contains(own, c.scope)}
    if not found:
        return own
    before = memory.alone_on if memory.alone_on is not None and contains(own, memory.alone_on) else None
    only = _holding_all(found, before)
    if only is None or only == own:
        memory.alone_on, memory.alone_for = None, 0
        return own
    if before is None or not contains(only, before):
        memory.alone_for = 0
    memory.alone_on = only
    states, rules = {"quiet"}, recorder.policy.lifecycle
    has_just_opened = recorder.at - memory.incident.opened_at < rules.widen_after
    if is_outage(memory.incident) and not has_just_opened:
        beside = [s for s in recorder.view.within(own) if not overlaps(s, only)]
        states = {recorder.view.finding(s, left_out(memory.incident, recorder)) for s in beside}
    if "firing" in states:
        memory.alone_for = 0
    elif "quiet" in states and not recorder.view.frozen:
        memory.alone_for += recorder.elapsed
    if memory.alone_for < (_SOON if has_just_opened else rules.scope_change_every):
        return own
    memory.alone_on, memory.alone_for = None, 0
    return only


def _holding_all(found: set[str], before: str | None) -> str | None:
    """The scope that holds all that fires: that of the steps before, or the one that fires; None if neither does."""
    if before is not None and all(contains(before, scope) for scope in found):
        return before
    return next(iter(found)) if len(found) == 1 else None


def _relapse(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder) -> None:
    memory.relapses += 1
    recorder.change(
        memory,
        "relapsed",
        memory.incident.sentence,
        causes=causes,
        state=memory.resume,
        recovering_at=None,
        fail_over=_advice(memory, recorder, recovering=False),
    )


def _advice(memory: IncidentMemory, recorder: Recorder, *, recovering: bool) -> str | None:
    """The advice to fail over of an incident that begins or ceases to recover in this step."""
    incident = memory.incident
    return advise(recorder.view, incident.scope, recorder.policy, incident.fail_over, recovering=recovering)


def _move_severity(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder) -> None:
    severity, peak = memory.level.severity, memory.peak_severity
    incident = memory.incident = replace(memory.incident, peak_severity=peak)
    if severity != incident.severity:
        memory.rose_hidden |= incident.is_hidden and severity < incident.severity
        reason = f"{incident.people_an_hour}: severity {incident.severity} becomes {severity}."
        recorder.change(memory, "severity", reason, causes=causes, severity=severity)


def _tell_rise(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder, *, told: bool) -> None:
    """Tell of a failing share that has doubled since receivers heard of it; at the beginning its greatest counts.

    Args:
        told: whether receivers hear of the incident in this step anyway, as it has become more severe.
    """
    incident, counts, at = memory.incident, memory.incident.counts_now, recorder.at
    if counts is None or not is_serious(incident):
        return
    share, known = counts.failing_ratio, memory.share
    if told or not known or at - max(incident.opened_at, memory.share_since) < COUNTS_WINDOW:
        memory.share = max(known, share, incident.failing_ratio)
        return
    since, rules = memory.share_told_at, recorder.policy.lifecycle
    if since is not None and at - since < rules.update_every:
        return
    sure = surely_above(counts.bad, counts.good + counts.bad, min(_SURELY * known, 1.0), _SURE)
    if share >= _RISEN * known and sure:
        memory.share, memory.share_told_at = share, at
        window = format_duration(COUNTS_WINDOW)
        reason = f"{share:.1%} of the sign-ins of {window} fail, where {known:.1%} did when it was told last."
        recorder.change(memory, "share", reason, causes=causes)


def declare_p1(memory: IncidentMemory, recorder: Recorder) -> None:
    """Priority P1 must be declared (declaration guidelines); scheduled downtime and surges are no outage."""
    incident = memory.incident
    if incident.priority == "P1" and incident.declared_at is None and may_page(incident):
        people = f"{incident.users_impacted:,} people an hour"
        declare(memory, f"{people} are priority P1, which is always declared.", recorder)


def _declare_lasting(memory: IncidentMemory, finding: FindingState, recorder: Recorder) -> None:
    """What has been wrong with a method in production for ``declare_after`` is declared: an outage, or slowness."""
    incident, policy = memory.incident, recorder.policy
    if incident.state not in ("open", "acknowledged"):
        memory.active_for = 0
    elif finding == "firing":
        memory.active_for += recorder.elapsed
    slow = "latency" in incident.causes and not is_serious(incident) and policy.latency.pages
    if not slow and not is_outage(incident):
        return
    values = zip(policy.axes, named(incident.scope), strict=False)
    on_method = all(value == ANY or axis == "auth_method" for axis, value in values)
    lasts = memory.active_for >= policy.lifecycle.declare_after
    silenced = incident.in_maintenance or incident.env != PRODUCTION
    if lasts and on_method and not silenced and incident.declared_at is None:
        what = "has been slow" if slow else "has failed"
        after = format_duration(policy.lifecycle.declare_after)
        declare(memory, f"{incident.scope} {what} for {after}, after which it is always declared.", recorder)


def declare(
    memory: IncidentMemory,
    reason: str,
    recorder: Recorder,
    *,
    by: str | None = None,
    via: str | None = None,
) -> None:
    """Declare a service outage, by the policy (``by`` is None) or by a person."""
    recorder.change(
        memory,
        "declared",
        reason,
        by=by,
        via=via,
        declared_at=recorder.at,
        declared_by=by or "policy",
    )


def _recover(memory: IncidentMemory, recorder: Recorder) -> None:
    rules = recorder.policy.lifecycle
    state = memory.incident.state
    wait = min(rules.recovering_after << min(memory.relapses, 32), rules.recover_for // 2)
    if state in ("open", "acknowledged") and memory.quiet_for >= wait:
        memory.resume = "acknowledged" if state == "acknowledged" else "open"
        recorder.change(
            memory,
            "recovering",
            f"Its findings have been quiet for {format_duration(memory.quiet_for)}; it resolves after"
            f" {format_duration(rules.recover_for)}.",
            state="recovering",
            recovering_at=recorder.at,
            fail_over=_advice(memory, recorder, recovering=True),
        )
    if memory.incident.state == "recovering" and memory.quiet_for >= rules.recover_for:
        quiet = format_duration(rules.recover_for)
        resolve(memory, recorder, "recovered", f"All its findings have been quiet for {quiet}.")


def _fade(memory: IncidentMemory, recorder: Recorder) -> None:
    after = recorder.policy.lifecycle.faded_after
    if not memory.is_open:
        return
    if (
        recorder.at - memory.fired_at - memory.unseen_for >= after
        and memory.succeeded
        and not recorder.view.frozen
    ):
        resolve(
            memory,
            recorder,
            "faded",
            f"Nothing has fired for {format_duration(after)}, and sign-ins have succeeded since.",
        )


# -- the end -------------------------------------------------------------------------------------------------


def resolve(
    memory: IncidentMemory,
    recorder: Recorder,
    why: str,
    reason: str,
    *,
    by: str | None = None,
    via: str | None = None,
) -> None:
    """Resolve an incident, because its findings are quiet or a person says so."""
    recorder.change(
        memory,
        "resolved",
        reason,
        by=by,
        via=via,
        state="resolved",
        resolved_at=recorder.at,
        resolved_by=by,
        resolved_reason=why,
        fail_over=None,
        said_resolved_at=None,
        said_resolved_by=None,
    )


def after_resolution(memory: IncidentMemory, causes: Sequence[Cause], recorder: Recorder) -> None:
    """Advance a resolved incident by one step: tell notes that wait, and close it when due.

    Args:
        causes: the causes that the incident holds back because a person has resolved it.
    """
    rules, at = recorder.policy.lifecycle, recorder.at
    resolved_at = memory.incident.resolved_at or at
    if memory.held:
        _finding(memory, causes, recorder)
        memory.held = memory.quiet_for < rules.recovering_after
    over = at - resolved_at >= max(rules.reopen_within, rules.resolve_grace if memory.held else 0)
    tell_notes(memory, recorder, last=over)
    if over:
        recorder.change(
            memory,
            "closed",
            f"It has not come back within {format_duration(rules.reopen_within)}.",
            state="closed",
            closed_at=at,
        )
