"""What was counted in each five minutes, by entry, and how much in all up to an instant? Kept by days of what occurred.

An *entry* is what a record counts: a leaf, or a scope by its path. A day holds arrays of the entries that had events on
that day alone, so that memory grows with what occurs and old days go at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints

__all__ = ["DayCounts"]

_Sums = npt.NDArray[np.integer[Any]]
_NO_COUNTS: Mapping[int, Sequence[int]] = {}


class _Day:
    """The counts of a day's slots.

    Attributes:
        entries: (column,) the entry of each column.
        known: (slot,) whether the slot has a record.
    """

    def __init__(self, slots: int, kinds: int) -> None:
        self.known: Bools = np.zeros(slots, dtype=bool)
        self.entries: Ints = np.empty(0, dtype=np.int64)
        self._columns: dict[int, int] = {}
        self._sums: _Sums = np.zeros((slots + 1, 0, kinds), dtype=np.int32)
        self._waiting: dict[int, Mapping[int, Sequence[int]]] = {}
        self.known_sums: Ints = np.zeros(slots + 1, dtype=np.int64)

    def put(self, row: int, counts: Mapping[int, Sequence[int]]) -> None:
        self._waiting[row] = counts
        self.known[row] = True

    def sums(self) -> _Sums:
        """Return (slot + 1, column, kind) the sums of all slots before."""
        if self._waiting:
            for counts in self._waiting.values():
                for entry in counts:
                    self._columns.setdefault(entry, len(self._columns))
            short = len(self._columns) - len(self.entries)
            self.entries = np.fromiter(self._columns, np.int64, len(self._columns))
            self._sums = np.pad(self._sums, ((0, 0), (0, short), (0, 0)))
            counted = np.diff(self._sums, axis=0).astype(np.int64)
            for row, counts in self._waiting.items():
                counted[row] = 0
                if counts:
                    counted[row, [self._columns[entry] for entry in counts]] = list(counts.values())
            self._waiting = {}
            sums = np.pad(np.cumsum(counted, axis=0), ((1, 0), (0, 0), (0, 0)))
            # Half the memory, but for a day of more than 2 * 10^9 events of one entry.
            self._sums = sums.astype(np.int32 if sums.max(initial=0) <= np.iinfo(np.int32).max else np.int64)
            np.cumsum(self.known, out=self.known_sums[1:])
        return self._sums


class DayCounts:
    """The counts of slots, which are numbered from any origin.

    Args:
        slots: the slots of a day.
        kinds: how many counts an entry has.
    """

    def __init__(self, slots: int, kinds: int) -> None:
        self._slots = slots
        self._kinds = kinds
        self._days: dict[int, _Day] = {}
        self._totals: tuple[Ints, Ints, Ints] | None = None
        self._changed: set[int] = set()  # days with counts that ``_totals`` does not hold

    def __len__(self) -> int:
        """Return how many slots are known."""
        return int(sum(np.count_nonzero(day.known) for day in self._days.values()))

    def put(self, slot: int, counts: Mapping[int, Sequence[int]]) -> None:
        """Set the counts of a slot, entry -> (kind,); they replace the slot's earlier counts."""
        day, row = divmod(slot, self._slots)
        if day not in self._days:
            self._days[day] = _Day(self._slots, self._kinds)
        self._days[day].put(row, counts)
        self._changed.add(day)

    def slots(self) -> list[int]:
        """Return the known slots, in order."""
        return [
            day * self._slots + row
            for day in sorted(self._days)
            for row in np.flatnonzero(self._days[day].known).tolist()
        ]

    def at(self, slot: int) -> dict[int, list[int]]:
        """Return entry -> (kind,) of a slot, without entries that have no events."""
        day, row = divmod(slot, self._slots)
        if day not in self._days:
            return {}
        sums = self._days[day].sums()
        counts = sums[row + 1] - sums[row]
        there = np.flatnonzero(counts.any(axis=1))
        return dict(zip(self._days[day].entries[there].tolist(), counts[there].tolist(), strict=True))

    def has_before(self, slot: int) -> bool:
        """Return whether any day ends at a slot or before."""
        return any((day + 1) * self._slots <= slot for day in self._days)

    def drop(self, slot: int) -> list[int]:
        """Drop the days that end at a slot or before; return the entries that are left."""
        gone = [day for day in self._days if (day + 1) * self._slots <= slot]
        for day in gone:
            del self._days[day]
        self._changed.update(gone)
        left: set[int] = set()
        for kept in self._days.values():
            kept.sums()
            left.update(kept.entries.tolist())
        return sorted(left)

    def up_to(self, slots: Ints, share: Floats, entries: int) -> Floats:
        """Return (N, entry, kind) the counts before each slot, and of a share of the slot itself."""
        days, base, _ = self._summed(entries)
        day, row = np.divmod(slots, self._slots)
        place = np.searchsorted(days, day)
        out: Floats = base[place].astype(np.float64)
        for one in np.intersect1d(day, days).tolist():
            which = np.flatnonzero(day == one)
            sums, rows = self._days[one].sums(), row[which]
            within = sums[rows] + share[which, None, None] * (sums[rows + 1] - sums[rows])
            out[which[:, None], self._days[one].entries] += within
        return out

    def known_up_to(self, slots: Ints, share: Floats) -> Floats:
        """Return (N,) the known slots before each slot, and of a share of the slot itself."""
        days, _, base = self._summed(0)
        day, row = np.divmod(slots, self._slots)
        place = np.searchsorted(days, day)
        out: Floats = base[place].astype(np.float64)
        for one in np.intersect1d(day, days).tolist():
            which = np.flatnonzero(day == one)
            known, rows = self._days[one].known_sums, row[which]
            out[which] += known[rows] + share[which] * (known[rows + 1] - known[rows])
        return out

    def _summed(self, entries: int) -> tuple[Ints, Ints, Ints]:
        """Return the days in order, and the counts (day + 1, entry, kind) and known slots (day + 1,) before each."""
        known = self._totals
        if known is None or self._changed or known[1].shape[1] < entries:
            days = sorted(self._days)
            sums = {day: self._days[day].sums() for day in days}
            most = max([entries, *(int(day.entries.max(initial=-1)) + 1 for day in self._days.values())])
            base: Ints = np.zeros((len(days) + 1, most, self._kinds), dtype=np.int64)
            slots: Ints = np.zeros(len(days) + 1, dtype=np.int64)
            # What comes before the first day that has changed stays as it is.
            same = 0
            if known is not None:
                changed = min(self._changed, default=None)
                same = len(known[0]) if changed is None else int(np.searchsorted(known[0], changed))
                base[: same + 1, : known[1].shape[1]] = known[1][: same + 1, :most]
                slots[: same + 1] = known[2][: same + 1]
            for n, day in enumerate(days[same:], same):
                base[n + 1] = base[n]
                base[n + 1, self._days[day].entries] += sums[day][-1]
                slots[n + 1] = slots[n] + self._days[day].known_sums[-1]
            known = self._totals = (np.array(days, dtype=np.int64), base, slots)
            self._changed.clear()
        return known
