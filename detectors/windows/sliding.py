"""What do sliding windows count at each step? Rows of facts become an array (step, scope, counter) per window length.

A row counts at T in a window W if and only if its pane lies in ``[T - W, T)`` and T is not before the first T at which
the row counts. Rows that were on time enter running sums along the steps. Late rows are kept separately during the call
in which they arrive, because some T of the call may lie before the first T at which they count. For later calls they
count like rows that were on time, so they are then added to the sums at their panes. All arithmetic is exact (int64).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.scopes import MEMBERS
from detectors.windows.counters import COUNTERS, Columns
from detectors.windows.fact_columns import FactColumns

__all__ = ["Windows"]


_ROOM = 4096  # rows that can be appended before the sums are moved to the front
_NONE_LATE: Ints = np.empty((5, 0), dtype=np.int64)


class Windows:
    """The counts of one environment. ``advance`` moves over consecutive steps; time never goes back.

    Args:
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
        classify: assigns rows to counters, on an axis of ``counters`` positions.
        places: bool (place, leaf): the sets of leaves that are counted separately; by default the scopes.
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
        # For each leaf the first column of each place that holds it, padded with other places to a rectangle;
        # ``_holds`` is 1 for places that hold the leaf and 0 for the padding.
        most = int(places.sum(axis=0).max())
        holders = np.argsort(~places.T, axis=1, kind="stable")[:, :most]
        self._columns: Ints = holders * counters
        self._holds: Ints = np.take_along_axis(places.T, holders, axis=1).astype(np.int64)
        self._depth = self._windows[-1] // step
        # Cumulative sums by T; the row before ``_end`` is that of the last T. Rows are only appended; when the array
        # is full, its last ``depth`` + 1 rows are moved to the front.
        self._sums: Ints = np.zeros((self._depth + 1 + _ROOM, self._width), dtype=np.int64)
        self._end = self._depth + 1
        self._start = 0  # the first T of the last call of ``move``
        self._steps = 0
        # Late facts of the last ``move``: rows of first T, pane, leaf, counter, amount.
        self._late = _NONE_LATE

    def advance(self, start: int, steps: int, facts: FactColumns) -> dict[int, Ints]:
        """Return the counts at T = ``start``, ``start`` + step, … (``steps`` of them).

        Args:
            start: the first T, ms: one step after the last T of the previous call.
            steps: number of T.
            facts: every row that counts for the first time at one of these T.

        Returns:
            window (ms) -> int64 (steps, place, counter).
        """
        self.move(start, steps, facts)
        shape = (steps, *self._shape)
        return {window: self._within(window, slice(None)).reshape(shape) for window in self._windows}

    def move(self, start: int, steps: int, facts: FactColumns) -> None:
        """Move on like ``advance`` without computing all counts; ``counts`` computes single ones on request."""
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
        """Return one counter (steps, place) in a window (ms), at the T of the last call of ``move``."""
        return self._within(window, slice(counter, None, self._counters))

    def at_most(self) -> Ints:
        """Return an upper bound (counter,) of every place, in any window at any T of the last call of ``move``."""
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
        """Return the start (ms) of the first pane in ``[since, at)`` in which a counter is above 0 at ``at``; or None.

        Args:
            scope: index of the scope.
            counters: indices of the counters, any of which may be above 0.
            since: ms, at most the longest window before ``at``.
            at: a T (ms) of the last call of ``advance``.
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
        """Return the sums with room for ``steps`` more rows, and the position of the first new row."""
        kept = self._depth + 1
        if self._end + steps > len(self._sums):
            last = self._sums[self._end - kept : self._end]
            moved = np.zeros((kept + max(_ROOM, steps), self._width), dtype=np.int64)
            moved[:kept] = last
            self._sums, self._end = moved, kept
        return self._sums, self._end

    def _late_cells(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Return first T (N,), pane (N,), columns (N, most) and amounts (N, most) of the late facts' entries."""
        first, pane, leaf, counter, amount = self._late
        return first, pane, self._columns[leaf] + counter[:, None], amount[:, None] * self._holds[leaf]

    def _late_within(self, window: int) -> Ints:
        """Return (steps, column) what the late facts of the last call add to a window (ms)."""
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
        """Add the late facts of the last call to the sums, from their panes on."""
        _, pane, cells, amounts = self._late_cells()
        self._late = _NONE_LATE
        end, last = self._end, self._start + (self._steps - 1) * self._step
        # Each sum belongs to a T; a pane first counts one step after it. Sums before the longest window are not kept.
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
