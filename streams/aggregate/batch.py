"""Which records of a batch of one partition are valid, in time, and no duplicates? Judged by columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from detectors.arrays import Bools, Ints
from streams.aggregate.acceptance import Acceptance, Rules, Taken
from streams.aggregate.rejected_share import Counted, count_slots, slots_of
from streams.events.columns import Columns, Times, columns_of, times_of
from streams.events.validation import Reason, Rejection

__all__ = ["Batch", "judge_batch", "note_batch", "refused_in"]

_Some = TypeVar("_Some", bound=Times)


@dataclass(frozen=True)
class Batch:
    """What became of N records.

    Attributes:
        size: N.
        events: the V valid records, duplicates included.
        where: (V,) their positions among the N.
        taken: what the acceptance of the partition found.
        refused: the rejections of the rejected records, by position among the N.
        recorded: (V,) the Kafka timestamps of the valid records, ms; None for lines of a file.
    """

    size: int
    events: Columns
    where: Ints
    taken: Taken
    refused: dict[int, Rejection]
    recorded: Ints | None = None

    def before(self) -> Ints:
        """(N + 1,) how many valid records stand before each record, and in all.

        These are indices into what ``taken`` says of "before".
        """
        before = np.arange(self.size + 1)
        if self.refused:
            invalid = np.zeros(self.size + 1, dtype=np.int64)
            invalid[[n + 1 for n in self.refused]] = 1
            before -= np.cumsum(invalid)
        return before

    def rejected(self) -> Bools:
        """(N,) whether each record is rejected."""
        rejected = np.zeros(self.size, dtype=np.bool_)
        rejected[list(self.refused)] = True
        return rejected

    def slots(self, stamps: Ints | None) -> Counted:
        """The records and the rejected ones by slot, with the Kafka timestamps (N,) that the batch was judged by."""
        return count_slots(slots_of(stamps, self.taken.watermark[self.before()[:-1]]), self.rejected())

    def accepted(self, begin: int, end: int) -> tuple[Columns, Ints, Ints | None]:
        """The accepted events among the valid ones [begin, end), the watermarks before them, and their timestamps."""
        watermarks = self.taken.watermark[begin:end]
        recorded = None if self.recorded is None else self.recorded[begin:end]
        copies = None if self.taken.copies is None else self.taken.copies[begin:end]
        if copies is None or not copies.any():
            return self.events.at(slice(begin, end)), watermarks, recorded
        kept = np.flatnonzero(~copies)
        return self.events.at(kept + begin), watermarks[kept], None if recorded is None else recorded[kept]


def judge_batch(
    acceptance: Acceptance, values: Sequence[bytes | None], stamps: Ints | None, now: int | None = None
) -> Batch:
    """Judge the next records of a partition, to the same effect however they are cut into batches.

    Args:
        acceptance: the partition so far.
        values: the records.
        stamps: (N,) their Kafka timestamps, ms; None for lines of a file.
        now: what the times of lines of a file are held against, ms.
    """
    ids, events, refused = columns_of(values, acceptance.rules.fields)
    reference = None if now is None else np.full(len(values), now)
    ids, events, where = _in_time(
        acceptance.rules, ids, events, refused, reference if stamps is None else stamps, len(values)
    )
    recorded = None if stamps is None else stamps[where]
    taken = acceptance.take_many(ids, events.hashes, events.occurred, recorded)
    return Batch(len(values), events, where, taken, refused, recorded)


def note_batch(acceptance: Acceptance, values: Sequence[bytes | None], stamps: Ints) -> tuple[Ints, Taken]:
    """Judge records that have been counted before; the ``where`` and ``taken`` of their ``Batch``."""
    ids, times, refused = times_of(values)
    ids, times, where = _in_time(acceptance.rules, ids, times, refused, stamps, len(values))
    return where, acceptance.take_many(ids, times.hashes, times.occurred, stamps[where])


def refused_in(rules: Rules, values: Sequence[bytes | None], stamps: Ints) -> dict[int, Rejection]:
    """The rejections among records, by position: they depend on no other record, and are those of ``judge_batch``.

    Args:
        rules: say what is too far in the future or the past.
        values: the records.
        stamps: (N,) their Kafka timestamps, ms.
    """
    ids, times, refused = times_of(values)
    _in_time(rules, ids, times, refused, stamps, len(values))
    return refused


def _in_time(
    rules: Rules,
    ids: list[str],
    events: _Some,
    refused: dict[int, Rejection],
    reference: Ints | None,
    size: int,
) -> tuple[list[str], _Some, Ints]:
    """The valid events that lie neither in the future nor in the past, and their positions.

    Args:
        refused: the rejections by position among the ``size`` records; the events that are out of time are added.
        reference: (size,) what the times are held against, ms; None for nothing.
    """
    where = np.arange(size)
    if refused:
        where = np.delete(where, list(refused))
    if reference is None:
        return ids, events, where
    reference = reference[where]
    ahead = events.occurred > reference + rules.future_limit
    wrong = ahead | (events.occurred < reference - rules.past_limit)
    if not wrong.any():
        return ids, events, where
    for n in np.flatnonzero(wrong).tolist():
        refused[int(where[n])] = _out_of_time(Reason.FUTURE if ahead[n] else Reason.PAST)
    kept = np.flatnonzero(~wrong)
    return [ids[n] for n in kept.tolist()], events.at(kept), where[kept]


def _out_of_time(reason: Reason) -> Rejection:
    """The rejection of an event from the future or the past."""
    if reason is Reason.FUTURE:
        return Rejection(reason, "occurred_at is ahead of the record's timestamp: mend the producer's clock")
    return Rejection(
        reason, "occurred_at is too far behind the record's timestamp: send events as they happen"
    )
