"""How fast is a month's error budget spent, how much of it is left, and when will it be used up?

The burn rate of a window is its failing ratio divided by the ratio that the objective allows: a burn rate of 1 spends
the budget exactly in its period (Beyer et al., The Site Reliability Workbook, chapter 5). The budget of a month is the
allowed ratio of all requests that complete in the month: those so far, and for the rest of the month as many as
complete on average in the four weeks before.

The SLA does not count interruptions that a credential provider has caused, nor scheduled downtime up to four hours a
month. An account therefore leaves out the requests of an excluded scope during its exclusion. Detection leaves out
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.axes import contains, overlaps
from detectors.history.history import BUCKET, History
from detectors.incidents import Incident
from detectors.instants import DAY, HOUR, SECOND
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, COUNTERS, GOOD

__all__ = [
    "SCHEDULED_A_MONTH",
    "Account",
    "Exclusion",
    "account",
    "burn_rate",
    "exclusion_of",
    "month_start",
    "scheduled",
    "window_burn",
]

#: The scheduled downtime per month that the SLA does not count, ms.
SCHEDULED_A_MONTH = 4 * HOUR
#: The time before from which the requests of the rest of the month are projected, ms.
_USUAL = 28 * DAY
#: The time before from whose failures it is projected when the budget will be used up, ms.
_LATELY = HOUR


class Exclusion(msgspec.Struct, frozen=True):
    """What the SLA does not count: all requests of a scope in ``[start, end)``, ms."""

    scope: str
    start: int
    end: int
    why: Literal["csp", "maintenance"]


@dataclass(frozen=True)
class Account:
    """A month of one method up to ``at``, as the SLA counts. Instants are ms.

    Attributes:
        start, end: the bounds of the calendar month.
        good, bad: completed requests so far, without excluded ones.
        excluded_csp, excluded_maintenance: failures left out, by reason; maintenance, if both reasons apply.
        allowed: failures that the whole month may have.
        left: share of ``allowed`` that is not used up; negative when the budget is overspent.
        gone_at: when the budget will be used up if requests keep failing as in the last hour; ``at`` or earlier
            if it is used up already; None if it lasts for the month.
    """

    at: int
    start: int
    end: int
    good: float
    bad: float
    excluded_csp: float
    excluded_maintenance: float
    allowed: float
    left: float
    gone_at: int | None

    @property
    def availability(self) -> float | None:
        """``good / (good + bad)`` of the month so far; None if no request completed."""
        completed = self.good + self.bad
        return self.good / completed if completed else None


def burn_rate(good: float, bad: float, availability: float) -> float | None:
    """Return the burn rate, a multiple of the rate that spends the budget exactly; None if no request completed."""
    completed = good + bad
    return (bad / completed) / (1.0 - availability) if completed else None


def month_start(at: int, time_zone: str, months: int = 0) -> int:
    """Return the first instant (ms) of the month of ``at`` (ms) in a time zone, or of the month ``months`` later."""
    local = datetime.fromtimestamp(at / SECOND, ZoneInfo(time_zone))
    years, month = divmod(local.month - 1 + months, 12)
    first = local.replace(
        year=local.year + years, month=month + 1, day=1, hour=0, minute=0, second=0, microsecond=0, fold=0
    )
    return round(first.astimezone(UTC).timestamp()) * SECOND


def window_burn(history: History, method: str, start: int, end: int, policy: Policy) -> float | None:
    """Return the burn rate of a method in [start, end) ms, by the history; None if no request completed."""
    sums = _sums(history, f"{history.env}/{method}", start, end)
    return burn_rate(float(sums[GOOD]), float(sums[BAD]), policy.objectives[method].availability)


def exclusion_of(incident: Incident, at: int) -> Exclusion | None:
    """Return what an incident excludes up to ``at`` (ms); None unless a credential provider caused the incident.

    The exclusion covers the incident's scope for as long as it failed.
    """
    if not incident.csp_caused or (incident.resolved_reason or "").startswith("merged"):
        return None
    start = incident.first_bad_at if incident.epoch == 0 else incident.opened_at
    ends = [end for end in (incident.recovering_at, incident.resolved_at) if end is not None]
    return Exclusion(incident.scope, start, min(ends, default=at), "csp")


def scheduled(policy: Policy, env: str, method: str, start: int, at: int) -> Iterator[Exclusion]:
    """Yield the first four hours of a method's maintenance in ``[start, at)``, ms, where ``start`` begins a month."""
    used, reached = 0, start
    windows = [w for w in policy.maintenance if overlaps(w.scope, f"{env}/{method}")]
    for window in sorted(windows, key=lambda w: w.start):
        begin, end = max(window.start, start), min(window.end, at)
        # Time that two maintenance windows share uses the four hours once, and is excluded in both.
        fresh = max(begin, reached)
        end = min(end, fresh + max(SCHEDULED_A_MONTH - used, 0)) if end > fresh else end
        used += max(end - fresh, 0)
        reached = max(reached, end)
        if begin < end:
            yield Exclusion(window.scope, begin, end, "maintenance")


