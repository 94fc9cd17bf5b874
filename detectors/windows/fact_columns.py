"""Rows of facts as columns, so that what is worked out of each row is worked out of all of them at once."""

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
    """Rows of facts in an order, and their numbers side by side. A choice of them is had by ``[]``.

    Attributes:
        rows: the rows; of these only people, durations and ``over`` are looked at.
        pane, leaf, step_index, outcome, count, timed: (N,) as in ``FactRow``.
        counts_from: (N,) the first T (ms) at which each counts.
        late: (N,) whether that is later than the end of its pane.
        code: (N,) the position of the row's error code in ``codes``; these may hold others, too.
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
        """The rows that ever count, in the order of the first T at which they do.

        Args:
            rows: in any order.
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
        """Some of them: a slice, a mask, or their positions."""
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
        """(N,) whether the error code is one of these."""
        return np.array([code in codes for code in self.codes], dtype=bool)[self.code]

    def up_to(self, at: int) -> int:
        """How many of them count at T = ``at`` or before, where they are in order."""
        return int(np.searchsorted(self.counts_from, at, side="right"))
