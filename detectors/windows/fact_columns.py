"""What do rows of facts look like as columns? With columns, one array operation handles all rows at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.axes import Leaf
from detectors.windows.facts import ON_TIME, TOO_LATE, FactRow, Kind

__all__ = ["FactColumns"]


_NUMBERS = ("pane", "first_t", "count", "timed")
_numbers_of = attrgetter(*_NUMBERS)
_kind_of = attrgetter(*Kind._fields)


@dataclass(frozen=True, eq=False, slots=True)
class FactColumns:
    """Ordered rows of facts, with their numbers as columns; ``[]`` selects rows.

    Attributes:
        rows: the rows, from which only people, durations and ``over`` are read.
        pane, count, timed: (N,) as in ``FactRow``.
        counts_from: (N,) the first T (ms) at which each row counts.
        arrives: (N,) the first T (ms) by which it has arrived; earlier where the clock of its producer is ahead.
        late: (N,) whether the row first counts later than at the end of its pane.
        leaf: (N,) the position of the row's leaf; -1 before it has one.
        kind: (N,) the position of the row's kind in ``kinds``.
        kinds: distinct kinds, which may include some that no row has.
    """

    rows: Sequence[FactRow]
    pane: Ints
    count: Ints
    timed: Ints
    counts_from: Ints
    arrives: Ints
    late: Bools
    leaf: Ints
    kind: Ints
    kinds: Sequence[Kind]

    @classmethod
    def of(
        cls, rows: Iterable[FactRow], step: int, position: Callable[[Leaf], int] | None = None
    ) -> FactColumns:
        """Build columns from all rows that ever count, ordered by the first T at which each counts.

        Args:
            rows: rows in any order.
            step: length of a pane, ms.
            position: gives the position of a leaf; without it ``placed`` gives the rows their positions later.
        """
        some = rows if isinstance(rows, list) else list(rows)
        flat = chain.from_iterable(map(_numbers_of, some))
        numbers = np.fromiter(flat, np.int64, len(_NUMBERS) * len(some)).reshape(-1, len(_NUMBERS)).T
        pane, first_t, count, timed = np.ascontiguousarray(numbers)
        late = first_t > pane
        arrives = np.where(first_t == ON_TIME, pane + step, first_t)
        counts_from = np.where(late | (first_t == TOO_LATE), first_t, pane + step)
        each: list[tuple[Any, ...]] = list(map(_kind_of, some))
        kinds = [Kind(*kind) for kind in dict.fromkeys(each)]
        places: dict[tuple[object, ...], int] = {kind: n for n, kind in enumerate(kinds)}
        kind = np.fromiter(map(places.__getitem__, each), np.int64, len(some))
        leaf = np.full(len(some), -1)
        whole = cls(some, pane, count, timed, counts_from, arrives, late, leaf, kind, kinds)
        if position is not None:
            whole = whole.placed(position)
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
            self.count[which],
            self.timed[which],
            self.counts_from[which],
            self.arrives[which],
            self.late[which],
            self.leaf[which],
            self.kind[which],
            self.kinds,
        )

    @property
    def ahead(self) -> Bools:
        """(N,) whether the row arrives before it counts."""
        return np.asarray(self.arrives < self.counts_from)

    def placed(self, position: Callable[[Leaf], int]) -> FactColumns:
        """Return the rows with the positions that ``position`` gives to their leaves."""
        used, which = np.unique(self.kind, return_inverse=True)
        leaf = np.fromiter((position(self.kinds[n].leaf) for n in used.tolist()), np.int64, len(used))[which]
        return replace(self, leaf=leaf)

    def by_kind(self, number: Callable[[Kind], int]) -> Ints:
        """Return (N,) a number for each row, which depends on the row's kind alone."""
        return np.fromiter((number(kind) for kind in self.kinds), np.int64, len(self.kinds))[self.kind]

    def has_code(self, codes: Collection[str]) -> Bools:
        """Return (N,) whether each row's error code is one of ``codes``."""
        return self.by_kind(lambda kind: kind.code in codes) > 0

    def up_to(self, at: int) -> int:
        """Return how many rows count at T = ``at`` or before; the rows must be ordered by ``counts_from``."""
        return int(np.searchsorted(self.counts_from, at, side="right"))
