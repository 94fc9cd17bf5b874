"""What do the topics of the simulated broker hold?"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

__all__ = ["Digest", "Log", "Stored", "values"]

_OFFSET, _TIMESTAMP = attrgetter("offset"), attrgetter("timestamp")


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as it stands on the log. ``timestamp``: ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Log:
    """One partition.

    Attributes:
        records: what a reader finds.
        archive: all that was ever written.
        begin: the first offset that retention has left.
    """

    def __init__(self) -> None:
        self.records: list[Stored] = []
        self.archive: list[Stored] = []
        self.begin = 0

    @property
    def end(self) -> int:
        """The offset after the last record."""
        return len(self.archive)

    def append(self, record: Stored) -> None:
        """Add a record at the end."""
        self.records.append(record)
        self.archive.append(record)

    def read(self, start: int, limit: int | None = None) -> list[Stored]:
        """The records from an offset on."""
        first = bisect_left(self.records, start, key=_OFFSET)
        return self.records[first : None if limit is None else first + limit]

    def at(self, timestamp: int) -> int | None:
        """The offset of the first record that is not older than an instant, ms."""
        return next((record.offset for record in self.records if record.timestamp >= timestamp), None)

    def compact(self, before: int) -> None:
        """Keep of what was written before ``before`` (ms) only the last record of each key."""
        last = {record.key: record.offset for record in self.records if record.timestamp < before}
        self.records = [r for r in self.records if r.timestamp >= before or last[r.key] == r.offset]

    def retain(self, begin: int) -> None:
        """Delete what lies before an offset."""
        self.begin = max(self.begin, min(begin, self.end))
        self.records = self.read(self.begin)


class Digest:
    """The SHA-256 of all that was written to topics and got by receivers, in its order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def note(self, *parts: object) -> None:
        """Take something in; ``parts`` are bytes, or something with a stable ``repr``."""
        for part in parts:
            told = part if isinstance(part, bytes) else repr(part).encode()
            self._hash.update(len(told).to_bytes(4, "big"))
            self._hash.update(told)

    def record(self, record: Stored) -> None:
        """Take a record in."""
        place = f"{record.topic}/{record.partition}/{record.offset}/{record.timestamp}"
        self.note(place, record.key or b"-", record.value or b"-", record.headers)

    def hex(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()


def values(logs: Sequence[Log]) -> list[bytes]:
    """All values that were ever written to some partitions, in the order of each partition."""
    return [record.value for log in logs for record in log.archive if record.value is not None]
