"""How severe is an incident: people impacted per hour, and the scales that follow from this figure?

Three figures are compared and the greatest counts: people *observed* (distinct since the first bad event,
within the trailing hour), people *projected* onto the whole hour from those who are new, and, where failures leave no
trace, the *estimate* of the finding itself. The SLA severity rises with the figure at once. What was observed,
estimated or has stood for the projection window falls only after it has stayed well below for a while; what was only
projected also falls as soon as nobody new has failed for long enough. Datadog's severity is a scale beside it, and so
is the priority (``Policy.priority.of``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import exp, floor, log

import msgspec

from detectors.axes import ANY, AXES, named
from detectors.confidence import poisson_lower_bound
from detectors.incidents import Basis
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.policy.policy import Policy

__all__ = [
    "PRODUCTION",
    "Figure",
    "Growth",
    "Level",
    "csps_of",
    "datadog_severity",
    "figure",
    "follow",
    "grown",
    "has_stood",
    "projected",
    "refuted",
    "severity_of",
]

#: The environment whose people the SLA counts; every other issue is severity 3 (SLA).
PRODUCTION = "prod"
_CSP = AXES.index("csp")
#: How finely it is remembered how many people an incident had hit, ms.
_GRID = 10 * SECOND
#: The rate of new people is none that makes the time since the latest one less likely than this.
_UNLIKELY = 0.05
#: A projected level is refuted by a gap that would happen at most this often if people came as often as it needs.
_HARDLY_EVER = 0.001
#: Bouts of new people are this far apart, ms; and from this length on one counts for itself.
_APART = MINUTE
#: A bout is not like those before it from this multiple of the longest of them on.
_LONGER = 1.5
#: Early on a projection counts only from this multiple of a threshold on: the first seconds are the worst known.
_EARLY = 1.5
#: "Early" ends a tenth after the projection window: those who come again with each window show as such by then.
_SETTLED = 1.1


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
        firm: the part of it that was observed or estimated, or has stood for the projection window; 1-3, never more
            severe than ``severity``.
        stood_1, stood_2: T (ms) since which the figure has been over the threshold of severity 1 (of 2) without a
            break; None while it is not.
        peak: the most severe ``firm`` so far.
    """

    severity: int = 3
    below_1: int | None = None
    below_2: int | None = None
    firm: int = 3
    stood_1: int | None = None
    stood_2: int | None = None
    peak: int = 3


class Growth(msgspec.Struct, frozen=True):
    """How many people an incident had hit by earlier T, so that who is new can be told from who comes again.

    New people come in *bouts*; a gap of ``_APART`` without anybody new ends one.

    Attributes:
        scope, since: people of this scope with a bad event since this instant (ms), at most an hour back.
        seen: (T, people), ascending, each in a cell of ``_GRID`` of its own; the first at or before the beginning of
            the projection window, or (``since``, 0).
        most: the greatest number so far.
        grew_at: the T (ms) at which this number was reached.
        bout_at: the T (ms) at which the last bout began.
        longest: ms that the longest bout before it lasted.
    """

    scope: str
    since: int
    seen: tuple[tuple[int, int], ...]
    most: int
    grew_at: int
    bout_at: int
    longest: int = 0

    @property
    def outlasts(self) -> bool:
        """Whether the last bout has lasted for so much longer than those before it that it is not like them."""
        return self.grew_at - self.bout_at >= min(_LONGER * self.longest, _APART)


def grown(before: Growth | None, scope: str, since: int, at: int, people: int, policy: Policy) -> Growth:
    """Return how an incident has grown by T; its people are counted anew where its scope or its beginning is another.

    Args:
        before: after the previous step; None at an opening.
        scope, since, people: as in ``Growth``.
        at: T, ms.
    """
    if before is None:
        return Growth(scope, since, ((since, 0),), people, at, at)
    same = (before.scope, before.since) == (scope, since)
    seen, most = (before.seen, before.most) if same else (((since, 0),), 0)
    if same and at // _GRID > seen[-1][0] // _GRID:
        seen = (*seen, (at, people))
    begin = at - policy.severity.projection_window
    while len(seen) > 1 and seen[1][0] <= begin:
        seen = seen[1:]
    bout_at, longest = before.bout_at, before.longest
    if people <= most:
        return Growth(scope, since, seen, most, before.grew_at, bout_at, longest)
    if at - before.grew_at > _APART:
        bout_at, longest = at, max(longest, before.grew_at - bout_at)
    return Growth(scope, since, seen, people, at, bout_at, longest)


