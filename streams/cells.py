"""Folding accepted events into rows of facts, one accumulator for each open block."""

from __future__ import annotations

from detectors.facts import FactRow
from detectors.latency import bucket
from detectors.scopes import OUTCOMES
from streams.events import LoginEvent, person_id
from streams.partition import Accepted

__all__ = ["Cells"]

_FAILURE = OUTCOMES.index("failure")


class Cells:
    """Rows of facts by environment; the same events in any cut into calls give the same rows."""

    def __init__(self, thresholds: tuple[float, ...]) -> None:
        self._thresholds = thresholds
        self._rows: dict[tuple[str, int, int, int, int, int, str], FactRow] = {}
        self._people: dict[tuple[str, int, int, int, int, int, str], set[int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, event: LoginEvent, place: Accepted) -> None:
        """Count one accepted event."""
        outcome = event.outcome_index
        failed = outcome == _FAILURE
        code = event.code if failed else ""
        key = (event.env, place.pane, place.first, event.leaf, event.step_index, outcome, code)
        row = self._rows.get(key)
        if row is None:
            row = FactRow(place.pane, place.first, event.leaf, event.step_index, outcome, code)
            row.over = [0] * len(self._thresholds)
            row.durations = {}
            self._rows[key] = row
            if failed:
                self._people[key] = set()
        row.count += 1
        duration = event.duration_ms
        if duration is not None:
            row.timed += 1
            for i, threshold in enumerate(self._thresholds):
                if duration >= threshold:
                    row.over[i] += 1
            index = bucket(duration)
            row.durations[index] = row.durations.get(index, 0) + 1
        if failed:
            self._people[key].add(person_id(event))

    def rows(self) -> dict[str, list[FactRow]]:
        """The rows so far, by environment, in a canonical order."""
        out: dict[str, list[FactRow]] = {}
        for key in sorted(self._rows):
            row = self._rows[key]
            if key in self._people:
                row.people = sorted(self._people[key])
            out.setdefault(key[0], []).append(row)
        return out

    def drain(self) -> dict[str, list[FactRow]]:
        """The rows since the last call; the accumulator is empty afterwards."""
        out = self.rows()
        self._rows = {}
        self._people = {}
        return out
