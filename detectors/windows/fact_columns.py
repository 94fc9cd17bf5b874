"""What do rows of facts look like as columns? With columns, one array operation handles all rows at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.windows.facts import ON_TIME, TOO_LATE, FactRow

__all__ = ["FactColumns"]


_NUMBERS = ("pane", "first_t", "leaf", "step_index", "outcome", "count", "timed")
_numbers_of = attrgetter(*_NUMBERS)
_code_of = attrgetter("code")


@dataclass(frozen=True, eq=False, slots=True)
class FactColumns:
    """Ordered rows of facts, with their numbers as columns; ``[]`` selects rows.

    Attributes:
        rows: the rows, from which only people, durations and ``over`` are read.
        pane, leaf, step_index, outcome, count, timed: (N,) as in ``FactRow``.
        counts_from: (N,) the first T (ms) at which each row counts.
        late: (N,) whether the row first counts later than at the end of its pane.
        code: (N,) the position of the row's error code in ``codes``.
        codes: error codes, which may include some that no row has.
    """

    rows: Sequence[FactRow]
    pane: Ints
    leaf: Ints
    step_index: Ints
    outcome: Ints
    count: Ints
    timed: Ints
    counts_from: Ints
    late: Bools
    code: Ints
    codes: Sequence[str]

    @classmethod
    def of(cls, rows: Iterable[FactRow], step: int) -> FactColumns:
        """Build columns from all rows that ever count, ordered by the first T at which each counts.

        Args:
            rows: rows in any order.
            step: length of a pane, ms.
        """
        some = rows if isinstance(rows, list) else list(rows)
        flat = chain.from_iterable(map(_numbers_of, some))
        numbers = np.fromiter(flat, np.int64, len(_NUMBERS) * len(some)).reshape(-1, len(_NUMBERS)).T
        pane, first_t, leaf, step_index, outcome, count, timed = np.ascontiguousarray(numbers)
        late = first_t != ON_TIME
        counts_from = np.where(late, first_t, pane + step)
        names = list(map(_code_of, some))
        codes = list(dict.fromkeys(names))
        places = {code: n for n, code in enumerate(codes)}
        code = np.fromiter(map(places.__getitem__, names), np.int64, len(some))
        whole = cls(some, pane, leaf, step_index, outcome, count, timed, counts_from, late, code, codes)
        if (counts_from[1:] >= counts_from[:-1]).all() and not (first_t == TOO_LATE).any():
            return whole
        order = np.argsort(counts_from, kind="stable")
        return whole[order[first_t[order] != TOO_LATE]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: slice | Ints | Bools) -> FactColumns:
        """Select rows by a slice, a mask, or their positions."""
        if isinstance(which, slice):
            rows = self.rows[which]
        else:
            places = np.flatnonzero(which) if which.dtype == np.bool_ else which
            rows, which = [self.rows[n] for n in places.tolist()], places
        return FactColumns(
            rows,
            self.pane[which],
            self.leaf[which],
            self.step_index[which],
            self.outcome[which],
            self.count[which],
            self.timed[which],
            self.counts_from[which],
            self.late[which],
            self.code[which],
            self.codes,
        )

    def has_code(self, codes: Collection[str]) -> Bools:
        """Return (N,) whether each row's error code is one of ``codes``."""
        return np.array([code in codes for code in self.codes], dtype=bool)[self.code]

    def up_to(self, at: int) -> int:
        """Return how many rows count at T = ``at`` or before; the rows must be ordered by ``counts_from``."""
        return int(np.searchsorted(self.counts_from, at, side="right"))
