"""Sliding windows: from rows of facts to arrays (step, scope, counter), one array a window length.

A row counts at T in a window W iff its pane lies in ``[T - W, T)`` and T has reached the first T at which the row
counts. Rows that were on time enter a running sum along the steps; late rows are kept apart and enter at their own T.
All arithmetic is exact (int64).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from detectors.facts import ON_TIME, FactRow
from detectors.scopes import MEMBERS, OUTCOMES, SIGN_IN_STEPS, STEPS

if TYPE_CHECKING:
    from detectors.codes import CodeCounts
    from detectors.confidence import Bools

__all__ = ["COUNTERS", "Classify", "Columns", "Ints", "Stretch", "Windows"]

Ints = npt.NDArray[np.int64]

#: The counter axis. The first six are of the steps of ``sign_in``, the last two of ``session``.
COUNTERS = ("good", "bad", "excluded", "started", "slow", "timed", "session_good", "session_bad")
GOOD, BAD, EXCLUDED, STARTED, SLOW, TIMED, SESSION_GOOD, SESSION_BAD = range(len(COUNTERS))

_SIGN_IN = tuple(step in SIGN_IN_STEPS for step in STEPS)
_STARTED, _SUCCESS, _FAILURE = (OUTCOMES.index(o) for o in ("started", "success", "failure"))
_ROOM = 4096  # rows between two moves of the sums


@dataclass(frozen=True)
class Stretch:
    """What N consecutive steps of one environment look like.

    Attributes:
        env: the environment.
        ends: (N,) the T of each step, ms.
        counts: window (ms) -> (N, scope, counter).
        people: window (ms) -> (N, scope), distinct people with a bad event.
        windows: the window lengths, ms, ascending.
        returns: window (ms) -> (N, scope, (went, returned)), see ``returns.ReturnWindows``; windows of their own.
        codes: failures by error code, see ``codes.CodeWindows``; None where there were none.
        levels: window (ms) -> (N,) of what sample the people are, see ``impact.Impact``; 0, or left out: of all.
    """

    env: str
    ends: Ints
    counts: Mapping[int, Ints]
    people: Mapping[int, Ints]
    windows: tuple[int, ...]
    returns: Mapping[int, Ints] = field(default_factory=dict)
    codes: CodeCounts | None = None
    levels: Mapping[int, Ints] = field(default_factory=dict)


class Columns(Protocol):
    """Says what rows of facts are counted as."""

    def columns(self, row: FactRow) -> tuple[tuple[int, int], ...]:
        """(counter, amount) of a row."""
        ...


@dataclass(frozen=True)
class Classify:
    """The part of a policy that turns facts into classes.

    Attributes:
        excluded: error codes that do not count against the service.
        slow_at: for each leaf, the position among a segment's thresholds of its method's latency threshold.
    """

    excluded: frozenset[str]
    slow_at: tuple[int, ...]

    def is_bad(self, row: FactRow) -> bool:
        """Whether the row is of failures that count."""
        return row.outcome == _FAILURE and row.code not in self.excluded

    def is_timed(self, row: FactRow) -> bool:
        """Whether ``TIMED`` is among what a row with durations is counted as."""
        counts = row.outcome == _SUCCESS or (row.outcome == _FAILURE and row.code not in self.excluded)
        return counts and _SIGN_IN[row.step]

    def columns(self, row: FactRow) -> tuple[tuple[int, int], ...]:
        """(counter, amount) of a row."""
        if not _SIGN_IN[row.step]:
            if row.outcome == _SUCCESS:
                return ((SESSION_GOOD, row.count),)
            return ((SESSION_BAD, row.count),) if self.is_bad(row) else ()
        if row.outcome == _STARTED:
            return ((STARTED, row.count),)
        if row.outcome == _FAILURE and row.code in self.excluded:
            return ((EXCLUDED, row.count),)
        counter = GOOD if row.outcome == _SUCCESS else BAD
        if not row.timed:
            return ((counter, row.count),)
        slow = row.over[self.slow_at[row.leaf]]
        return ((counter, row.count), (TIMED, row.timed), (SLOW, slow))


@dataclass
class _Late:
    """Late rows: the T from which each counts, its pane, and what it adds to each (scope, counter)."""

    first: list[int] = field(default_factory=list)
    pane: list[int] = field(default_factory=list)
    amount: list[Ints] = field(default_factory=list)


class Windows:
    """The counts of one environment. ``advance`` moves over consecutive steps; time never goes back.

    Args:
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
        classify: what rows are counted as, on an axis of ``counters`` positions.
        places: bool (place, leaf): what is counted apart, and which leaves it is made of; scopes unless said otherwise.
    """

    def __init__(
        self,
        step: int,
        windows: tuple[int, ...],
        classify: Columns,
        counters: int = len(COUNTERS),
        places: Bools = MEMBERS,
    ) -> None:
        self._step = step
        self._windows = tuple(sorted(windows))
        self._classify = classify
        self._counters = counters
        self._shape = (len(places), counters)
        self._width = len(places) * counters
        # for each leaf the first columns of the places that hold it, filled up with others; and 1 for those that do
        most = int(places.sum(axis=0).max())
        holders = np.argsort(~places.T, axis=1, kind="stable")[:, :most]
        self._columns: Ints = holders * counters
        self._holds: Ints = np.take_along_axis(places.T, holders, axis=1).astype(np.int64)
        self._depth = self._windows[-1] // step
        # Cumulative sums by T, the last evaluated one in the row before ``_end``; rows are only appended, and the
        # last ``depth`` + 1 are moved to the front when the end is reached.
        self._sums: Ints = np.zeros((self._depth + 1 + _ROOM, self._width), dtype=np.int64)
        self._end = self._depth + 1
        self._start = 0  # the first T of the last call of ``move``
        self._steps = 0
        self._late = _Late()

    def advance(self, start: int, steps: int, rows: Iterable[FactRow]) -> dict[int, Ints]:
        """Counts at T = start, start + step, … (``steps`` of them).

        Args:
            start: the first T, ms: one step after the last of the call before.
            steps: how many T.
            rows: every row that counts for the first time at one of these T.

        Returns:
            window (ms) -> int64 (steps, place, counter).
        """
        self.move(start, steps, rows)
        shape = (steps, *self._shape)
        return {window: self._within(window, slice(None)).reshape(shape) for window in self._windows}

    def move(self, start: int, steps: int, rows: Iterable[FactRow]) -> None:
        """Like ``advance``, but leaves it to ``counts`` to work out what is asked for."""
        step = self._step
        entries: list[int] = []  # which T, leaf, counter, amount, one after another
        for row in rows:
            columns = self._classify.columns(row)
            if row.first == ON_TIME:
                at = (row.pane + step - start) // step
                for counter, amount in columns:
                    entries += (at, row.leaf, counter, amount)
            elif columns:
                self._add_late_row(row, columns)
        fresh: Ints = np.zeros((steps, self._width), dtype=np.int64)
        if entries:
            which, leaf, of_counter, amounts = np.array(entries, dtype=np.int64).reshape(-1, 4).T
            cells = (which * self._width + of_counter)[:, None] + self._columns[leaf]
            np.add.at(
                fresh.reshape(-1), cells.reshape(-1), (amounts[:, None] * self._holds[leaf]).reshape(-1)
            )
            np.cumsum(fresh, axis=0, out=fresh)
        sums, begin = self._room(steps)
        np.add(fresh, sums[begin - 1], out=sums[begin : begin + steps])
        self._end = begin + steps
        self._start, self._steps = start, steps
        if self._late.first:
            self._forget_late(start)

    def counts(self, window: int, counter: int) -> Ints:
        """One counter (steps, place) in a window (ms), at the T of the last call of ``move``."""
        return self._within(window, slice(counter, None, self._counters))

    def at_most(self) -> Ints:
        """No place counts more than this (counter,) in any window at any T of the last call of ``move``."""
        sums = self._sums[self._end - 1] - self._sums[self._end - self._steps - self._depth]
        for amount in self._late.amount:
            sums += amount
        return np.asarray(sums.reshape(self._shape).sum(axis=0))

    def _within(self, window: int, columns: slice) -> Ints:
        sums, width = self._sums, window // self._step
        begin, end = self._end - self._steps, self._end
        out: Ints = sums[begin:end, columns] - sums[begin - width : end - width, columns]
        if self._late.first:
            self._add_late(window, columns, out)
        return out

    def _add_late_row(self, row: FactRow, columns: tuple[tuple[int, int], ...]) -> None:
        added = np.zeros(self._width, dtype=np.int64)
        for counter, amount in columns:
            np.add.at(added, self._columns[row.leaf] + counter, self._holds[row.leaf] * amount)
        self._late.first.append(row.first)
        self._late.pane.append(row.pane)
        self._late.amount.append(added)

    def first(self, scope: int, counters: Sequence[int], since: int, at: int) -> int | None:
        """The start (ms) of the first pane of ``[since, at)`` that counts any of these at ``at``; None without.

        Args:
            scope: index of the scope.
            counters: indices of the counters.
            since: at most the longest window before ``at``.
            at: a T of the last call of ``advance``.
        """
        step = self._step
        last = self._start + (self._steps - 1) * step
        until = self._end - 1 - (last - at) // step
        panes = min(-(-(at - since) // step), self._depth, until)
        columns = [scope * self._counters + counter for counter in counters]
        sums = self._sums[until - panes : until + 1, columns].sum(axis=1)
        later = np.flatnonzero(np.diff(sums))
        found = [at - (panes - int(later[0])) * step] if later.size else []
        found += [
            pane
            for first, pane, amount in zip(self._late.first, self._late.pane, self._late.amount, strict=True)
            if since <= pane < at and first <= at and amount[columns].any()
        ]
        return min(found, default=None)

    def _room(self, steps: int) -> tuple[Ints, int]:
        """The sums with room for ``steps`` more rows, and the row of the first of them."""
        kept = self._depth + 1
        if self._end + steps > len(self._sums):
            last = self._sums[self._end - kept : self._end]
            moved = np.zeros((kept + max(_ROOM, steps), self._width), dtype=np.int64)
            moved[:kept] = last
            self._sums, self._end = moved, kept
        return self._sums, self._end

    def _add_late(self, window: int, columns: slice, out: Ints) -> None:
        step, start = self._step, self._start
        last = start + (self._steps - 1) * step
        first = np.array(self._late.first, dtype=np.int64)
        pane = np.array(self._late.pane, dtype=np.int64)
        lo = np.maximum(first, start)
        hi = np.minimum(pane + window, last)
        used = lo <= hi
        if not used.any():
            return
        amount = np.stack(self._late.amount)[used, columns]
        change = np.zeros((self._steps + 1, out.shape[1]), dtype=np.int64)
        np.add.at(change, (lo[used] - start) // step, amount)
        np.subtract.at(change, (hi[used] - start) // step + 1, amount)
        out += np.cumsum(change[:-1], axis=0)

    def _forget_late(self, start: int) -> None:
        """Drop late rows that are in no window from ``start`` on."""
        late, longest = self._late, self._windows[-1]
        kept = [i for i, pane in enumerate(late.pane) if pane + longest >= start]
        if len(kept) < len(late.pane):
            self._late = _Late(
                [late.first[i] for i in kept], [late.pane[i] for i in kept], [late.amount[i] for i in kept]
            )

    def skip(self) -> None:
        """Forget the running sums: the caller jumps over steps in which every window is empty."""
        self._sums[:] = 0
        self._end = self._depth + 1
        self._late = _Late()
