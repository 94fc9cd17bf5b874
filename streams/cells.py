"""Folding accepted events into rows of facts, one accumulator for each open block."""

from __future__ import annotations

from operator import attrgetter

import numpy as np

from detectors.durations import bucket, buckets
from detectors.facts import ON_TIME, FactRow
from detectors.scopes import OUTCOMES, STEPS, leaf_index
from streams.duplicates import Ints
from streams.events import LoginEvent, person_id
from streams.partition import Accepted

__all__ = ["Cells"]

_FAILURE = OUTCOMES.index("failure")
#: env, pane, first, leaf, step, outcome, code
_Key = tuple[str, int, int, int, int, int, str]
_FACTS = attrgetter("env", "auth_method", "csp", "step", "outcome", "error_code")
#: Error codes are free strings: the codes of kinds are numbered anew when somebody sends too many.
_MOST_KINDS = 4096
#: Room for the numbers of all buckets, and what makes them positive.
_BUCKETS, _SHIFT = 4096, 2048


class _Kinds(dict[tuple[str, str, str | None, str, str, str | None], int]):
    """Numbers for what is alike but for its time: (env, leaf, step, outcome, code)."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[tuple[str, int, int, int, str]] = []
        self.failed: list[bool] = []
        self._numbers: dict[tuple[str, int, int, int, str], int] = {}

    def __missing__(self, facts: tuple[str, str, str | None, str, str, str | None]) -> int:
        env, method, csp, step, outcome, error_code = facts
        failed = outcome == "failure"
        code = (error_code or "") if failed else ""
        kind = (env, leaf_index(method, csp), STEPS.index(step), OUTCOMES.index(outcome), code)
        number = self._numbers.get(kind)
        if number is None:
            number = self._numbers[kind] = len(self.known)
            self.known.append(kind)
            self.failed.append(failed)
        if len(self) < 4 * _MOST_KINDS:
            self[facts] = number
        return number


class Cells:
    """Rows of facts by environment; the same events in any cut into calls give the same rows."""

    def __init__(self, thresholds: tuple[float, ...]) -> None:
        self._thresholds = thresholds
        self._rows: dict[_Key, FactRow] = {}
        self._people: dict[_Key, set[int]] = {}
        self._kinds = _Kinds()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, event: LoginEvent, place: Accepted) -> None:
        """Count one accepted event."""
        outcome = event.outcome_index
        failed = outcome == _FAILURE
        code = event.code if failed else ""
        key = (event.env, place.pane, place.first, event.leaf, event.step_index, outcome, code)
        row = self._row(key)
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

    def add_many(self, events: list[LoginEvent], panes: Ints, firsts: Ints) -> set[str]:
        """Count accepted events; see ``add``. Returns their environments."""
        odd = np.flatnonzero(firsts != ON_TIME)
        for n in odd.tolist():
            self.add(events[n], Accepted(int(panes[n]), int(firsts[n])))
        envs: set[str] = {events[n].env for n in odd.tolist()}
        if len(odd):
            keep = np.flatnonzero(firsts == ON_TIME)
            events = [events[n] for n in keep.tolist()]
            panes = panes[keep]
        if events:
            envs |= self._add_on_time(events, panes)
        return envs

    def _add_on_time(self, events: list[LoginEvent], panes: Ints) -> set[str]:
        kinds = self._kinds
        if len(kinds.known) > _MOST_KINDS:
            kinds = self._kinds = _Kinds()
        kind = np.array(list(map(kinds.__getitem__, map(_FACTS, events))), dtype=np.int64)
        first_pane = int(panes.min())
        span = int(panes.max()) - first_pane + 1
        cells, cell, counts = np.unique(
            kind * span + (panes - first_pane), return_inverse=True, return_counts=True
        )
        durations = np.array([event.duration_ms for event in events], dtype=np.float64)
        timed = np.flatnonzero(~np.isnan(durations))
        cell_timed, durations = cell[timed], durations[timed]
        timed_counts = np.bincount(cell_timed, minlength=len(cells))
        over = [
            np.bincount(cell_timed[durations >= threshold], minlength=len(cells)).tolist()
            for threshold in self._thresholds
        ]
        rows: list[FactRow] = []
        envs = set()
        for n, (code, count, with_duration) in enumerate(
            zip(cells.tolist(), counts.tolist(), timed_counts.tolist(), strict=True)
        ):
            which, offset = divmod(code, span)
            env, leaf, step, outcome, error = kinds.known[which]
            envs.add(env)
            row = self._row((env, first_pane + offset, ON_TIME, leaf, step, outcome, error))
            row.count += count
            row.timed += with_duration
            for i, counted in enumerate(over):
                row.over[i] += counted[n]
            rows.append(row)
        pairs, times = np.unique(cell_timed * _BUCKETS + buckets(durations) + _SHIFT, return_counts=True)
        for pair, count in zip(pairs.tolist(), times.tolist(), strict=True):
            n, shifted = divmod(pair, _BUCKETS)
            histogram = rows[n].durations
            histogram[shifted - _SHIFT] = histogram.get(shifted - _SHIFT, 0) + count
        failures = np.flatnonzero(np.array(kinds.failed)[kind])
        for n, place in zip(failures.tolist(), cell[failures].tolist(), strict=True):
            which, offset = divmod(int(cells[place]), span)
            env, leaf, step, outcome, error = kinds.known[which]
            key = (env, first_pane + offset, ON_TIME, leaf, step, outcome, error)
            self._people[key].add(person_id(events[n]))
        return envs

    def _row(self, key: _Key) -> FactRow:
        row = self._rows.get(key)
        if row is None:
            row = FactRow(*key[1:])
            row.over = [0] * len(self._thresholds)
            row.durations = {}
            self._rows[key] = row
            if key[5] == _FAILURE:
                self._people[key] = set()
        return row

    def rows(self) -> dict[str, list[FactRow]]:
        """The rows so far, by environment, in a canonical order."""
        out: dict[str, list[FactRow]] = {}
        for key in sorted(self._rows):
            row = self._rows[key]
            if key in self._people:
                row.people = sorted(self._people[key])
            row.durations = dict(sorted(row.durations.items()))
            out.setdefault(key[0], []).append(row)
        return out

    def drain(self) -> dict[str, list[FactRow]]:
        """The rows since the last call; the accumulator is empty afterwards."""
        out = self.rows()
        self._rows = {}
        self._people = {}
        return out
