"""Sliding windows: from rows of facts to arrays (step, scope, counter), one array a window length.

A row counts at T in a window W iff its pane lies in ``[T - W, T)`` and T has reached the first T at which the row
counts. Rows that were on time enter a running sum along the steps. Late rows are kept apart in the call in which they
come, as some of its T may lie before the first at which they count; for all T after it they are as if they had been on
time, so they then enter the sums in their place. All arithmetic is exact (int64).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.scopes import MEMBERS
from detectors.windows.counters import COUNTERS, Columns
from detectors.windows.fact_columns import FactColumns

__all__ = ["Windows"]


_ROOM = 4096  # rows between two moves of the sums
_NONE_LATE: Ints = np.empty((5, 0), dtype=np.int64)


class Windows:
    """The counts of one environment. ``advance`` moves over consecutive steps; time never goes back.

    Args:
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
        classify: what rows are counted as, on an axis of ``counters`` positions.
        places: bool (place, leaf): what is counted apart, and which leaves it is made of; scopes unless said otherwise.
    """

    def __init__(
        self,
        step: int,
        windows: tuple[int, ...],
        classify: Columns,
        counters: int = len(COUNTERS),
        places: Bools = MEMBERS,
    ) -> None:
        self._step = step
        self._windows = tuple(sorted(windows))
        self._classify = classify
        self._counters = counters
        self._shape = (len(places), counters)
        self._width = len(places) * counters
        # for each leaf the first columns of the places that hold it, filled up with others; and 1 for those that do
        most = int(places.sum(axis=0).max())
        holders = np.argsort(~places.T, axis=1, kind="stable")[:, :most]
        self._columns: Ints = holders * counters
        self._holds: Ints = np.take_along_axis(places.T, holders, axis=1).astype(np.int64)
        self._depth = self._windows[-1] // step
        # Cumulative sums by T, the last evaluated one in the row before ``_end``; rows are only appended, and the
        # last ``depth`` + 1 are moved to the front when the end is reached.
        self._sums: Ints = np.zeros((self._depth + 1 + _ROOM, self._width), dtype=np.int64)
        self._end = self._depth + 1
        self._start = 0  # the first T of the last call of ``move``
        self._steps = 0
        self._late = _NONE_LATE  # columns of first T, pane, leaf, counter, amount: of that call

    def advance(self, start: int, steps: int, facts: FactColumns) -> dict[int, Ints]:
        """Counts at T = start, start + step, … (``steps`` of them).

        Args:
            start: the first T, ms: one step after the last of the call before.
            steps: how many T.
            facts: every row that counts for the first time at one of these T.

        Returns:
            window (ms) -> int64 (steps, place, counter).
        """
        self.move(start, steps, facts)
        shape = (steps, *self._shape)
        return {window: self._within(window, slice(None)).reshape(shape) for window in self._windows}

    def move(self, start: int, steps: int, facts: FactColumns) -> None:
        """Like ``advance``, but leaves it to ``counts`` to work out what is asked for."""
        if self._late.size:
            self._settle_late()
        row, counter, amount = self._classify.amounts(facts)
        late = facts.late[row]
        if late.any():
            of = row[late]
            entries = facts.counts_from[of], facts.pane[of], facts.leaf[of], counter[late], amount[late]
            self._late = np.stack(entries)
            row, counter, amount = row[~late], counter[~late], amount[~late]
        fresh: Ints = np.zeros((steps, self._width), dtype=np.int64)
        if row.size:
            leaf, which = facts.leaf[row], (facts.counts_from[row] - start) // self._step
            cells = (which * self._width + counter)[:, None] + self._columns[leaf]
            np.add.at(fresh.reshape(-1), cells.reshape(-1), (amount[:, None] * self._holds[leaf]).reshape(-1))
            np.cumsum(fresh, axis=0, out=fresh)
        sums, begin = self._room(steps)
        np.add(fresh, sums[begin - 1], out=sums[begin : begin + steps])
        self._end = begin + steps
        self._start, self._steps = start, steps

    def counts(self, window: int, counter: int) -> Ints:
        """One counter (steps, place) in a window (ms), at the T of the last call of ``move``."""
        return self._within(window, slice(counter, None, self._counters))

    def at_most(self) -> Ints:
        """No place counts more than this (counter,) in any window at any T of the last call of ``move``."""
        sums = self._sums[self._end - 1] - self._sums[self._end - self._steps - self._depth]
        if self._late.size:
            _, _, cells, amounts = self._late_cells()
            np.add.at(sums, cells, amounts)
        return np.asarray(sums.reshape(self._shape).sum(axis=0))

    def _within(self, window: int, columns: slice) -> Ints:
        sums, width = self._sums, window // self._step
        begin, end = self._end - self._steps, self._end
        out: Ints = sums[begin:end, columns] - sums[begin - width : end - width, columns]
        if self._late.size:
            out += self._late_within(window)[:, columns]
        return out

    def first(self, scope: int, counters: Sequence[int], since: int, at: int) -> int | None:
        """The start (ms) of the first pane of ``[since, at)`` that counts any of these at ``at``; None without.

        Args:
            scope: index of the scope.
            counters: indices of the counters.
            since: at most the longest window before ``at``.
            at: a T of the last call of ``advance``.
        """
        step = self._step
        last = self._start + (self._steps - 1) * step
        until = self._end - 1 - (last - at) // step
        panes = min(-(-(at - since) // step), self._depth, until)
        columns = [scope * self._counters + counter for counter in counters]
        sums = self._sums[until - panes : until + 1, columns].sum(axis=1)
        later = np.flatnonzero(np.diff(sums))
        found = [at - (panes - int(later[0])) * step] if later.size else []
        if self._late.size:
            first, pane, cells, amounts = self._late_cells()
            counted = (np.isin(cells, columns) & (amounts > 0)).any(axis=1)
            found += pane[counted & (since <= pane) & (pane < at) & (first <= at)].tolist()
        return min(found, default=None)

    def _room(self, steps: int) -> tuple[Ints, int]:
        """The sums with room for ``steps`` more rows, and the row of the first of them."""
        kept = self._depth + 1
        if self._end + steps > len(self._sums):
            last = self._sums[self._end - kept : self._end]
            moved = np.zeros((kept + max(_ROOM, steps), self._width), dtype=np.int64)
            moved[:kept] = last
            self._sums, self._end = moved, kept
        return self._sums, self._end

    def _late_cells(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Of the late rows' entries the first T, the pane, and what is added to which columns: the latter (N, most)."""
        first, pane, leaf, counter, amount = self._late
        return first, pane, self._columns[leaf] + counter[:, None], amount[:, None] * self._holds[leaf]

    def _late_within(self, window: int) -> Ints:
        """What the late rows of the last call add to a window (ms): (steps, column)."""
        step, start = self._step, self._start
        first, pane, cells, amounts = self._late_cells()
        last = np.minimum(pane + window, start + (self._steps - 1) * step)
        used = first <= last
        begin, end = (first[used] - start) // step, (last[used] - start) // step + 1
        change = np.zeros((self._steps + 1, self._width), dtype=np.int64)
        np.add.at(change, (begin[:, None], cells[used]), amounts[used])
        np.subtract.at(change, (end[:, None], cells[used]), amounts[used])
        return np.cumsum(change[:-1], axis=0)

    def _settle_late(self) -> None:
        """Put the late rows of the last call into the sums, from where they belong on."""
        _, pane, cells, amounts = self._late_cells()
        self._late = _NONE_LATE
        end, last = self._end, self._start + (self._steps - 1) * self._step
        # a row for each T: that of a pane is one step after it, and none is kept from before the longest window
        rows = np.maximum(end - (last - pane) // self._step, end - self._depth - 1)
        lowest = int(rows.min())
        columns, places = np.unique(cells, return_inverse=True)
        change = np.zeros((end - lowest, len(columns)), dtype=np.int64)
        np.add.at(change, ((rows - lowest)[:, None], places.reshape(cells.shape)), amounts)
        self._sums[lowest:end, columns] += np.cumsum(change, axis=0)

    def skip(self) -> None:
        """Forget the running sums: the caller jumps over steps in which every window is empty."""
        self._sums[:] = 0
        self._end = self._depth + 1
        self._late = _NONE_LATE
