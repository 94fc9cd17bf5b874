"""What is usual: the mean of comparable weeks, and the median of days, where some were disturbed or are not known?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.history.disturbances import PastDisturbances
from detectors.history.entries import Entries
from detectors.instants import DAY

__all__ = ["DisturbedDays", "UsualRatios", "WeeksMean", "numbers_of_days"]

#: The days over which usual ratios are computed, and the trials that a day needs in order to count.
_USUAL_DAYS = 14
_USUAL_COMPLETED = 100

#: Disturbed times: the place of a day, (entry,) what was covered, and from when until when, ms.
DisturbedDays = Sequence[tuple[int, Bools, int, int]]
#: Returns hits and trials (day, scope) from the counts of days (day, scope, counter) without disturbed times.
_Shares = Callable[[Floats, DisturbedDays], tuple[Floats, Floats]]


def numbers_of_days(at: int) -> Ints:
    """Return (day,) the days (UTC), since the epoch, over which what is usual at ``at`` (ms) is computed."""
    today = (at - 1) // DAY  # at midnight the day's last five minutes have no record yet
    return np.arange(today - _USUAL_DAYS, today)


class WeeksMean:
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
