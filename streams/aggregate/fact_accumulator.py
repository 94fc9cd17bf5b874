"""How do accepted events become rows of facts? One accumulator serves each open block."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.arrays import Ints
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.latency_histogram import bucket, buckets
from streams.aggregate.bounds import Bounds
from streams.aggregate.sample import Sample
from streams.events.columns import Columns
from streams.events.kinds import FAILURE, EnvKind, Kinds

__all__ = ["FactAccumulator", "ranked"]

#: pane, first_t, number of the kind
_Key = tuple[int, int, int]
#: Room for the numbers of all buckets, and what makes them positive.
_BUCKETS, _SHIFT = 4096, 2048


class _Waiting(NamedTuple):
    """Events of one cut that were on time and are not in the rows yet: as in ``Columns``, with own numbers of kinds."""

    kinds: Ints
    panes: Ints
    durations: npt.NDArray[np.float64]
    people: npt.NDArray[np.uint64]


class FactAccumulator:
    """Rows of facts by environment; the same events in any cut into calls give the same rows.

    Kinds get numbers of their own here, in the order in which they first come.

    Args:
        step: length of a pane, ms.
        thresholds: of durations, ms.
        bounds: bounds the distinct values of a block; None where nobody writes the rows down.
    """

    def __init__(
        self, step: int, thresholds: tuple[float, ...], bounds: Callable[[], Bounds] | None = None
    ) -> None:
        self._step = step
        self._thresholds = thresholds
        self._make_bounds = bounds
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[_Key, FactRow] = {}
        self._people: dict[_Key, set[int]] = {}
        self._waiting: list[_Waiting] = []
        self._bounds = None if self._make_bounds is None else self._make_bounds()
        self._sample = Sample(bounded=self._make_bounds is not None)
        self._known: list[EnvKind] = []
        self._numbers: dict[EnvKind, int] = {}
        # The table that the numbers of events stand for, and for each of its numbers the own one; -1 for none yet.
        self._table: Kinds | None = None
        self._own: Ints = np.empty(0, dtype=np.int64)

    def _count(self, number: int, pane: int, first_t: int, duration: float | None, person: int) -> None:
        key = (pane, first_t, number)
        row = self._row(key)
        row.count += 1
        if duration is not None:
            row.timed += 1
            for i, threshold in enumerate(self._thresholds):
                if duration >= threshold:
                    row.over[i] += 1
            index = bucket(duration)
            row.durations[index] = row.durations.get(index, 0) + 1
        if key in self._people:
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
        kinds, durations, people = self._own_kinds(columns), columns.durations, columns.people
        envs = {self._known[number].env for number in np.flatnonzero(np.bincount(kinds)).tolist()}
        if columns.table.further.names:
            self._sample.add(columns, kinds, panes, first_ts, self._known)
        on_time = first_ts == ON_TIME
        if not on_time.all():
            for n in np.flatnonzero(~on_time).tolist():
                duration = float(durations[n])
                self._count(
                    int(kinds[n]),
                    int(panes[n]),
                    int(first_ts[n]),
                    None if np.isnan(duration) else duration,
                    int(people[n]),
                )
            kinds, panes = kinds[on_time], panes[on_time]
            durations, people = durations[on_time], people[on_time]
        if kinds.size:
            self._waiting.append(_Waiting(kinds, panes, durations, people))
        return envs

    def _own_kinds(self, columns: Columns) -> Ints:
        """Return (N,) the own numbers of the events' kinds."""
        table = columns.table
        if table is not self._table:
            self._table, self._own = table, np.empty(0, dtype=np.int64)
        if len(self._own) < len(table.known):
            unknown = np.full(len(table.known) - len(self._own), -1, dtype=np.int64)
            self._own = np.concatenate([self._own, unknown])
        own: Ints = self._own[columns.kinds]
        if (own < 0).any():
            fresh, first = np.unique(columns.kinds[own < 0], return_index=True)
            for number in fresh[np.argsort(first)].tolist():
                self._own[number] = self._number(table.known[number])
            own = self._own[columns.kinds]
        return own

    def _number(self, kind: EnvKind) -> int:
        if self._bounds is not None:
            kind = self._bounds.within(kind)
        number = self._numbers.setdefault(kind, len(self._known))
        if number == len(self._known):
            self._known.append(kind)
        return number

    def _settle(self) -> None:
        """Bring what waits into the rows: once for many cuts, as most of the work is by row."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._fold(*(np.concatenate(column) for column in zip(*waiting, strict=True)))

    def _fold(
        self,
        kinds: Ints,
        panes: Ints,
        durations: npt.NDArray[np.float64],
        people: npt.NDArray[np.uint64],
    ) -> None:
        present = np.flatnonzero(np.bincount(kinds))
        rank = np.zeros(len(self._known), dtype=np.int64)
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
            at, slot = divmod(which, span)
            key = (first_pane + slot * self._step, ON_TIME, int(present[at]))
            keys.append(key)
            row = self._row(key)
            row.count += count
            row.timed += timed_counts[n]
            for i, counted in enumerate(over):
                row.over[i] += counted[n]
            begin, end = edges[n], edges[n + 1]
            _merge(row, indices[begin:end], amounts[begin:end])
        failed = np.array([kind.outcome == FAILURE for kind in self._known])
        failures = np.flatnonzero(failed[kinds])
        for n, person in zip(cell[failures].tolist(), people[failures].tolist(), strict=True):
            self._people[keys[n]].add(person)

    def _row(self, key: _Key) -> FactRow:
        row = self._rows.get(key)
        if row is None:
            pane, first_t, number = key
            kind = self._known[number]
            row = FactRow(pane, first_t, *kind[1:])
            row.over = [0] * len(self._thresholds)
            row.durations = {}
            self._rows[key] = row
            if kind.outcome == FAILURE:
                self._people[key] = set()
        return row

    def rows(self) -> dict[str, list[FactRow]]:
        """The rows so far, by environment, in a canonical order."""
        self._settle()
        by_name = sorted(range(len(self._known)), key=lambda number: _order(self._known[number]))
        rank = {number: n for n, number in enumerate(by_name)}
        of_env: dict[str, list[tuple[int, int, int, _Key]]] = {}
        for key in self._rows:
            pane, first_t, number = key
            of_env.setdefault(self._known[number].env, []).append((pane, first_t, rank[number], key))
        out: dict[str, list[FactRow]] = {}
        for env in sorted(of_env):
            keys = [key for *_, key in sorted(of_env[env])]
            out[env] = [self._rows[key] for key in keys]
            for key, row in zip(keys, out[env], strict=True):
                if key in self._people:
                    row.people = sorted(self._people[key])
                row.durations = dict(sorted(row.durations.items()))
        self._sample.put_into(self._rows)
        return out

    def drain(self) -> dict[str, list[FactRow]]:
        """The rows since the last call; the accumulator is empty afterwards."""
        out = self.rows()
        self._clear()
        return out


def _order(kind: EnvKind) -> tuple[object, ...]:
    """Return what kinds are sorted by: no value of a leaf is empty."""
    return (tuple([value or "" for value in kind.leaf]), *kind[2:])


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
