"""How many failures of each error code does the history know, per five minutes and entry?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from detectors.arrays import Bools, Floats, Ints

__all__ = ["CodeHistory"]

#: Entry (number) -> error code -> failures.
_Codes = Mapping[int, Mapping[str, int]]


class CodeHistory:
    """Failures of each slot that has any with a known code; the slots and entries are those of ``history.History``.

    Args:
        slots: the slots of a day.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._days: dict[int, dict[int, _Codes]] = {}
        self._sums: dict[int, dict[str, Counter[int]]] = {}  # day -> code -> entry -> failures

    def put(self, slot: int, codes: _Codes) -> None:
        """Set the counts of a slot; they replace the slot's earlier counts."""
        day, row = divmod(slot, self._slots)
        if codes:
            self._days.setdefault(day, {})[row] = codes
        else:
            self._days.get(day, {}).pop(row, None)
        self._sums.pop(day, None)

    def at(self, slot: int) -> _Codes:
        """Return the counts of a slot as ``put`` received them; empty if the slot has no known codes."""
        day, row = divmod(slot, self._slots)
        return self._days.get(day, {}).get(row, {})

    def sums(self, code: str, days: Ints, entries: int) -> tuple[Floats, Bools]:
        """Return (N, entry) failures with a code on each day (number), and (N,) whether codes are known of the day."""
        out: Floats = np.zeros((len(days), entries))
        for n, day in enumerate(days.tolist()):
            for entry, count in self._of_day(day).get(code, Counter()).items():
                out[n, entry] = count
        return out, np.array([bool(self._days.get(day)) for day in days.tolist()], dtype=bool)

    def within(self, code: str, start: int, end: int, entries: int) -> Floats:
        """Return (entry,) failures with a code in the slots from ``start`` to before ``end``."""
        out: Floats = np.zeros(entries)
        for slot in range(start, end):
            for entry, of_entry in self.at(slot).items():
                out[entry] += of_entry.get(code, 0)
        return out

    def _of_day(self, day: int) -> dict[str, Counter[int]]:
        if day not in self._sums:
            sums: dict[str, Counter[int]] = {}
            for codes in self._days.get(day, {}).values():
                for entry, of_entry in codes.items():
                    for code, count in of_entry.items():
                        sums.setdefault(code, Counter())[entry] += count
            self._sums[day] = sums
        return self._sums[day]

    def drop(self, slot: int) -> None:
        """Drop the days that end at a slot or before."""
        for days in (self._days, self._sums):
            for day in [day for day in days if (day + 1) * self._slots <= slot]:
                del days[day]
