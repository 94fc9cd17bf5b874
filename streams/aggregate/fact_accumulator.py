"""How do accepted events become rows of facts? One accumulator serves each open block."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.arrays import Ints
from detectors.scopes import OUTCOMES
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.latency_histogram import bucket, buckets
from streams.events.columns import Columns, Kind, Kinds

__all__ = ["FactAccumulator", "ranked"]

_FAILURE = OUTCOMES.index("failure")
#: env, pane, first_t, leaf, step_index, outcome, code
_Key = tuple[str, int, int, int, int, int, str]
#: Room for the numbers of all buckets, and what makes them positive.
_BUCKETS, _SHIFT = 4096, 2048


class _Waiting(NamedTuple):
    """Events of one cut that were on time and are not in the rows yet: as in ``Columns``."""

    table: Kinds
    kinds: Ints
    panes: Ints
    durations: npt.NDArray[np.float64]
    people: npt.NDArray[np.uint64]


class FactAccumulator:
    """Rows of facts by environment; the same events in any cut into calls give the same rows.

    Args:
        step: length of a pane, ms.
        thresholds: of durations, ms.
    """

    def __init__(self, step: int, thresholds: tuple[float, ...]) -> None:
        self._step = step
        self._thresholds = thresholds
        self._rows: dict[_Key, FactRow] = {}
        self._people: dict[_Key, set[int]] = {}
        self._waiting: list[_Waiting] = []

    def _count(self, kind: Kind, pane: int, first_t: int, duration: float | None, person: int) -> None:
        key = (kind[0], pane, first_t, *kind[1:])
        row = self._row(key)
        row.count += 1
        if duration is not None:
            row.timed += 1
            for i, threshold in enumerate(self._thresholds):
                if duration >= threshold:
                    row.over[i] += 1
            index = bucket(duration)
            row.durations[index] = row.durations.get(index, 0) + 1
        if key[5] == _FAILURE:
            self._people[key].add(person)

    def add_many(self, columns: Columns, panes: Ints, first_ts: Ints) -> set[str]:
        """Count accepted events.

        Args:
            columns: the events.
            panes, first_ts: (N,) the start of the pane (ms) and ``FactRow.first_t`` of each.

        Returns:
            the environments of the events.
        """
        if not len(columns):
            return set()
        known = columns.table.known
        envs = {known[kind][0] for kind in np.flatnonzero(np.bincount(columns.kinds)).tolist()}
        on_time = first_ts == ON_TIME
        if on_time.all():
            kinds, durations, people = columns.kinds, columns.durations, columns.people
        else:
            for n in np.flatnonzero(~on_time).tolist():
                duration = float(columns.durations[n])
                self._count(
                    known[columns.kinds[n]],
                    int(panes[n]),
                    int(first_ts[n]),
                    None if np.isnan(duration) else duration,
                    int(columns.people[n]),
                )
            kinds, durations, people = (
                columns.kinds[on_time],
                columns.durations[on_time],
                columns.people[on_time],
            )
            panes = panes[on_time]
        if kinds.size:
            self._waiting.append(_Waiting(columns.table, kinds, panes, durations, people))
        return envs

    def _settle(self) -> None:
        """Bring what waits into the rows: once for many cuts, as most of the work is by row."""
        waiting, self._waiting = self._waiting, []
        while waiting:
            table = waiting[0].table
            same = [one for one in waiting if one.table is table]
            waiting = [one for one in waiting if one.table is not table]
            self._fold(table, *(np.concatenate(column) for column in list(zip(*same, strict=True))[1:]))

    def _fold(
        self,
        table: Kinds,
        kinds: Ints,
        panes: Ints,
        durations: npt.NDArray[np.float64],
        people: npt.NDArray[np.uint64],
    ) -> None:
        present = np.flatnonzero(np.bincount(kinds))
        rank = np.zeros(len(table.known), dtype=np.int64)
        rank[present] = np.arange(len(present))
        first_pane = int(panes.min())
        slots = (panes - first_pane) // self._step
        span = int(slots.max()) + 1
        cells, counts, cell = ranked(rank[kinds] * span + slots, len(present) * span)

        timed = np.flatnonzero(~np.isnan(durations))
        timed_cell, durations = cell[timed], durations[timed]
        timed_counts = np.bincount(timed_cell, minlength=len(cells)).tolist()
        over = [
            np.bincount(timed_cell[durations >= threshold], minlength=len(cells)).tolist()
            for threshold in self._thresholds
        ]
        pairs, times = np.unique(timed_cell * _BUCKETS + buckets(durations) + _SHIFT, return_counts=True)
        edges = np.searchsorted(pairs, np.arange(len(cells) + 1) * _BUCKETS).tolist()
        indices, amounts = (pairs % _BUCKETS - _SHIFT).tolist(), times.tolist()

        keys: list[_Key] = []
        for n, (which, count) in enumerate(zip(cells.tolist(), counts.tolist(), strict=True)):
            number, slot = divmod(which, span)
            env, leaf, step_index, outcome, error = table.known[present[number]]
            key = (env, first_pane + slot * self._step, ON_TIME, leaf, step_index, outcome, error)
            keys.append(key)
            row = self._row(key)
            row.count += count
            row.timed += timed_counts[n]
            for i, counted in enumerate(over):
                row.over[i] += counted[n]
            begin, end = edges[n], edges[n + 1]
            _merge(row, indices[begin:end], amounts[begin:end])
        failures = np.flatnonzero(np.array(table.failed)[kinds])
        for n, person in zip(cell[failures].tolist(), people[failures].tolist(), strict=True):
            self._people[keys[n]].add(person)

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
        self._settle()
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


def ranked(codes: Ints, bound: int) -> tuple[Ints, Ints, Ints]:
    """The distinct codes (all below ``bound``), how often each comes, and for each code its rank among them."""
    if bound > 8 * len(codes) + 65_536:
        distinct, ranks, times = np.unique(codes, return_inverse=True, return_counts=True)
        return distinct, times, ranks
    counted = np.bincount(codes, minlength=1)
    present = np.flatnonzero(counted)
    rank = np.zeros(len(counted), dtype=np.int64)
    rank[present] = np.arange(len(present))
    return present, counted[present], rank[codes]


def _merge(row: FactRow, indices: list[int], amounts: list[int]) -> None:
    """Add (bucket, events) to a row's histogram."""
    histogram = row.durations
    if not histogram:
        row.durations = dict(zip(indices, amounts, strict=True))
        return
    for index, amount in zip(indices, amounts, strict=True):
        histogram[index] = histogram.get(index, 0) + amount
