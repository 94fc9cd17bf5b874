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
from detectors.scopes import LEAVES, MEMBERS, OUTCOMES, SCOPES, SIGN_IN_STEPS, STEPS

if TYPE_CHECKING:
    from detectors.codes import CodeCounts

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


_TO_SCOPES: Ints = MEMBERS.astype(np.int64)


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
    """

    def __init__(
        self, step: int, windows: tuple[int, ...], classify: Columns, counters: int = len(COUNTERS)
    ) -> None:
        self._step = step
        self._windows = tuple(sorted(windows))
        self._classify = classify
        self._counters = counters
        self._width = len(SCOPES) * counters
        self._depth = self._windows[-1] // step
        # Cumulative sums by T, the last evaluated one in the row before ``_end``; rows are only appended, and the
        # last ``depth`` + 1 are moved to the front when the end is reached.
        self._sums: Ints = np.zeros((self._depth + 1 + _ROOM, self._width), dtype=np.int64)
        self._end = self._depth + 1
        self._last = 0  # the last evaluated T
        self._late = _Late()

    def advance(self, start: int, steps: int, rows: Iterable[FactRow]) -> dict[int, Ints]:
        """Counts at T = start, start + step, … (``steps`` of them).

        Args:
            start: the first T, ms: one step after the last of the call before.
            steps: how many T.
            rows: every row that counts for the first time at one of these T.

        Returns:
            window (ms) -> int64 (steps, scope, counter).
        """
        step = self._step
        places: list[tuple[int, int, int]] = []
        amounts: list[int] = []
        for row in rows:
            columns = self._classify.columns(row)
            if row.first == ON_TIME:
                at = (row.pane + step - start) // step
                for counter, amount in columns:
                    places.append((at, row.leaf, counter))
                    amounts.append(amount)
            elif columns:
                self._add_late_row(row, columns)
        leaves = np.zeros((steps, len(LEAVES), self._counters), dtype=np.int64)
        if places:
            np.add.at(leaves, tuple(np.array(places, dtype=np.int64).T), np.array(amounts, dtype=np.int64))
        fresh: Ints = (_TO_SCOPES @ leaves).reshape(steps, self._width)
        np.cumsum(fresh, axis=0, out=fresh)
        sums, begin = self._room(steps)
        end = begin + steps
        np.add(fresh, sums[begin - 1], out=sums[begin:end])
        shape = (steps, len(SCOPES), self._counters)
        out: dict[int, Ints] = {}
        for window in self._windows:
            width = window // step
            out[window] = (sums[begin:end] - sums[begin - width : end - width]).reshape(shape)
        self._end = end
        self._last = start + (steps - 1) * step
        if self._late.first:
            self._add_late(start, steps, out)
        return out

    def _add_late_row(self, row: FactRow, columns: tuple[tuple[int, int], ...]) -> None:
        added = np.zeros((len(SCOPES), self._counters), dtype=np.int64)
        for counter, amount in columns:
            added[:, counter] += _TO_SCOPES[:, row.leaf] * amount
        self._late.first.append(row.first)
        self._late.pane.append(row.pane)
        self._late.amount.append(added.reshape(-1))

    def first(self, scope: int, counters: Sequence[int], since: int, at: int) -> int | None:
        """The start (ms) of the first pane of ``[since, at)`` that counts any of these at ``at``; None without.

        Args:
            scope: index of the scope.
            counters: indices of the counters.
            since: at most the longest window before ``at``.
            at: a T of the last call of ``advance``.
        """
        step = self._step
        until = self._end - 1 - (self._last - at) // step
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

    def _add_late(self, start: int, steps: int, out: dict[int, Ints]) -> None:
        step = self._step
        last = start + (steps - 1) * step
        first = np.array(self._late.first, dtype=np.int64)
        pane = np.array(self._late.pane, dtype=np.int64)
        amount = np.stack(self._late.amount)
        for window in self._windows:
            lo = np.maximum(first, start)
            hi = np.minimum(pane + window, last)
            used = lo <= hi
            if not used.any():
                continue
            change = np.zeros((steps + 1, self._width), dtype=np.int64)
            np.add.at(change, (lo[used] - start) // step, amount[used])
            np.subtract.at(change, (hi[used] - start) // step + 1, amount[used])
            out[window] += np.cumsum(change[:-1], axis=0).reshape(out[window].shape)
        keep = pane + self._windows[-1] > start  # not last: ``first`` may ask about any of these T
        if not keep.all():
            kept = np.flatnonzero(keep)
            self._late = _Late(
                [self._late.first[i] for i in kept],
                [self._late.pane[i] for i in kept],
                [self._late.amount[i] for i in kept],
            )

    def skip(self) -> None:
        """Forget the running sums: the caller jumps over steps in which every window is empty."""
        self._sums[:] = 0
        self._end = self._depth + 1
        self._late = _Late()
