"""Which values are held against the rules of login events, of the records of an input partition?

A record of login events is one value. Of a producer's own record a mapping makes any number of them; each is judged,
counted and rejected by itself, and all stand at the offset of the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from detectors.arrays import Ints
from streams.events.validation import Reason, Rejection
from streams.mappings.account import Mapped
from streams.mappings.inputs import made_of
from streams.mappings.mapping import RecordMapping
from streams.mappings.schemas.store import Schemas

__all__ = ["RejectedValue", "Source", "Values", "values_of"]

#: Stands for a record that is not in the form that its mapping says: it is no login event.
_UNREADABLE = b"(unreadable)"


def values_of(mapped: Mapped, record: bytes | None) -> list[bytes | None]:
    """Return the values that a mapping made of a record; one that is no event where it could not read the record."""
    if mapped.unreadable is None:
        return [*mapped.events]
    return [*mapped.events, None if record is None else _UNREADABLE]


class RejectedValue(NamedTuple):
    """A value that was rejected.

    Attributes:
        record: the position of its record.
        why: why it was rejected.
        value: the value.
        place: its place among the values of the record, from 0.
    """

    record: int
    why: Rejection
    value: bytes | None
    place: int


@dataclass(frozen=True)
class Values:
    """The V values of N records.

    Attributes:
        values: the values, in the order of the records.
        starts: (N + 1,) which value is the first of each record, and V.
        unreadable: why the record of a value could not be read, by the position of the value.
        skipped: (position of a record, name of the rule, its shape or "") of each part of a record that is no event.
    """

    values: Sequence[bytes | None]
    starts: Ints
    unreadable: dict[int, str] = field(default_factory=dict)
    skipped: Sequence[tuple[int, str, str]] = ()

    def records(self) -> Ints:
        """(V,) the position of the record of each value."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def rejected(self, refused: Mapping[int, Rejection]) -> list[RejectedValue]:
        """Return the rejected values, in order; ``refused`` says why, by the position of the value."""
        owners = self.records() if refused else ()
        found = []
        for n in sorted(refused):
            record, why, unread = int(owners[n]), refused[n], self.unreadable.get(n)
            if unread is not None and why.reason is not Reason.EMPTY:
                why = Rejection(why.reason, f"the record is not in the form that its mapping says: {unread}")
            found.append(RejectedValue(record, why, self.values[n], n - int(self.starts[record])))
        return found

    def skipped_within(self, begin: int, end: int) -> Counter[str]:
        """Return how many parts of the records [begin, end) each rule skipped."""
        return Counter(rule for n, rule, _ in self.skipped if begin <= n < end)


class Source:
    """What becomes of the records of one input: a pure function of each record, its position and the mappings.

    Args:
        mappings: make events of the records; without any, each record is a value.
    """

    def __init__(self, mappings: Sequence[RecordMapping] = ()) -> None:
        self._mappings = tuple(mappings)

    @property
    def mapped(self) -> bool:
        """Whether the records are a producer's own."""
        return bool(self._mappings)

    @property
    def schemas(self) -> Schemas | None:
        """The schemas that must be known before records are opened; None where none are needed."""
        return next((one.schemas for one in self._mappings if one.schemas is not None), None)

    def open(self, records: Sequence[bytes | None], offsets: Ints, place: str) -> Values:
        """Return the values of records.

        Args:
            records: what the records hold.
            offsets: (N,) of the records.
            place: ``topic/partition``, by which an event without an id is named, with its offset and place within.
        """
        if not self._mappings:
            return Values(records, np.arange(len(records) + 1))
        values: list[bytes | None] = []
        starts = [0]
        unreadable: dict[int, str] = {}
        skipped: list[tuple[int, str, str]] = []
        for n, (record, offset) in enumerate(zip(records, offsets.tolist(), strict=True)):
            mapped = made_of(self._mappings, record, f"{place}/{offset}")
            if mapped.unreadable is not None:
                unreadable[len(values) + len(mapped.events)] = mapped.unreadable
            values += values_of(mapped, record)
            starts.append(len(values))
            skipped += [(n, rule, shape) for rule, shape in mapped.skipped]
        return Values(values, np.array(starts, dtype=np.int64), unreadable, skipped)
