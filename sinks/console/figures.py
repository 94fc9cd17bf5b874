"""Which figures of an incident, and of sign-in at this moment, does a runbook show? Placeholder -> words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from detectors.axes import ANY, overlaps, path_of
from detectors.incidents import Incident
from detectors.instants import MINUTE, format_duration
from detectors.lifecycle.response_times import alert_deadline, deadline
from detectors.policy.policy import Policy
from sinks.wording import ScopeNames, capitalised, common_words, day_words, headline, people_words

__all__ = ["NO_INCIDENT", "FiguresOf", "Success", "figures"]

#: Stands for a figure of an incident where a runbook is read without one.
NO_INCIDENT = "(no incident)"
_UNKNOWN = "not known"
#: The window of what a runbook says is so at this moment, ms.
_NOW_WINDOW = 5 * MINUTE
#: A way in works where at least this share succeeds, as the banner says.
_WORKS = 0.95
_OF_INCIDENTS = (
    *("incident", "headline", "subject", "scope", "severity", "priority", "people", "peak", "since"),
    *("evidence", "common", "success", "declared", "acknowledged", "respond_by", "fail_over"),
)

#: The share that succeeds in a scope (path) over a window (ms), 0-1; None where nothing completed or nothing is known.
Success = Callable[[str, int], float | None]
FiguresOf = Mapping[str, str]


def figures(incident: Incident | None, policy: Policy, success: Success, now: int) -> FiguresOf:
    """All placeholders of runbooks with their words.

    Args:
        incident: the incident that the runbook is read for; without one its figures are ``NO_INCIDENT``.
        policy: the policy.
        success: the share that succeeds.
        now: ms since the epoch.
    """
    env = "prod" if incident is None else incident.env
    told = dict(_of_policy(policy))
    told |= _of_sign_in(env, policy, success)
    told["works"] = _works(env, None if incident is None else incident.scope, policy, success, now)
    told |= dict.fromkeys(_OF_INCIDENTS, NO_INCIDENT)
    if incident is not None:
        told |= _of_incident(incident, policy, success)
    return told


def _of_policy(policy: Policy) -> Iterator[tuple[str, str]]:
    rules = policy.lifecycle
    yield "declare_after", format_duration(rules.declare_after)
    yield "update_every", format_duration(rules.update_every)
    yield "recover_for", format_duration(rules.recover_for)
    yield "revert_at", f"{policy.fail_over.revert_at:.0%}"
    yield "fail_over_window", format_duration(policy.fail_over.window)
    for method in ("ssoe", "sis"):
        promise = policy.objectives.get(method)
        yield f"{method}_latency", _UNKNOWN if promise is None else f"{promise.latency_threshold_ms:,.0f} ms"


def _of_sign_in(env: str, policy: Policy, success: Success) -> dict[str, str]:
    rules = policy.fail_over
    ssoe, sis = (success(_method(env, method, policy), rules.window) for method in ("ssoe", "sis"))
    return {
        "ssoe_success": _share(ssoe),
        "sis_success": _share(sis),
        "fail_over_conditions": _conditions(ssoe, sis, policy),
    }


def _conditions(ssoe: float | None, sis: float | None, policy: Policy) -> str:
    rules = policy.fail_over
    if ssoe is None or sis is None:
        return "not known, as no sign-in completed on one of the two methods."
    holds = ssoe < rules.ssoe_below and sis > rules.sis_above
    verdict = "both hold: web sign-ins may go to SiS" if holds else "they do not hold"
    return (
        f"{ssoe:.0%} succeed on SSOe (must be below {rules.ssoe_below:.0%}) and {sis:.0%} on SiS (must be above"
        f" {rules.sis_above:.0%}), over {format_duration(rules.window)}; {verdict}."
    )


def _works(env: str, scope: str | None, policy: Policy, success: Success, now: int) -> str:
    """The other ways in that work: methods and providers beside the incident's scope that succeed at this moment."""
    names = ScopeNames(policy)
    found = []
    for axis in ("auth_method", "csp"):
        for value, listed in policy.values.get(axis, {}).items():
            if axis not in policy.axes or listed.banner is None or policy.is_retired(axis, value, now):
                continue
            way = path_of(env, (value if axis == one else ANY for one in policy.axes))
            share = success(way, _NOW_WINDOW)
            if share is not None and share >= _WORKS and (scope is None or not overlaps(scope, way)):
                found.append(f"{names.words(way)} ({share:.0%} succeed)")
    return f"{', '.join(found)}." if found else "nothing that is known to work."


def _of_incident(incident: Incident, policy: Policy, success: Success) -> dict[str, str]:
    names = ScopeNames(policy)
    due = min(
        deadline(incident.opened_at, incident.severity, policy), alert_deadline(incident.opened_at, policy)
    )
    return {
        "incident": incident.id,
        "headline": headline(incident, names),
        "subject": capitalised(names.words(incident.scope)),
        "scope": incident.scope,
        "severity": str(incident.severity),
        "priority": incident.priority,
        "people": people_words(incident),
        "peak": f"{incident.peak_users_impacted:,} people an hour",
        "since": day_words(incident.first_bad_at),
        "evidence": incident.sentence,
        "common": common_words(incident.common) or "nothing that stands out.",
        "success": _share(success(incident.scope, _NOW_WINDOW)),
        "declared": _when(incident.declared_at, incident.declared_by, "not declared"),
        "acknowledged": _when(incident.acknowledged_at, incident.acknowledged_by, "not acknowledged"),
        "respond_by": day_words(due),
        "fail_over": incident.fail_over or "none.",
    }


def _method(env: str, method: str, policy: Policy) -> str:
    return path_of(env, (method if axis == "auth_method" else ANY for axis in policy.axes))


def _share(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{share:.1%}"


def _when(at: int | None, by: str | None, otherwise: str) -> str:
    if at is None:
        return otherwise
    return f"since {day_words(at)}" + (f", by {by}" if by else "")
