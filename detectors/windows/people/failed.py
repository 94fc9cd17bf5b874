"""Who failed, when, and on which leaf? People in groups whose failures agree, with little memory per person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from detectors.arrays import Bools, Ids, Ints
from detectors.windows.fact_columns import FactColumns

__all__ = ["Failed", "portions"]

#: People whose failures are handled in one piece.
_AT_A_TIME = 1 << 14


@dataclass(frozen=True, eq=False, slots=True)
class Failed:
    """Groups of people whose failures agree in pane, leaf and first T, 8 bytes per person; ``[]`` selects groups.

    Attributes:
        counts_from, pane, leaf: (N,) of each group, as in ``FactColumns``.
        sizes: (N,) the number of people in each group.
        people: the ids of the people, one group after another.
    """

    counts_from: Ints
    pane: Ints
    leaf: Ints
    sizes: Ints
    people: Ids

    @classmethod
    def of(cls, facts: FactColumns) -> Failed:
        """Collect the people of rows of failures, one group for each row."""
        each = [row.people for row in facts.rows]
        sizes = np.fromiter(map(len, each), np.int64, len(each))
        people = np.fromiter(chain.from_iterable(each), np.uint64, int(sizes.sum()))
        return cls(facts.counts_from, facts.pane, facts.leaf, sizes, people)

    @classmethod
    def together(cls, some: list[Failed]) -> Failed:
        """Join several collections, in their order."""
        if not some:
            nothing: Ints = np.empty(0, dtype=np.int64)
            return cls(nothing, nothing, nothing, nothing, np.empty(0, dtype=np.uint64))
        columns = ([getattr(one, name) for one in some] for name in cls.__slots__)
        return cls(*map(np.concatenate, columns))

    def __getitem__(self, which: Bools | slice) -> Failed:
        """Select groups by a mask or a slice."""
        if isinstance(which, slice):
            begin, end, _ = which.indices(len(self.sizes))
            before = int(self.sizes[:begin].sum())
            people = self.people[before : before + int(self.sizes[begin:end].sum())]
        else:
            people = self.people[np.repeat(which, self.sizes)]
        return Failed(self.counts_from[which], self.pane[which], self.leaf[which], self.sizes[which], people)


def portions(failed: Failed) -> Iterator[Failed]:
    """Yield the groups in portions of at most ``_AT_A_TIME`` people (or one larger group), in their order."""
    so_far = np.cumsum(failed.sizes)
    begin, people = 0, 0
    while begin < len(so_far):
        end = max(begin + 1, int(np.searchsorted(so_far, people + _AT_A_TIME, side="right")))
        yield failed[begin:end]
        begin, people = end, int(so_far[end - 1])
