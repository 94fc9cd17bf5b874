"""How many people have their latest event in each pane, per column? Sums since any pane are read at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.arrays import Ints

__all__ = ["LatestPanes"]

_ROOM = 512  # panes that can be appended before the rows are moved to the front


class LatestPanes:
    """People by the pane of their latest event, for the last ``depth`` + 1 panes, numbered from 0.

    A row is kept for each pane and one for the end: the number of people, modulo 2^32, whose latest event lies in an
    earlier pane. A person who moves changes the rows between both panes, and no row for a new person in the last pane
    but that of the end.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._end = depth + 1  # the row of the end
        self._rows: npt.NDArray[np.int32] = np.zeros((self._end + 1 + _ROOM, 1), dtype=np.int32)

    def since(self, panes: Ints, columns: int) -> Ints:
        """Return (N, column) how many people have their latest event in a pane or later, for the first columns.

        Args:
            panes: (N,) numbers of panes, 0 to ``depth`` + 1.
            columns: how many columns.
        """
        known = min(columns, self._rows.shape[1])
        out: Ints = np.zeros((len(panes), columns), dtype=np.int64)
        out[:, :known] = (
            self._rows[self._end, :known] - self._rows[self._end - self._depth - 1 + panes, :known]
        )
        return out

    def pass_on(self, panes: int) -> None:
        """Let panes end: the first ones are forgotten, and as many new ones follow, without people yet."""
        if panes > self._depth:
            self._rows[:] = 0
            return
        if self._end + panes >= len(self._rows):
            kept = self._rows[self._end - self._depth - 1 : self._end + 1].copy()
            self._end = self._depth + 1
            if self._end + panes >= len(self._rows):
                self._rows = np.zeros((self._end + 1 + panes + _ROOM, kept.shape[1]), dtype=np.int32)
            self._rows[: self._end + 1] = kept
        self._rows[self._end + 1 : self._end + panes + 1] = self._rows[self._end]
        self._end += panes

    def move(self, before: Ints, after: Ints, column: Ints) -> None:
        """Move people from one pane to another.

        Args:
            before, after: (N,) the numbers of the panes; -1 for none.
            column: (N,) of each.
        """
        moved = (before != after) & ((before >= 0) | (after >= 0))
        if not moved.any():
            return
        before, after, column = before[moved], after[moved], column[moved]
        most = int(column.max()) + 1
        if most > self._rows.shape[1]:
            self._rows = np.pad(self._rows, ((0, 0), (0, most + most // 4 - self._rows.shape[1])))
        columns, which = np.unique(column, return_inverse=True)
        panes = np.concatenate([before, after])
        lowest = int(panes[panes >= 0].min())
        change = np.zeros((self._depth + 1 - lowest, len(columns)), dtype=np.int32)
        for pane, amount in ((after, 1), (before, -1)):
            there = pane >= 0
            np.add.at(change, (pane[there] - lowest, which[there]), np.int32(amount))
        first = self._end - self._depth + lowest
        self._rows[first : self._end + 1, columns] += np.cumsum(change, axis=0, dtype=np.int32)

    def empty(self, columns: list[int]) -> None:
        """Forget the people of columns."""
        self._rows[:, [column for column in columns if column < self._rows.shape[1]]] = 0
