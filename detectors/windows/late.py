"""How many events arrived in a window although they say that they happened before it?

Counts of a window hold what happened in it. A producer whose clock is behind, or delivery that takes minutes, makes all
events of a scope happen before every short window, and none is missing. Silence therefore counts events when they
arrive: an event that first counts at T arrived in the step before T. Only late events arrive elsewhere than they
happen, so that only they are kept here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from detectors.arrays import Ints
from detectors.axes import Scopes
from detectors.windows.counters import COUNTERS, STARTED, Columns
from detectors.windows.fact_columns import FactColumns
from detectors.windows.group_sums import GroupSums

__all__ = ["LateArrivals", "LateFrame"]

#: The counters of sign-ins that arrived come first: good, bad, excluded, started.
_ARRIVED = STARTED + 1


@dataclass(frozen=True, eq=False)
class LateFrame:
    """The late events that some window of a frame holds by their arrival.

    Attributes:
        scopes: the groups of the counts.
        step: length of a pane, ms.
        start, steps: the first T (ms) of the frame and the number of T.
        rows: int64 (5, N): the first T and the pane (ms), the leaf, the counter, the amount.
    """

    scopes: Scopes
    step: int
    start: int
    steps: int
    rows: Ints
    _known: dict[int, Ints | None] = field(default_factory=dict)

    def beside(self, window: int) -> Ints | None:
        """Return (step, group, counter) the events that arrived in a window (ms) and happened before it; or None."""
        if window not in self._known:
            self._known[window] = self._beside(window)
        return self._known[window]

    def _beside(self, window: int) -> Ints | None:
        first, pane, leaf, counter, amount = self.rows
        last = self.start + (self.steps - 1) * self.step
        # A pane lies in the windows of the T up to pane + window; an arrival in those up to first - step + window.
        begin = np.maximum(np.maximum(first, pane + window + self.step), self.start)
        end = np.minimum(first - self.step + window, last)
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
    """The late events of one environment. ``move`` goes over consecutive steps; time never goes back.

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

    def move(self, start: int, steps: int, facts: FactColumns) -> LateFrame | None:
        """Take the rows of a frame; return its late events, None where no window holds any.

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
        if not self._rows.size:
            return None
        return LateFrame(self._scopes, self._step, start, steps, self._rows)

    def skip(self) -> None:
        """Forget all rows: the caller jumps over steps in which every window is empty."""
        self._rows = np.empty((5, 0), dtype=np.int64)
