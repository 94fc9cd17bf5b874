"""Failures by error code: counts (step, scope, code) of one window, and the people behind any set of codes.

All codes that the policy knows are counted, and windows of those that somebody asks for are made up then. Who the
people are is worked out only for codes that somebody asks for, from the rows of the window, and then kept up for as
long as they are asked for; the answer does not depend on when that began. Failures of the steps of ``sign_in`` are
counted, those of sessions are not.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.facts import FactRow
from detectors.impact import Impact
from detectors.instants import MINUTE
from detectors.scopes import LEAVES, MEMBERS, OUTCOMES, SIGN_IN_STEPS, STEPS
from detectors.windows import Ints, Windows

__all__ = ["CodeWindows"]

_FAILURE = OUTCOMES.index("failure")
_SIGN_IN = tuple(step in SIGN_IN_STEPS for step in STEPS)
_FORGET_EVERY = MINUTE
_EACH_LEAF = np.eye(len(LEAVES), dtype=bool)
_TO_SCOPES: Ints = MEMBERS.T.astype(np.int64)
#: Steps that are worked out in one call.
_PIECE = 60


@dataclass(frozen=True)
class _Columns:
    """The counter of each code; others are not counted."""

    places: dict[str, int]

    def columns(self, row: FactRow) -> tuple[tuple[int, int], ...]:
        """See ``windows.Columns``."""
        place = self.places.get(row.code)
        return () if place is None else ((place, row.count),)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a row: when it counts from (T, ms), and who: 8 bytes each, while their failures are known."""

    first: int
    pane: int
    leaf: int
    code: str
    people: Sequence[int]

    @classmethod
    def of(cls, row: FactRow, step: int) -> _Kept:
        return cls(row.counts_from(step), row.pane, row.leaf, row.code, array("Q", row.people))

    def counts_from(self, step: int) -> int:
        """See ``FactRow.counts_from``."""
        return self.first


class CodeWindows:
    """The failures of one environment. ``move`` goes over consecutive steps; time never goes back.

    Args:
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
        codes: those that are counted.
        cap: so many people of a window are counted exactly, see ``impact``.
    """

    def __init__(self, step: int, windows: tuple[int, ...], codes: Sequence[str], cap: int) -> None:
        self.codes = tuple(codes)
        self._step = step
        self._cap = cap
        self._lengths = tuple(sorted(windows))
        self._places = {code: i for i, code in enumerate(self.codes)}
        self._windows = Windows(
            step, self._lengths, _Columns(self._places), max(1, len(self.codes)), _EACH_LEAF
        )
        self._rows: list[_Kept] = []  # of the longest window, and what has not been forgotten yet
        self._impacts: dict[frozenset[str], Impact] = {}
        self._asked: set[frozenset[str]] = set()
        self._people: dict[frozenset[str], dict[int, Ints]] = {}
        self._start = 0
        self._steps = 0
        self._forgotten_at = 0

    def move(self, start: int, steps: int, rows: Iterable[FactRow]) -> None:
        """On to T = start, start + step, …; see ``Windows.move``."""
        known = self._places
        fresh = [r for r in rows if r.outcome == _FAILURE and _SIGN_IN[r.step] and r.code in known]
        self._windows.move(start, steps, fresh)
        self._impacts = {codes: impact for codes, impact in self._impacts.items() if codes in self._asked}
        self._asked = set()
        self._people = {
            codes: impact.advance(start, steps, [row for row in fresh if row.code in codes])
            for codes, impact in self._impacts.items()
        }
        if start - self._forgotten_at >= _FORGET_EVERY:
            self._forgotten_at = start
            horizon = start - self._lengths[-1]
            self._rows = [row for row in self._rows if row.pane >= horizon]
        self._rows += [_Kept.of(row, self._step) for row in fresh]
        self._start, self._steps = start, steps

    def at_most(self) -> dict[str, int]:
        """For each code: no window holds more failures with it, at any step of the last call and in any scope."""
        return dict(zip(self.codes, self._windows.at_most().tolist(), strict=False))

    def counts(self, code: str, window: int) -> Ints:
        """Failures (step, scope) with a code in a window (ms), of the last call."""
        return np.asarray(self._windows.counts(window, self._places[code]) @ _TO_SCOPES)

    def people(self, codes: Iterable[str], window: int) -> Ints:
        """Distinct people (step, scope) with a failure of any of these codes in a window (ms), of the last call."""
        asked = frozenset(codes)
        self._asked.add(asked)
        if asked not in self._people:
            self._people[asked] = self._work_out(asked)
        return self._people[asked][window]

    def _work_out(self, codes: frozenset[str]) -> dict[int, Ints]:
        impact = self._impacts[codes] = Impact(self._step, self._lengths, self._cap)
        begin = self._start - self._lengths[-1]
        rows = sorted(
            (row for row in self._rows if row.code in codes and row.pane >= begin),
            key=lambda row: row.first,
        )
        firsts = [row.first for row in rows]
        # in pieces, so that the moves of the whole window are not in memory together
        for at in range(begin, self._start, _PIECE * self._step):
            end = min(at + _PIECE * self._step, self._start)
            due = rows[bisect_left(firsts, at) : bisect_left(firsts, end)]
            impact.advance(at, (end - at) // self._step, due)
        return impact.advance(self._start, self._steps, rows[bisect_left(firsts, self._start) :])

    def skip(self) -> None:
        """See ``Windows.skip``."""
        self._windows.skip()
        self._rows, self._impacts, self._people, self._asked = [], {}, {}, set()