def projected(growth: Growth, at: int, policy: Policy, lately: int) -> float:
    """Return the people of a whole hour: those so far, and the new ones of the rest of the hour; 0 for no projection.

    Their rate is the lower bound (``confidence``) of the new people of the projection window, or of the whole time if
    that is shorter; and no rate that the time since the latest new person makes unlikely (5 %). Nobody is expected of a
    bout that is like those before it, which have ended.

    Args:
        growth: as of T.
        at: T, ms.
        lately: people with a bad event since the first instant of ``growth.seen``. No more are new: who was taken for
            the tries of one person may turn out to be many at once.
    """
    left = HOUR - (at - growth.since)
    if left <= 0 or not growth.outlasts:
        return 0.0
    begin, known = growth.seen[0]
    new = min(growth.most - known, lately)
    rate = poisson_lower_bound(new, policy.severity.confidence) / max(at - begin, policy.step)
    if at > growth.grew_at:
        rate = min(rate, -log(_UNLIKELY) / (at - growth.grew_at))
    return growth.most + rate * left


def refuted(growth: Growth, at: int, people: int, threshold: int, policy: Policy) -> bool:
    """Whether the time without new people shows that a projected threshold will not be reached in the hour.

    It does after the projection window, and sooner where so long a gap would hardly ever happen if people came as often
    as the threshold needs.
    """
    gap, left = at - growth.grew_at, HOUR - (at - growth.since)
    if people > threshold:
        return False
    if left <= 0 or gap >= policy.severity.projection_window:
        return True
    return exp(-gap * (threshold - people) / left) <= _HARDLY_EVER


def figure(observed: int, projection: float, elapsed: int, estimate: float | None, policy: Policy) -> Figure:
    """The figure that severity and priority rest on: the greatest of the three, whole people, rounded down.

    Where two are equal the better known counts: observed, then projected, then estimated. Before the projection window
    has passed a projection exceeds a threshold of the SLA only from ``_EARLY`` times the threshold on.

    Args:
        observed: distinct people since the first bad event, within the trailing hour.
        projection: people of the whole hour, as ``projected`` returns them.
        elapsed: ms since the first bad event.
        estimate: people per hour, by a finding whose failures leave no trace; None without one.
    """
    best = Figure(observed, "observed")
    rules = policy.severity
    if elapsed < rules.projection_window * _SETTLED:
        for threshold in (rules.severity_1_over, rules.severity_2_over):
            if threshold < projection < threshold * _EARLY:
                projection = threshold
    if floor(projection) > best.users:
        best = Figure(floor(projection), "projected")
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
    level: Level | None,
    users: int,
    env: str,
    at: int,
    policy: Policy,
    *,
    sure: int | None = None,
    gone: Collection[int] = (),
    may_fall: bool = True,
) -> Level:
    """The level after a figure at T: it rises at once, and falls after ``dwell`` below threshold x factor.

    Each threshold has a clock of its own, so that a severity 1 that ends at once may fall to 3 directly.
    While ``may_fall`` is False (not all partitions can be read) the timers start again.

    Args:
        level: the level after the previous step; None at an opening.
        users: the figure.
        at: T, ms.
        sure: the people of it that are observed or estimated; None for all.
        gone: the severities that were only projected and are refuted: they fall at once.
    """
    rules = policy.severity
    raw = severity_of(users, env, policy)
    own = raw if sure is None else severity_of(sure, env, policy)
    if level is None:
        stood_1, stood_2 = (at if raw <= severity else None for severity in (1, 2))
        return Level(raw, firm=own, stood_1=stood_1, stood_2=stood_2, peak=own)

    def since(threshold: int, before: int | None) -> int | None:
        if not may_fall or users >= threshold * rules.fall_factor:
            return None
        return at if before is None else before

    below_1 = since(rules.severity_1_over, level.below_1)
    below_2 = since(rules.severity_2_over, level.below_2)
    before = {1: level.stood_1, 2: level.stood_2}
    stood_1, stood_2 = (
        None if raw > severity else at if begun is None else begun for severity, begun in before.items()
    )
    held = 3
    if level.severity <= 2 and not _dwelt(below_2, at, rules.dwell):
        held = 2
    if level.severity == 1 and not _dwelt(below_1, at, rules.dwell):
        held = 1
    firm = max(min(own, level.firm), min(raw, held))
    for severity, begun in ((2, stood_2), (1, stood_1)):
        if _dwelt(begun, at, rules.projection_window):
            firm = min(firm, severity)
    for severity in (1, 2):
        if may_fall and held == severity < firm and severity in gone:
            held += 1
    severity = min(raw, held)
    firm = max(min(firm, own), severity)
    return Level(severity, below_1, below_2, firm, stood_1, stood_2, min(level.peak, firm))


def has_stood(level: Level, users: int, env: str, at: int, policy: Policy) -> bool:
    """Whether the severity of a figure at T has stood for the projection window: then the peak may hold the figure."""
    begun = {1: level.stood_1, 2: level.stood_2}.get(severity_of(users, env, policy))
    return _dwelt(begun, at, policy.severity.projection_window)


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
