"""How do accepted events become rows of facts? One accumulator serves each open block."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Ints
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.latency_histogram import buckets
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
    """Accepted events of one cut that are not in the rows yet.

    Attributes:
        kinds: (N,) own numbers of kinds.
        panes, first_ts: (N,) as in ``FactAccumulator.add_many``.
        durations, people: (N,) as in ``Columns``.
    """

    kinds: Ints
    panes: Ints
    first_ts: Ints
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
        self._waiting: list[_Waiting] = []
        self._bounds = None if self._make_bounds is None else self._make_bounds()
        self._sample = Sample(bounded=self._make_bounds is not None)
        self._known: list[EnvKind] = []
        self._numbers: dict[EnvKind, int] = {}
        # The table that the numbers of events stand for, and for each of its numbers the own one; -1 for none yet.
        self._table: Kinds | None = None
        self._own: Ints = np.empty(0, dtype=np.int64)

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
        self._waiting.append(_Waiting(kinds, panes, first_ts, durations, people))
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
        if not waiting:
            return
        folded = self._fold(_Waiting(*(np.concatenate(column) for column in zip(*waiting, strict=True))))
        if not self._rows:
            self._rows = folded
            return
        for key, row in folded.items():
            known = self._rows.setdefault(key, row)
            if known is not row:
                _merge(known, row)

    def _fold(self, events: _Waiting) -> dict[_Key, FactRow]:
        """Return the rows of some events."""
        kinds = events.kinds
        present = np.flatnonzero(np.bincount(kinds))
        rank = np.zeros(len(self._known), dtype=np.int64)
        rank[present] = np.arange(len(present))
        slots, span = _slots_of(events.panes, events.first_ts, self._step)
        cells, counts, cell = ranked(rank[kinds] * span + slots, len(present) * span)
        one = np.empty(len(cells), dtype=np.int64)
        one[cell] = np.arange(len(cell))  # an event of each cell
        panes, first_ts = events.panes[one].tolist(), events.first_ts[one].tolist()
        numbers, at = kinds[one].tolist(), rank[kinds[one]].tolist()
        fields = zip(*(self._known[number][1:] for number in present.tolist()), strict=True)
        failed = np.array([self._known[number].outcome == FAILURE for number in present.tolist()])
        rows = map(
            FactRow,
            panes,
            first_ts,
            *(map(values.__getitem__, at) for values in fields),
            counts.tolist(),
            *self._durations(cell, events.durations, len(cells)),
            _people_of(cell, events.people, failed[rank[kinds]], len(cells)),
            _histograms(cell, events.durations, len(cells)),
        )
        return dict(zip(zip(panes, first_ts, numbers, strict=True), rows, strict=True))

    def _durations(
        self, cell: Ints, durations: npt.NDArray[np.float64], cells: int
    ) -> tuple[list[int], list[list[int]]]:
        """Return of each cell ``FactRow.timed`` and ``FactRow.over``.

        Args:
            cell, durations: (N,) of each event its cell, and ms; NaN without.
            cells: how many cells there are.
        """
        timed = np.bincount(cell[~np.isnan(durations)], minlength=cells)
        over = [np.bincount(cell[durations >= one], minlength=cells) for one in self._thresholds]
        return timed.tolist(), np.array(over, dtype=np.int64).reshape(len(over), cells).T.tolist()

    def rows(self) -> dict[str, list[FactRow]]:
        """The rows so far, by environment, in a canonical order."""
        self._settle()
        if not self._rows:
            return {}
        known = range(len(self._known))
        rank = np.empty(len(known), dtype=np.int64)
        rank[sorted(known, key=lambda number: _order(self._known[number]))] = known
        names = sorted({kind.env for kind in self._known})
        place = {name: n for n, name in enumerate(names)}
        pane, first_t, number = np.array(list(self._rows)).T
        env = np.array([place[kind.env] for kind in self._known])[number]
        order = np.lexsort((rank[number], first_t, pane, env))
        every = list(self._rows.values())
        edges = np.searchsorted(env[order], np.arange(len(names) + 1)).tolist()
        in_order = list(map(every.__getitem__, order.tolist()))
        self._sample.put_into(self._rows)
        return {
            name: in_order[begin:end]
            for name, (begin, end) in zip(names, pairwise(edges), strict=True)
            if begin < end
        }

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


def _slots_of(panes: Ints, first_ts: Ints, step: int) -> tuple[Ints, int]:
    """Return (N,) a number for each pane and first T of events, and what all numbers are below.

    Args:
        panes, first_ts: (N,) as in ``FactAccumulator.add_many``.
        step: length of a pane, ms.
    """
    late = np.flatnonzero(first_ts != ON_TIME)
    if not late.size:
        slots = (panes - panes.min()) // step
        return slots, int(slots.max()) + 1
    slots = np.empty_like(panes)
    span = 0
    if punctual := len(panes) - late.size:
        on_time = first_ts == ON_TIME
        slots[on_time], span = _slots_of(panes[on_time], np.full(punctual, ON_TIME), step)
    of_pane, of_t = (np.unique(one[late], return_inverse=True)[1] for one in (panes, first_ts))
    slots[late] = span + of_t * (of_pane.max() + 1) + of_pane
    return slots, int(slots[late].max()) + 1


def _histograms(cell: Ints, durations: npt.NDArray[np.float64], cells: int) -> list[dict[int, int]]:
    """Return ``FactRow.durations`` of each cell, with its buckets in order; arguments as of ``_durations``."""
    timed = np.flatnonzero(~np.isnan(durations))
    codes = cell[timed] * _BUCKETS + buckets(durations[timed]) + _SHIFT
    pairs, times = np.unique(codes, return_counts=True)
    edges = np.searchsorted(pairs, np.arange(cells + 1) * _BUCKETS).tolist()
    numbers, amounts = (pairs % _BUCKETS - _SHIFT).tolist(), times.tolist()
    return [
        {numbers[begin]: amounts[begin]}
        if end - begin == 1
        else dict(zip(numbers[begin:end], amounts[begin:end], strict=True))
        for begin, end in pairwise(edges)
    ]


def _people_of(cell: Ints, people: npt.NDArray[np.uint64], failed: Bools, cells: int) -> list[list[int]]:
    """Return ``FactRow.people`` of each cell, in order.

    Args:
        cell, people, failed: (N,) of each event its cell, its person and whether it is a failure.
        cells: how many cells there are.
    """
    at, who = cell[failed], people[failed]
    order = np.lexsort((who, at))
    at, who = at[order], who[order]
    distinct = np.append(True, (at[1:] != at[:-1]) | (who[1:] != who[:-1]))[: len(at)]
    at, numbers = at[distinct], who[distinct].tolist()
    edges = np.searchsorted(at, np.arange(cells + 1)).tolist()
    return [numbers[begin:end] for begin, end in pairwise(edges)]


def _merge(row: FactRow, other: FactRow) -> None:
    """Add a row of the same pane, first T and kind to a row."""
    row.count += other.count
    row.timed += other.timed
    row.over = [one + more for one, more in zip(row.over, other.over, strict=True)]
    if other.people:
        row.people = sorted({*row.people, *other.people})
    if other.durations:
        amounts = dict(row.durations)
        for index, amount in other.durations.items():
            amounts[index] = amounts.get(index, 0) + amount
        row.durations = dict(sorted(amounts.items()))
