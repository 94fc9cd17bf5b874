"""Distinct people with a bad event, exactly, per scope and window.

For each scope and person the latest pane with a bad event is kept. When it moves from ``before`` to ``pane`` at the
evaluation ``first``, the person is newly in the window W at every T with ``before < T - W <= pane`` and ``T >= first``
(a person never seen moves from the beginning of time). So a window is the count of the moves whose interval holds T,
and so is a window with a fixed beginning (``distinct_since``).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detectors.facts import FactRow
from detectors.scopes import LEAVES, MEMBERS, SCOPES
from detectors.windows import Ints

__all__ = ["Impact"]

_NEVER = -(1 << 60)
_SCOPES_OF_LEAF = tuple(np.flatnonzero(MEMBERS[:, leaf]).tolist() for leaf in range(len(LEAVES)))


class _Moves:
    """The moves of all scopes: columns first (T), before (pane), pane, scope; in order of ``first``."""

    def __init__(self) -> None:
        self.columns: Ints = np.empty((4, 256), dtype=np.int64)
        self.size = 0

    def extend(self, moves: list[tuple[int, int, int, int]]) -> None:
        needed = self.size + len(moves)
        if needed > self.columns.shape[1]:
            grown = np.empty((4, max(needed, 2 * self.columns.shape[1])), dtype=np.int64)
            grown[:, : self.size] = self.columns[:, : self.size]
            self.columns = grown
        self.columns[:, self.size : needed] = np.array(moves, dtype=np.int64).T
        self.size = needed

    def view(self) -> Ints:
        return self.columns[:, : self.size]

    def drop_before(self, pane: int) -> None:
        """Forget moves to panes before ``pane``."""
        seen = self.view()
        keep = seen[2] >= pane
        if not keep.all():
            kept = seen[:, keep]
            self.size = kept.shape[1]
            self.columns[:, : self.size] = kept


class Impact:
    """The people of one environment. ``advance`` moves over consecutive steps; time never goes back."""

    def __init__(self, step: int, windows: tuple[int, ...]) -> None:
        self._step = step
        self._windows = tuple(sorted(windows))
        self._latest: list[dict[int, int]] = [{} for _ in SCOPES]
        self._moves = _Moves()

    def advance(self, start: int, steps: int, bad: Iterable[FactRow]) -> dict[int, Ints]:
        """Distinct people at T = start, start + step, … (``steps`` of them).

        Args:
            start: the first T, ms.
            steps: how many T.
            bad: every row of bad events that counts for the first time at one of these T.

        Returns:
            window (ms) -> int64 (steps, scope).
        """
        step = self._step
        self._forget(start - self._windows[-1])
        fresh: list[tuple[int, int, int, int]] = []
        for row in sorted(bad, key=lambda row: row.counts_from(step)):
            first, pane = row.counts_from(step), row.pane
            for scope in _SCOPES_OF_LEAF[row.leaf]:
                latest = self._latest[scope]
                for person in row.people:
                    before = latest.get(person, _NEVER)
                    if before < pane:
                        latest[person] = pane
                        fresh.append((first, before, pane, scope))
        if fresh:
            self._moves.extend(fresh)
        last = start + (steps - 1) * step
        out = {window: np.zeros((steps, len(SCOPES)), dtype=np.int64) for window in self._windows}
        if self._moves.size:
            first_t, before_p, pane_p, scope_i = self._moves.view()
            for window in self._windows:
                lo = np.maximum(np.maximum(first_t, before_p + window + step), start)
                hi = np.minimum(pane_p + window, last)
                used = lo <= hi
                if not used.any():
                    continue
                change = np.zeros((steps + 1, len(SCOPES)), dtype=np.int64)
                np.add.at(change, ((lo[used] - start) // step, scope_i[used]), 1)
                np.add.at(change, ((hi[used] - start) // step + 1, scope_i[used]), -1)
                out[window] = np.cumsum(change[:-1], axis=0)
        return out

    def distinct_since(self, scope: int, at: int, since: int) -> int:
        """Distinct people of a scope (index) with a bad event in panes of ``[since, at)`` that count at ``at``.

        ``since`` may be at most the longest window before the T last advanced to.
        """
        if not self._moves.size:
            return 0
        first_t, before_p, pane_p, scope_i = self._moves.view()
        until = int(np.searchsorted(first_t, at, side="right"))
        return int(
            np.count_nonzero(
                (scope_i[:until] == scope) & (before_p[:until] < since) & (pane_p[:until] >= since)
            )
        )

    def _forget(self, horizon: int) -> None:
        """Drop what no window can reach any more, when enough has gathered to be worth it."""
        if self._moves.size < 1024 and sum(map(len, self._latest)) < 4096:
            return
        panes = self._moves.view()[2]
        if np.count_nonzero(panes < horizon) * 2 < self._moves.size:
            return
        self._moves.drop_before(horizon)
        self._latest = [{p: at for p, at in latest.items() if at >= horizon} for latest in self._latest]