def account(
    history: History, method: str, at: int, policy: Policy, exclusions: Iterable[Exclusion] = ()
) -> Account | None:
    """Compute the account of a method's month up to ``at`` (ms), by the history.

    Args:
        exclusions: interruptions that providers have caused; maintenance is added from the policy.

    Returns:
        the account; None if no request completed this month.
    """
    start, end = (month_start(at, policy.time_zone, months) for months in (0, 1))
    scope = f"{history.env}/{method}"
    planned = list(scheduled(policy, history.env, method, start, at))
    caused = [
        one for one in exclusions if one.why == "csp" and overlaps(one.scope, f"{history.env}/{method}")
    ]
    all_sums = _sums(history, scope, start, at)
    by_plan = _left_out(history, scope, planned, start, at)
    left_out = _left_out(history, scope, [*planned, *caused], start, at)
    good, bad = (max(0.0, float(all_sums[c] - left_out[c])) for c in (GOOD, BAD))
    if good + bad <= 0:
        return None
    expected = good + bad + _per_ms(history, scope, at) * (end - at)
    allowed = (1.0 - policy.objectives[method].availability) * expected
    lately = _sums(history, scope, at - _LATELY, at) - _left_out(
        history, scope, [*planned, *caused], at - _LATELY, at
    )
    failing = max(0.0, float(lately[BAD])) / _LATELY
    gone_at = at + round((allowed - bad) / failing) if failing else None
    if bad >= allowed:
        gone_at = at
    return Account(
        at=at,
        start=start,
        end=end,
        good=good,
        bad=bad,
        excluded_csp=float(left_out[BAD] - by_plan[BAD]),
        excluded_maintenance=float(by_plan[BAD]),
        allowed=allowed,
        left=1.0 - bad / allowed,
        gone_at=gone_at if gone_at is not None and gone_at < end else None,
    )


def _sums(history: History, scope: str, start: int, end: int) -> Floats:
    """Return the counts (counter,) of a scope in ``[start, end)``, ms; zeros where there is no such scope."""
    index = history.scopes.index(scope)
    return np.zeros(len(COUNTERS)) if index is None else history.sums(start, end)[index]


def _per_ms(history: History, scope: str, at: int) -> float:
    """Return the completed requests of a scope per ms in the four weeks before ``at`` (ms), over the known time."""
    begin, end = np.array([at - _USUAL]), np.array([at])
    known = float(history.coverage(begin, end)[0]) * _USUAL
    sums = _sums(history, scope, at - _USUAL, at)
    return float(sums[GOOD] + sums[BAD]) / known if known else 0.0


def _left_out(history: History, scope: str, exclusions: Sequence[Exclusion], start: int, at: int) -> Floats:
    """Return the counts (counter,) of a scope that exclusions cover in ``[start, at)``; overlapping ones count once."""
    total = np.zeros(len(COUNTERS))
    if not exclusions:
        return total
    by_spans: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for part in history.parts(scope, start, at):
        by_spans.setdefault(tuple(_union(_spans(exclusions, part), start, at)), []).append(part)
    for spans, parts in by_spans.items():
        for begin, end in spans:
            counts = history.parts(scope, begin, end)
            total += sum((counts[part] for part in parts), np.zeros(len(COUNTERS)))
    return total


def _spans(exclusions: Iterable[Exclusion], part: str) -> Iterator[tuple[int, int]]:
    for one in exclusions:
        if contains(one.scope, part):
            # The history knows no better than in records: one that a provider has spoilt is all its doing.
            whole = one.why == "csp"
            yield (
                one.start - one.start % BUCKET if whole else one.start,
                one.end + -one.end % BUCKET if whole else one.end,
            )


def _union(spans: Iterable[tuple[int, int]], start: int, at: int) -> Iterator[tuple[int, int]]:
    """Yield the spans (ms), cut to ``[start, at)``, with overlapping spans joined."""
    reached = start
    for begin, end in sorted(spans):
        begin, end = max(begin, reached), min(end, at)
        if begin < end:
            yield begin, end
            reached = end
