"""What of the process follows from a change of an incident by itself: its stage, its commander, its checklist?"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from detectors.axes import ANY, named, path_of
from detectors.incidents import Counts, Incident, TransitionKind
from detectors.policy.policy import Policy
from detectors.process.record import CHECKS_KEPT, WORKS_KEPT, Check, Process
from detectors.process.vocabulary import Stage

__all__ = ["DATA", "MONITORS", "STAGES", "STATEMENT", "checklist", "progressed", "works_instead"]

STAGES: tuple[Stage, ...] = ("detection", "triage", "response", "resolution", "post_incident", "completed")
#: The stage that a change reaches at least; nothing but a reopening goes back by itself.
_REACHES: dict[TransitionKind, Stage] = {
    "acknowledged": "triage",
    "declared": "response",
    "recovering": "resolution",
    "resolved": "resolution",
    "closed": "post_incident",
}
#: Who ticks what the findings show.
DATA = "the data"
MONITORS, STATEMENT = "monitors", "statement"
_SIGN_IN = "sign_in_"
#: The share of sign-ins that succeed where people are told to go, as of a banner.
_WORKS = 0.95


def progressed(kind: TransitionKind, incident: Incident, policy: Policy, by: str | None) -> Process:
    """Return the process of an incident after a change.

    Args:
        kind: of the change.
        incident: after it.
        policy: has the values of the axes.
        by: the person behind it, if any.
    """
    process = incident.process
    if kind == "reopened":
        process = replace(process, stage="detection", completed_at=None, completed_by=None, eta=None)
    least = _REACHES.get(kind)
    if least is not None and STAGES.index(least) > STAGES.index(process.stage):
        process = replace(process, stage=least)
    if kind == "acknowledged" and by is not None and "commander" not in process.roles:
        process = replace(process, roles={"commander": by, **process.roles})
    if kind in ("opened", "reopened", "scope", "recovering", "relapsed", "resolved"):
        process = replace(process, checklist=_followed(kind, incident, policy))
    if kind in ("resolved", "closed"):
        process = replace(process, next_update_at=None)
    return process


def works_instead(incident: Incident, counts: Callable[[str], Counts], policy: Policy) -> tuple[str, ...]:
    """Return the scopes that people may use instead: other methods, or else other providers, with ``_WORKS`` success.

    Args:
        incident: what fails.
        counts: returns the counts of a scope in the last minutes.
        policy: has the values of the axes.
    """
    values = dict(zip(policy.axes, named(incident.scope), strict=False))
    axis = next((one for one in ("auth_method", "csp") if values.get(one, ANY) != ANY), None)
    if axis is None:
        return ()
    others = (one for one in policy.values_of(axis) if one != values[axis])
    paths = (
        path_of(incident.env, (other if one == axis else ANY for one in policy.axes))
        for other in others
        if not policy.is_retired(axis, other, incident.updated_at)
    )
    return tuple(
        path
        for path in paths
        if (ratio := counts(path).success_ratio) is not None
        and ratio >= _WORKS
        and path not in incident.narrower
    )[:WORKS_KEPT]


def checklist(incident: Incident, policy: Policy) -> tuple[Check, ...]:
    """Return the recovery checklist of an incident's scope, with what was ticked of it so far.

    The lines are those of the runbooks: the monitors are well again, somebody has signed in by each method that failed,
    and those who wait were told.
    """
    named_values = dict(zip(policy.axes, named(incident.scope), strict=False))
    method = named_values.get("auth_method", ANY)
    listed = policy.values_of("auth_method") if method == ANY else (method,)
    methods = [one for one in listed if not policy.is_retired("auth_method", one, incident.opened_at)]
    csp = named_values.get("csp", ANY)
    by = "" if csp == ANY else f" with {policy.name_of('csp', csp)}"
    lines = [Check(MONITORS, "the findings of the incident are quiet")]
    lines += [
        Check(f"{_SIGN_IN}{one}", f"somebody signed in by {policy.name_of('auth_method', one)}{by}")
        for one in methods[: CHECKS_KEPT - 2]
    ]
    lines.append(Check(STATEMENT, "those who wait were told that it works again"))
    ticked = {one.item: one for one in incident.process.checklist if one.done_at is not None}
    return tuple(
        replace(one, done_at=ticked[one.item].done_at, done_by=ticked[one.item].done_by)
        if one.item in ticked
        else one
        for one in lines
    )


def _followed(kind: TransitionKind, incident: Incident, policy: Policy) -> tuple[Check, ...]:
    """Return the checklist with the line that the data tick; a relapse and a reopening take all ticks back."""
    lines = checklist(incident, policy)
    if kind in ("relapsed", "reopened"):
        return tuple(replace(one, done_at=None, done_by=None) for one in lines)
    over = kind == "recovering" or (kind == "resolved" and incident.resolved_reason == "recovered")
    if not over:
        return lines
    return tuple(
        replace(one, done_at=incident.updated_at, done_by=DATA)
        if one.item == MONITORS and one.done_at is None
        else one
        for one in lines
    )
