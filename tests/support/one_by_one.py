"""What does acceptance decide about a single record? The product accepts batches; here a batch holds one record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streams.aggregate.acceptance import Acceptance
from streams.aggregate.batch import judge_batch
from streams.aggregate.dedup import Duplicates
from streams.events.validation import Reason

__all__ = ["COPY", "Copy", "Counted", "Record", "is_copy", "take"]


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the log; ``timestamp`` is Kafka's, ms."""

    offset: int
    timestamp: int
    value: bytes | None


class Counted(NamedTuple):
    """The result of ``take`` for an accepted event: the start of its pane, and its first T, both in ms."""

    pane: int
    first_t: int


class Copy:
    """The result of ``take`` for a record that repeats an earlier event."""


COPY = Copy()


def take(
    acceptance: Acceptance, value: bytes | None, recorded: int | None, now: int | None
) -> Counted | Copy | Reason:
    """Accept a partition's next record; return where it counts, that it is a duplicate, or why it is rejected.

    Args:
        acceptance: the acceptance of the partition.
        value: the record.
        recorded: its Kafka timestamp, ms; None for a line of a file.
        now: the present with which the time of a line of a file is compared, ms; None for no comparison.
    """
    stamps = None if recorded is None else np.array([recorded])
    batch = judge_batch(acceptance, [value], stamps, now)
    if batch.refused:
        return batch.refused[0].reason
    events, watermarks, stamps = batch.accepted(0, 1)
    if not len(events):
        return COPY
    panes, first_t = acceptance.counted_from(events.occurred, watermarks, stamps)
    return Counted(int(panes[0]), int(first_t[0]))


def is_copy(
    duplicates: Duplicates, event_id: str, before: int, after: int, hashed: int | None = None
) -> bool:
    """Return whether a partition's next valid record is a duplicate.

    Args:
        duplicates: the partition's memory of ids.
        event_id: the id of the record's event.
        before, after: the greatest ``occurred_at`` before and after the record, ms.
        hashed: the hash of the id; by default that of ``hash``.
    """
    hashes = np.array([hash(event_id) if hashed is None else hashed])
    copies = duplicates.note_many([event_id], hashes, np.array([before]), np.array([after]))
    return copies is not None and bool(copies[0])
