"""In which pane did each of many people last fail on each leaf? A compact table answers.

The table has columns of small numbers and an index by open addressing; one call reads or writes many people. It takes
16 bytes per person (18 where offsets of panes need 4 bytes), 8 to 16 for the index, and 8 for each further leaf of a
person, however many leaves there are. Columns grow in place by an eighth, without a second copy of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from detectors.arrays import Ids, Ints

__all__ = ["STRATA", "PersonTable", "mixed", "stratum_of"]

_Bools = npt.NDArray[np.bool_]

#: The number of strata: a person is in stratum n with probability 2^-(n + 1), and otherwise in the last one.
STRATA = 16
#: The table has room for at least this many people.
_ROOM = 1024
#: People whom one array operation moves during a sweep.
_CHUNK = 1 << 15
_TOP_BITS = 16
#: There is no further entry.
_END = -1
#: More than any leaf.
_LEAVES = 1 << 16


def mixed(ids: Ids) -> Ids:
    """Mix each id into 64 bits that each depend on all bits of the id: the finalizer of MurmurHash3 (Appleby 2011)."""
    mixed = ids ^ (ids >> np.uint64(33))
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def stratum_of(ids: Ids) -> Ints:
    """Return the stratum of each person: the leading zeros of the mixed id, at most ``STRATA - 1``."""
    top = (mixed(ids) >> np.uint64(64 - _TOP_BITS)).astype(np.float64)
    zeros = _TOP_BITS - np.frexp(top)[1].astype(np.int64)
    return np.asarray(np.minimum(zeros, STRATA - 1))


class _Entries:
    """Entries of a table: leaf, offset (0 for none) and the position of the next entry of the same person."""

    def __init__(self, room: int) -> None:
        self.leaf: npt.NDArray[np.uint16] = np.zeros(room, dtype=np.uint16)
        self.offset: npt.NDArray[np.unsignedinteger] = np.zeros(room, dtype=np.uint16)
        self.after: npt.NDArray[np.int32] = np.full(room, _END, dtype=np.int32)

    def hold(self, greatest: int) -> None:
        if greatest > np.iinfo(self.offset.dtype).max:
            self.offset = self.offset.astype(np.uint32)

    def clear(self, begin: int, end: int) -> None:
        self.offset[begin:end] = 0
        self.after[begin:end] = _END

    def put(self, places: Ints, leaf: Ints, offset: Ints) -> None:
        self.leaf[places] = leaf
        self.offset[places] = offset

    def resize(self, room: int) -> None:
        for column in (self.leaf, self.offset, self.after):
            column.resize(room, refcheck=False)


class PersonTable:
    """People by number, 0 to ``len() - 1``; a number is valid until the next ``sweep``.

    Each person has an entry (leaf, offset of the latest pane) for each leaf. The first entry stands beside the id; the
    others stand in a second table, chained.
    """

    def __init__(self) -> None:
        self._count = 0
        self._ids: Ids = np.zeros(_ROOM, dtype=np.uint64)
        self._entries = _Entries(_ROOM)
        self._others = _Entries(_ROOM)
        self._others_count = 0
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
            self._entries.clear(self._count, end)
            self._count = end
            self._put(found[fresh], slots[fresh], tries[fresh])
        return found

    def hold(self, greatest: int) -> None:
        """Widen the offsets if necessary, so that they can hold offsets up to ``greatest``."""
        for entries in (self._entries, self._others):
            entries.hold(greatest)

    def entries(self, numbers: Ints) -> tuple[Ints, Ints, Ints]:
        """Return place in ``numbers``, leaf and offset of all entries of people, in any order."""
        place, leaf, offset, _ = self._read(numbers)
        return place, leaf, offset

    def everybody(self, level: int) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Yield number, leaf and offset of all entries of all people of a stratum from ``level`` on, in pieces."""
        for begin in range(0, self._count, _CHUNK):
            numbers = np.arange(begin, min(begin + _CHUNK, self._count))
            if level:
                numbers = numbers[stratum_of(self._ids[numbers]) >= level]
            place, leaf, offset = self.entries(numbers)
            yield numbers[place], leaf, offset

    def put(self, numbers: Ints, leaf: Ints, offset: Ints) -> None:
        """Raise the offset of each (person, leaf) to ``offset`` (> 0), where it is not greater already.

        Args:
            numbers: (N,) people; a (person, leaf) may occur several times.
            leaf, offset: (N,) of each.
        """
        order = np.lexsort((offset, leaf, numbers))
        numbers, leaf, offset = numbers[order], leaf[order], offset[order]
        last = np.ones(len(numbers), dtype=bool)  # of several equal (person, leaf), the greatest offset
        last[:-1] = (numbers[1:] != numbers[:-1]) | (leaf[1:] != leaf[:-1])
        numbers, leaf, offset = numbers[last], leaf[last], offset[last]
        who, of = np.unique(numbers, return_inverse=True)
        place, known_leaf, known, at = self._read(who)
        key, known_key = of * _LEAVES + leaf, place * _LEAVES + known_leaf
        order = np.argsort(known_key)
        where = np.minimum(np.searchsorted(known_key[order], key), max(len(order) - 1, 0))
        there = known_key[order][where] == key if len(order) else np.zeros(len(key), dtype=bool)
        old = order[where[there]] if len(order) else np.empty(0, dtype=np.int64)
        more = np.maximum(known[old], offset[there])
        inline = at[old] < 0
        self._entries.offset[~at[old[inline]]] = more[inline]
        self._others.offset[at[old[~inline]]] = more[~inline]
        self._add(numbers[~there], leaf[~there], offset[~there])

    def sweep(self, floors: Ints, shift: int) -> None:
        """Drop people and reduce the offsets of the others; an entry whose offset is then below 1 is dropped.

        Args:
            floors: (stratum,) people of a stratum stay if their latest offset on any leaf is at least this.
            shift: subtracted from all offsets.
        """
        kept, others, self._others_count = 0, self._others, 0
        end = self._count
        self._others = _Entries(_ROOM)
        self._others.hold(int(np.iinfo(self._entries.offset.dtype).max))
        for begin in range(0, end, _CHUNK):
            numbers = np.arange(begin, min(begin + _CHUNK, end))
            place, leaf, offset, _ = self._read(numbers, others)
            latest = np.zeros(len(numbers), dtype=np.int64)
            np.maximum.at(latest, place, offset)
            ids = self._ids[numbers]
            stays = latest >= floors[stratum_of(ids)]
            number = kept + np.cumsum(stays) - 1
            ids = ids[stays]
            self._ids[kept : kept + len(ids)] = ids
            self._entries.clear(kept, kept + len(ids))
            left = stays[place] & (offset > shift)
            order = np.argsort(place[left], kind="stable")
            self._add(number[place[left]][order], leaf[left][order], offset[left][order] - shift)
            kept += len(ids)
        self._count = kept
        self._resize(max(_ROOM, kept + kept // 8))
        self._index_anew()

    # -- entries ------------------------------------------------------------------------------------------------

    def _read(self, numbers: Ints, others: _Entries | None = None) -> tuple[Ints, Ints, Ints, Ints]:
        """Return place in ``numbers``, leaf, offset and position of all entries.

        The position is that in ``others`` (by default the table's own), or the complement (~) of the person's number
        for an entry that stands beside the id.
        """
        others = self._others if others is None else others
        place = np.flatnonzero(self._entries.offset[numbers])
        found, at, entries = [], numbers[place], self._entries
        position = ~at
        while place.size:
            found.append((place, entries.leaf[at], entries.offset[at], position))
            after = entries.after[at]
            there = after != _END
            place, at, entries = place[there], after[there].astype(np.int64), others
            position = at
        if not found:
            nothing: Ints = np.empty(0, dtype=np.int64)
            return nothing, nothing, nothing, nothing
        columns = (np.concatenate(column).astype(np.int64) for column in zip(*found, strict=True))
        place, leaf, offset, position = columns
        return place, leaf, offset, position

    def _add(self, numbers: Ints, leaf: Ints, offset: Ints) -> None:
        """Add entries, ordered by person, on leaves on which the people have none."""
        first = np.diff(numbers, prepend=-1) != 0
        inline = first & (self._entries.offset[numbers] == 0)
        self._entries.put(numbers[inline], leaf[inline], offset[inline])
        numbers, leaf, offset = numbers[~inline], leaf[~inline], offset[~inline]
        begin, end = self._others_count, self._others_count + len(numbers)
        if end > len(self._others.leaf):
            self._others.resize(max(end, len(self._others.leaf) + len(self._others.leaf) // 8))
        self._others_count = end
        places = np.arange(begin, end)
        self._others.put(places, leaf, offset)
        # The entries of a person follow each other; the last one becomes the first of the chain.
        first = np.diff(numbers, prepend=-1) != 0
        self._others.after[places] = np.where(first, self._entries.after[numbers], places - 1)
        self._entries.after[numbers] = places

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
        self._entries.resize(room)

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
        return (mixed(ids) & np.uint64(len(self._index) - 1)).astype(np.int64)

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
