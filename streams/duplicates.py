"""Which valid records are copies of earlier ones: a memory of ids, bounded by their number and by event time.

A record is a duplicate iff the latest earlier valid record with its id is among the last ``dedup_ids`` valid records,
and the partition's greatest ``occurred_at`` has grown by at most ``dedup_horizon`` since. Records come one by one or
many at a time, to the same effect.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import repeat

import numpy as np
import numpy.typing as npt

__all__ = ["Duplicates"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Single records are gathered in chunks of at most so many.
_CHUNK = 1024


class _Chunk:
    """Consecutive valid records: the ordinal of the first, their ids, and the greatest time after each."""

    __slots__ = ("first", "greatest", "ids")

    def __init__(self, first: int, ids: list[str], greatest: list[int] | Ints) -> None:
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
        self._latest: dict[str, int] = {}
        self._chunks: deque[_Chunk] = deque()

    def note(self, event_id: str, before: int | None, after: int) -> bool:
        """Note one valid record; whether it is a duplicate.

        Args:
            event_id: its id.
            before, after: the partition's greatest ``occurred_at`` before and after it, ms.
        """
        earlier = self._latest.get(event_id)
        is_copy = earlier is not None and before is not None and self._reaches(earlier, self.ordinal, before)
        chunk = self._chunks[-1] if self._chunks else None
        if chunk is None or not isinstance(chunk.greatest, list) or len(chunk.ids) >= _CHUNK:
            chunk = _Chunk(self.ordinal, [], [])
            self._chunks.append(chunk)
        chunk.ids.append(event_id)
        chunk.greatest.append(after)  # type: ignore[union-attr]
        self._latest[event_id] = self.ordinal
        self.ordinal += 1
        if len(chunk.ids) == 1:
            self._forget(after)
        return is_copy

    def note_many(self, ids: list[str], before: Ints, after: Ints) -> Bools | None:
        """Note consecutive valid records; which are duplicates, None for none.

        Args:
            ids: their ids.
            before, after: (N,) the greatest ``occurred_at`` before and after each, ms.
        """
        if not ids:
            return None
        latest, first = self._latest, self.ordinal
        ordinals = range(first, first + len(ids))
        # one look at the memory for each id, which also notes it if it is new
        earlier = np.fromiter(map(latest.setdefault, ids, ordinals), dtype=np.int64, count=len(ids))
        seen = np.flatnonzero(earlier != np.arange(first, first + len(ids))).tolist()
        copies = self._judge(ids, seen, earlier, before, after) if seen else None
        self._chunks.append(_Chunk(first, ids, after))
        latest.update((ids[n], first + n) for n in seen)
        self.ordinal += len(ids)
        self._forget(int(after[-1]))
        return copies

    def _judge(self, ids: list[str], seen: list[int], earlier: Ints, before: Ints, after: Ints) -> Bools:
        """The exact rule for the records (positions ``seen``) whose id stands in ``earlier``: where it came first."""
        copies = np.zeros(len(ids), dtype=bool)
        first = self.ordinal
        inside: dict[str, int] = {}
        for n in seen:
            came = inside.get(ids[n], int(earlier[n]))
            if came >= first:
                grown = int(before[n]) - int(after[came - first])
                copies[n] = first + n - came <= self._limit and grown <= self._horizon
            else:
                copies[n] = self._reaches(came, first + n, int(before[n]))
            inside[ids[n]] = first + n
        return copies

    def _reaches(self, earlier: int, ordinal: int, before: int) -> bool:
        """Whether the record ``earlier`` (an ordinal) is within the reach of the record ``ordinal``."""
        if ordinal - earlier > self._limit or not self._chunks or earlier < self._chunks[0].first:
            return False
        place = bisect_right(self._chunks, earlier, key=lambda chunk: chunk.first) - 1
        chunk = self._chunks[place]
        return before - int(chunk.greatest[earlier - chunk.first]) <= self._horizon

    def _forget(self, greatest: int) -> None:
        """Drop chunks that are wholly out of reach: neither ordinals nor the greatest time ever fall."""
        oldest, horizon = self.ordinal - self._limit, greatest - self._horizon
        chunks, latest = self._chunks, self._latest
        while len(chunks) > 1 and (chunks[0].end <= oldest or chunks[0].greatest[-1] < horizon):
            chunk = chunks.popleft()
            known = list(map(latest.pop, chunk.ids, repeat(-1)))
            if max(known) >= chunk.end:  # an id has come again since: it stays
                latest.update((one, n) for one, n in zip(chunk.ids, known, strict=True) if n >= chunk.end)
