"""What is usual: the median of comparable weeks, and that of days, where some were disturbed or are not known?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.history.disturbances import PastDisturbances
from detectors.history.entries import Entries
from detectors.history.local_calendar import WallClock
from detectors.instants import DAY, MINUTE
from detectors.windows.counters import BAD, COUNTERS, EXCLUDED, GOOD, STARTED

__all__ = ["ComparableWeeks", "DisturbedDays", "KnownDead", "UsualRatios", "numbers_of_days"]

#: How many weeks back an equal weekday is searched.
_WEEKS_BACK = 5
#: The median of fewer events, in five minutes at least, is less than their mean: chance makes it 0. Of these the mean
#: of the weeks counts, without those that have more than this multiple of the median and as many more.
_FEW = 20
_OUTLIER = 4
#: A window counts as known if at most this share of its time is unknown.
_GAP = 0.01
#: A window of a leaf is left out if an incident or maintenance covered more than this share of its time.
_COVERED = 0.05
#: A window lies at least this many days back if the day after it is over.
_DAYS_BACK = 2
_SUNDAY = 6
#: The days over which usual ratios are computed, and the trials that a day needs in order to count.
_USUAL_DAYS = 14
_USUAL_COMPLETED = 100
#: Half an hour is dead if its traffic is less than this share of that of each other time that it is compared with, and
#: if that of the other weeks is at least so many events.
_HALF_HOUR = 30 * MINUTE
#: The time that a record covers, ms.
_BUCKET = 5 * MINUTE
_DEAD_BELOW = 0.2
_DEAD_OF_LEAST = 50
#: The share of a time that must be known for its traffic to be compared.
_KNOWN = 0.5
_TRAFFIC = [GOOD, BAD, EXCLUDED, STARTED]

#: Disturbed times: the place of a day, (entry,) what was covered, and from when until when, ms.
DisturbedDays = Sequence[tuple[int, Bools, int, int]]
#: What is known of a span of time: (start of half an hour, other weeks) -> (entry and all,) whether it is dead. It
#: holds for one number of entries, and for as long as the records that it follows from do not change.
KnownDead = dict[tuple[int, tuple[int, ...]], Bools]
#: Returns hits and trials (day, scope) from the counts of days (day, scope, counter) without disturbed times.
_Shares = Callable[[Floats, DisturbedDays], tuple[Floats, Floats]]


def numbers_of_days(at: int) -> Ints:
    """Return (day,) the days (UTC), since the epoch, over which what is usual at ``at`` (ms) is computed."""
    today = (at - 1) // DAY  # at midnight the day's last five minutes have no record yet
    return np.arange(today - _USUAL_DAYS, today)


def _typical(weeks: Floats, counted: Bools, scale: float) -> Floats:
    """Return (N, entry, counter) the median of the weeks that count; the mean where there are few events.

    Args:
        weeks: (week, N, entry, counter).
        counted: (week, N, entry) whether each counts; nan where none does.
        scale: by which counts are multiplied to be those of five minutes at least.
    """
    some = np.where(counted[..., None], weeks, np.nan)
    order = np.sort(some, axis=0)  # nan last
    number = np.count_nonzero(counted, axis=0)[..., None]
    low, high = np.maximum(number - 1, 0) // 2, np.minimum(number // 2, len(weeks) - 1)
    median = (
        np.take_along_axis(order, np.broadcast_to(low, order.shape[1:])[None], axis=0)[0]
        + np.take_along_axis(order, np.broadcast_to(high, order.shape[1:])[None], axis=0)[0]
    ) / 2
    few = median * scale < _FEW
    if few.any():
        kept = counted[..., None] & (weeks * scale <= _OUTLIER * median * scale + _FEW)
        total = np.where(kept, weeks, 0.0).sum(axis=0)
        mean = total / np.maximum(np.count_nonzero(kept, axis=0), 1)
        median = np.where(few, mean, median)
    return np.where(number > 0, median, np.nan)


def _there(weeks: Floats, scale: float) -> Bools:
    """Return (week, N, entry) whether an entry with traffic was there already: weeks before its first do not count."""
    traffic = weeks[..., _TRAFFIC].sum(axis=-1)
    seen = np.maximum.accumulate(traffic[::-1], axis=0)[::-1] > 0
    return np.asarray(seen | (traffic.max(axis=0) * scale < _DEAD_OF_LEAST))


class _DeadTimes:
    """Half hours of the past in which hardly anything arrived, unlike before and afterwards.

    What has moved away or has ended is missing on the day after as well, and what is closed at this time of the week in
    the other weeks: neither is dead.

    Args:
        clock: local time, by which days and weeks are compared.
        between: returns the counts (N, entry, counter) in each [start, end), ms.
        coverage: returns the share (N,) of each [start, end) that is known, ms.
    """

    def __init__(
        self,
        clock: WallClock,
        between: Callable[[Ints, Ints], Floats],
        coverage: Callable[[Ints, Ints], Floats],
    ) -> None:
        self._clock = clock
        self._between = between
        self._coverage = coverage

    def within(
        self, starts: Ints, ends: Ints, weeks: Sequence[int], share: float, known: KnownDead
    ) -> Bools | None:
        """Return (N, entry and all) whether more than a share of each ``[start, end)`` (ms) was dead; None if nothing.

        Of the last axis, the last place is that of all entries together.

        Args:
            weeks: the other weeks, as how many weeks they lie before (negative: after) the windows.
            known: what was found for other windows; what is found is added.
        """
        steps = np.arange(int((ends - starts).max()) // _HALF_HOUR + 2) * _HALF_HOUR
        halves = np.unique(starts[:, None] // _HALF_HOUR * _HALF_HOUR + steps)
        halves = halves[halves < ends.max()]
        asked = [(half, tuple(weeks)) for half in halves.tolist()]
        fresh = np.array([one not in known for one in asked])
        if fresh.any():
            found = self._dead(halves[fresh], weeks)
            known.update((asked[n], of) for n, of in zip(np.flatnonzero(fresh).tolist(), found, strict=True))
        dead = np.stack([known[one] for one in asked])
        if not dead.any():
            return None
        overlap = np.minimum(ends[:, None], halves + _HALF_HOUR) - np.maximum(starts[:, None], halves)
        return np.asarray(
            np.clip(overlap, 0, None) @ dead.astype(np.float64) > share * (ends - starts)[:, None]
        )

    def _dead(self, halves: Ints, weeks: Sequence[int]) -> Bools:
        """Return (half hour, entry and all) whether hardly anything arrived in half hours from ``halves`` (ms) on."""
        own = self._traffic(halves, 0)
        days = [self._traffic(halves, day) for day in (1, -1)]
        others = np.stack([self._traffic(halves, 7 * week) for week in weeks])
        known = ~np.isnan(others)
        usual = np.nansum(others, axis=0) / np.maximum(np.count_nonzero(known, axis=0), 1)
        dead = (usual >= _DEAD_OF_LEAST) & (own < _DEAD_BELOW * usual)
        for day in days:
            dead &= own < _DEAD_BELOW * np.nan_to_num(day)
        return np.asarray(dead)

    def _traffic(self, halves: Ints, days: int) -> Floats:
        """Return (half hour, entry and all) events of sign-ins in half hours some days before; nan if unknown."""
        begin = self._clock.days_before(halves, days)
        end = begin + _HALF_HOUR
        known = self._coverage(begin, end)
        events = self._between(begin, end)[..., _TRAFFIC].sum(axis=-1)
        # Records of the form before count the environment itself, and other scopes besides.
        whole = np.where(events[:, :1] > 0, events[:, :1], events.sum(axis=1, keepdims=True))
        out = np.concatenate([events, whole], axis=1) / np.maximum(known, _KNOWN)[:, None]
        return np.where(known[:, None] >= _KNOWN, out, np.nan)


class ComparableWeeks:
    """The windows of the weeks before that are comparable with a window.

    Args:
        clock: local time and holidays, by which weeks are compared.
        entries: what records of the history count.
        disturbed: what incidents and maintenance covered.
        between: returns the counts (N, entry, counter) in each [start, end), ms.
        coverage: returns the share (N,) of each [start, end) that is known, ms.
    """

    def __init__(
        self,
        clock: WallClock,
        entries: Entries,
        disturbed: PastDisturbances,
        between: Callable[[Ints, Ints], Floats],
        coverage: Callable[[Ints, Ints], Floats],
    ) -> None:
        self._clock = clock
        self._entries = entries
        self._disturbed = disturbed
        self._between = between
        self._coverage = coverage
        self._dead = _DeadTimes(clock, between, coverage)

    def usual(
        self, ends: Ints, window: int, *, is_mixed: bool, known_dead: KnownDead | None = None
    ) -> Floats:
        """Return the usual counts (N, entry, counter) of the comparable windows; nan where none is known.

        They are the median of the weeks that are known, of those without holidays if there are any, and of these the
        ones in which an entry was not disturbed, if there are any.

        Args:
            ends: (N,) the ends of the windows, ms.
            window: their length, ms.
            is_mixed: whether some records have the form before, and count the events of a leaf under the paths of
                scopes: the figure is right then only if it is that of the same weeks for all entries.
            known_dead: half hours that calls for other windows have judged; what is found is added.
        """
        dead: KnownDead = {} if known_dead is None else known_dead
        days = self._clock.local_days(ends - 1)
        weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
        since_sunday = (weekday - _SUNDAY - 1) % 7 + 1
        nearest = np.where(self._clock.is_holiday(days), since_sunday, 7)
        size = (_WEEKS_BACK, len(ends), len(self._entries))
        weeks: Floats = np.zeros((*size, len(COUNTERS)))
        known, holidays = np.zeros(size[:2], dtype=bool), np.zeros(size[:2], dtype=bool)
        disturbed = np.zeros(size, dtype=bool)
        for week in range(_WEEKS_BACK):
            then = self._clock.days_before(ends, nearest + 7 * week)
            covered = self._coverage(then - window, then)
            known[week] = usable = covered >= 1.0 - _GAP
            if not usable.any():
                continue
            holidays[week] = self._clock.is_holiday(self._clock.local_days(then - 1))
            begin, end = then[usable] - window, then[usable]
            weeks[week, usable] = self._between(begin, end)
            others = [other - week for other in range(_WEEKS_BACK) if other != week]
            is_past = int(nearest[usable].min()) + 7 * week >= _DAYS_BACK
            found = self._disturbed_in(begin, end, others if is_past else [], is_mixed, dead)
            if found is not None:
                disturbed[week, usable] = found
        ordinary = known & ~holidays
        counted = np.where(ordinary.any(axis=0), ordinary, known)[..., None]
        calm = counted & ~disturbed
        counted = np.where(calm.any(axis=0), calm, counted)
        scale = max(_BUCKET / window, 1.0)
        if not is_mixed:
            there = counted & _there(weeks, scale)
            counted = np.where(there.any(axis=0), there, counted)
        return _typical(weeks, counted, scale)

    def _disturbed_in(
        self, starts: Ints, ends: Ints, weeks: Sequence[int], is_mixed: bool, known: KnownDead
    ) -> Bools | None:
        """Return (N, entry) whether a part of each ``[start, end)`` (ms) was covered or dead; None if nothing was.

        Of records of both forms, a week that was covered for any entry, or dead for all, is left out for all.

        Args:
            weeks: the other weeks, as for ``_DeadTimes``; empty where the day after may not be over.
        """
        dead = self._dead.within(starts, ends, weeks, _COVERED, known) if weeks else None
        if dead is not None:
            dead = dead[:, -1:] | (dead[:, :-1] & (not is_mixed))
        covered = None
        if self._disturbed:
            covered = self._disturbed.covered(starts, ends, self._entries.held_by, _COVERED)
        if covered is not None and is_mixed:
            covered = covered | covered.any(axis=1, keepdims=True)
        return dead if covered is None else covered if dead is None else covered | dead


class UsualRatios:
    """The ratios that are usual: medians over days.

    Args:
        entries: what records of the history count.
        disturbed: what incidents and maintenance covered.
        between: returns the counts (N, entry, counter) in each [start, end), ms.
        to_groups: returns (N, scope, counter) from (N, entry, counter).
    """

    def __init__(
        self,
        entries: Entries,
        disturbed: PastDisturbances,
        between: Callable[[Ints, Ints], Floats],
        to_groups: Callable[[Floats], Floats],
    ) -> None:
        self._entries = entries
        self._disturbed = disturbed
        self._between = between
        self._to_groups = to_groups
        self._known: dict[tuple[str, int, int], Floats] = {}

    def clear(self) -> None:
        """Forget all ratios, as the records of past days have changed."""
        self._known.clear()

    def usual(self, version: int, name: str, at: int, shares: _Shares) -> Floats:
        """Return the median over the days before ``at`` (ms) of hits / trials (day, scope); nan if unknown.

        What incidents and maintenance covered is left out, unless fewer than half of the known days of a scope have
        anything else: what lasts for so long is usual. The result is cached under ``name`` for a day.

        Args:
            version: of the scopes.
        """
        days = numbers_of_days(at)
        key = name, int(days[-1]), version
        if key not in self._known:
            bounds = np.append(days, days[-1] + 1) * DAY
            ratio = self._by_day(shares, bounds, [])
            disturbed = self._disturbed_days(bounds)
            if disturbed:
                calm = self._by_day(shares, bounds, disturbed)
                left, known = (np.count_nonzero(~np.isnan(one), axis=0) for one in (calm, ratio))
                ratio = np.where(2 * left < known, ratio, calm)
            kept = {one: of for one, of in self._known.items() if one[1] >= key[1] and one[2] == version}
            self._known = {**kept, key: _median_of_days(ratio)}
        return self._known[key]

    def _disturbed_days(self, bounds: Ints) -> DisturbedDays:
        return [
            (day, self._held_by_any(scopes), begin, end)
            for day, (start, stop) in enumerate(pairwise(bounds.tolist()))
            for scopes, begin, end in self._disturbed.runs(start, stop)
        ]

    def _held_by_any(self, scopes: Sequence[str]) -> Bools:
        return np.asarray(np.any([self._entries.held_by(scope) for scope in scopes], axis=0))

    def _by_day(self, shares: _Shares, bounds: Ints, disturbed: DisturbedDays) -> Floats:
        """Return hits / trials (day, scope) without what was disturbed; nan where a day has few trials."""
        days = self._between(bounds[:-1], bounds[1:])
        for day, held, begin, end in disturbed:
            days[day] -= held[:, None] * self._between(np.array([begin]), np.array([end]))[0]
        hits, trials = shares(self._to_groups(days), disturbed)
        return np.where(trials >= _USUAL_COMPLETED, hits / np.maximum(trials, 1.0), np.nan)


def _median_of_days(ratio: Floats) -> Floats:
    """Return (scope,) the median of the known days of (day, scope); nan where none is known."""
    order = np.sort(ratio, axis=0)  # nan last
    days = np.count_nonzero(~np.isnan(ratio), axis=0)
    low = np.take_along_axis(order, np.maximum(days - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(order, (days // 2)[None].clip(max=len(ratio) - 1), axis=0)[0]
    return np.where(days > 0, (low + high) / 2, np.nan)
