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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.axes import contains, named, overlaps
from detectors.history.history import BUCKET, KEPT, History
from detectors.incidents import Incident
from detectors.instants import DAY, HOUR, SECOND
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, COUNTERS, GOOD

__all__ = [
    "SCHEDULED_A_MONTH",
    "Account",
    "Exclusion",
    "LeftOut",
    "NotCounted",
    "account",
    "accounts",
    "burn_rate",
    "exclusion_of",
    "month_start",
    "scheduled",
    "window_burns",
    "with_exclusion",
]

#: The scheduled downtime per month that the SLA does not count, ms.
SCHEDULED_A_MONTH = 4 * HOUR
#: The time before from which the requests of the rest of the month are projected, ms.
_USUAL = 28 * DAY
#: The axes that history records of the form before tell apart: method and provider.
_AXES_OF_SCOPES = 2
#: The time before from whose failures it is projected when the budget will be used up, ms.
_LATELY = HOUR
#: The most exclusions that are kept: one for every half hour of the 35 days that the history reaches back.
_EXCLUSIONS_KEPT = 1_680


class Exclusion(msgspec.Struct, frozen=True):
    """What the SLA does not count: all requests of a scope in ``[start, end)``, ms."""

    scope: str
    start: int
    end: int
    why: Literal["csp", "maintenance", "correction"]


@dataclass(frozen=True)
class Account:
    """A month of one scope up to ``at``, as the SLA counts. Instants are ms.

    Attributes:
        start, end: the bounds of the calendar month.
        good, bad: completed requests so far, without excluded ones.
        excluded_csp, excluded_maintenance, excluded_correction: failures left out, by reason; of several reasons that
            apply maintenance, else the provider.
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
    excluded_correction: float
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


def window_burns(
    history: History, budgets: Mapping[str, float], start: int, end: int
) -> dict[str, float | None]:
    """Return the burn rates of scopes in [start, end) ms, by the history; None where no request completed.

    Args:
        history: of one environment.
        budgets: path of a scope with the environment -> share of its requests that may fail.
    """
    sums = history.sums(start, end)
    counts = {scope: _counts(history, scope, sums) for scope in budgets}
    return {
        scope: burn_rate(float(counts[scope][GOOD]), float(counts[scope][BAD]), 1.0 - budget)
        for scope, budget in budgets.items()
    }


def exclusion_of(incident: Incident, at: int) -> Exclusion | None:
    """Return what an incident excludes up to ``at`` (ms); None unless a credential provider caused the incident.

    The exclusion covers the incident's scope for as long as it failed.
    """
    if not incident.csp_caused or (incident.resolved_reason or "").startswith("merged"):
        return None
    start = incident.first_bad_at if incident.epoch == 0 else incident.opened_at
    ends = [end for end in (incident.recovering_at, incident.resolved_at) if end is not None]
    return Exclusion(incident.scope, start, min(ends, default=at), "csp")


def with_exclusion(known: Sequence[Exclusion], incident: Incident, at: int) -> list[Exclusion]:
    """Return exclusions with that of an incident that is resolved at ``at`` (ms), without those that are too old."""
    found = exclusion_of(incident, at)
    if found is None:
        return list(known)
    return [*(one for one in known if one.end > at - KEPT), found][-_EXCLUSIONS_KEPT:]


def scheduled(
    policy: Policy, scope: str, start: int, at: int, said: Iterable[Exclusion] = ()
) -> Iterator[Exclusion]:
    """Yield the first four hours of a scope's maintenance in ``[start, at)``, ms, where ``start`` begins a month.

    Args:
        said: maintenance that was announced at run time, in time.
    """
    used, reached = 0, start
    windows = [Exclusion(w.scope, w.start, w.end, "maintenance") for w in policy.maintenance]
    windows += [one for one in said if one.why == "maintenance"]
    windows = [window for window in windows if overlaps(window.scope, scope)]
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
    """Compute the account of a method's month up to ``at`` (ms), as ``accounts`` does; None without requests."""
    scope = f"{history.env}/{method}"
    budget = 1.0 - policy.objectives[method].availability
    return accounts(history, {scope: budget}, at, policy, exclusions).get(scope)


