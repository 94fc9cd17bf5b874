"""When are so many records rejected that the watch sees too little to let an incident resolve?

The share is a function of the logs and the marks alone, as every verdict is. A record is counted in the slot of
``SLOT`` ms in which the broker took it, or, where its partition's watermark was beyond that slot, in the first slot
that had not been judged. So at a T that ends a slot, every record of the slot and of those before it is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.instants import FAR_PAST, MINUTE, SECOND

__all__ = ["LEAST", "SHARE", "WINDOW", "Counted", "RejectedShare", "count_slots", "slots_of"]

#: Records are counted in slots of so many ms, and judged at the end of each slot over the slots of a window (ms).
SLOT = 10 * SECOND
WINDOW = MINUTE
#: From so many records in a window on, more than this share of which is rejected, the watch is blind.
LEAST = 20
SHARE = 0.5

#: The end of a slot (ms) -> the records that are counted in the slot, and how many of them are rejected.
Counted = Mapping[int, tuple[int, int]]


def slots_of(stamps: Ints | None, watermarks: Ints) -> Ints:
    """(N,) the end of the slot in which each of N records is counted, ms; ``FAR_PAST`` for none.

    Args:
        stamps: (N,) when the broker took each record, ms; None for lines of a file.
        watermarks: (N,) the partition's watermark before each record, ms; ``FAR_PAST`` for none.
    """
    ends: Ints = np.where(watermarks == FAR_PAST, FAR_PAST, watermarks // SLOT * SLOT + SLOT)
    return ends if stamps is None else np.maximum(ends, -(-stamps // SLOT) * SLOT)


def count_slots(ends: Ints, rejected: Bools) -> dict[int, tuple[int, int]]:
    """Count N records by slot.

    Args:
        ends: (N,) of ``slots_of``.
        rejected: (N,) whether each record is rejected.
    """
    if not len(ends):
        return {}
    if ends[0] == ends[-1] and (ends == ends[0]).all():
        found, records, bad = ends[:1], np.array([len(ends)]), np.array([np.count_nonzero(rejected)])
    else:
        found, where = np.unique(ends, return_inverse=True)
        records, bad = np.bincount(where), np.bincount(where, weights=rejected).astype(np.int64)
    counts = zip(found.tolist(), records.tolist(), bad.tolist(), strict=True)
    return {end: (number, refused) for end, number, refused in counts if end != FAR_PAST}


class RejectedShare:
    """The share of rejected records of all input partitions over time. Time never goes back."""

    def __init__(self) -> None:
        self._slots: dict[int, tuple[int, int]] = {}
        self._told = FAR_PAST

    def add(self, counted: Counted) -> None:
        """Add records."""
        self._change(counted, 1)

    def remove(self, counted: Counted) -> None:
        """Take back records that were added: others stand for them."""
        self._change(counted, -1)

    def _change(self, counted: Counted, sign: int) -> None:
        for end, (records, rejected) in counted.items():
            if end > self._told - WINDOW:
                before = self._slots.get(end, (0, 0))
                self._slots[end] = (before[0] + sign * records, before[1] + sign * rejected)

    def blind(self, to: int) -> list[tuple[int, int]]:
        """The spans of T, (after, up to) in ms, of which ``to`` and the calls before say that too much is rejected.

        A span ends where the next slot is judged. Spans that earlier calls have given are not given again.

        Args:
            to: every record that counts in a slot up to here (ms) has been added.
        """
        slots = range(0, WINDOW, SLOT)
        rejecting = [end for end, (_, rejected) in self._slots.items() if rejected > 0]
        ends = {end + later for end in rejecting for later in slots if self._told < end + later <= to}
        spans = [(end - 1, end + SLOT - 1) for end in sorted(ends) if self._is_blind(end, slots)]
        self._told = max(self._told, to)
        self._slots = {end: counts for end, counts in self._slots.items() if end > self._told - WINDOW}
        return spans

    def _is_blind(self, end: int, slots: Sequence[int]) -> bool:
        window = [self._slots.get(end - earlier, (0, 0)) for earlier in slots]
        records = sum(number for number, _ in window)
        return records >= LEAST and sum(rejected for _, rejected in window) > SHARE * records
