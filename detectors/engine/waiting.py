"""Which rows count by now, and which have arrived and wait for their time, because the clock of a producer is ahead?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import FactRow

__all__ = ["HearsOfArrivals", "Waiting"]


class HearsOfArrivals(Protocol):
    """Something to which it matters that rows have arrived, though they do not count yet."""

    def announce(self, ahead: FactColumns) -> None:
        """Note rows that arrive before they count, each once and before a T by which it has arrived is judged."""


class Waiting:
    """The rows of one environment that have arrived and count later.

    Args:
        step: length of a pane, ms.
        told: who hears of such rows when they arrive.
    """

    def __init__(self, step: int, told: Sequence[HearsOfArrivals]) -> None:
        self._step = step
        self._told = told
        self._rows: dict[int, list[FactRow]] = {}  # by the first T (ms) at which they count

    def counting(self, rows: Iterable[FactRow], to: int) -> FactColumns:
        """Take rows that have arrived; return those that count by T = ``to`` (ms), of them and of those that wait."""
        facts = FactColumns.of(rows, self._step)
        if (ahead := facts.ahead).any():
            for one in self._told:
                one.announce(facts[ahead])
            until = facts.up_to(to)
            for row in facts.rows[until:]:
                self._rows.setdefault(row.counts_from(self._step), []).append(row)
            facts = facts[:until]
        reached = sorted(at for at in self._rows if at <= to)
        if not reached:
            return facts
        waited = [row for at in reached for row in self._rows.pop(at)]
        return FactColumns.of([*waited, *facts.rows], self._step)
