"""How is an input partition cut into blocks and folded, so that what ingest writes is a pure function of the log?

A block ends at every multiple of ``BLOCK_OFFSETS`` offsets and where the watermark passes a multiple of
``BLOCK_WATERMARK``; its facts depend on nothing but the records up to its last offset and the marks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple, Protocol

import numpy as np

from detectors.arrays import Ints
from detectors.errors import WatchofficerError
from detectors.instants import FAR_PAST
from detectors.windows.facts import ON_TIME, TOO_LATE
from streams.aggregate.acceptance import Acceptance, Rules
from streams.aggregate.batch import Batch, judge_batch, note_batch
from streams.aggregate.fact_accumulator import FactAccumulator
from streams.aggregate.rejected_share import Counted, count_slots, slots_of
from streams.aggregate.source import Source, Values
from streams.events.validation import Rejection
from streams.segments.codec import BLOCK_OFFSETS, BLOCK_WATERMARK, Resume, Segment, Tally
from streams.segments.input_partition import InputPartition, in_words

__all__ = ["Block", "BlockFold", "Folded", "LogRecord", "LogReplaced", "RefusedRecord"]

#: How close together, in event time (ms), the offsets lie from which duplicates can be read back.
_APART = 10_000
_OFFSET, _TIMESTAMP, _VALUE = attrgetter("offset"), attrgetter("timestamp"), attrgetter("value")


class LogReplaced(WatchofficerError, ValueError):
    """The input topic is not the one that was read before. The message says what to do."""


class LogRecord(Protocol):
    """What the fold needs of a record of the log. Kafka's own records have it."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


class RefusedRecord(NamedTuple):
    """A value that was rejected.

    Attributes:
        record: the record that holds it.
        why: why it was rejected.
        value: the value; of a producer's own record what a mapping made of it.
        place: its place among the values of the record, from 0.
    """

    record: LogRecord
    why: Rejection
    value: bytes | None
    place: int = 0


class Folded(NamedTuple):
    """What became of the records of a batch.

    Attributes:
        values: how many values were judged.
        refused: those that were rejected, in order.
        skipped: (position of a record, rule, shape or "") of each part of a record that is no event.
        newest: the greatest ``occurred_at`` so far, ms; None before the first event.
        example: the first of the valid events; None if there is none.
    """

    values: int
    refused: list[RefusedRecord]
    skipped: Sequence[tuple[int, str, str]] = ()
    newest: int | None = None
    example: bytes | None = None


@dataclass
class Block:
    """An open or finished block: what was folded so far, from ``first`` to ``last`` (inclusive)."""

    start: int
    tally: Tally
    cells: FactAccumulator
    dirty: set[str] = field(default_factory=set)

    @property
    def told(self) -> bool:
        """Whether the block holds a record."""
        return self.tally.last >= self.start


