"""Which further fields have the completed requests of a block, as far as they are recorded?

Of each environment and minute the values of a sample of the failures, and of one of the other completed requests, are
kept (``detectors.windows.people.sampling``). One key more is kept than a reader uses, so that the reader knows whether
all are there. The records of the sample alone are read a second time, for most events are in none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.arrays import Bools, Ids, Ints
from detectors.axes import Leaf
from detectors.instants import MINUTE
from detectors.values import OTHER
from detectors.windows.facts import TOO_LATE, FactRow
from detectors.windows.people.person_table import mixed
from detectors.windows.people.sampling import SAMPLED, key_of_number, numbers_of
from streams.events.columns import Columns
from streams.events.kinds import FAILURE, EnvKind

__all__ = ["Sample"]

#: The outcome of requests that are not completed yet.
_STARTED = "started"
#: The most values of events that one block writes down, and the most different ones: the most frequent of each field.
_MOST_STATED, _MOST_VALUES = 8_192, 256
_KEYS = SAMPLED + 1
#: So many events wait at most: their records are in memory as long as they do.
_MOST_WAITING = 16_384
_NO_LIMIT = np.uint64((1 << 64) - 1)
#: So many of the least keys of many events are looked at first, of so many possible keys.
_FEW, _ALL = 3 * _KEYS, 1 << 64


class _Events(NamedTuple):
    """Events; all columns are (N,).

    Attributes:
        group: the number of their environment, minute and outcome.
        key: by which they are sampled.
        number: the person of a failure, else as ``sampling.numbers_of`` gives it.
        kind, pane, first_t: of the row that counts them: number of the kind, ms, and ``FactRow.first_t``.
        values: ``~n`` for the number n of the values of their further fields; the position of the event, at least 0,
            before these have been read.
    """

    group: Ints
    key: Ids
    number: Ids
    kind: Ints
    pane: Ints
    first_t: Ints
    values: Ints

    def at(self, which: Bools | Ints) -> _Events:
        return _Events(
            self.group[which],
            self.key[which],
            self.number[which],
            self.kind[which],
            self.pane[which],
            self.first_t[which],
            self.values[which],
        )

    @classmethod
    def together(cls, some: Sequence[_Events]) -> _Events:
        return cls(
            np.concatenate([one.group for one in some]),
            np.concatenate([one.key for one in some]),
            np.concatenate([one.number for one in some]),
            *(np.concatenate([getattr(one, name) for one in some]) for name in cls._fields[3:]),
        )


class _Waiting(NamedTuple):
    """Events of one call of ``Sample.add``, as its arguments are."""

    columns: Columns
    kinds: Ints
    panes: Ints
    first_ts: Ints


class _Numbers(dict[Leaf, int]):
    """Numbers values in the order in which they are first asked for."""

    def __missing__(self, values: Leaf) -> int:
        self[values] = number = len(self)
        return number


class Sample:
    """The sample of one block, the same however its events are cut into calls.

    Args:
        bounded: whether what is given out is bounded, as it is written down.
    """

    def __init__(self, *, bounded: bool) -> None:
        self._bounded = bounded
        # Minute and position in ``_codes`` -> number of the group; for each group the limit below which its keys lie.
        self._groups: dict[tuple[int, int], int] = {}
        self._limits: list[np.uint64] = []
        self._held: _Events | None = None
        self._numbers = _Numbers()
        self._waiting: list[_Waiting] = []
        self._wait = 0  # events in ``_waiting``
        self._given: list[tuple[int, int, int]] = []  # rows that have a part of the sample as it was
        self._envs: dict[str, int] = {}
        # For each kind twice the number of its environment, and one more for failures; -1 for requests without an end.
        self._codes: list[int] = []

    def add(self, columns: Columns, kinds: Ints, panes: Ints, first_ts: Ints, known: list[EnvKind]) -> None:
        """Take events.

        Args:
            columns: the events.
            kinds: (N,) the numbers of their kinds in ``known``.
            panes, first_ts: (N,) as in ``FactAccumulator.add_many``.
            known: the kinds by number.
        """
        self._codes += map(self._code, known[len(self._codes) :])
        self._waiting.append(_Waiting(columns, kinds, panes, first_ts))
        self._wait += len(columns)
        if self._wait >= _MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        """Bring what waits into the sample: once for many cuts, as most of the work is by call."""
        waiting, self._waiting, self._wait = self._waiting, [], 0
        if not waiting:
            return
        kinds, panes, first_ts = (
            _joined([getattr(one, name) for one in waiting]) for name in _Waiting._fields[1:]
        )
        code = np.array(self._codes)[kinds]
        some = np.flatnonzero((code >= 0) & (first_ts != TOO_LATE))
        if not some.size:
            return
        code, panes = code[some], panes[some]
        people, occurred, durations = (
            _joined([getattr(one.columns, name) for one in waiting])[some]
            for name in ("people", "occurred", "durations")
        )
        number = numbers_of(occurred, durations)
        key = key_of_number(number)
        failed = np.flatnonzero(code & 1)
        number[failed] = people[failed]
        key[failed] = mixed(people[failed])
        group = self._groups_of(panes // MINUTE, code)
        # Columns of some events, with their positions in place of the values that are not read yet.
        fresh = _Events(group, key, number, kinds[some], panes, first_ts[some], some)
        reach = self._reach(group)
        kept, limits = self._least(fresh.at(key < reach[group]))
        before = np.array(self._limits)
        if ((reach < before) & (np.array(limits) > reach)).any():  # only where very many events are alike
            kept, limits = self._least(fresh.at(key < before[group]))
        self._limits = limits
        unread = np.flatnonzero(kept.values >= 0)
        kept.values[unread] = ~self._read(waiting, kept.values[unread])
        self._held = kept

    def _code(self, kind: EnvKind) -> int:
        if kind.outcome == _STARTED:
            return -1
        return 2 * self._envs.setdefault(kind.env, len(self._envs)) + (kind.outcome == FAILURE)

    def _groups_of(self, minute: Ints, code: Ints) -> Ints:
        """Return (N,) the numbers of the groups of events: a group has one minute, environment and outcome."""
        begin = int(minute.min())
        width = 2 * len(self._envs)
        numbers, place = _ranked((minute - begin) * width + code)
        own = []
        for number in numbers.tolist():
            later, of_code = divmod(number, width)
            name = begin + later, of_code
            own.append(self._groups.setdefault(name, len(self._limits)))
            if own[-1] == len(self._limits):
                self._limits.append(_NO_LIMIT)
        return np.array(own, dtype=np.int64)[place]

    def _reach(self, group: Ints) -> Ids:
        """Return (group,) a key below which there are very probably enough of the events that wait."""
        sizes = np.bincount(group, minlength=len(self._limits))
        reach = [
            limit if size <= 2 * _FEW else min(limit, np.uint64(_FEW * (_ALL // size)))
            for limit, size in zip(self._limits, sizes.tolist(), strict=True)
        ]
        return np.array(reach, dtype=np.uint64)

    def _least(self, fresh: _Events) -> tuple[_Events, list[np.uint64]]:
        """Return the events of the least distinct keys of each group, among those of before and fresh ones.

        Beside them, for each group, the limit below which its keys lie.
        """
        some = fresh if self._held is None else _Events.together([self._held, fresh])
        some = some.at(np.lexsort((some.key, some.group)))
        begins = _differs(some.group)
        distinct = np.cumsum(begins | _differs(some.key))
        rank = distinct - distinct[begins][np.cumsum(begins) - 1]
        limits = list(self._limits)
        beyond = np.flatnonzero((rank == _KEYS) & _differs(distinct))
        for group, key in zip(some.group[beyond].tolist(), some.key[beyond], strict=True):
            limits[group] = key
        return some.at(rank < _KEYS), limits

    def _read(self, waiting: Sequence[_Waiting], positions: Ints) -> Ints:
        """Return the numbers of the values of the further fields of events at ``positions`` among those that wait."""
        ends = np.cumsum([len(one.columns) for one in waiting])
        batches = np.searchsorted(ends, positions, side="right")
        where = _joined([one.columns.where for one in waiting])[positions]
        held = [one.columns.records for one in waiting]
        records = [held[n][at] or b"" for n, at in zip(batches.tolist(), where.tolist(), strict=True)]
        found = waiting[0].columns.table.further.of(records)
        return np.array([self._numbers[values] for values in found], dtype=np.int64)

    def put_into(self, rows: Mapping[tuple[int, int, int], FactRow]) -> None:
        """Set ``sampled`` and ``values`` of the rows, by pane, first T and number of the kind, in a canonical order."""
        self._settle()
        for key in self._given:
            row = rows[key]
            row.sampled, row.values = (), ()
        self._given.clear()
        if self._held is None:
            return
        found = self._held._replace(values=~self._held.values)
        most = _MOST_STATED // len(next(iter(self._numbers)))
        if self._bounded and len(found.key) > most:
            found = found.at(found.key < np.partition(found.key, most)[most])
        told = self._told(found.values)
        ranked = sorted(set(told), key=_order)
        rank = {values: n for n, values in enumerate(ranked)}
        found = found._replace(values=np.array([rank[one] for one in told], dtype=np.int64)[found.values])
        order = np.lexsort((found.number, found.values, found.kind, found.first_t, found.pane))
        found = found.at(order)
        new_row = _differs(found.pane) | _differs(found.first_t) | _differs(found.kind)
        # The people of a row are distinct.
        failed = np.array(self._codes)[found.kind] % 2 == 1
        kept = new_row | _differs(found.values) | _differs(found.number) | ~failed
        found, new_row = found.at(kept), new_row[kept]
        numbers, values = found.number.tolist(), [ranked[n] for n in found.values.tolist()]
        begins = np.flatnonzero(new_row)
        first = found.at(begins)
        keys = zip(first.pane.tolist(), first.first_t.tolist(), first.kind.tolist(), strict=True)
        for key, begin, end in zip(keys, begins.tolist(), [*begins[1:].tolist(), len(numbers)], strict=True):
            row = rows[key]
            row.sampled, row.values = numbers[begin:end], values[begin:end]
            self._given.append(key)

    def _told(self, used: Ints) -> list[Leaf]:
        """Return the values by number as they are written down: the most frequent ones of each field, else ``other``.

        Args:
            used: (N,) the numbers of the values of each event.
        """
        most = _MOST_VALUES // len(next(iter(self._numbers)))
        if not self._bounded or len(self._numbers) <= most:
            return list(self._numbers)
        times = np.bincount(used, minlength=len(self._numbers)).tolist()
        kept = []
        for stated in zip(*self._numbers, strict=True):
            counted: Counter[str | None] = Counter()
            for value, count in zip(stated, times, strict=True):
                counted[value] += count
            del counted[None]
            best = sorted(counted, key=lambda value: (-counted[value], value or ""))
            kept.append({None, *best[:most]} if len(best) > most else None)
        if not any(kept):
            return list(self._numbers)
        return [
            tuple(
                [
                    value if some is None or value in some else OTHER
                    for value, some in zip(values, kept, strict=True)
                ]
            )
            for values in self._numbers
        ]


def _joined(columns: Sequence[Any]) -> Any:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _ranked(numbers: Ints) -> tuple[Ints, Ints]:
    """Return the distinct numbers, none below 0, and the rank of each number among them."""
    most = int(numbers.max())
    if most > 1 << 16:
        distinct, ranks = np.unique(numbers, return_inverse=True)
        return distinct, ranks
    present = np.flatnonzero(np.bincount(numbers))
    rank = np.zeros(most + 1, dtype=np.int64)
    rank[present] = np.arange(len(present))
    return present, rank[numbers]


def _differs(column: Ints | Ids | Bools) -> Bools:
    """Return (N,) whether each of a column differs from the one before it; True for the first."""
    return np.append(True, column[1:] != column[:-1])


def _order(values: Leaf) -> tuple[str, ...]:
    """Return what values are sorted by: none is empty."""
    return tuple([value or "" for value in values])
