"""How many failures does each error code have in a window, and how many people are behind a set of codes?

All codes that the policy knows are counted; the windows of a code are computed when a caller asks for the code.
Distinct people are computed only for sets of codes that a caller asks for, first from the rows of the window, and then
incrementally for as long as the set is asked for at every move. The result does not depend on when a set was first
asked for. Failures of the steps of ``sign_in`` are counted, failures of sessions are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.arrays import Ints
from detectors.axes import Scopes
from detectors.instants import MINUTE
from detectors.scopes import SIGN_IN_STEPS
from detectors.windows.counters import Amounts
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import Kind
from detectors.windows.impact import Impact
from detectors.windows.people.crowd import Crowds
from detectors.windows.people.failed import Failed
from detectors.windows.sliding import Windows

__all__ = ["CodeWindows"]

_FORGET_EVERY = MINUTE
#: Steps that one call computes.
_PIECE = 60


@dataclass(frozen=True)
class _Columns:
    """Assigns a counter to each of the given codes; rows with other codes are not counted."""

    places: dict[str, int]

    def amounts(self, facts: FactColumns) -> Amounts:
        """Return the count of each row for the counter of its code, as ``counters.Columns`` requires."""
        every = np.arange(len(facts))
        return Amounts(every, self.of(facts), facts.count)

    def of(self, facts: FactColumns) -> Ints:
        """Return (N,) the counter of each row's code; -1 for none."""
        return facts.by_kind(lambda kind: self.places.get(kind.code, -1))


class _People(NamedTuple):
    """Who is behind a set of codes: the ids, and those of them that are no people of their own."""

    impact: Impact
    crowds: Crowds


class _Kept(NamedTuple):
    """People who failed, with the counter of the error code of each group."""

    code: Ints
    failed: Failed


class CodeWindows:
    """The failures of one environment by error code. ``move`` goes over consecutive steps; time never goes back.

    Args:
        scopes: the leaves of the facts and the groups of the counts; it may grow between calls.
        step: length of a pane, ms.
        windows: lengths of the windows, ms.
        codes: the error codes that are counted.
        cap: the most people of a window that are counted exactly, see ``impact``.
    """

    def __init__(
        self, scopes: Scopes, step: int, windows: tuple[int, ...], codes: Sequence[str], cap: int
    ) -> None:
        self.codes = tuple(codes)
        self._scopes = scopes
        self._step = step
        self._cap = cap
        self._lengths = tuple(sorted(windows))
        self._places = {code: i for i, code in enumerate(self.codes)}
        self._columns = _Columns(self._places)
        self._windows = Windows(scopes, step, self._lengths, self._columns, max(1, len(self.codes)))
        # The failures from which people are worked out, and older ones until the next ``_forget``.
        self._kept: list[_Kept] = []
        self._reach = Crowds(scopes, step, self._lengths[-1]).reach
        self._behind: dict[frozenset[str], _People] = {}
        self._asked: set[frozenset[str]] = set()
        self._people: dict[frozenset[str], dict[int, Ints]] = {}
        self._start = 0
        self._steps = 0
        self._forgotten_at = 0

    def move(self, start: int, steps: int, facts: FactColumns) -> None:
        """Move on to T = ``start``, ``start`` + step, … (``steps`` of them), as ``Windows.move`` does."""
        fresh = facts[facts.by_kind(self._is_counted) > 0]
        self._windows.move(start, steps, fresh)
        kept = _Kept(self._columns.of(fresh), Failed.of(fresh))
        self._start, self._steps = start, steps
        self._behind = {codes: behind for codes, behind in self._behind.items() if codes in self._asked}
        self._asked = set()
        self._people = {
            codes: self._persons(behind, self._with_codes(kept, codes))
            for codes, behind in self._behind.items()
        }
        if start - self._forgotten_at >= _FORGET_EVERY:
            self._forgotten_at = start
            self._forget(start - self._reach)
        self._kept.append(kept)

    def _is_counted(self, kind: Kind) -> bool:
        return kind.outcome == "failure" and kind.step in SIGN_IN_STEPS and kind.code in self._places

    def _with_codes(self, kept: _Kept, codes: frozenset[str]) -> Failed:
        return kept.failed[np.isin(kept.code, [self._places[code] for code in codes if code in self._places])]

    def _forget(self, horizon: int) -> None:
        """Drop failures that arrived before ``horizon`` (ms), and join the rest into one piece."""
        if self._kept:
            code = np.concatenate([kept.code for kept in self._kept])
            failed = Failed.together([kept.failed for kept in self._kept])
            recent = failed.counts_from - self._step >= horizon
            self._kept = [_Kept(code[recent], failed[recent])]

    def at_most(self) -> dict[str, int]:
        """Return an upper bound of each code's failures in any group and window at any step of the last call."""
        return dict(zip(self.codes, self._windows.at_most().tolist(), strict=False))

    def counts(self, code: str, window: int) -> Ints:
        """Return the failures (step, group) with a code in a window (ms), at the steps of the last call of ``move``."""
        return self._windows.counts(window, self._places[code])

    def people(self, codes: Iterable[str], window: int) -> Ints:
        """Return the distinct people (step, group) with a failure of any of the codes in a window (ms).

        The steps are those of the last call of ``move``. Ids that one person, or nobody, could have had are left out,
        see ``people.crowd``.
        """
        asked = frozenset(codes)
        self._asked.add(asked)
        if asked not in self._people:
            self._people[asked] = self._work_out(asked)
        return self._people[asked][window]

    def _work_out(self, codes: frozenset[str]) -> dict[int, Ints]:
        behind = self._behind[codes] = _People(
            Impact(self._scopes, self._step, self._lengths, self._cap),
            Crowds(self._scopes, self._step, self._lengths[-1]),
        )
        earlier = Failed.together([self._with_codes(kept, codes) for kept in self._kept])
        before = earlier.counts_from < self._start
        behind.crowds.move(np.array([self._start - self._step]), earlier[before])
        begin = self._start - self._lengths[-1]
        failed = earlier[earlier.pane >= begin]
        # In pieces, so that the moves of the whole window are never in memory at once.
        edges = [*range(begin, self._start, _PIECE * self._step), self._start]
        places = np.searchsorted(failed.counts_from, edges).tolist()
        for at, end, low, high in zip(edges, edges[1:], places, places[1:], strict=False):
            behind.impact.advance(at, (end - at) // self._step, failed[low:high])
        return self._persons(behind, earlier[~before])

    def _persons(self, behind: _People, fresh: Failed) -> dict[int, Ints]:
        """Return (step, group) the people of each window (ms), at the steps of the last call of ``move``."""
        ids = behind.impact.advance(self._start, self._steps, fresh)
        ends = self._start + self._step * np.arange(self._steps, dtype=np.int64)
        crowd = behind.crowds.move(ends, fresh)
        if crowd is None:
            return ids
        return {window: np.maximum(found - crowd.excess(window), 0) for window, found in ids.items()}

    def skip(self) -> None:
        """Forget all counts: the caller jumps over steps in which every window is empty."""
        self._windows.skip()
        self._kept, self._behind, self._people, self._asked = [], {}, {}, set()
