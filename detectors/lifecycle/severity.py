"""How severe is an incident: people impacted per hour, and the scales that follow from this figure?

Three figures are compared and the greatest counts: people *observed* (distinct since the first bad event,
within the trailing hour), people *projected* from the last minutes, and, where failures leave no trace, the
*estimate* of the finding itself. The SLA severity rises with the figure at once and falls only after it has
stayed well below for a while; Datadog's severity is a scale beside it, and so is the priority
(``Policy.priority.of``).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import floor

import msgspec
from scipy.special import gammaincinv

from detectors.axes import ANY, AXES, named
from detectors.incidents import Basis
from detectors.instants import HOUR
from detectors.policy.policy import Policy

__all__ = [
    "PRODUCTION",
    "Figure",
    "Level",
    "csps_of",
    "datadog_severity",
    "figure",
    "follow",
    "poisson_lower_bound",
    "severity_of",
]

#: The environment whose people the SLA counts; every other issue is severity 3 (SLA).
PRODUCTION = "prod"
_CSP = AXES.index("csp")


class Figure(msgspec.Struct, frozen=True):
    """People impacted per hour, and the basis of this number."""

    users: int
    basis: Basis


class Level(msgspec.Struct, frozen=True):
    """A severity, with the timers of its fall.

    Attributes:
        severity: 1-3.
        below_1, below_2: T (ms) since which the figure has stayed below the threshold of severity 1 (of 2)
            times ``fall_factor`` without a break; None while it does not.
    """

    severity: int = 3
    below_1: int | None = None
    below_2: int | None = None


@lru_cache(maxsize=65_536)
def poisson_lower_bound(events: int, confidence: float) -> float:
    """The one-sided lower bound of a Poisson mean of which ``events`` were seen; 0 if none was.

    Source: Garwood 1936, exact limits: half the chi-square quantile at ``1 - confidence`` with ``2 * events``
    degrees of freedom, which is the inverse of the regularised incomplete gamma function.
    """
    return float(gammaincinv(events, 1.0 - confidence)) if events > 0 else 0.0


def figure(observed: int, recent: int, estimate: float | None, policy: Policy) -> Figure:
    """The figure that severity and priority rest on: the greatest of the three, whole people, rounded down.

    Where two are equal the better known counts: observed, then projected, then estimated.

    Args:
        observed: distinct people since the first bad event, within the trailing hour.
        recent: of these, people within the last ``severity.projection_window``.
        estimate: people per hour, by a finding whose failures leave no trace; None without one.
    """
    per_hour = HOUR / policy.severity.projection_window
    projected = floor(per_hour * poisson_lower_bound(recent, policy.severity.confidence))
    best = Figure(observed, "observed")
    if projected > best.users:
        best = Figure(projected, "projected")
    if estimate is not None and floor(estimate) > best.users:
        best = Figure(floor(estimate), "estimated")
    return best


def severity_of(users: int, env: str, policy: Policy) -> int:
    """SLA severity 1-3 of ``users`` people per hour; a figure equal to a threshold is not over it."""
    if env != PRODUCTION:
        return 3
    if users > policy.severity.severity_1_over:
        return 1
    return 2 if users > policy.severity.severity_2_over else 3


def follow(
    level: Level | None, users: int, env: str, at: int, policy: Policy, *, may_fall: bool = True
) -> Level:
    """The level after a figure at T: it rises at once, and falls after ``dwell`` below threshold x factor.

    Each threshold has a clock of its own, so that a severity 1 that ends at once may fall to 3 directly.
    While ``may_fall`` is False (not all partitions can be read) the timers start again.

    Args:
        level: the level after the previous step; None at an opening.
        at: T, ms.
    """
    raw = severity_of(users, env, policy)
    if level is None:
        return Level(raw)
    rules = policy.severity

    def since(threshold: int, before: int | None) -> int | None:
        if not may_fall or users >= threshold * rules.fall_factor:
            return None
        return at if before is None else before

    below_1 = since(rules.severity_1_over, level.below_1)
    below_2 = since(rules.severity_2_over, level.below_2)
    held = 3
    if level.severity <= 2 and not _dwelt(below_2, at, rules.dwell):
        held = 2
    if level.severity == 1 and not _dwelt(below_1, at, rules.dwell):
        held = 1
    return Level(min(raw, held), below_1, below_2)


def _dwelt(since: int | None, at: int, dwell: int) -> bool:
    return since is not None and at - since >= dwell


def csps_of(scopes: Iterable[str]) -> int:
    """How many credential providers are down: those that are the scope of an open incident."""
    return len({csp for csp in map(_whole_csp, scopes) if csp is not None})


def _whole_csp(scope: str) -> str | None:
    """The credential provider of a scope that is all of the provider, at most on one method; else None."""
    values = named(scope)
    return values[_CSP] if len(values) == _CSP + 1 and values[_CSP] != ANY else None


def datadog_severity(scope: str, severity: int, csps: int, *, serious: bool = True) -> str:
    """SEV-1 ... SEV-5 of an incident.

    SEV-1: nobody can sign in (all of prod), or more than one provider is down (``csps``, over all open
    incidents, of which this one is of a provider); SEV-2: one provider, or severity 1; SEV-3: severity 2;
    SEV-4: else, and what wakes nobody (not ``serious``); SEV-5: outside prod. A whole method (``prod/ssoe``)
    is graded by its severity, as people can be sent to the other one; so is a client, which is a subset.
    """
    if scope.partition("/")[0] != PRODUCTION:
        return "SEV-5"
    if not serious:
        return "SEV-4"
    one_csp = _whole_csp(scope) is not None
    if not named(scope) or (one_csp and csps > 1):
        return "SEV-1"
    if one_csp or severity == 1:
        return "SEV-2"
    return "SEV-3" if severity == 2 else "SEV-4"
