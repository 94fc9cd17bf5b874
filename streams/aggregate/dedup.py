"""Which valid records are copies of earlier ones? A memory of ids, bounded by their number and by event time.

A record is a duplicate iff the latest earlier valid record with its id is among the last ``dedup_ids`` valid records,
and the partition's greatest ``occurred_at`` has grown by at most ``dedup_horizon`` since. However the
records are cut into batches, the same are duplicates.

The memory is a hash table with chains, in arrays: for each slot the latest record, for each record its hash and the
record before it in its slot. So a batch is looked up in some array operations. Hashes only say where to look:
the ids decide. Nothing is ever taken out; a chain ends where the memory begins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

import numpy as np

from detectors.arrays import Bools, Ints

__all__ = ["Duplicates"]

#: Room for records at first, a power of two; slots for each record that there is room for.
_ROOM, _SLOTS = 1 << 12, 2


class _Chunk:
    """Consecutive valid records: the ordinal of the first, their ids, and the greatest time after each."""

    __slots__ = ("first", "greatest", "ids")

    def __init__(self, first: int, ids: list[str], greatest: Ints) -> None:
        self.first = first
        self.ids = ids
        self.greatest = greatest

    @property
    def end(self) -> int:
        return self.first + len(self.ids)


class Duplicates:
    """The memory of one partition.

    Args:
        dedup_ids: how many valid records back a copy is recognised.
        dedup_horizon: how much event time back, ms.

    Attributes:
        ordinal: the number of valid records so far.
    """

    def __init__(self, dedup_ids: int, dedup_horizon: int) -> None:
        self._limit = dedup_ids
        self._horizon = dedup_horizon
        self.ordinal = 0
        self._chunks: deque[_Chunk] = deque()
        self._room = 0
        self._resize(_ROOM)

    @property
    def held(self) -> int:
        """How many records are remembered."""
        return self.ordinal - self._chunks[0].first if self._chunks else 0

    def note_many(self, ids: list[str], hashes: Ints, before: Ints, after: Ints) -> Bools | None:
        """Note consecutive valid records; (N,) whether each is a duplicate, None if none is.

        Args:
            ids: the ids of the records; hashes: (N,) Python's hashes of the ids.
            before, after: (N,) the greatest ``occurred_at`` before and after each, ms.
        """
        if not ids:
            return None
        self._make_room(len(ids))
        first = self.ordinal
        self._chunks.append(_Chunk(first, ids, after))
        self.ordinal += len(ids)
        last = self._link(first, hashes)
        copies: Bools | None = None
        for n, ordinal in self._suspects(hashes, last):
            earlier = self._earlier(ids[n], int(hashes[n]), ordinal)
            if earlier is not None and self._reaches(earlier, first + n, int(before[n])):
                if copies is None:
                    copies = np.zeros(len(ids), dtype=bool)
                copies[n] = True
        self._forget(int(after[-1]))
        return copies

    # -- the table --------------------------------------------------------------------------------------------

    def _make_room(self, more: int) -> None:
        if self.held + more > self._room:
            self._resize(1 << (self.held + more - 1).bit_length())

    def _resize(self, room: int) -> None:
        """Build the table anew with room for ``room`` records (a power of two)."""
        start = self._chunks[0].first if self._chunks else self.ordinal
        ordinals = np.arange(start, self.ordinal)
        hashes = self._hashes[ordinals & (self._room - 1)] if len(ordinals) else ordinals
        self._room = room
        self._latest: Ints = np.full(_SLOTS * room, -1, dtype=np.int64)
        self._before: Ints = np.full(room, -1, dtype=np.int64)
        self._hashes: Ints = np.zeros(room, dtype=np.int64)
        self._shared = np.zeros(_SLOTS * room, dtype=bool)  # all False between two calls
        if len(ordinals):
            self._link(start, hashes)

    def _link(self, first: int, hashes: Ints) -> Ints:
        """Put consecutive records into the table; for each the one before it in its slot, -1 for none."""
        ordinals = np.arange(first, first + len(hashes))
        slots = hashes & (len(self._latest) - 1)
        before: Ints = self._latest[slots]
        self._latest[slots] = ordinals  # of several in one slot the last stays
        lost = slots[self._latest[slots] != ordinals]
        if lost.size:
            self._shared[lost] = True
            shared = np.flatnonzero(self._shared[slots])
            self._shared[lost] = False
            by_slot = shared[np.argsort(slots[shared], kind="stable")]
            again = slots[by_slot[1:]] == slots[by_slot[:-1]]
            before[by_slot[1:][again]] = first + by_slot[:-1][again]
        positions = ordinals & (self._room - 1)
        self._before[positions] = before
        self._hashes[positions] = hashes
        return before

    def _suspects(self, hashes: Ints, last: Ints) -> list[tuple[int, int]]:
        """(position, ordinal of the latest earlier record with the same hash) of all that have one, in order."""
        start, mask = self._chunks[0].first, self._room - 1
        found: list[tuple[int, int]] = []
        searching = np.flatnonzero(last >= start)
        ordinals = last[searching]
        while searching.size:
            same = self._hashes[ordinals & mask] == hashes[searching]
            found += zip(searching[same].tolist(), ordinals[same].tolist(), strict=True)
            searching, ordinals = searching[~same], self._before[ordinals[~same] & mask]
            kept = ordinals >= start
            searching, ordinals = searching[kept], ordinals[kept]
        found.sort()
        return found

    def _earlier(self, event_id: str, hashed: int, ordinal: int) -> int | None:
        """The latest record with this id, from ``ordinal`` on back along its slot; None without one."""
        start, mask = self._chunks[0].first if self._chunks else self.ordinal, self._room - 1
        while ordinal >= start:
            if self._hashes[ordinal & mask] == hashed:
                chunk = self._chunk(ordinal)
                if chunk.ids[ordinal - chunk.first] == event_id:
                    return ordinal
            ordinal = int(self._before[ordinal & mask])
        return None

    # -- the rule ---------------------------------------------------------------------------------------------

    def _chunk(self, ordinal: int) -> _Chunk:
        return self._chunks[bisect_right(self._chunks, ordinal, key=lambda chunk: chunk.first) - 1]

    def _reaches(self, earlier: int, ordinal: int, before: int) -> bool:
        """Whether the record ``earlier`` (an ordinal) is within the reach of the record ``ordinal``."""
        if ordinal - earlier > self._limit:
            return False
        chunk = self._chunk(earlier)
        return before - int(chunk.greatest[earlier - chunk.first]) <= self._horizon

    def _forget(self, greatest: int) -> None:
        """Drop chunks that are wholly out of reach: neither ordinals nor the greatest time ever fall."""
        oldest, horizon = self.ordinal - self._limit, greatest - self._horizon
        chunks = self._chunks
        while len(chunks) > 1 and (chunks[0].end <= oldest or chunks[0].greatest[-1] < horizon):
            chunks.popleft()
