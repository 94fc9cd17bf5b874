"""How many sign-ins started, and how many returned from the credential provider, per window?

Between a start and its return lies the time that a person spends at the provider. Each is counted when it happened;
the caller compares returns with the starts of an earlier time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.arrays import Ints
from detectors.axes import Scopes
from detectors.windows.counters import Amounts
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import Kind
from detectors.windows.sliding import Windows

__all__ = ["RETURNED", "WENT", "ReturnWindows"]

#: Positions on the counter axis: sign-ins that started, callbacks that completed with any outcome.
WENT, RETURNED = range(2)

_STARTS = ("new", "authorize")


def _counter(kind: Kind) -> int:
    """Return the counter of a kind's events; -1 for none."""
    if kind.outcome == "started":
        return WENT if kind.step in _STARTS else -1
    return RETURNED if kind.step == "callback" else -1


class _Columns:
    def amounts(self, facts: FactColumns) -> Amounts:
        """Return what rows add to the two counters, as ``counters.Columns`` requires."""
        counters = facts.by_kind(_counter)
        counted = np.flatnonzero(counters >= 0)
        return Amounts(counted, counters[counted], facts.count[counted])


class ReturnWindows:
    """Starts and returns of one environment. ``advance`` moves over consecutive steps; time never goes back."""

    def __init__(self, scopes: Scopes, step: int, windows: tuple[int, ...]) -> None:
        self._windows = Windows(scopes, step, windows, _Columns(), 2)

    def advance(self, start: int, steps: int, facts: FactColumns) -> Mapping[int, Ints]:
        """Move on like ``Windows.advance``; return window (ms) -> int64 (steps, group, (``WENT``, ``RETURNED``))."""
        return self._windows.advance(start, steps, facts)

    def move(self, start: int, steps: int, facts: FactColumns) -> None:
        """Move on like ``advance`` without computing the counts."""
        self._windows.move(start, steps, facts)

    def skip(self) -> None:
        """Forget all counts: the caller jumps over steps in which every window is empty."""
        self._windows.skip()