class BlockFold:
    """The fold of one input partition from a block's start on.

    Args:
        partition: the input partition.
        rules: the numbers of acceptance.
        resume: where the fold begins.
        source: what becomes of the records.
        place: ``topic/partition``, which names events of mapped records that have no id.

    Attributes:
        next_offset: the first offset not folded yet.
        closed: finished blocks whose last records have not been taken by ``take_closed`` yet, in order.
        block: the open block.
    """

    def __init__(
        self,
        partition: InputPartition,
        rules: Rules,
        resume: Resume,
        source: Source | None = None,
        place: str = "",
    ) -> None:
        self.partition = partition
        self.source = source or Source()
        self._place = place
        self._rules = rules
        self._ingest_policy = rules.ingest_policy()
        self.acceptance = Acceptance(rules)
        self.acceptance.restore(resume.greatest_there, None, resume.mark)
        self._blind_from = resume.blind_from  # of the mark
        self.next_offset = resume.start
        self.closed: list[Block] = []
        # Offsets from which the memory of duplicates can be read back, with the greatest time before them.
        self._landmarks: deque[tuple[int, int | None]] = deque([(resume.read_from, resume.greatest_there)])
        self._resume = resume
        self.block: Block  # begun by ``ready``

    # -- rebuilding the memory of duplicates ------------------------------------------------------------------

    def read_back(self, records: Sequence[LogRecord]) -> None:
        """Note consecutive records before the resume offset, so that their duplicates are known."""
        if not records:
            return
        offsets, stamps = _offsets_of(records)
        opened = self._opened(records, offsets)
        where, taken = note_batch(self.acceptance, opened.values, stamps[opened.records()])
        self._note_landmarks(offsets, opened, where, taken.greatest)

    def _opened(self, records: Sequence[LogRecord], offsets: Ints) -> Values:
        return self.source.open(list(map(_VALUE, records)), offsets, self._place)

    def ready(self, *, whole: bool) -> None:
        """End the read-back and open the first block.

        Args:
            whole: whether every record from ``read_from`` on was still on the log.

        Raises:
            LogReplaced: the log is not the one that the resume record was written from.
        """
        resume = self._resume
        if whole and self.acceptance.greatest != resume.greatest:
            raise LogReplaced(
                f"{in_words(self.partition)}: the log before offset {resume.start} is not the one this deployment "
                "has read before; if the topic was recreated, give the deployment a new WATCHOFFICER_TOPIC_PREFIX"
            )
        self.acceptance.restore(resume.greatest, resume.recorded, resume.mark)
        watermark = self.acceptance.watermark()
        self.block = self._open(
            resume.start, resume.greatest, resume.recorded, FAR_PAST if watermark is None else watermark
        )

    # -- folding ----------------------------------------------------------------------------------------------

    def _open(self, start: int, greatest: int | None, recorded: int | None, watermark: int) -> Block:
        self._block_place = (start // BLOCK_OFFSETS, watermark // BLOCK_WATERMARK)
        self._start_state = (start, greatest, recorded, self.acceptance.mark, self._blind_from)
        return Block(
            start,
            Tally(start, start, start - 1, rejected={}, slots={}, skipped={}),
            FactAccumulator(self._rules.step, self._rules.thresholds, self._rules.bounds),
        )

    def _cut(self, offset: int, greatest: int, recorded: int, watermark: int) -> None:
        """Begin a block at ``offset``. The open block is finished, unless it is empty."""
        if self.block.told:
            self.closed.append(self.block)
        self.block = self._open(offset, _or_none(greatest), _or_none(recorded), int(watermark))

    def _cut_here(self, offset: int) -> None:
        """Begin a block at ``offset`` with acceptance as it stands."""
        acceptance = self.acceptance
        state = (acceptance.greatest, acceptance.recorded, acceptance.watermark())
        self._cut(offset, *(FAR_PAST if one is None else one for one in state))

    def fold(self, records: Sequence[LogRecord]) -> Folded:
        """Fold consecutive records, to the same effect however they are cut into batches."""
        if not records:
            return Folded(0, [])
        offsets, record_stamps = _offsets_of(records)
        opened = self._opened(records, offsets)
        starts, stamps = opened.starts, record_stamps[opened.records()]
        batch = judge_batch(self.acceptance, opened.values, stamps)
        taken, refused = batch.taken, batch.refused
        before = batch.before()
        at_record = before[starts]
        rejected_here, slots = batch.rejected(), slots_of(stamps, taken.watermark[before[:-1]])
        for begin, end in self._runs(offsets, taken.watermark[at_record[:-1]]):
            if begin or not self._continues(offsets[0], taken.watermark[0]):
                at = at_record[begin]
                self._cut(int(offsets[begin]), taken.greatest[at], taken.recorded[at], taken.watermark[at])
            first, last = int(starts[begin]), int(starts[end])
            valid = int(at_record[begin]), int(at_record[end])
            self._fold_into_block(int(offsets[end - 1]), last - first, batch, *valid)
            self._count_slots(count_slots(slots[first:last], rejected_here[first:last]))
            rejected = self.block.tally.rejected
            for n in [n for n in refused if first <= n < last] if refused else ():
                reason = refused[n].reason
                rejected[reason] = rejected.get(reason, 0) + 1
            skipped = self.block.tally.skipped
            for rule, count in opened.skipped_within(begin, end).items() if opened.skipped else ():
                skipped[rule] = skipped.get(rule, 0) + count
        self._note_landmarks(offsets, opened, batch.where, taken.greatest)
        self.next_offset = int(offsets[-1]) + 1
        found = [RefusedRecord(records[one.record], *one[1:]) for one in opened.rejected(refused)]
        example = opened.values[batch.where[0]] if len(batch.where) else None
        return Folded(batch.size, found, opened.skipped, self.acceptance.greatest, example)

    def _note_landmarks(self, offsets: Ints, opened: Values, where: Ints, greatest: Ints) -> None:
        """Note the offsets at which the greatest time has crossed a multiple of ``_APART``.

        Args:
            offsets: (N,) of records.
            opened: their values.
            where: (V,) the positions of the valid ones among the values.
            greatest: (V + 1,) the greatest ``occurred_at`` before each of them and after the last, ms.
        """
        slots = greatest // _APART
        crossed = np.flatnonzero(slots[1:] != slots[:-1])
        if not len(crossed):
            return
        records = opened.records()[where[crossed]]
        # Of a record with several events all are read back, so what counts is the time before the first of them.
        firsts = np.searchsorted(where, opened.starts[records])
        for record, first in zip(records.tolist(), firsts.tolist(), strict=True):
            if self._landmarks[-1][0] != offsets[record]:
                self._landmarks.append((int(offsets[record]), _or_none(greatest[first])))

    def _runs(self, offsets: Ints, watermarks: Ints) -> Iterator[tuple[int, int]]:
        """The positions [begin, end) of consecutive records that lie in one block."""
        ranges, epochs = offsets // BLOCK_OFFSETS, watermarks // BLOCK_WATERMARK
        cuts = np.flatnonzero((ranges[1:] != ranges[:-1]) | (epochs[1:] != epochs[:-1])) + 1
        edges = [0, *cuts.tolist(), len(offsets)]
        return pairwise(edges)

    def _continues(self, offset: int, watermark: int) -> bool:
        """Whether a record belongs to the open block."""
        return (int(offset) // BLOCK_OFFSETS, int(watermark) // BLOCK_WATERMARK) == self._block_place

    def _fold_into_block(self, last: int, values: int, batch: Batch, begin: int, end: int) -> None:
        """Fold the valid records [begin, end) of a batch, all of them in the open block."""
        block = self.block
        tally = block.tally
        tally.last = last
        tally.records += values
        events, watermarks, recorded = batch.accepted(begin, end)
        tally.duplicates += end - begin - len(events)
        tally.accepted += len(events)
        panes, first_ts = self.acceptance.counted_from(events.occurred, watermarks, recorded)
        if (first_ts != ON_TIME).any():
            too_late = int(np.count_nonzero(first_ts == TOO_LATE))
            tally.too_late += too_late
            tally.late += int(np.count_nonzero(first_ts > panes))
        if events.stripped is not None:
            tally.personal_fields += int(np.count_nonzero(events.stripped))
        block.dirty |= block.cells.add_many(events, panes, first_ts)

    def pass_over(self, offset: int) -> None:
        """Go on at ``offset`` at the earliest: no offset before it holds a record that has not been folded."""
        self.next_offset = max(self.next_offset, offset)

    def _count_slots(self, counted: Counted) -> None:
        """Add the counts of records by slot to the open block."""
        slots = self.block.tally.slots
        for end, (records, rejected) in counted.items():
            before = slots.get(end, (0, 0))
            slots[end] = (before[0] + records, before[1] + rejected)

    def put_mark(self, watermark: int, blind_from: int | None = None) -> bool:
        """Let the clock stand in for events from the next offset on; False if it would not move the watermark.

        ``blind_from`` is the watermark (ms) of a partition that cannot be read since; None of one that can.
        """
        if not self.acceptance.put_mark(watermark):
            return False
        self._blind_from = blind_from
        self._cut_here(self.next_offset)
        return True

    # -- what is to be written --------------------------------------------------------------------------------

    def take_closed(self) -> list[Block]:
        """The blocks finished since the last call."""
        closed, self.closed = self.closed, []
        return closed

    def segments(self, block: Block, generation: int = -1) -> list[Segment]:
        """The records of the environments of a block that have grown since the last call."""
        if not block.dirty:
            return []
        rows = block.cells.rows()
        out = [
            Segment(
                self._rules.step,
                BLOCK_OFFSETS,
                self._rules.thresholds,
                self.partition,
                block.start,
                env,
                block.start,
                block.tally.last,
                rows[env],
                generation,
                self._rules.fields.axes,
                self._ingest_policy,
                self._rules.fields.further,
            )
            for env in sorted(block.dirty)
        ]
        block.dirty.clear()
        return out

    def resume_record(self, generation: int) -> Resume:
        """The resume record of the open block's start."""
        start, greatest, recorded, mark, blind_from = self._start_state
        if greatest is not None:
            horizon = greatest - self._rules.dedup_horizon
            # Records before one at which the greatest time was out of reach are out of reach themselves.
            marks = self._landmarks
            while len(marks) > 1 and marks[1][0] <= start and (marks[1][1] is None or marks[1][1] < horizon):
                marks.popleft()
        read_from, there = self._landmarks[0]
        return Resume(
            self.partition,
            generation,
            self._rules.step,
            BLOCK_OFFSETS,
            start,
            greatest,
            recorded,
            mark,
            read_from,
            there,
            blind_from,
            form=self._resume.form,
        )


def _offsets_of(records: Sequence[LogRecord]) -> tuple[Ints, Ints]:
    """The offsets and Kafka timestamps of consecutive records."""
    first, last = records[0].offset, records[-1].offset
    if last - first == len(records) - 1:  # offsets only ever grow
        offsets: Ints = np.arange(first, last + 1)
    else:
        offsets = np.fromiter(map(_OFFSET, records), dtype=np.int64, count=len(records))
    return offsets, np.fromiter(map(_TIMESTAMP, records), dtype=np.int64, count=len(records))


def _or_none(instant: int) -> int | None:
    return None if instant == FAR_PAST else int(instant)
