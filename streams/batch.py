"""A batch of consecutive records of one partition, judged by columns: which are accepted, and from which T on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streams.columns import Columns, columns_of
from streams.duplicates import Ints
from streams.events import Reason, Rejection
from streams.partition import Partition, Taken

__all__ = ["Batch", "judge_batch", "out_of_time"]


@dataclass(frozen=True)
class Batch:
    """What became of N records.

    Attributes:
        size: N.
        events: the V valid records, duplicates included.
        where: (V,) their positions among the N.
        taken: what their partition says of them.
        refused: the rejected records by position.
    """

    size: int
    events: Columns
    where: Ints
    taken: Taken
    refused: dict[int, Rejection]

    def accepted(self, begin: int, end: int) -> tuple[Columns, Ints]:
        """The accepted events among the valid ones [begin, end), and the watermarks before them."""
        watermarks = self.taken.watermark[begin:end]
        copies = None if self.taken.copies is None else self.taken.copies[begin:end]
        if copies is None or not copies.any():
            return self.events.at(slice(begin, end)), watermarks
        kept = np.flatnonzero(~copies)
        return self.events.at(kept + begin), watermarks[kept]


def judge_batch(
    acceptance: Partition, values: Sequence[bytes | None], stamps: Ints | None, now: int | None = None
) -> Batch:
    """Judge the next records of a partition, to the same effect as one by one.

    Args:
        acceptance: the partition so far.
        values: the records.
        stamps: (N,) their Kafka timestamps, ms; None for lines of a file.
        now: what the times of lines of a file are held against, ms.
    """
    rules = acceptance.rules
    ids, events, refused = columns_of(values)
    where = np.arange(len(values))
    if refused:
        where = np.delete(where, list(refused))
    occurred = events.occurred
    reference = now if stamps is None else stamps[where]
    if reference is not None:
        ahead = occurred > reference + rules.future_limit
        wrong = ahead | (occurred < reference - rules.past_limit)
        if wrong.any():
            for n in np.flatnonzero(wrong).tolist():
                refused[int(where[n])] = out_of_time(Reason.FUTURE if ahead[n] else Reason.PAST)
            kept = np.flatnonzero(~wrong)
            where, events, ids = where[kept], events.at(kept), [ids[n] for n in kept.tolist()]
    recorded = None if stamps is None else stamps[where]
    taken = acceptance.take_many(ids, events.hashes, events.occurred, recorded)
    return Batch(len(values), events, where, taken, refused)


def out_of_time(reason: Reason) -> Rejection:
    """The rejection of an event from the future or the past."""
    if reason is Reason.FUTURE:
        return Rejection(reason, "occurred_at is ahead of the record's timestamp: mend the producer's clock")
    return Rejection(
        reason, "occurred_at is too far behind the record's timestamp: send events as they happen"
    )