def accounts(
    history: History,
    budgets: Mapping[str, float],
    at: int,
    policy: Policy,
    exclusions: Iterable[Exclusion] = (),
    within: int | None = None,
) -> dict[str, Account]:
    """Compute the accounts of scopes for the month up to ``at`` (ms), by the history.

    Args:
        history: of one environment.
        budgets: path of a scope with the environment -> share of its requests that may fail.
        at: ms.
        policy: the policy, whose maintenance is excluded.
        exclusions: interruptions that providers have caused, announced maintenance, corrections.
        within: an instant (ms) of the month; ``at`` by default. The end of a month is an instant of the next one.

    Returns:
        the accounts; without those of scopes of which no request completed in the month, and of clients, until the
        records of the month and of the four weeks before tell them apart.
    """
    start, end = (month_start(within or at, policy.time_zone, months) for months in (0, 1))
    said = list(exclusions)
    month, lately, usual = (history.sums(begin, at) for begin in (start, at - _LATELY, at - _USUAL))
    known = float(history.coverage(np.array([at - _USUAL]), np.array([at]))[0]) * _USUAL
    by_scope = history.is_by_scope(min(start, at - _USUAL), at)
    left_out: dict[tuple[Exclusion, ...], LeftOut] = {}
    out = {}
    for scope, budget in budgets.items():
        if by_scope and len(named(scope)) > _AXES_OF_SCOPES:
            continue
        planned = tuple(scheduled(policy, scope, start, at, said))
        if planned not in left_out:
            left_out[planned] = LeftOut.of(history, planned, said, start, at)
        not_counted = left_out[planned].within(scope)
        good, bad = (
            max(0.0, float(_counts(history, scope, month)[c] - not_counted.month[c])) for c in (GOOD, BAD)
        )
        if good + bad <= 0:
            continue
        before = _counts(history, scope, usual)
        per_ms = float(before[GOOD] + before[BAD]) / known if known else 0.0
        allowed = budget * (good + bad + per_ms * (end - at))
        failing = max(0.0, float(_counts(history, scope, lately)[BAD] - not_counted.lately[BAD])) / _LATELY
        gone_at = at if bad >= allowed else at + round((allowed - bad) / failing) if failing else None
        out[scope] = Account(
            at=at,
            start=start,
            end=end,
            good=good,
            bad=bad,
            excluded_csp=float(not_counted.csp[BAD]),
            excluded_correction=float(not_counted.corrected[BAD]),
            excluded_maintenance=float(not_counted.planned[BAD]),
            allowed=allowed,
            left=1.0 - bad / allowed,
            gone_at=gone_at if gone_at is not None and gone_at < end else None,
        )
    return out


def _counts(history: History, scope: str, sums: Floats) -> Floats:
    """Return the counts (counter,) of a scope out of sums (scope, counter); zeros where there is no such scope."""
    index = history.scopes.index(scope)
    return np.zeros(len(COUNTERS)) if index is None else np.asarray(sums[index])


@dataclass(frozen=True)
class NotCounted:
    """Counts (counter,) that exclusions cover: in the month, of these by maintenance and by corrections alone, in the
    last hour.
    """

    month: Floats
    planned: Floats
    corrected: Floats
    lately: Floats

    @property
    def csp(self) -> Floats:
        """What providers have caused."""
        return np.asarray(self.month - self.planned - self.corrected)


@dataclass(frozen=True)
class LeftOut:
    """Counts that exclusions cover, by the parts of an environment, as ``NotCounted`` names them."""

    month: Mapping[str, Floats]
    planned: Mapping[str, Floats]
    others: Mapping[str, Floats]
    lately: Mapping[str, Floats]

    @classmethod
    def of(
        cls,
        history: History,
        planned: Sequence[Exclusion],
        caused: Sequence[Exclusion],
        start: int,
        at: int,
    ) -> LeftOut:
        """Count what maintenance and interruptions by providers cover in ``[start, at)``, ms."""
        both = [*planned, *(one for one in caused if one.why != "maintenance")]
        return cls(
            _left_out(history, both, start, at),
            _left_out(history, planned, start, at),
            _left_out(history, [one for one in both if one.why != "correction"], start, at),
            _left_out(history, both, at - _LATELY, at),
        )

    def within(self, scope: str) -> NotCounted:
        """Return what is left out of a scope."""
        month, planned, others, lately = (
            sum(
                (counts for part, counts in parts.items() if contains(scope, part)),
                np.zeros(len(COUNTERS)),
            )
            for parts in (self.month, self.planned, self.others, self.lately)
        )
        return NotCounted(month, planned, month - others, lately)


def _left_out(history: History, exclusions: Sequence[Exclusion], start: int, at: int) -> dict[str, Floats]:
    """Return part -> counts (counter,) that exclusions cover in ``[start, at)``, ms; overlapping ones count once."""
    total: dict[str, Floats] = {}
    if not exclusions:
        return total
    by_spans: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for part in history.parts(history.env, start, at):
        by_spans.setdefault(tuple(_union(_spans(exclusions, part), start, at)), []).append(part)
    for spans, parts in by_spans.items():
        for begin, end in spans:
            counts = history.parts(history.env, begin, end)
            for part in parts:
                total[part] = total.get(part, np.zeros(len(COUNTERS))) + counts[part]
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
