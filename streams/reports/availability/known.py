"""What is known of a month: out of five-minute records, or, once these are gone, out of the days that are told.

Both give the same figures of a month that is over, but for clients and for providers on all methods together, which the
records of days do not tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.engine.frame_builder import scopes_of
from detectors.engine.sla_days import Day, day_of
from detectors.history.error_budget import Account, Exclusion, accounts
from detectors.history.history import FIELDS, History
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, COUNTERS, GOOD
from streams.replay.entries import SourceError

__all__ = ["DayRecords", "KnownDay", "KnownMonth", "known_by_days", "known_by_history"]

#: A day is known in full if records cover this share of it: the last five minutes may be late.
_IN_FULL = 0.99
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Count = Annotated[float, msgspec.Meta(ge=0, le=2**53)]


class _DayRecord(msgspec.Struct):
    """A record of ``sla-days``, as far as a report needs it."""

    scope: str
    date: str
    coverage: _Share
    sign_in: dict[str, _Count]
    not_counted: dict[str, dict[str, _Count]] = {}


class DayRecords(NamedTuple):
    """Records of ``sla-days`` of one environment, in the order of the topic: the latest of a scope and date counts."""

    env: str
    records: Sequence[Mapping[str, object]]


class KnownDay(NamedTuple):
    """A local day: its date, the share (0-1) of which anything is known, and the counts (counter,) by scope."""

    date: str
    coverage: float
    counts: Mapping[str, Floats]


@dataclass(frozen=True)
class KnownMonth:
    """What is known of a calendar month of an environment.

    Attributes:
        topic: where it stands.
        env: the environment.
        coverage: share (0-1) of the time of which anything is known.
        counts: scope -> counts (counter,) of the month, nothing left out.
        accounts: scope of each method of which a request completed -> what the SLA counts.
        days: each local day, the first one first.
    """

    topic: str
    env: str
    coverage: float
    counts: Mapping[str, Floats]
    accounts: Mapping[str, Account]
    days: Sequence[KnownDay]

    def missing(self) -> list[str]:
        """The dates of days of which nothing is known."""
        return [day.date for day in self.days if day.coverage <= 0]

    def in_part(self) -> dict[str, float]:
        """Date of each day that is known in part -> the share (0-1) of it that is known."""
        return {day.date: day.coverage for day in self.days if 0 < day.coverage < _IN_FULL}


def known_by_history(
    history: History, policy: Policy, start: int, at: int, left_out: Iterable[Exclusion]
) -> KnownMonth:
    """Return what five-minute records tell of a month.

    Args:
        history: of one environment.
        policy: has the objectives and the maintenance.
        start: the first instant of the month, ms.
        at: up to when, ms.
        left_out: what providers have caused, announced maintenance, corrections.
    """
    env = history.env
    if not history.is_by_scope(start, at):
        scopes = scopes_of(env, policy, None)
        scopes.admit(history.leaves(at))
        history.follow(scopes)
    days = [day._replace(end=min(day.end, at)) for day in _days(start, at, policy.time_zone)]
    starts, ends = (np.array(times) for times in ([day.start for day in days], [day.end for day in days]))
    counts, coverage = history.between(starts, ends), history.coverage(starts, ends)
    return KnownMonth(
        topic="sli-history",
        env=env,
        coverage=float(history.coverage(np.array([start]), np.array([at]))[0]),
        counts=_by_scope(history, history.sums(start, at)),
        accounts=accounts(history, _budgets(env, policy), at, policy, left_out, start),
        days=[
            KnownDay(day.date, float(coverage[n]), _by_scope(history, counts[n]))
            for n, day in enumerate(days)
        ],
    )


def _by_scope(history: History, counts: Floats) -> dict[str, Floats]:
    """Return scope -> counts (counter,) of counts (scope, counter)."""
    paths = enumerate(history.scopes.paths)
    return {
        f"{history.env}/{path}" if path else history.env: counts[n] for n, path in paths if path is not None
    }


def known_by_days(told: DayRecords, policy: Policy, start: int, at: int) -> KnownMonth:
    """Return what the records of ``sla-days`` tell of a month that is over; what the SLA leaves out stands in them.

    Args:
        told: the records; those of other months are passed by.
        policy: has the objectives and the time zone.
        start: the first instant of the month, ms.
        at: the first instant after it, ms.

    Raises:
        SourceError: a record is none of ``sla-days``.
    """
    days = _days(start, at, policy.time_zone)
    found: dict[str, dict[str, _DayRecord]] = {day.date: {} for day in days}
    for one in told.records:
        if one.get("env") == told.env and one.get("date") in found:
            record = _read(one)
            found[record.date][record.scope] = record
    known = [_known(day.date, found[day.date]) for day in days]
    spent: dict[str, list[_DayRecord]] = {}
    for of in found.values():
        for scope, record in of.items():
            spent.setdefault(scope, []).append(record)
    covered = sum(day.coverage * (of.end - of.start) for day, of in zip(known, days, strict=True))
    zero = np.zeros(len(COUNTERS))
    return KnownMonth(
        topic="sla-days",
        env=told.env,
        coverage=covered / (at - start),
        counts={scope: sum((_counts(one) for one in records), zero) for scope, records in spent.items()},
        accounts={
            scope: account
            for scope, budget in _budgets(told.env, policy).items()
            if (account := _account(spent.get(scope, ()), budget, start, at)) is not None
        },
        days=known,
    )


def _budgets(env: str, policy: Policy) -> dict[str, float]:
    return {f"{env}/{method}": 1 - one.availability for method, one in policy.objectives.items()}


def _days(start: int, at: int, time_zone: str) -> list[Day]:
    """Return the local days that begin in ``[start, at)``, ms; ``start`` begins one."""
    found = [day_of(start, time_zone)]
    while found[-1].end < at:
        found.append(day_of(found[-1].end, time_zone))
    return found


def _read(record: Mapping[str, object]) -> _DayRecord:
    try:
        return msgspec.convert(record, _DayRecord)
    except msgspec.ValidationError as error:
        place = getattr(record, "place", "the topic sla-days")
        raise SourceError(f"{place}: not a record of sla-days: {error}") from None


def _known(date: str, records: Mapping[str, _DayRecord]) -> KnownDay:
    covered = max((one.coverage for one in records.values()), default=0.0)
    return KnownDay(date, covered, {scope: _counts(one) for scope, one in records.items()})


def _counts(record: _DayRecord) -> Floats:
    counts = np.zeros(len(COUNTERS))
    counts[: len(FIELDS)] = [record.sign_in.get(field, 0.0) for field in FIELDS]
    return counts


def _account(records: Sequence[_DayRecord], budget: float, start: int, at: int) -> Account | None:
    """Return the account of a month that is over; None where no request of it counts."""
    counts: Floats = sum((_counts(one) for one in records), np.zeros(len(COUNTERS)))
    out = {why: _left_out(records, why) for why in ("csp", "maintenance", "correction")}
    good, bad = (
        max(0.0, float(counts[counter]) - sum(one[n] for one in out.values()))
        for n, counter in enumerate((GOOD, BAD))
    )
    if good + bad <= 0:
        return None
    allowed = budget * (good + bad)
    return Account(
        at=at,
        start=start,
        end=at,
        good=good,
        bad=bad,
        excluded_csp=out["csp"][1],
        excluded_maintenance=out["maintenance"][1],
        excluded_correction=out["correction"][1],
        allowed=allowed,
        left=1.0 - bad / allowed,
        gone_at=None,
    )


def _left_out(records: Iterable[_DayRecord], why: str) -> tuple[float, float]:
    """Return the good and the bad requests that are left out for a reason."""
    each = [one.not_counted.get(why, {}) for one in records]
    return sum(one.get("good", 0.0) for one in each), sum(one.get("bad", 0.0) for one in each)
