"""Starts and returns: how many sign-ins began and how many came back from the credential provider, per window.

A start and its return lie apart by the time that a person spends at the provider, so the two are counted by when
each happened, and it is left to the reader to compare returns with the starts of a while before.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.arrays import Ints
from detectors.scopes import OUTCOMES, STEPS
from detectors.windows.counters import Amounts
from detectors.windows.fact_columns import FactColumns
from detectors.windows.sliding import Windows

__all__ = ["RETURNED", "WENT", "ReturnWindows"]

#: Positions on the counter axis: sign-ins that started, callbacks that completed whatever their outcome.
WENT, RETURNED = range(2)

_STARTED = OUTCOMES.index("started")
_STARTS = [STEPS.index("new"), STEPS.index("authorize")]
#: The counter of a row by step and outcome; -1 of none.
_COUNTER_OF: Ints = np.full((len(STEPS), len(OUTCOMES)), -1)
_COUNTER_OF[STEPS.index("callback")] = RETURNED
_COUNTER_OF[:, _STARTED] = -1
_COUNTER_OF[_STARTS, _STARTED] = WENT


class _Columns:
    def amounts(self, facts: FactColumns) -> Amounts:
        """The entries of some rows, as ``counters.Columns`` asks for them."""
        counters = _COUNTER_OF[facts.step_index, facts.outcome]
        counted = np.flatnonzero(counters >= 0)
        return Amounts(counted, counters[counted], facts.count[counted])


class ReturnWindows:
    """Starts and returns of one environment. ``advance`` moves over consecutive steps; time never goes back."""

    def __init__(self, step: int, windows: tuple[int, ...]) -> None:
        self._windows = Windows(step, windows, _Columns(), 2)

    def advance(self, start: int, steps: int, facts: FactColumns) -> Mapping[int, Ints]:
        """Window (ms) -> int64 (steps, scope, (``WENT``, ``RETURNED``)); see ``Windows.advance``."""
        return self._windows.advance(start, steps, facts)

    def move(self, start: int, steps: int, facts: FactColumns) -> None:
        """Like ``advance``, without the counts."""
        self._windows.move(start, steps, facts)

    def skip(self) -> None:
        """Forget all counts: the caller jumps over steps in which every window is empty."""
        self._windows.skip()
