"""Should web sign-ins be switched from SSOe to the Sign-in Service? This is advice; nothing is switched here.

The public SSOe outage response, version 1.1: switch when, over 15 minutes, less than 40 % succeed on SSOe and more
than 50 % on SiS, or when less than 40 % of those who go to a credential provider return by SSOe and more than 50 % by
SiS. Go back to the share before when 50 % succeed on SSOe. While an incident recovers, the 15 minutes still hold its
failures: then the advice is not to switch any more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from detectors.axes import ANY, named, path_of
from detectors.incidents import Counts
from detectors.instants import format_duration, format_instant
from detectors.lifecycle.response_times import BusinessCalendar, calendar
from detectors.policy.policy import Policy

__all__ = ["Ratios", "advise"]

_FROM, _TO = "ssoe", "sis"
#: How the advice begins that is about all sign-ins, by whatever provider: while it fails, and while it recovers.
_ALL = ("Switch web sign-ins from SSOe", "Do not switch web sign-ins from SSOe")
#: Business days after the review date at which the procedure lapses unless it is approved.
_LAPSES_DAYS = 10


class Ratios(Protocol):
    """What the advice asks about a step. ``at`` is its T, ms."""

    @property
    def at(self) -> int: ...

    def counts(self, scope: str, window: int) -> Counts:
        """Counts of a scope in ``[T - window, T)``; ``window`` in ms."""
        ...

    def returned(self, scope: str, window: int) -> float | None:
        """The share of started sign-ins that came back in ``[T - window, T)`` (ms), 0-1; None: it is not known."""
        ...


def advise(
    view: Ratios, scope: str, policy: Policy, standing: str | None, *, recovering: bool = False
) -> str | None:
    """The advice to switch, with its numbers, or None. An incident that does not touch web sign-ins by SSOe has none.

    Advice that stands is withdrawn when SSOe is back at ``revert_at`` or SiS is no longer above ``sis_above``. Without
    a completed sign-in on both there is no ratio, hence no advice. While the incident recovers nobody should switch:
    no advice is new then, and what stands says so, and when to go back where it has been done.

    Args:
        view: the step.
        scope: of the incident.
        policy: the policy.
        standing: the advice of the step before; None if there was none.
        recovering: whether what the incident found has stopped.
    """
    if recovering and standing is None:
        return None
    env, values = scope.partition("/")[0], dict(zip(policy.axes, named(scope), strict=False))
    if "auth_method" not in policy.axes or values.get("auth_method", ANY) not in (ANY, _FROM):
        return None
    client = policy.values.get("client_id", {}).get(values.get("client_id", ANY))
    if client is not None and client.kind == "mobile":
        return None
    of_all = standing is not None and standing.startswith(_ALL)
    whose, csp = "web sign-ins", values.get("csp", ANY)
    said = _of_all(view, env, policy, stands=of_all)
    if said is None and csp != ANY:
        whose = f"web sign-ins by {policy.name_of('csp', csp)}"
        said = _of_provider(view, env, csp, policy, stands=standing is not None and not of_all)
    if said is None:
        return None
    back = f"go back to the share before when {policy.fail_over.revert_at:.0%} succeed on SSOe."
    if recovering:
        return f"Do not switch {whose} from SSOe to SiS any more, as it recovers; where that is done, {back}"
    return f"Switch {whose} from SSOe to SiS: {said}; {back}{_lapsed(view.at, policy)}"


def _of_all(view: Ratios, env: str, policy: Policy, *, stands: bool) -> str | None:
    """Return the ratios that say to switch all web sign-ins, in words; None where they do not say so."""
    rules = policy.fail_over
    ssoe, sis = (
        view.counts(_path(env, policy.axes, method), rules.window).success_ratio for method in (_FROM, _TO)
    )
    if ssoe is None or sis is None or sis <= rules.sis_above:
        return None
    if ssoe >= (rules.revert_at if stands else rules.ssoe_below):
        return None
    return _ratios("succeed", ssoe, sis, policy)


def _of_provider(view: Ratios, env: str, csp: str, policy: Policy, *, stands: bool) -> str | None:
    """Return the ratios that say to switch those of one provider, in words; None where they do not say so."""
    rules = policy.fail_over
    scope = _path(env, policy.axes, _FROM, csp)
    ssoe = view.returned(scope, rules.window)
    sis = view.returned(_path(env, policy.axes, _TO, csp), rules.window)
    if ssoe is None or sis is None or sis <= rules.sis_above:
        return None
    if ssoe >= rules.ssoe_below:
        success = view.counts(scope, rules.window).success_ratio
        if not stands or success is None or success >= rules.revert_at:
            return None
    return _ratios("return", ssoe, sis, policy)


@lru_cache(maxsize=1024)
def _path(env: str, axes: tuple[str, ...], method: str, csp: str = ANY) -> str:
    values = {"auth_method": method, "csp": csp}
    return path_of(env, (values.get(axis, ANY) for axis in axes))


def _ratios(what: str, ssoe: float, sis: float, policy: Policy) -> str:
    return f"over {format_duration(policy.fail_over.window)} {ssoe:.0%} {what} on SSOe and {sis:.0%} on SiS"


def _lapsed(at: int, policy: Policy) -> str:
    """A warning where the procedure has lapsed unless it was approved again."""
    review = policy.fail_over.review_by
    if at < _lapses_at(calendar(policy), review):
        return ""
    return f" The review of this procedure was due {format_instant(review)[:10]}; it may have lapsed."


@lru_cache(maxsize=16)
def _lapses_at(hours: BusinessCalendar, review: int) -> int:
    """Return when (ms) the procedure lapses that was to be reviewed by ``review`` (ms)."""
    return hours.add(review, _LAPSES_DAYS * hours.day)
