"""What do sliding windows count at each step? Rows of facts become an array (step, group, counter) per window length.

A row counts at T in a window W if and only if its pane lies in ``[T - W, T)`` and T is not before the first T at which
the row counts. Rows that were on time enter running sums along the steps. Late rows are kept separately during the call
in which they arrive, because some T of the call may lie before the first T at which they count. For later calls they
count like rows that were on time, so they are then added to the sums at their panes.

Sums are kept for each pair of leaf and counter that has occurred; those of groups are computed when they are read. Sums
are modulo 2^32, of which differences are exact: no window holds 2^31 events of a leaf.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Ints
from detectors.windows.counters import COUNTERS, Columns
from detectors.windows.fact_columns import FactColumns
from detectors.windows.group_sums import Computed, GroupSums

__all__ = ["Windows"]


_ROOM = 1024  # rows that can be appended before the sums are moved to the front
_NONE_LATE: Ints = np.empty((4, 0), dtype=np.int64)
_Sums = npt.NDArray[np.int32]


class Grouped(Protocol):
    """Leaves, and groups of them: an environment's scopes, for instance. See ``Scopes`` for the attributes."""

    @property
    def leaves(self) -> Sequence[object]: ...
    @property
    def members(self) -> Bools: ...
    @property
    def version(self) -> int: ...


