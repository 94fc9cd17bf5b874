"""What does a partition of recorded events consist of, and how is it spooled to disk?"""

from __future__ import annotations

import struct
import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from detectors.errors import WatchofficerError
from streams.replay.places import NotedPlaces, PlacedEntries

__all__ = ["Begin", "Entry", "Mark", "Record", "SourceError", "Spool"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A clock raised the watermark to at least ``watermark`` (ms) before the next record, in place of events.

    ``blind_from`` is the watermark (ms) from which on the partition could not be read; None if it could be read.
    """

    watermark: int
    blind_from: int | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """The beginning of the entries to replay; entries before it are read only to restore the state."""


#: (Kafka timestamp in ms or None, value or None)
Record = tuple[int | None, bytes | None]
Entry = Record | Mark | Begin
_SPOOL_BYTES = 64 << 20
_HEADER = struct.Struct("<qi")
_NO_TIMESTAMP = -(1 << 63)
_NO_VALUE, _MARK, _BLIND, _BEGIN = -1, -2, -3, -4
_BLIND_FROM = struct.Struct("<q")


class SourceError(WatchofficerError):
    """An input cannot be read. The message names the input and the reason."""


class Spool:
    """The entries of one partition, held in memory up to a bound and then on disk.

    Attributes:
        places: where the records stood, as far as that was noted.
        offsets: of the records; -1 where it is not known.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 - closed by ``entries``
        self.places = NotedPlaces()
        self.offsets = array("q")

    def append(self, entry: Entry, offset: int = -1) -> None:
        """Add an entry at the end; a record with its offset on the log, if that is known."""
        if isinstance(entry, Mark):
            if entry.blind_from is None:
                self._file.write(_HEADER.pack(entry.watermark, _MARK))
            else:
                self._file.write(_HEADER.pack(entry.watermark, _BLIND) + _BLIND_FROM.pack(entry.blind_from))
            return
        if isinstance(entry, Begin):
            self._file.write(_HEADER.pack(0, _BEGIN))
            return
        self.offsets.append(offset)
        stamp, value = entry
        size = _NO_VALUE if value is None else len(value)
        self._file.write(_HEADER.pack(_NO_TIMESTAMP if stamp is None else stamp, size))
        if value:
            self._file.write(value)

    def placed(self) -> PlacedEntries:
        """All entries, with the places of the records; can be called once only."""
        return PlacedEntries(self.entries(), self.places)

    def entries(self) -> Iterator[Entry]:
        """Yield all entries; can be called once only."""
        self._file.seek(0)
        with self._file:
            while head := self._file.read(_HEADER.size):
                stamp, size = _HEADER.unpack(head)
                if size == _BEGIN:
                    yield Begin()
                    continue
                if size == _BLIND:
                    yield Mark(stamp, *_BLIND_FROM.unpack(self._file.read(_BLIND_FROM.size)))
                    continue
                if size == _MARK:
                    yield Mark(stamp)
                    continue
                value = None if size == _NO_VALUE else self._file.read(size)
                yield (None if stamp == _NO_TIMESTAMP else stamp), value
