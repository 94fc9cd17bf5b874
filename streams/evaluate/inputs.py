"""Which incident inputs wait for an environment, and how large are they?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from detectors.incidents import IncidentInput
from streams.records.models import decode_input
from streams.records.reading import Reading, Record

__all__ = ["SCHEDULED_BYTES", "QueuedInput", "queued_input", "size_of"]

#: The inputs of an environment that have a T and are not applied yet take at most so many bytes, or are one.
SCHEDULED_BYTES = 32 * 1024


@dataclass(frozen=True)
class QueuedInput:
    """An incident input, with the offset of its record on `incident-inputs`."""

    offset: int
    value: IncidentInput


def queued_input(reading: Reading, record: Record) -> QueuedInput | None:
    """The input in a record of `incident-inputs`; None for a record that holds none, which is passed by."""
    value = reading.take(record, decode_input)
    return None if value is None else QueuedInput(record.offset, value)


def size_of(value: IncidentInput) -> int:
    """The bytes that an input takes in a state."""
    return len(msgspec.msgpack.encode(value))