class Windows:
    """The counts of one environment. ``advance`` moves over consecutive steps; time never goes back.

    Args:
        scopes: the leaves of the facts and the groups of the counts; it may grow between calls.
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
        classify: assigns rows to counters, on an axis of ``counters`` positions.
    """

    def __init__(
        self,
        scopes: Grouped,
        step: int,
        windows: tuple[int, ...],
        classify: Columns,
        counters: int = len(COUNTERS),
    ) -> None:
        self._scopes = scopes
        self._step = step
        self._windows = tuple(sorted(windows))
        self._classify = classify
        self._counters = counters
        # Each column of the sums has a cell, leaf * counters + counter, in the order of their first occurrence.
        self._cells: Ints = np.empty(0, dtype=np.int64)
        self._column_of: Ints = np.empty(0, dtype=np.int64)  # (cell,) -1 for none
        self._grouped: tuple[int, int, GroupSums] | None = None
        # Version of the scopes and number of cells -> (group, counters) -> columns.
        self._of_scope: tuple[tuple[int, int], dict[tuple[int, tuple[int, ...]], Ints]] = (0, 0), {}
        self._depth = self._windows[-1] // step
        # Cumulative sums by T; the row before ``_end`` is that of the last T. Rows are only appended; when the array
        # is full, its last ``depth`` + 1 rows are moved to the front. There may be more columns than cells.
        self._sums: _Sums = np.zeros((self._depth + 1 + _ROOM, 0), dtype=np.int32)
        self._end = self._depth + 1
        self._start = 0  # the first T of the last call of ``move``
        self._steps = 0
        self._moves = 0
        # (group, counters) -> from where ``first`` searched the sums last, and the pane that it found, ms.
        self._firsts: dict[tuple[int, tuple[int, ...]], tuple[int, int]] = {}
        # Late facts of the last ``move``: rows of first T, pane, column, amount.
        self._late = _NONE_LATE

    def advance(self, start: int, steps: int, facts: FactColumns) -> Mapping[int, Ints]:
        """Return the counts at T = ``start``, ``start`` + step, … (``steps`` of them).

        Args:
            start: the first T, ms: one step after the last T of the previous call.
            steps: number of T.
            facts: every row that counts for the first time at one of these T.

        Returns:
            window (ms) -> int64 (steps, group, counter), computed when it is read, which must be before the next move.
        """
        self.move(start, steps, facts)
        moves = self._moves
        return Computed(self._windows, self._of_groups, lambda: self._moves == moves)

    def move(self, start: int, steps: int, facts: FactColumns) -> None:
        """Move on like ``advance`` without computing all counts; ``counts`` computes single ones on request."""
        if self._late.size:
            self._settle_late()
        self._moves += 1
        self._firsts.clear()
        row, counter, amount = self._classify.amounts(facts)
        column = self._columns(facts.leaf[row] * self._counters + counter)
        late = facts.late[row]
        if late.any():
            of = row[late]
            self._late = np.stack([facts.counts_from[of], facts.pane[of], column[late], amount[late]])
            row, column, amount = row[~late], column[~late], amount[~late]
        sums, begin = self._room(steps)
        fresh = sums[begin : begin + steps]
        fresh[:] = 0
        if row.size:
            np.add.at(
                fresh, ((facts.counts_from[row] - start) // self._step, column), amount.astype(np.int32)
            )
            np.cumsum(fresh, axis=0, dtype=np.int32, out=fresh)
        fresh += sums[begin - 1]
        self._end = begin + steps
        self._start, self._steps = start, steps

    def counts(self, window: int, counter: int) -> Ints:
        """Return one counter (steps, group) in a window (ms), at the T of the last call of ``move``."""
        which = np.flatnonzero(self._cells % self._counters == counter)
        sums = GroupSums(self._scopes.members, self._cells[which] // self._counters, np.zeros_like(which), 1)
        return sums(self._within(window, which))[..., 0]

    def at_most(self) -> Ints:
        """Return an upper bound (counter,) of every group, in any window at any T of the last call of ``move``."""
        width = len(self._cells)
        sums = self._sums[self._end - 1] - self._sums[self._end - self._steps - self._depth]
        by_column = sums[:width].astype(np.int64)
        if self._late.size:
            np.add.at(by_column, self._late[2], self._late[3])
        out = np.zeros(self._counters, dtype=np.int64)
        np.add.at(out, self._cells % self._counters, by_column)
        return out

    def _of_groups(self, window: int) -> Ints:
        """Return (steps, group, counter) in a window (ms)."""
        key = self._scopes.version, len(self._cells)
        if self._grouped is None or self._grouped[:2] != key:
            leaf, counter = np.divmod(self._cells, self._counters)
            self._grouped = *key, GroupSums(self._scopes.members, leaf, counter, self._counters)
        return self._grouped[2](self._within(window, slice(len(self._cells))))

    def _within(self, window: int, columns: slice | Ints) -> _Sums:
        """Return (steps, column) in a window (ms)."""
        sums, width = self._sums, window // self._step
        begin, end = self._end - self._steps, self._end
        out: _Sums = sums[begin:end, columns] - sums[begin - width : end - width, columns]
        if self._late.size:
            out += self._late_within(window)[:, columns]
        return out

    def first(self, scope: int, counters: Sequence[int], since: int, at: int) -> int | None:
        """Return the start (ms) of the first pane in ``[since, at)`` in which a counter is above 0 at ``at``; or None.

        Args:
            scope: index of the group.
            counters: indices of the counters, any of which may be above 0.
            since: ms, at most the longest window before ``at``.
            at: a T (ms) of the last call of ``advance``.
        """
        step, asked = self._step, (scope, tuple(counters))
        last = self._start + (self._steps - 1) * step
        until = self._end - 1 - (last - at) // step
        panes = min(-(-(at - since) // step), self._depth, until)
        begin, columns = at - panes * step, self._columns_of(*asked)
        # At the next step of an incident the search begins a pane later, and mostly ends in the same one.
        searched, pane = self._firsts.get(asked, (at, at))
        if not searched <= begin <= pane < at:
            sums = self._sums[until - panes : until + 1]

            def has_changed(after: int) -> bool:
                return bool((sums[after, columns] != sums[0, columns]).any())

            # What was counted stays in the sums, so that half of what is left is searched at a time.
            pane = begin + (bisect_left(range(panes + 1), True, key=has_changed) - 1) * step
        found = [pane] if pane < at else []
        if found:
            self._firsts[asked] = begin, pane
        if self._late.size:
            first, panes_of, column, amount = self._late
            counted = np.isin(column, columns) & (amount > 0)
            found += panes_of[counted & (since <= panes_of) & (panes_of < at) & (first <= at)].tolist()
        return min(found, default=None)

    def _columns_of(self, scope: int, counters: tuple[int, ...]) -> Ints:
        """Return the columns of some counters of a group; they are asked for at each step of an incident."""
        key = self._scopes.version, len(self._cells)
        if self._of_scope[0] != key:
            self._of_scope = key, {}
        known = self._of_scope[1]
        if (scope, counters) not in known:
            leaf, counter = np.divmod(self._cells, self._counters)
            known[scope, counters] = np.flatnonzero(
                self._scopes.members[scope, leaf] & np.isin(counter, counters)
            )
        return known[scope, counters]

    def _columns(self, cells: Ints) -> Ints:
        """Return (N,) the column of each cell; a cell that occurs for the first time gets one."""
        if not cells.size:
            return cells
        if int(cells.max()) >= len(self._column_of):
            more = max(int(cells.max()) + 1, len(self._scopes.leaves) * self._counters) - len(self._column_of)
            self._column_of = np.pad(self._column_of, (0, more), constant_values=-1)
        column = self._column_of[cells]
        if (column < 0).any():
            fresh = np.unique(cells[column < 0])
            self._column_of[fresh] = len(self._cells) + np.arange(len(fresh))
            self._cells = np.concatenate([self._cells, fresh])
            short = len(self._cells) - self._sums.shape[1]
            if short > 0:
                self._sums = np.pad(self._sums, ((0, 0), (0, short + len(self._cells) // 4)))
            column = self._column_of[cells]
        return column

    def _room(self, steps: int) -> tuple[_Sums, int]:
        """Return the sums with room for ``steps`` more rows, and the position of the first new row."""
        kept = self._depth + 1
        if self._end + steps > len(self._sums):
            last = self._sums[self._end - kept : self._end]
            moved = np.zeros((kept + max(_ROOM, steps), self._sums.shape[1]), dtype=np.int32)
            moved[:kept] = last
            self._sums, self._end = moved, kept
        return self._sums, self._end

    def _late_within(self, window: int) -> _Sums:
        """Return (steps, column) what the late facts of the last call add to a window (ms)."""
        step, start = self._step, self._start
        first, pane, column, amount = self._late
        last = np.minimum(pane + window, start + (self._steps - 1) * step)
        used = first <= last
        begin, end = (first[used] - start) // step, (last[used] - start) // step + 1
        change: _Sums = np.zeros((self._steps + 1, len(self._cells)), dtype=np.int32)
        amounts = amount[used].astype(np.int32)
        np.add.at(change, (begin, column[used]), amounts)
        np.subtract.at(change, (end, column[used]), amounts)
        return np.cumsum(change[:-1], axis=0, dtype=np.int32)

    def _settle_late(self) -> None:
        """Add the late facts of the last call to the sums, from their panes on."""
        _, pane, column, amount = self._late
        self._late = _NONE_LATE
        end, last = self._end, self._start + (self._steps - 1) * self._step
        # Each sum belongs to a T; a pane first counts one step after it. Sums before the longest window are not kept.
        rows = np.maximum(end - (last - pane) // self._step, end - self._depth - 1)
        lowest = int(rows.min())
        columns, places = np.unique(column, return_inverse=True)
        change = np.zeros((end - lowest, len(columns)), dtype=np.int32)
        np.add.at(change, (rows - lowest, places), amount.astype(np.int32))
        self._sums[lowest:end, columns] += np.cumsum(change, axis=0, dtype=np.int32)

    def skip(self) -> None:
        """Forget the running sums: the caller jumps over steps in which every window is empty."""
        self._sums[:] = 0
        self._end = self._depth + 1
        self._late = _NONE_LATE
        self._firsts.clear()
        self._moves += 1
