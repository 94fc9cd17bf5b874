"""How many distinct people had a bad event, per group and window? Exact up to a cap, beyond it estimated by a sample.

For each group with failures and each pane of the last hour, the number of people is kept whose latest bad event lies in
that pane. The people of a window are the sum over its panes. Within a frame of steps, people move from one pane to a
later one: a person whose latest pane changes from ``before`` to ``pane`` at the evaluation ``first`` is newly in the
window W at every T with ``before < T - W <= pane`` and ``T >= first``. A frame's counts are therefore the sums at its
beginning plus the intervals of the moves within it.

Beyond the cap a window has a *level* d, the smallest d for which at most ``cap`` people of the environment in the
window have d leading zeros in their mixed id. These people are a sample of one in 2^d, and the count of each group in
the sample is multiplied by 2^d (adaptive sampling, Wegman 1984, Flajolet 1990; over sliding windows Gibbons and
Tirthapura 2002). Level and figure are functions of who failed in the window and of nothing else: neither of earlier
events nor of how steps are divided into calls. The people in a fixed interval of panes can only increase, so a person
whom no level of any window can need is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import Ints
from detectors.axes import ENVIRONMENT, Scopes
from detectors.instants import FAR_PAST, MINUTE
from detectors.windows.group_sums import Pairs
from detectors.windows.people.failed import Failed, portions
from detectors.windows.people.latest_panes import LatestPanes
from detectors.windows.people.person_table import STRATA, PersonTable, stratum_of

__all__ = ["Distinct", "Impact", "relative_error"]

#: The column of the environment.
_ALL = 0
_SWEEP_EVERY = 10 * MINUTE
#: So many counts since an instant are remembered within a frame.
_ASKED_KEPT = 500
#: Beyond the cap, the growth of the table since the last sweep that causes another sweep.
_GROWTH = 1.25
_NO_MOVES: Ints = np.empty((5, 0), dtype=np.int64)
#: Greater than the offset of any pane.
_RUN = 1 << 33


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
        scopes: the leaves of the failures and the groups of the people; it may grow between calls.
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
        cap: the greatest number of people of a window that are counted exactly.

    Attributes:
        levels: window (ms) -> (steps,) levels in the last frame, 0 at steps at which people were counted exactly.
            Windows in which people were counted exactly at every step are left out.
    """

    def __init__(self, scopes: Scopes, step: int, windows: tuple[int, ...], cap: int) -> None:
        self.levels: dict[int, Ints] = {}
        self._scopes = scopes
        self._step = step
        self._windows = tuple(sorted(windows))
        self._depth = self._windows[-1] // step
        self._cap = cap
        self._table = PersonTable()
        self._base = 0  # ms: the offset of a pane is 1 + the number of panes from here to the pane
        self._swept_to = 0  # people in the table after the last sweep
        self._next: int | None = None  # the T after the last frame
        # Columns of the groups in which people have failed; the first is the environment.
        self._column_of: Ints = np.full(len(scopes), -1, dtype=np.int64)
        self._column_of[ENVIRONMENT] = _ALL
        self._group_of: list[int] = [ENVIRONMENT]
        self._pairs = Pairs(scopes.members)
        self._made_of = (scopes.version, list(scopes.paths), list(scopes.leaves))
        # level -> people of the sample by pane and column, as of the beginning of the frame; levels above 0 are kept
        # only while there are more people than the cap.
        self._latest = {0: LatestPanes(self._depth)}
        # (stratum, pane) people of the environment by stratum and pane of their latest event; panes form a ring: a
        # pane has the index (pane // step) % (depth + 1)
        self._by_stratum: Ints = np.zeros((STRATA, self._depth + 1), dtype=np.int64)
        self._first_pane = 0
        self._moves: Ints = _NO_MOVES
        self._at_most = 0  # no window holds more people than this
        # (column, since, level) -> people since then before the frame, and the T from which each further one counts
        self._asked: dict[tuple[int, int, int], tuple[int, Ints]] = {}

    def __len__(self) -> int:
        """Return how many people the table holds."""
        return len(self._table)

    def advance(self, start: int, steps: int, bad: Failed) -> dict[int, Ints]:
        """Return the distinct people at T = ``start``, ``start`` + step, … (``steps`` of them).

        Args:
            start: the first T, ms.
            steps: number of T.
            bad: all groups of people that count for the first time at one of these T, ordered by ``counts_from``.

        Returns:
            window (ms) -> int64 (steps, group).
        """
        self._settle(start)
        self._follow()
        self._asked.clear()
        last = start + (steps - 1) * self._step
        self._move(bad, last)
        self._next = last + self._step
        out = {window: self._counted(window, start, steps, 0) for window in self._windows}
        self.levels = {}
        if self._at_most > self._cap:
            for window, people in out.items():
                self._estimate(window, start, people)
        else:
            self._latest = {0: self._latest[0]}
        return {window: self._of_groups(people) for window, people in out.items()}

    def _of_groups(self, people: Ints) -> Ints:
        out: Ints = np.zeros((len(people), len(self._scopes)), dtype=np.int64)
        out[:, self._group_of] = people
        return out

    def distinct_since(self, scope: int, at: int, since: int) -> Distinct:
        """Return the distinct people of a group (index) with a bad event in ``[since, at)`` that counts at ``at``.

        ``at`` is a T (ms) of the last frame; ``since`` (ms) lies at most the longest window before ``at``.
        """
        level = 0
        if self._at_most > self._cap:
            while level < STRATA - 1 and self._counted_since(_ALL, at, since, level) > self._cap:
                level += 1
        column = int(self._column_of[scope])
        people = self._counted_since(column, at, since, level) << level if column >= 0 else 0
        return Distinct(people, relative_error(people, level))

    # -- of one level -------------------------------------------------------------------------------------------

    def _counted(self, window: int, start: int, steps: int, level: int) -> Ints:
        """Return (step, column) the people of a window (ms) who are in the sample of a level."""
        step, width = self._step, len(self._group_of)
        last = start + (steps - 1) * step
        # The window at T begins with the pane T - window.
        begin = (start - window - self._first_pane) // step + np.arange(steps)
        counted = self._stood(level).since(np.minimum(begin, self._depth + 1), width)
        first_t, before_p, pane_p, column = self._moved(level)
        if first_t.size:
            lo = np.maximum(np.maximum(first_t, before_p + window + step), start)
            hi = np.minimum(pane_p + window, last)
            used = lo <= hi
            lo, hi, columns = lo[used] - start, hi[used] - start, column[used]
            cells = (steps + 1) * width
            change = np.bincount(lo // step * width + columns, minlength=cells)
            change -= np.bincount((hi // step + 1) * width + columns, minlength=cells)
            counted += np.cumsum(change.reshape(steps + 1, width)[:-1], axis=0)
        return counted

    def _estimate(self, window: int, start: int, people: Ints) -> None:
        """Replace the counts (step, column) of a window (ms) by estimates at steps where they exceed the cap."""
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

    def _counted_since(self, column: int, at: int, since: int, level: int) -> int:
        asked = column, since, level
        if asked not in self._asked:
            if len(self._asked) >= _ASKED_KEPT:
                self._asked.clear()
            begin = min(max(-(-(since - self._first_pane) // self._step), 0), self._depth + 1)
            stood = int(self._stood(level).since(np.array([begin]), column + 1)[0, column])
            first_t, before_p, pane_p, of = self._moved(level)
            moved = (of == column) & (before_p < since) & (pane_p >= since)
            self._asked[asked] = stood, np.sort(first_t[moved])
        stood, firsts = self._asked[asked]
        return stood + int(np.searchsorted(firsts, at, side="right"))

    def _stood(self, level: int) -> LatestPanes:
        """Return the people of a level by the pane of their latest event before the frame."""
        stood = self._latest.get(level)
        if stood is None:
            stood = self._latest[level] = LatestPanes(self._depth)
            self._read_table(stood, level, range(len(self._group_of)))
            # The table knows the frame's failures already.
            _, before_p, pane_p, column = self._moved(level)
            later, earlier = self._rows(pane_p, before_p)
            stood.move(later, earlier, column)
        return stood

    def _moved(self, level: int) -> Ints:
        """Return the moves of people of a level, as rows of first (T), before (pane), pane, column."""
        return self._moves[:4] if not level else self._moves[:4, self._moves[4] >= level]

    # -- from frame to frame --------------------------------------------------------------------------------

    def _rows(self, *panes: Ints) -> list[Ints]:
        """Return panes (ms) as numbers from the first pane on; -1 for a pane that is not between it and the frame."""
        rows = [(pane - self._first_pane) // self._step for pane in panes]
        return [np.where((row >= 0) & (row <= self._depth), row, -1) for row in rows]

    def _settle(self, start: int) -> None:
        """Apply the moves of the last frame, and go on to a frame from ``start``."""
        step, depth = self._step, self._depth
        first_pane = start - step * (depth + 1)
        if self._next is not None:
            passed = (first_pane - self._first_pane) // step
            gone = self._first_pane // self._step % (self._depth + 1) + np.arange(min(passed, depth + 1))
            self._by_stratum[:, gone % (depth + 1)] = 0
            _, before_p, pane_p, column, stratum = self._moves
            of_env = column == _ALL
            for panes, change in ((pane_p, 1), (before_p, -1)):
                of = of_env & (panes >= first_pane)
                np.add.at(
                    self._by_stratum, (stratum[of], panes[of] // self._step % (self._depth + 1)), change
                )
            self._first_pane = first_pane
            for level, latest in self._latest.items():
                latest.pass_on(passed)
                _, before_p, pane_p, column = self._moved(level)
                before, after = self._rows(before_p, pane_p)
                latest.move(before, after, column)
        self._first_pane = first_pane
        self._moves = _NO_MOVES
        self._sweep()

    def _follow(self) -> None:
        """Follow the growth of the scopes: count the people anew of a group whose older leaves have changed."""
        scopes = self._scopes
        version, paths, leaves = self._made_of
        if version == scopes.version:
            return
        self._pairs = Pairs(scopes.members)
        self._column_of = np.pad(self._column_of, (0, len(scopes) - len(self._column_of)), constant_values=-1)
        kept = [n for n, leaf in enumerate(leaves) if leaf is not None and scopes.leaves[n] == leaf]
        fresh = [n for n, path in enumerate(scopes.paths) if n >= len(paths) or path != paths[n]]
        fresh = [n for n in fresh if self._column_of[n] >= 0 or scopes.members[n, kept].any()]
        self._made_of = (scopes.version, list(scopes.paths), list(scopes.leaves))
        if fresh and len(self._table):
            columns = self._columns(np.array(fresh)).tolist()
            for level, latest in self._latest.items():
                latest.empty(columns)
                self._read_table(latest, level, columns)

    def _read_table(self, latest: LatestPanes, level: int, columns: Sequence[int]) -> None:
        """Add the people of some columns, by their latest events in the table."""
        asked = np.zeros(len(self._scopes), dtype=bool)
        asked[[self._group_of[column] for column in columns]] = True
        for number, leaf, offset in self._table.everybody(level):
            entry, group = self._pairs.of(leaf)
            of = asked[group]
            entry, group = entry[of], group[of]
            if not group.size:
                continue
            order = np.lexsort((offset[entry], group, number[entry]))
            number_of, group = number[entry[order]], group[order]
            last = np.ones(len(order), dtype=bool)
            last[:-1] = (number_of[1:] != number_of[:-1]) | (group[1:] != group[:-1])
            pane = self._base + (offset[entry[order[last]]] - 1) * self._step
            (rows,) = self._rows(pane)
            latest.move(np.full(len(rows), -1), rows, self._column_of[group[last]])

    def _columns(self, groups: Ints) -> Ints:
        """Return (N,) the column of each group; a group without one gets it."""
        fresh = np.unique(groups[self._column_of[groups] < 0])
        if fresh.size:
            self._column_of[fresh] = len(self._group_of) + np.arange(len(fresh))
            self._group_of += fresh.tolist()
        return self._column_of[groups]

    def _move(self, bad: Failed, last: int) -> None:
        """Store the people of a frame up to ``last`` (T, ms) and their moves.

        The moves are rows of first (T), before (pane), pane, column, stratum.
        """
        self._table.hold((last - self._base) // self._step + 1)
        reached = bad[(bad.sizes > 0) & (bad.pane >= self._first_pane)]
        found = [self._taken_in(some) for some in portions(reached)]
        self._moves = np.concatenate(found, axis=1) if found else _NO_MOVES
        stood = int(self._latest[0].since(np.zeros(1, dtype=np.int64), 1)[0, _ALL])
        self._at_most = stood + int(np.count_nonzero(self._moves[3] == _ALL))

    def _taken_in(self, failed: Failed) -> Ints:
        """Enter people who failed into the table; return their moves, ordered by person, group and first T."""
        step, table = self._step, self._table
        first, pane, leaf = (
            np.repeat(of, failed.sizes) for of in (failed.counts_from, failed.pane, failed.leaf)
        )
        people, which = np.unique(failed.people, return_inverse=True)
        numbers = table.numbers(people)
        known, known_leaf, known_at = table.entries(numbers)
        offset = (pane - self._base) // step + 1
        # What the table knows of these people, then their failures; for each an entry in every group that holds it,
        # ordered by person and group, then as before.
        old = len(known)
        person, at = np.concatenate([known, which]), np.concatenate([known_at, offset])
        entry, group = self._pairs.of(np.concatenate([known_leaf, leaf]))
        key = person[entry] * len(self._scopes) + group
        order = np.argsort(key, kind="stable")
        entry, group, key = entry[order], group[order], key[order]
        begins = np.diff(key, prepend=-1) != 0
        run = (np.cumsum(begins) - 1) * _RUN
        latest = np.maximum.accumulate(run + at[entry]) - run
        before = np.where(begins, 0, np.roll(latest, 1))
        moved = (entry >= old) & (at[entry] > before)
        event, before, group = entry[moved] - old, before[moved], group[moved]
        table.put(numbers[which], leaf, offset)
        before_p = np.where(before > 0, self._base + (before - 1) * step, FAR_PAST)
        stratum = stratum_of(people)[which[event]]
        return np.stack([first[event], before_p, pane[event], self._columns(group), stratum])

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
        ring = np.roll(self._by_stratum, -(self._first_pane // step % (self._depth + 1)), axis=1)
        sample = np.cumsum(ring[::-1], axis=0)[::-1]
        beyond = np.cumsum(sample[:, ::-1], axis=1) > self._cap
        beyond[-1] = False
        # Windows that begin before this pane have a higher level.
        floors = self._depth + 1 - np.argmax(np.pad(beyond, ((0, 0), (0, 1)), constant_values=True), axis=1)
        table.sweep(passed + 1 + floors, passed)
        self._base, self._swept_to = self._first_pane, len(table)
