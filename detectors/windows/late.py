"""How many events arrived in a window although they say that they happened before it, or will happen after it?

Counts of a window hold what happened in it. A producer whose clock is behind, or delivery that takes minutes, makes all
events of a scope happen before every short window, and none is missing. Where the clock is ahead and the broker's is
right, they count only when their time comes, and none is missing either. Silence therefore counts events when they
arrive: an event by whose arrival T is the first lies in the step before T. Only late events and those that are ahead
arrive elsewhere than they happen, so that only they are kept here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from detectors.arrays import Ints
from detectors.axes import Leaf, Scopes
from detectors.windows.counters import COUNTERS, STARTED, Columns
from detectors.windows.fact_columns import FactColumns
from detectors.windows.group_sums import GroupSums

__all__ = ["LateArrivals", "LateFrame"]

#: The counters of sign-ins that arrived come first: good, bad, excluded, started.
_ARRIVED = STARTED + 1


@dataclass(frozen=True, eq=False)
class LateFrame:
    """The events that some window of a frame holds by their arrival or by their time, but not by both.

    Attributes:
        scopes: the groups of the counts.
        step: length of a pane, ms.
        start, steps: the first T (ms) of the frame and the number of T.
        rows: int64 (5, N): the T of arrival and the pane (ms), the leaf, the counter, the amount.
    """

    scopes: Scopes
    step: int
    start: int
    steps: int
    rows: Ints
    _known: dict[int, Ints | None] = field(default_factory=dict)

    def beside(self, window: int) -> Ints | None:
        """Return (step, group, counter) what to add to the counts of a window (ms) for those of arrivals; or None."""
        if window not in self._known:
            self._known[window] = self._beside(window)
        return self._known[window]

    def _beside(self, window: int) -> Ints | None:
        first, pane, leaf, counter, amount = self.rows
        last = self.start + (self.steps - 1) * self.step
        counts = np.maximum(first, pane + self.step)
        # A pane lies in the windows of the T up to pane + window; an arrival in those up to first - step + window.
        # What arrived late is in a window after its pane has left it, what is ahead before its pane comes into it;
        # and a pane that comes when its arrival has left the window is taken off.
        begin = np.concatenate(
            [np.maximum(first, pane + window + self.step), first, np.maximum(counts, first + window)]
        )
        end = np.concatenate(
            [first - self.step + window, np.minimum(first + window, counts) - self.step, pane + window]
        )
        leaf, counter = np.tile(leaf, 3), np.tile(counter, 3)
        amount = np.concatenate([amount, amount, -amount])
        begin, end = np.maximum(begin, self.start), np.minimum(end, last)
        used = begin <= end
        if not used.any():
            return None
        cells, column = np.unique(leaf[used] * len(COUNTERS) + counter[used], return_inverse=True)
        change = np.zeros((self.steps + 1, len(cells)), dtype=np.int64)
        np.add.at(change, ((begin[used] - self.start) // self.step, column), amount[used])
        np.subtract.at(change, ((end[used] - self.start) // self.step + 1, column), amount[used])
        of_leaf, of_counter = np.divmod(cells, len(COUNTERS))
        sums = GroupSums(self.scopes.members, of_leaf, of_counter, len(COUNTERS))
        return sums(np.cumsum(change[:-1], axis=0))


class LateArrivals:
    """The events of one environment that arrive elsewhere than they happen. ``move`` goes over consecutive steps.

    Time never goes back. What is ahead is seen as soon as its leaf has a place, which it gets from what counts.

    Args:
        scopes: the leaves of the facts and the groups of the counts; it may grow between calls.
        step: length of a pane, ms.
        longest: the longest window, ms.
        classify: assigns rows to counters.
    """

    def __init__(self, scopes: Scopes, step: int, longest: int, classify: Columns) -> None:
        self._scopes = scopes
        self._step = step
        self._longest = longest
        self._classify = classify
        self._rows: Ints = np.empty((5, 0), dtype=np.int64)
        # Like ``_rows``, of what is ahead: with positions in ``_leaves``.
        self._ahead: Ints = np.empty((5, 0), dtype=np.int64)
        self._leaves: list[Leaf] = []

    def announce(self, ahead: FactColumns) -> None:
        """Note rows that arrive before they count, each once and before a T by which it has arrived is judged."""
        row, counter, amount = self._classify.amounts(ahead)
        of = counter < _ARRIVED
        row, counter, amount = row[of], counter[of], amount[of]
        numbers = {leaf: n for n, leaf in enumerate(self._leaves)}
        leaf = ahead.by_kind(lambda kind: numbers.setdefault(kind.leaf, len(numbers)))[row]
        self._leaves = list(numbers)
        fresh = np.stack([ahead.arrives[row], ahead.pane[row], leaf, counter, amount])
        self._ahead = np.concatenate([self._ahead, fresh], axis=1)

    def _placed(self, start: int) -> Ints:
        """Return the rows of what is ahead with the positions of leaves that have a place; drop what is past at T."""
        kept = self._ahead[1] + self._longest >= start
        if not kept.all():
            self._ahead = self._ahead[:, kept]
            used, self._ahead[2] = np.unique(self._ahead[2], return_inverse=True)
            self._leaves = [self._leaves[n] for n in used.tolist()]
        places = np.array([self._scopes.place(leaf) for leaf in self._leaves], dtype=np.int64)
        rows = self._ahead.copy()
        rows[2] = places[rows[2]]
        return rows[:, rows[2] >= 0]

    def move(self, start: int, steps: int, facts: FactColumns) -> LateFrame | None:
        """Take the rows of a frame; return what arrives elsewhere than it happens, None where no window holds any.

        Args:
            start, steps: the first T (ms) of the frame, and the number of T.
            facts: every row that counts for the first time at one of these T.
        """
        if self._rows.size:
            self._rows = self._rows[:, self._rows[0] - self._step + self._longest >= start]
        if facts.late.any():
            late = facts[facts.late]
            row, counter, amount = self._classify.amounts(late)
            of = counter < _ARRIVED
            row, counter, amount = row[of], counter[of], amount[of]
            fresh = np.stack([late.counts_from[row], late.pane[row], late.leaf[row], counter, amount])
            self._rows = np.concatenate([self._rows, fresh], axis=1)
        rows = self._rows
        if self._ahead.size:
            rows = np.concatenate([rows, self._placed(start)], axis=1)
        if not rows.size:
            return None
        return LateFrame(self._scopes, self._step, start, steps, rows)

    def skip(self) -> None:
        """Forget what was late: the caller jumps over steps in which every window is empty."""
        self._rows = np.empty((5, 0), dtype=np.int64)
