"""In which pane did each of many people last fail on each leaf? A compact table answers.

The table has columns of small numbers and an index by open addressing; one call reads or writes many people. It takes
28 bytes per person, and 8 to 16 for the index. Columns grow in place by an eighth, without a second copy of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.arrays import Ids, Ints
from detectors.scopes import LEAVES

__all__ = ["STRATA", "PersonTable", "stratum_of"]

_Bools = npt.NDArray[np.bool_]

#: The number of strata: a person is in stratum n with probability 2^-(n + 1), and otherwise in the last one.
STRATA = 16
#: The table has room for at least this many people.
_ROOM = 1024
#: People whom one array operation moves during a sweep.
_CHUNK = 1 << 15
_TOP_BITS = 16


def _mixed(ids: Ids) -> Ids:
    """Mix each id into 64 bits that each depend on all bits of the id: the finalizer of MurmurHash3 (Appleby 2011)."""
    mixed = ids ^ (ids >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def stratum_of(ids: Ids) -> Ints:
    """Return the stratum of each person: the leading zeros of the mixed id, at most ``STRATA - 1``."""
    top = (_mixed(ids) >> np.uint64(64 - _TOP_BITS)).astype(np.float64)
    zeros = _TOP_BITS - np.frexp(top)[1].astype(np.int64)
    return np.asarray(np.minimum(zeros, STRATA - 1))


class PersonTable:
    """People by number, 0 to ``len() - 1``; a number is valid until the next ``sweep``.

    Attributes:
        panes: (room, leaf) the latest pane of each person on each leaf, as an offset that the caller chooses; 0
            for never. A reference to this array is valid only until the next call of a method.
    """

    def __init__(self) -> None:
        self._count = 0
        self._ids: Ids = np.zeros(_ROOM, dtype=np.uint64)
        self.panes: npt.NDArray[np.unsignedinteger] = np.zeros((_ROOM, len(LEAVES)), dtype=np.uint16)
        self._index: npt.NDArray[np.int32] = np.zeros(2 * _ROOM, dtype=np.int32)  # number + 1; 0 where free

    def __len__(self) -> int:
        return self._count

    def numbers(self, ids: Ids) -> Ints:
        """Return the numbers of distinct people, and add people who are not in the table yet."""
        # Make room first, because growing the index changes every slot.
        self._make_room(self._count + len(ids))
        found, slots, tries = self._look_up(ids)
        fresh = np.flatnonzero(found < 0)
        if fresh.size:
            end = self._count + len(fresh)
            found[fresh] = np.arange(self._count, end)
            self._ids[self._count : end] = ids[fresh]
            self._count = end
            self._put(found[fresh], slots[fresh], tries[fresh])
        return found

    def hold(self, greatest: int) -> None:
        """Widen the numbers in ``panes`` if necessary, so that they can hold offsets up to ``greatest``."""
        if greatest > np.iinfo(self.panes.dtype).max:
            self.panes = self.panes.astype(np.uint32)

    def sweep(self, floors: Ints, shift: int) -> None:
        """Drop people and reduce the offsets of the others.

        Args:
            floors: (stratum,) people of a stratum stay if their latest offset on any leaf is at least this; >= 1.
            shift: subtracted from all offsets; an offset that is then below 1 becomes 0.
        """
        kept = 0
        for begin in range(0, self._count, _CHUNK):
            end = min(begin + _CHUNK, self._count)
            ids, panes = self._ids[begin:end], self.panes[begin:end]
            stays = panes.max(axis=1) >= floors[stratum_of(ids)]
            ids, panes = ids[stays], panes[stays]
            self._ids[kept : kept + len(ids)] = ids
            self.panes[kept : kept + len(ids)] = np.maximum(panes.astype(np.int64) - shift, 0)
            kept += len(ids)
        self.panes[kept : self._count] = 0
        self._count = kept
        self._resize(max(_ROOM, kept + kept // 8))
        self._index_anew()

    # -- room ---------------------------------------------------------------------------------------------------

    def _make_room(self, people: int) -> None:
        if people > len(self._ids):
            self._resize(max(people, len(self._ids) + len(self._ids) // 8))
        if 2 * people > len(self._index):
            self._index_anew(people)

    def _resize(self, room: int) -> None:
        # In place: the kernel moves large arrays page by page, without a second copy. There are no other references
        # to these arrays.
        self._ids.resize(room, refcheck=False)
        self.panes.resize((room, len(LEAVES)), refcheck=False)

    def _index_anew(self, people: int = 0) -> None:
        """Build the index of all people anew, at most half full."""
        size = 2 * _ROOM
        while size < 2 * max(people, self._count):
            size *= 2
        self._index = np.zeros(0, dtype=np.int32)  # frees the old index before the new one is allocated
        self._index = np.zeros(size, dtype=np.int32)
        for begin in range(0, self._count, _CHUNK):
            end = min(begin + _CHUNK, self._count)
            numbers = np.arange(begin, end)
            self._put(numbers, self._slots(self._ids[begin:end]), np.ones(len(numbers), dtype=np.int64))

    # -- the index: triangular probing, which visits every slot of a table whose size is a power of two ---------

    def _slots(self, ids: Ids) -> Ints:
        return (_mixed(ids) & np.uint64(len(self._index) - 1)).astype(np.int64)

    def _look_up(self, ids: Ids) -> tuple[Ints, Ints, Ints]:
        """Return the number of each person (-1 if unknown), the last slot probed, and the step to the next slot.

        For an unknown person the last slot probed is free.
        """
        slots = self._slots(ids)
        tries = np.ones(len(ids), dtype=np.int64)
        found = np.full(len(ids), -1, dtype=np.int64)
        left: Ints = np.arange(len(ids))
        while left.size:
            number = self._index[slots[left]].astype(np.int64) - 1
            same: _Bools = (number >= 0) & (self._ids[number] == ids[left])
            found[left[same]] = number[same]
            left = left[~same & (number >= 0)]
            slots[left] = (slots[left] + tries[left]) & (len(self._index) - 1)
            tries[left] += 1
        return found, slots, tries

    def _put(self, numbers: Ints, slots: Ints, tries: Ints) -> None:
        """Add people who are not in the index yet; ``slots`` are tried first, and ``tries`` slots further on next."""
        mask = len(self._index) - 1
        while numbers.size:
            free = self._index[slots] == 0
            self._index[slots[free]] = numbers[free] + 1
            # Of several people who wrote to the same slot, one is in it now.
            left = self._index[slots] != numbers + 1
            numbers, slots, tries = numbers[left], slots[left], tries[left]
            slots = (slots + tries) & mask
            tries = tries + 1
