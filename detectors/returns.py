"""Starts and returns: how many sign-ins began and how many came back from the credential provider, per window.

A start and its return lie apart by the time that a person spends at the provider, so the two are counted by when
each happened, and it is left to the reader to compare returns with the starts of a while before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from detectors.facts import FactRow
from detectors.scopes import OUTCOMES, STEPS
from detectors.windows import Ints, Windows

__all__ = ["RETURNED", "WENT", "ReturnWindows"]

#: Positions on the counter axis: sign-ins that started, callbacks that completed whatever their outcome.
WENT, RETURNED = range(2)

_STARTED = OUTCOMES.index("started")
_STARTS = (STEPS.index("new"), STEPS.index("authorize"))
_CALLBACK = STEPS.index("callback")


class _Columns:
    def columns(self, row: FactRow) -> tuple[tuple[int, int], ...]:
        """See ``windows.Columns``."""
        if row.outcome == _STARTED:
            return ((WENT, row.count),) if row.step in _STARTS else ()
        return ((RETURNED, row.count),) if row.step == _CALLBACK else ()


class ReturnWindows:
    """Starts and returns of one environment. ``advance`` moves over consecutive steps; time never goes back."""

    def __init__(self, step: int, windows: tuple[int, ...]) -> None:
        self._windows = Windows(step, windows, _Columns(), 2)

    def advance(self, start: int, steps: int, rows: Iterable[FactRow]) -> Mapping[int, Ints]:
        """Window (ms) -> int64 (steps, scope, (``WENT``, ``RETURNED``)); see ``Windows.advance``."""
        return self._windows.advance(start, steps, rows)

    def move(self, start: int, steps: int, rows: Iterable[FactRow]) -> None:
        """Like ``advance``, without the counts."""
        self._windows.move(start, steps, rows)

    def skip(self) -> None:
        """See ``Windows.skip``."""
        self._windows.skip()
