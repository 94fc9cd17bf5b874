"""Distinct people with a bad event, exactly, per scope and window.

For each scope it is kept how many people had their latest bad event in each pane of the last hour. The people of a
window are the sum over its panes. Within a stretch of steps people move from one pane to a later one: a person whose
latest pane goes from ``before`` to ``pane`` at the evaluation ``first`` is newly in the window W at every T with
``before < T - W <= pane`` and ``T >= first``. So a stretch is the sums as they stood at its beginning plus the
intervals of the moves within it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detectors.facts import FactRow
from detectors.instants import MINUTE
from detectors.scopes import LEAVES, MEMBERS, SCOPES
from detectors.windows import Ints

__all__ = ["Impact"]

_NEVER = -(1 << 60)
_SCOPES_OF_LEAF = tuple(np.flatnonzero(MEMBERS[:, leaf]).tolist() for leaf in range(len(LEAVES)))
#: for (leaf, other leaf): the scopes that hold both
_SHARED = tuple(
    tuple(frozenset(np.flatnonzero(MEMBERS[:, a] & MEMBERS[:, b]).tolist()) for b in range(len(LEAVES)))
    for a in range(len(LEAVES))
)
#: A person's latest pane and its leaf in one int, so that a million people need no more than a million ints.
_LEAF_BITS = 4
_FORGET_EVERY = 10 * MINUTE
_NO_MOVES: Ints = np.empty((4, 0), dtype=np.int64)

#: (pane << _LEAF_BITS | leaf), or several where a person failed on several leaves
_Seen = int | tuple[int, ...]


class Impact:
    """The people of one environment. ``advance`` moves over consecutive steps; time never goes back.

    Args:
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
    """

    def __init__(self, step: int, windows: tuple[int, ...]) -> None:
        self._step = step
        self._windows = tuple(sorted(windows))
        self._depth = self._windows[-1] // step
        self._seen: dict[int, _Seen] = {}
        # people by the pane of their latest event; the last row is the pane that ends at the next T
        self._by_pane: Ints = np.zeros((self._depth + 1, len(SCOPES)), dtype=np.int64)
        self._next: int | None = None  # the T after the last one
        # of the current stretch: people with their latest event in this pane or later, as of its beginning
        self._since: Ints = np.zeros((self._depth + 2, len(SCOPES)), dtype=np.int64)
        self._first_pane = 0
        self._moves: Ints = _NO_MOVES
        self._forgotten_at = 0

    def advance(self, start: int, steps: int, bad: Iterable[FactRow]) -> dict[int, Ints]:
        """Distinct people at T = start, start + step, … (``steps`` of them).

        Args:
            start: the first T, ms.
            steps: how many T.
            bad: every row of bad events that counts for the first time at one of these T.

        Returns:
            window (ms) -> int64 (steps, scope).
        """
        step, depth = self._step, self._depth
        self._settle(start)
        self._moves = self._move(bad)
        last = start + (steps - 1) * step
        out: dict[int, Ints] = {}
        first_t, before_p, pane_p, scope_i = self._moves
        for window in self._windows:
            # the window at T begins with the pane T - window
            begin = (start - window - self._first_pane) // step + np.arange(steps)
            out[window] = self._since[np.minimum(begin, depth + 1)]
            if not first_t.size:
                continue
            lo = np.maximum(np.maximum(first_t, before_p + window + step), start)
            hi = np.minimum(pane_p + window, last)
            used = lo <= hi
            change = np.zeros((steps + 1, len(SCOPES)), dtype=np.int64)
            np.add.at(change, ((lo[used] - start) // step, scope_i[used]), 1)
            np.subtract.at(change, ((hi[used] - start) // step + 1, scope_i[used]), 1)
            out[window] += np.cumsum(change[:-1], axis=0)
        self._next = last + step
        return out

    def distinct_since(self, scope: int, at: int, since: int) -> int:
        """Distinct people of a scope (index) with a bad event in panes of ``[since, at)`` that count at ``at``.

        ``at`` is a T of the last stretch; ``since`` lies at most the longest window before it.
        """
        begin = -(-(since - self._first_pane) // self._step)
        stood = int(self._since[min(max(begin, 0), self._depth + 1), scope])
        first_t, before_p, pane_p, scope_i = self._moves
        if not first_t.size:
            return stood
        moved = (scope_i == scope) & (first_t <= at) & (before_p < since) & (pane_p >= since)
        return stood + int(np.count_nonzero(moved))

    def _settle(self, start: int) -> None:
        """Take the moves of the last stretch over into the panes, and move the panes on to ``start``."""
        step, depth = self._step, self._depth
        first_pane = start - step * (depth + 1)
        if self._next is not None:
            _, before_p, pane_p, scope_i = self._moves
            passed = (first_pane - self._first_pane) // step
            moved_on = np.zeros_like(self._by_pane)
            if passed <= depth:
                moved_on[: depth + 1 - passed] = self._by_pane[passed:]
            # what came so late that no window reaches its pane any more is in none
            came, left = pane_p >= first_pane, before_p >= first_pane
            np.add.at(moved_on, ((pane_p[came] - first_pane) // step, scope_i[came]), 1)
            np.subtract.at(moved_on, ((before_p[left] - first_pane) // step, scope_i[left]), 1)
            self._by_pane = moved_on
        self._first_pane = first_pane
        self._since = np.zeros((depth + 2, len(SCOPES)), dtype=np.int64)
        self._since[: depth + 1] = np.cumsum(self._by_pane[::-1], axis=0)[::-1]
        self._forget(first_pane)

    def _move(self, bad: Iterable[FactRow]) -> Ints:
        """The moves of people within a stretch: first (T), before (pane), pane, scope; and remember them."""
        step = self._step
        seen = self._seen
        moves: list[tuple[int, int, int, int]] = []
        for row in sorted(bad, key=lambda row: row.counts_from(step)):
            first, pane, leaf = row.counts_from(step), row.pane, row.leaf
            latest = pane << _LEAF_BITS | leaf
            scopes = _SCOPES_OF_LEAF[leaf]
            shared = _SHARED[leaf]
            for person in row.people:
                known = seen.get(person)
                if known is None:
                    seen[person] = latest
                    moves += [(first, _NEVER, pane, scope) for scope in scopes]
                    continue
                if isinstance(known, int):
                    known = (known,)
                for scope in scopes:
                    before = _NEVER
                    for other in known:
                        if scope in shared[other & 15] and other >> _LEAF_BITS > before:
                            before = other >> _LEAF_BITS
                    if before < pane:
                        moves.append((first, before, pane, scope))
                same = [o for o in known if o & 15 == leaf]
                if not same or same[0] < latest:
                    kept = (*(o for o in known if o & 15 != leaf), latest)
                    seen[person] = latest if len(kept) == 1 else kept
        return np.array(moves, dtype=np.int64).reshape(-1, 4).T if moves else _NO_MOVES

    def _forget(self, horizon: int) -> None:
        """Drop people whom no window can reach any more; seldom, as it looks at everybody."""
        if horizon - self._forgotten_at < _FORGET_EVERY:
            return
        self._forgotten_at = horizon
        gone = [p for p, known in self._seen.items() if _latest(known) < horizon]
        for person in gone:
            del self._seen[person]


def _latest(known: _Seen) -> int:
    """The latest pane of a person."""
    return (known if isinstance(known, int) else max(known)) >> _LEAF_BITS
