"""Which share of each day's sign-ins succeeded, by method and provider?

A day that is over is what ``sla-days`` says of it. Of today, and of yesterday until its record is there, the
five-minute records of ``sli-history`` are added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Any

import msgspec
import numpy as np

from detectors.engine.sla_days import Day, day_of
from detectors.instants import DAY, HOUR, MINUTE, parse_instant
from sinks.banner.public.content import ENV, Days

__all__ = ["DAYS_BACK", "HISTORY_BACK", "KEPT_DAYS", "DayCounts"]

#: How many days are told, today included.
KEPT_DAYS = 90
#: How far back ``sla-days`` is read, ms: a day is written when it is over, or later.
DAYS_BACK = (KEPT_DAYS + 1) * DAY
#: How far back ``sli-history`` is read, ms: yesterday and today, of which one may have 25 hours.
HISTORY_BACK = 2 * DAY + 2 * HOUR
_BUCKET = 5 * MINUTE
_SLOTS = HISTORY_BACK // _BUCKET
#: The most pairs of method and provider; what is beyond counts for its method alone.
_MOST_PAIRS = 64
Pair = tuple[str, str]


#: What a record may count, and when, ms since the epoch: sums over all days stay exact.
_Count = Annotated[float, msgspec.Meta(ge=-(2**40), le=2**40)]
_At = Annotated[int, msgspec.Meta(ge=0, le=2**48)]


class _Counts(msgspec.Struct):
    good: _Count
    bad: _Count


class _Leaf(msgspec.Struct):
    axes: dict[str, str | None]
    sign_in: _Counts


class _Record(msgspec.Struct):
    env: str
    at: str | _At
    leaves: list[_Leaf] = []
    scopes: dict[str, _Counts] = {}


class _DayRecord(msgspec.Struct):
    env: str
    axes: dict[str, str]
    date: str
    end: str
    sign_in: _Counts
    not_counted: dict[str, _Counts] = {}


class _Told(msgspec.Struct):
    """What a record of ``sla-days`` says: the end of the day (ms), all sign-ins, and those that were corrected."""

    end: int
    all: _Counts
    corrected: _Counts


_decoder = msgspec.json.Decoder(_Record)
_day_decoder = msgspec.json.Decoder(_DayRecord)
_NOTHING = _Counts(0, 0)


class DayCounts:
    """Good and bad sign-ins of production by day. A record that comes again replaces what it had said."""

    def __init__(self) -> None:
        self._at = np.full(_SLOTS, -1, dtype=np.int64)
        self._counts: dict[Pair, np.ndarray[Any, np.dtype[np.int64]]] = {}
        #: Date -> pair -> what its record says; the environment has the pair of two empty names.
        self._told: dict[str, dict[Pair, _Told]] = {}

    def note(self, value: bytes) -> None:
        """Count a five-minute record; those of other environments are passed by.

        Args:
            value: of a record of ``sli-history``, of either form.

        Raises:
            ValueError: it is no five-minute record.
        """
        record = _decoder.decode(value)
        if record.env != ENV:
            return
        at = parse_instant(record.at) if isinstance(record.at, str) else record.at
        slot = at // _BUCKET % _SLOTS
        if at < self._at[slot]:
            return  # older than all that is kept
        self._at[slot] = at
        for counts in self._counts.values():
            counts[slot] = 0
        for (method, csp), one in (*_of_leaves(record.leaves), *_of_scopes(record.scopes)):
            pair = (method, csp)
            if pair not in self._counts and len(self._counts) >= _MOST_PAIRS:
                pair = (method, "") if (method, "") in self._counts else ("", "")
            if pair not in self._counts:
                self._counts[pair] = np.zeros((_SLOTS, 2), dtype=np.int64)
            self._counts[pair][slot] += (int(one.good), int(one.bad))

    def note_day(self, value: bytes) -> None:
        """Note what a day of a scope counts; those of other environments are passed by.

        Args:
            value: of a record of ``sla-days``.

        Raises:
            ValueError: it is no such record.
        """
        record = _day_decoder.decode(value)
        if record.env != ENV:
            return
        date.fromisoformat(record.date)
        pair = (record.axes.get("auth_method", ""), record.axes.get("csp", ""))
        corrected = record.not_counted.get("correction", _NOTHING)
        of_date = self._told.setdefault(record.date, {})
        if pair in of_date or len(of_date) < 2 * _MOST_PAIRS:
            of_date[pair] = _Told(parse_instant(record.end), record.sign_in, corrected)
        if len(self._told) > KEPT_DAYS:
            del self._told[min(self._told)]

    def days(self, now: int, time_zone: str) -> Days:
        """Return the last ``KEPT_DAYS`` local days of each pair, and of each method ("" for its providers).

        A day of which no record is there is unknown, as is one without a sign-in. What a correction takes out of the
        account is left out of the days that are over.

        Args:
            now: ms since the epoch; the day that is under way is the last.
            time_zone: IANA name.
        """
        today = day_of(now, time_zone)
        first = date.fromisoformat(today.date)
        dates = [f"{first - timedelta(days=back)}" for back in range(KEPT_DAYS - 1, -1, -1)]
        counted = {day.date: self._counted(day) for day in (day_of(today.start - 1, time_zone), today)}
        by_date = [
            counted.get(day, {}) if day == today.date or day not in self._told else self._account(day)
            for day in dates
        ]
        pairs = {pair for of in by_date for pair in of if pair[0]}
        return {
            pair: [
                (day, good / (good + bad) if good + bad > 0 else None)
                for day, of in zip(dates, by_date, strict=True)
                for good, bad in (of.get(pair, (0.0, 0.0)),)
            ]
            for pair in pairs
        }

    def _account(self, day: str) -> dict[Pair, tuple[float, float]]:
        """What the record of a date counts, without what was corrected: (good, bad) by pair."""
        return {
            pair: (max(0.0, one.all.good - one.corrected.good), max(0.0, one.all.bad - one.corrected.bad))
            for pair, one in self._told[day].items()
        }

    def _counted(self, day: Day) -> dict[Pair, tuple[float, float]]:
        """What the five-minute records of a day add up to: (good, bad) by pair, and by method."""
        within = (self._at >= day.start) & (self._at < day.end)
        sums: dict[Pair, tuple[float, float]] = {}
        for (method, csp), counts in self._counts.items():
            good, bad = (int(n) for n in counts[within].sum(axis=0))
            for pair in {(method, csp), (method, "")}:
                known = sums.get(pair, (0.0, 0.0))
                sums[pair] = known[0] + good, known[1] + bad
        return sums

    def successes(self, method: str, since: int) -> list[tuple[int, float]]:
        """Return the share of a method's sign-ins that succeeded in each five minutes from an instant (ms) on.

        Each share (0-1) stands with the end of its five minutes (ms), the oldest first; those without a sign-in are
        left out.
        """
        sums = self._sums(method)
        done = sums.sum(axis=1)
        (slots,) = np.nonzero((self._at >= since) & (done > 0))
        found = ((int(self._at[slot]) + _BUCKET, float(sums[slot, 0] / done[slot])) for slot in slots)
        return sorted(found)

    def failures(self, method: str, since: int, points: int) -> list[tuple[int, int]]:
        """Return how many of a method's sign-ins have failed from an instant (ms) up to each of some instants (ms).

        Args:
            method: the method.
            since: ms, the first instant of a day.
            points: about how many instants are returned, the oldest first; fewer where less is known.
        """
        pair = (method, "")
        told = sorted((of[pair].end, of[pair].all.bad) for of in self._told.values() if pair in of)
        told = [one for one in told if one[0] > since]
        begun = max((end for end, _ in told), default=since)
        (slots,) = np.nonzero(self._at >= begun)
        slots = slots[np.argsort(self._at[slots])]
        ends = [end for end, _ in told] + [int(self._at[slot]) + _BUCKET for slot in slots]
        failed = np.cumsum([bad for _, bad in told] + self._sums(method)[slots, 1].tolist())
        each = max(1, len(ends) // points)
        chosen = range(len(ends) - 1, -1, -each)
        return [(ends[n], int(failed[n])) for n in reversed(chosen)]

    def _sums(self, method: str) -> np.ndarray[Any, np.dtype[Any]]:
        """The good and bad sign-ins of a method, over its providers, of each slot."""
        return sum(
            (counts for (of, _), counts in self._counts.items() if of == method), np.zeros((_SLOTS, 2))
        )


def _of_leaves(leaves: Iterable[_Leaf]) -> Iterator[tuple[Pair, _Counts]]:
    for leaf in leaves:
        yield (leaf.axes.get("auth_method") or "", leaf.axes.get("csp") or ""), leaf.sign_in


def _of_scopes(scopes: Mapping[str, _Counts]) -> Iterator[tuple[Pair, _Counts]]:
    """The pairs of a record of the form before, which has methods and, apart, what of them is a provider's."""
    for path, counts in scopes.items():
        env, *values = path.split("/")
        if len(values) == 1 and values[0] != "*":
            yield (values[0], ""), counts
        elif len(values) == 2 and "*" not in values:
            yield (values[0], values[1]), counts
            if f"{env}/{values[0]}" in scopes:
                yield (values[0], ""), _Counts(-counts.good, -counts.bad)
