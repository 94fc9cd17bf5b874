"""How many distinct people had a bad event, per scope and window? Exact up to a cap, beyond it estimated by a sample.

For each scope and each pane of the last hour, the number of people is kept whose latest bad event lies in that pane.
The people of a window are the sum over its panes. Within a frame of steps, people move from one pane to a later one: a
person whose latest pane changes from ``before`` to ``pane`` at the evaluation ``first`` is newly in the window W at
every T with ``before < T - W <= pane`` and ``T >= first``. A frame's counts are therefore the sums at its beginning
plus the intervals of the moves within it.

Beyond the cap a window has a *level* d, the smallest d for which at most ``cap`` people of the environment in the
window have d leading zeros in their mixed id. These people are a sample of one in 2^d, and the count of each scope in
the sample is multiplied by 2^d (adaptive sampling, Wegman 1984, Flajolet 1990; over sliding windows Gibbons and
Tirthapura 2002). Level and figure are functions of who failed in the window and of nothing else: neither of earlier
events nor of how steps are divided into calls. The people in a fixed interval of panes can only increase, so a person
whom no level of any window can need is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from detectors.arrays import Bools, Ids, Ints
from detectors.instants import FAR_PAST, MINUTE
from detectors.scopes import MEMBERS, SCOPES
from detectors.windows.fact_columns import FactColumns
from detectors.windows.person_table import STRATA, PersonTable, stratum_of

__all__ = ["Distinct", "Failed", "Impact", "relative_error"]

_ALL = SCOPES.index("")
_SCOPES_OF_LEAF = MEMBERS.T
#: People whose failures are handled in one piece.
_AT_A_TIME = 1 << 14
_SWEEP_EVERY = 10 * MINUTE
#: Beyond the cap, the growth of the table since the last sweep that causes another sweep.
_GROWTH = 1.25
_NO_MOVES: Ints = np.empty((5, 0), dtype=np.int64)
#: Greater than the offset of any pane.
_GROUP = 1 << 33


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


class Distinct(NamedTuple):
    """A number of distinct people and its ``relative_error``, which is 0 where all people were counted."""

    people: int
    error: float


def relative_error(people: int, level: int) -> float:
    """Return the error of a figure that comes from a sample of one in 2^``level``, as a share of the figure, at most 1.

    The error is two standard errors: the true number lies within it 19 times of 20. Each of n people is in the sample
    of k with probability p, so the estimate k / p has the variance n (1 - p) / p. Divided by the square of n, this is
    (1 - p) / (n p), about (1 - p) / k.
    """
    if not level:
        return 0.0
    sample = max(people >> level, 1)
    return min(1.0, round(2.0 * float(np.sqrt((1.0 - 0.5**level) / sample)), 6))


class Impact:
    """The people of one environment. ``advance`` moves over consecutive steps; time never goes back.

    Args:
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
        cap: the greatest number of people of a window that are counted exactly.

    Attributes:
        levels: window (ms) -> (steps,) levels in the last frame, 0 at steps at which people were counted exactly.
            Windows in which people were counted exactly at every step are left out.
    """

    def __init__(self, step: int, windows: tuple[int, ...], cap: int) -> None:
        self.levels: dict[int, Ints] = {}
        self._step = step
        self._windows = tuple(sorted(windows))
        self._depth = self._windows[-1] // step
        self._cap = cap
        self._table = PersonTable()
        self._base = 0  # ms: the offset of a pane is 1 + the number of panes from here to the pane
        self._swept_to = 0  # people in the table after the last sweep
        self._next: int | None = None  # the T after the last frame
        # (pane, scope) people by the pane of their latest event; the last row is the pane that ends at the next T
        self._by_pane: Ints = np.zeros((self._depth + 1, len(SCOPES)), dtype=np.int64)
        # (stratum, pane, scope) people by stratum and pane of their latest event; panes form a ring: a pane has the
        # index (pane // step) % (depth + 1)
        self._by_stratum = np.zeros((STRATA, self._depth + 1, len(SCOPES)), dtype=np.int32)
        # level -> (pane, scope) people whose latest event lies in the pane or later, at the beginning of the frame
        self._since: dict[int, Ints] = {0: np.zeros((self._depth + 2, len(SCOPES)), dtype=np.int64)}
        self._first_pane = 0
        self._moves: Ints = _NO_MOVES
        self._at_most = 0  # no window holds more people than this

    def __len__(self) -> int:
        """Return how many people the table holds."""
        return len(self._table)

    def advance(self, start: int, steps: int, bad: Failed) -> dict[int, Ints]:
        """Return the distinct people at T = ``start``, ``start`` + step, … (``steps`` of them).

        Args:
            start: the first T, ms.
            steps: number of T.
            bad: all groups that count for the first time at one of these T, ordered by ``counts_from``.

        Returns:
            window (ms) -> int64 (steps, scope).
        """
        self._settle(start)
        last = start + (steps - 1) * self._step
        self._move(bad, last)
        self._next = last + self._step
        out = {window: self._counted(window, start, steps, 0) for window in self._windows}
        self.levels = {}
        if self._at_most > self._cap:
            for window, people in out.items():
                self._estimate(window, start, people)
        return out

    def distinct_since(self, scope: int, at: int, since: int) -> Distinct:
        """Return the distinct people of a scope (index) with a bad event in ``[since, at)`` that counts at ``at``.

        ``at`` is a T (ms) of the last frame; ``since`` (ms) lies at most the longest window before ``at``.
        """
        level = 0
        if self._at_most > self._cap:
            while level < STRATA - 1 and self._counted_since(_ALL, at, since, level) > self._cap:
                level += 1
        people = self._counted_since(scope, at, since, level) << level
        return Distinct(people, relative_error(people, level))

    # -- of one level -------------------------------------------------------------------------------------------

    def _counted(self, window: int, start: int, steps: int, level: int) -> Ints:
        """Return (step, scope) the people of a window (ms) who are in the sample of a level."""
        step = self._step
        last = start + (steps - 1) * step
        # The window at T begins with the pane T - window.
        begin = (start - window - self._first_pane) // step + np.arange(steps)
        counted: Ints = self._stood(level)[np.minimum(begin, self._depth + 1)]
        first_t, before_p, pane_p, scope_i = self._moved(level)
        if first_t.size:
            lo = np.maximum(np.maximum(first_t, before_p + window + step), start)
            hi = np.minimum(pane_p + window, last)
            used = lo <= hi
            lo, hi, scopes = lo[used] - start, hi[used] - start, scope_i[used]
            cells = (steps + 1) * len(SCOPES)
            change = np.bincount(lo // step * len(SCOPES) + scopes, minlength=cells)
            change -= np.bincount((hi // step + 1) * len(SCOPES) + scopes, minlength=cells)
            counted += np.cumsum(change.reshape(steps + 1, len(SCOPES))[:-1], axis=0)
        return counted

    def _estimate(self, window: int, start: int, people: Ints) -> None:
        """Replace the counts (step, scope) of a window (ms) by estimates at steps where they exceed the cap."""
        over = people[:, _ALL] > self._cap
        if not over.any():
            return
        levels = self.levels[window] = np.zeros(len(people), dtype=np.int64)
        for level in range(1, STRATA):
            sample = self._counted(window, start, len(people), level)
            people[over] = sample[over] << level
            levels[over] = level
            over &= sample[:, _ALL] > self._cap
            if not over.any():
                return

    def _counted_since(self, scope: int, at: int, since: int, level: int) -> int:
        begin = -(-(since - self._first_pane) // self._step)
        stood = int(self._stood(level)[min(max(begin, 0), self._depth + 1), scope])
        first_t, before_p, pane_p, scope_i = self._moved(level)
        moved = (scope_i == scope) & (first_t <= at) & (before_p < since) & (pane_p >= since)
        return stood + int(np.count_nonzero(moved))

    def _stood(self, level: int) -> Ints:
        """Return (pane, scope) people of a level whose latest event before the frame lies in the pane or later."""
        stood = self._since.get(level)
        if stood is None:
            sample = self._by_stratum[level:].sum(axis=0, dtype=np.int64)
            stood = self._since[level] = _summed(np.roll(sample, -self._ring(self._first_pane), axis=0))
        return stood

    def _moved(self, level: int) -> Ints:
        """Return the moves of people of a level, as rows of first (T), before (pane), pane, scope."""
        return self._moves[:4] if not level else self._moves[:4, self._moves[4] >= level]

    # -- from frame to frame --------------------------------------------------------------------------------

    def _ring(self, pane: int) -> int:
        return pane // self._step % (self._depth + 1)

    def _settle(self, start: int) -> None:
        """Apply the moves of the last frame to the counts by pane, and shift these counts to a frame from ``start``."""
        step, depth = self._step, self._depth
        first_pane = start - step * (depth + 1)
        if self._next is not None:
            _, before_p, pane_p, scope_i, stratum = self._moves
            passed = (first_pane - self._first_pane) // step
            moved_on = np.zeros_like(self._by_pane)
            if passed <= depth:
                moved_on[: depth + 1 - passed] = self._by_pane[passed:]
            gone = self._ring(self._first_pane) + np.arange(min(passed, depth + 1))
            self._by_stratum[:, gone % (depth + 1)] = 0
            # A pane before the first one is in no window any more.
            for panes, of, change in (
                (pane_p, pane_p >= first_pane, 1),
                (before_p, before_p >= first_pane, -1),
            ):
                at, scopes = (panes[of] - first_pane) // step, scope_i[of]
                np.add.at(moved_on, (at, scopes), change)
                np.add.at(self._by_stratum, (stratum[of], panes[of] // step % (depth + 1), scopes), change)
            self._by_pane = moved_on
        self._first_pane = first_pane
        self._since = {0: _summed(self._by_pane)}
        self._sweep()

    def _move(self, bad: Failed, last: int) -> None:
        """Store the people of a frame up to ``last`` (T, ms) and their moves.

        The moves are rows of first (T), before (pane), pane, scope, stratum.
        """
        self._table.hold((last - self._base) // self._step + 1)
        reached = bad[(bad.sizes > 0) & (bad.pane >= self._first_pane)]
        found = [self._taken_in(some) for some in _portions(reached)]
        self._moves = np.concatenate(found, axis=1) if found else _NO_MOVES
        self._at_most = int(self._since[0][0, _ALL]) + int(np.count_nonzero(self._moves[3] == _ALL))

    def _taken_in(self, failed: Failed) -> Ints:
        """Enter people who failed into the table; return their moves, ordered by person, scope and first T."""
        step, table = self._step, self._table
        first, pane, leaf = (
            np.repeat(of, failed.sizes) for of in (failed.counts_from, failed.pane, failed.leaf)
        )
        people, which = np.unique(failed.people, return_inverse=True)
        numbers = table.numbers(people)
        known = table.panes[numbers]
        offset = (pane - self._base) // step + 1
        # One entry for each failure and scope, ordered by person and scope, then by first T.
        event, scope = np.nonzero(_SCOPES_OF_LEAF[leaf])
        key = which[event] * len(SCOPES) + scope
        order = np.argsort(key, kind="stable")
        event, scope, key = event[order], scope[order], key[order]
        begins = np.diff(key, prepend=-1) != 0
        group = np.cumsum(begins) - 1
        person, in_scope = np.divmod(key[begins], len(SCOPES))
        stood = np.where(MEMBERS[in_scope], known[person], 0).max(axis=1).astype(np.int64)
        at = offset[event]
        latest = np.maximum.accumulate(group * _GROUP + np.maximum(at, stood[group]))
        before = np.where(begins, stood[group], np.roll(latest, 1) - group * _GROUP)
        moved = at > before
        event, before = event[moved], before[moved]
        cell = numbers[which] * table.panes.shape[1] + leaf
        np.maximum.at(table.panes.reshape(-1), cell, offset.astype(table.panes.dtype))
        before_p = np.where(before > 0, self._base + (before - 1) * step, FAR_PAST)
        stratum = stratum_of(people)[which[event]]
        return np.stack([first[event], before_p, pane[event], scope[moved], stratum])

    def _sweep(self) -> None:
        """Drop people whom no window can need any more; done rarely, because it reads the whole table."""
        table, step = self._table, self._step
        passed = (self._first_pane - self._base) // step
        if not len(table):
            self._base = self._first_pane
            return
        if passed * step < _SWEEP_EVERY and len(table) <= max(self._cap, _GROWTH * self._swept_to):
            return
        # (stratum, pane) people of the environment in this stratum or a later one and in this pane or a later one
        ring = self._by_stratum[:, :, _ALL].astype(np.int64)
        sample = np.cumsum(np.roll(ring, -self._ring(self._first_pane), axis=1)[::-1], axis=0)[::-1]
        beyond = np.cumsum(sample[:, ::-1], axis=1) > self._cap
        beyond[-1] = False
        # Windows that begin before this pane have a higher level.
        floors = self._depth + 1 - np.argmax(np.pad(beyond, ((0, 0), (0, 1)), constant_values=True), axis=1)
        table.sweep(passed + 1 + floors, passed)
        self._base, self._swept_to = self._first_pane, len(table)


def _summed(by_pane: Ints) -> Ints:
    """Return (pane, scope) sums over each pane and all later ones, and a last row of zeros."""
    summed = np.zeros((len(by_pane) + 1, by_pane.shape[1]), dtype=np.int64)
    np.cumsum(by_pane[::-1], axis=0, out=summed[:-1][::-1])
    return summed


def _portions(failed: Failed) -> Iterator[Failed]:
    """Yield the groups in portions of at most ``_AT_A_TIME`` people (or one larger group), in their order."""
    so_far = np.cumsum(failed.sizes)
    begin, people = 0, 0
    while begin < len(so_far):
        end = max(begin + 1, int(np.searchsorted(so_far, people + _AT_A_TIME, side="right")))
        yield failed[begin:end]
        begin, people = end, int(so_far[end - 1])
