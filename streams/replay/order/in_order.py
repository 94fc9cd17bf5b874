"""How is an input read whose lines do not stand in the order in which they happened?"""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Any

import msgspec
import numpy as np

from detectors.instants import parse_instant
from streams.replay.entries import Begin, Entry, Mark
from streams.replay.files import open_lines
from streams.replay.places import PlacedEntries

__all__ = ["comes_newest_first", "in_order"]

_SPOOL_BYTES = 64 << 20
#: So many lines of a file say in which order it comes.
_LOOKED_AT = 200
#: A file comes newest first if so large a share of its lines is older than the line before.
_NEARLY_ALL = 0.8
_STANDS_FIRST = _NO_TIMESTAMP = -(1 << 63)
_NO_VALUE = -1


class _Happened(msgspec.Struct):
    occurred_at: str


_decoder = msgspec.json.Decoder(_Happened)


def in_order(entries: PlacedEntries, offsets: Sequence[int] | None = None) -> PlacedEntries:
    """Return the records of a partition in the order in which they happened; equal ones stay as they stood.

    A record whose time or offset is not known stays behind the one before it. All records are kept on disk until they
    have been read, and 40 bytes of each in memory.

    Args:
        entries: records of a file, without marks.
        offsets: of the records on their log, whose order is the true one; None: ``occurred_at`` decides.
    """
    ordered = _Ordered(entries, offsets)
    return PlacedEntries(ordered.entries(), ordered)


class _Ordered:
    def __init__(self, entries: PlacedEntries, offsets: Sequence[int] | None) -> None:
        self._entries = entries
        self._offsets = offsets
        self._order: np.ndarray[Any, np.dtype[np.int64]] = np.zeros(0, dtype=np.int64)

    def of(self, n: int) -> str:
        """The place of the n-th record that is given out, counted from 0."""
        return self._entries.places.of(int(self._order[n]))

    def entries(self) -> Iterator[Entry]:
        """Yield the records in order; can be called once only."""
        keys, begins, sizes, stamps = (array("q") for _ in range(4))
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as kept:
            for entry in self._entries:
                assert not isinstance(entry, Mark | Begin)  # files have none
                stamp, value = entry
                key = self._key(len(keys), value)
                keys.append((keys[-1] if keys else _STANDS_FIRST) if key is None else key)
                begins.append(kept.tell())
                sizes.append(_NO_VALUE if value is None else len(value))
                stamps.append(_NO_TIMESTAMP if stamp is None else stamp)
                kept.write(value or b"")
            self._order = np.argsort(np.array(keys, dtype=np.int64), kind="stable")
            for n in self._order:
                kept.seek(begins[n])
                value = None if sizes[n] == _NO_VALUE else kept.read(sizes[n])
                yield (None if stamps[n] == _NO_TIMESTAMP else stamps[n]), value

    def _key(self, number: int, value: bytes | None) -> int | None:
        if self._offsets is not None:
            return self._offsets[number] if self._offsets[number] >= 0 else None
        return _happened_at(value)


def comes_newest_first(names: Sequence[str]) -> bool:
    """Whether the first lines of one of these files stand in reverse; standard input and topics are not looked at.

    Raises:
        SourceError: a file cannot be read.
    """
    return any(_reversed(name) for name in names if name != "-" and not name.startswith("topic:"))


def _reversed(name: str) -> bool:
    with open_lines(name) as lines:
        known = [at for line in islice(lines, _LOOKED_AT) if (at := _place_in_time(line)) is not None]
    older = sum(after < before for before, after in pairwise(known))
    return len(known) > 1 and older >= _NEARLY_ALL * (len(known) - 1)


def _place_in_time(line: bytes) -> int | None:
    """The instant of an event, or the offset of a line of ``kcat -J``."""
    happened = _happened_at(line)
    if happened is not None:
        return happened
    try:
        envelope = json.loads(line)
        return int(envelope["offset"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _happened_at(value: bytes | None) -> int | None:
    try:
        return parse_instant(_decoder.decode(value or b"").occurred_at)
    except ValueError:
        return None
