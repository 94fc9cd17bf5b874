"""A batch of consecutive records of one partition, judged by columns: which are accepted, and from which T on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from streams.duplicates import Ints
from streams.events import LoginEvent, Reason, Rejection, decode_many
from streams.partition import Partition, Taken

__all__ = ["Batch", "judge_batch", "out_of_time"]


@dataclass(frozen=True)
class Batch:
    """What became of N records.

    Attributes:
        size: N.
        events: the V valid records, duplicates included.
        where: (V,) their positions among the N.
        occurred: (V,) their ``occurred_at``, ms.
        taken: what their partition says of them.
        refused: the rejected records by position.
    """

    size: int
    events: list[LoginEvent]
    where: Ints
    occurred: Ints
    taken: Taken
    refused: dict[int, Rejection]

    def accepted(self, begin: int, end: int) -> tuple[list[LoginEvent], Ints, Ints]:
        """The accepted events among the valid ones [begin, end), their times and the watermarks before them."""
        events, times = self.events[begin:end], self.occurred[begin:end]
        watermarks = self.taken.watermark[begin:end]
        copies = None if self.taken.copies is None else self.taken.copies[begin:end]
        if copies is None or not copies.any():
            return events, times, watermarks
        kept = np.flatnonzero(~copies)
        return [events[n] for n in kept.tolist()], times[kept], watermarks[kept]


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
    decoded = decode_many(values)
    refused = {n: one for n, one in enumerate(decoded) if one.__class__ is Rejection}
    where = np.arange(len(decoded))
    if refused:
        where = np.delete(where, list(refused))
    events = cast("list[LoginEvent]", [decoded[n] for n in where.tolist()] if refused else decoded)
    occurred = np.array([event.occurred_at for event in events], dtype=np.int64)
    reference = now if stamps is None else stamps[where]
    if reference is not None:
        ahead = occurred > reference + rules.future_limit
        wrong = ahead | (occurred < reference - rules.past_limit)
        if wrong.any():
            for n in np.flatnonzero(wrong).tolist():
                refused[int(where[n])] = out_of_time(Reason.FUTURE if ahead[n] else Reason.PAST)
            kept = np.flatnonzero(~wrong)
            where, occurred = where[kept], occurred[kept]
            events = [events[n] for n in kept.tolist()]
    recorded = None if stamps is None else stamps[where]
    taken = acceptance.take_many([event.event_id for event in events], occurred, recorded)
    return Batch(len(decoded), events, where, occurred, taken, refused)


def out_of_time(reason: Reason) -> Rejection:
    """The rejection of an event from the future or the past."""
    if reason is Reason.FUTURE:
        return Rejection(reason, "occurred_at is ahead of the record's timestamp: mend the producer's clock")
    return Rejection(
        reason, "occurred_at is too far behind the record's timestamp: send events as they happen"
    )
