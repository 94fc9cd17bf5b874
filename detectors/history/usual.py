"""What is usual: the mean of comparable weeks, and the median of days, where some were disturbed or are not known?"""

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

__all__ = ["ComparableWeeks", "DisturbedDays", "UsualRatios", "numbers_of_days"]

#: How many weeks back an equal weekday is searched, and how many of the weeks found are averaged: the nearest ones that
#: are known and no holidays.
_WEEKS_BACK = 4
_WEEKS_AVERAGED = 2
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
_DEAD_BELOW = 0.2
_DEAD_OF_LEAST = 50
#: The share of a time that must be known for its traffic to be compared.
_KNOWN = 0.5
_TRAFFIC = [GOOD, BAD, EXCLUDED, STARTED]

#: Disturbed times: the place of a day, (entry,) what was covered, and from when until when, ms.
DisturbedDays = Sequence[tuple[int, Bools, int, int]]
#: Returns hits and trials (day, scope) from the counts of days (day, scope, counter) without disturbed times.
_Shares = Callable[[Floats, DisturbedDays], tuple[Floats, Floats]]


def numbers_of_days(at: int) -> Ints:
    """Return (day,) the days (UTC), since the epoch, over which what is usual at ``at`` (ms) is computed."""
    today = (at - 1) // DAY  # at midnight the day's last five minutes have no record yet
    return np.arange(today - _USUAL_DAYS, today)


class _WeeksMean:
    """The mean of the nearest known weeks for each window and entry, the nearest added first.

    Disturbed weeks are left out. An entry of which all weeks were disturbed has the mean of these.

    Args:
        shape: (N, entry, counter).
        most: how many weeks are averaged.
    """

    def __init__(self, shape: tuple[int, int, int], most: int) -> None:
        self._most = most
        self._total: Floats = np.zeros(shape)
        self._weeks: Ints = np.zeros(shape[:2], dtype=np.int64)
        # The sums and numbers of all weeks, as soon as one was disturbed.
        self._all: tuple[Floats, Ints] | None = None

    def needs_more(self) -> Bools:
        """Return (N,) whether any entry still lacks weeks."""
        return np.asarray((self._weeks < self._most).any(axis=1))

    def add(self, which: Bools, counts: Floats, disturbed: Bools | None = None) -> None:
        """Add a week.

        Args:
            which: (N,) the windows of which it is known.
            counts: (known window, entry, counter).
            disturbed: (known window, entry); None if nothing was.
        """
        if disturbed is not None and self._all is None:
            self._all = self._total.copy(), self._weeks.copy()
        if self._all is not None:
            self._sum(self._all, which, counts, self._all[1][which] < self._most)
        taken = self._weeks[which] < self._most
        self._sum(
            (self._total, self._weeks), which, counts, taken if disturbed is None else taken & ~disturbed
        )

    @staticmethod
    def _sum(sums: tuple[Floats, Ints], which: Bools, counts: Floats, taken: Bools) -> None:
        sums[0][which] += counts * taken[..., None]
        sums[1][which] += taken

    def mean(self) -> Floats:
        """Return (N, entry, counter); nan where no week is known."""
        total, weeks = self._total, self._weeks
        if self._all is not None:
            calm = weeks > 0
            total = np.where(calm[..., None], total, self._all[0])
            weeks = np.where(calm, weeks, self._all[1])
        wide = weeks[..., None]
        return np.where(wide > 0, total / np.maximum(wide, 1), np.nan)


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

    def within(self, starts: Ints, ends: Ints, weeks: Sequence[int], share: float) -> Bools | None:
        """Return (N, entry and all) whether more than a share of each ``[start, end)`` (ms) was dead; None if nothing.

        Of the last axis, the last place is that of all entries together.

        Args:
            weeks: the other weeks, as how many weeks they lie before (negative: after) the windows.
        """
        steps = np.arange(int((ends - starts).max()) // _HALF_HOUR + 2) * _HALF_HOUR
        halves = np.unique(starts[:, None] // _HALF_HOUR * _HALF_HOUR + steps)
        halves = halves[halves < ends.max()]
        own = self._traffic(halves, 0)
        days = [self._traffic(halves, day) for day in (1, -1)]
        others = np.stack([self._traffic(halves, 7 * week) for week in weeks])
        known = ~np.isnan(others)
        usual = np.nansum(others, axis=0) / np.maximum(np.count_nonzero(known, axis=0), 1)
        dead = (usual >= _DEAD_OF_LEAST) & (own < _DEAD_BELOW * usual)
        for day in days:
            dead &= own < _DEAD_BELOW * np.nan_to_num(day)
        if not dead.any():
            return None
        overlap = np.minimum(ends[:, None], halves + _HALF_HOUR) - np.maximum(starts[:, None], halves)
        return np.asarray(
            np.clip(overlap, 0, None) @ dead.astype(np.float64) > share * (ends - starts)[:, None]
        )

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

    def mean(self, ends: Ints, window: int, *, is_mixed: bool) -> Floats:
        """Return the mean counts (N, entry, counter) of the comparable windows; nan where none is known.

        Args:
            ends: (N,) the ends of the windows, ms.
            window: their length, ms.
            is_mixed: whether some records have the form before, and count the events of a leaf under the paths of
                scopes: the mean is right then only if it is that of the same weeks for all entries.
        """
        days = self._clock.local_days(ends - 1)
        weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
        since_sunday = (weekday - _SUNDAY - 1) % 7 + 1
        nearest = np.where(self._clock.is_holiday(days), since_sunday, 7)
        usual, of_holidays = (
            self._mean_of_weeks(ends, window, nearest, holidays=h, is_mixed=is_mixed) for h in (False, True)
        )
        return np.where(np.isnan(usual), of_holidays, usual)

    def _mean_of_weeks(
        self, ends: Ints, window: int, nearest: Ints, *, holidays: bool, is_mixed: bool
    ) -> Floats:
        """Return the mean (N, entry, counter) of the nearest known weeks, among holidays or other days; nan if none."""
        found = _WeeksMean((len(ends), len(self._entries), len(COUNTERS)), _WEEKS_AVERAGED)
        for week in range(_WEEKS_BACK):
            then = self._clock.days_before(ends, nearest + 7 * week)
            usable = self._clock.is_holiday(self._clock.local_days(then - 1)) == holidays
            usable &= found.needs_more()
            if usable.any():
                usable &= self._coverage(then - window, then) >= 1.0 - _GAP
            if usable.any():
                begin, end = then[usable] - window, then[usable]
                others = [other - week for other in range(_WEEKS_BACK) if other != week]
                is_past = int(nearest[usable].min()) + 7 * week >= _DAYS_BACK
                disturbed = self._disturbed_in(begin, end, others if is_past else [], is_mixed)
                found.add(usable, self._between(begin, end), disturbed)
        return found.mean()

    def _disturbed_in(self, starts: Ints, ends: Ints, weeks: Sequence[int], is_mixed: bool) -> Bools | None:
        """Return (N, entry) whether a part of each ``[start, end)`` (ms) was covered or dead; None if nothing was.

        Of records of both forms, only a week that is dead for all entries is left out.

        Args:
            weeks: the other weeks, as for ``_DeadTimes``; empty where the day after may not be over.
        """
        dead = self._dead.within(starts, ends, weeks, _COVERED) if weeks else None
        if dead is not None:
            dead = dead[:, -1:] | (dead[:, :-1] & (not is_mixed))
        if not self._disturbed or is_mixed:
            return dead
        covered = self._disturbed.covered(starts, ends, self._entries.held_by, _COVERED)
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
