"""What does a worker hold of an input partition: its fold, what is not written yet, and when it gets a mark?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from detectors.instants import FAR_PAST, SECOND
from detectors.policy.policy import Policy
from streams.ingest.blocks import Block, Folded
from streams.ingest.fetch_monitor import FetchStatus
from streams.ingest.partition_claim import ClaimedPartition
from streams.ingest.rejected_copies import RejectedCopy, copy_of
from streams.ingest.writes import Flush, to_all_partitions
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import env_partition
from streams.segments.codec import (
    Frontier,
    Resume,
    Tally,
    encode,
    frontier_key,
    segment_key,
)

__all__ = ["PartitionTask", "in_parts"]

#: The most bytes of tallies in one frontier, reckoned at ``_TALLY`` each and ``_SLOT`` for each of their slots.
_TALLIES, _TALLY, _SLOT = 160 * 1024, 500, 20
#: … and ``_RULE`` for each rule by which a mapping has skipped something.
_RULE = 80
#: An answer to a fetch that came no longer ago says how things stand: an idle partition is asked twenty times a second.
_FRESH = 3_000  # ms


def in_parts(tallies: Sequence[Tally]) -> list[list[Tally]]:
    """The tallies in the lists that go into one frontier each, so that no frontier is too large for a record."""
    parts: list[list[Tally]] = []
    room = 0
    for tally in tallies:
        size = _TALLY + _SLOT * len(tally.slots) + _RULE * len(tally.skipped)
        if size > room or not parts:
            parts.append([])
            room = _TALLIES
        parts[-1].append(tally)
        room -= size
    return parts


class _Mark(NamedTuple):
    """A mark: where it stands, and the clock's stand-in (ms)."""

    offset: int
    watermark: int
    reason: str
    blind_from: int | None


class PartitionTask:
    """The task of one input partition: folds its records, puts marks, and gives what is to be written.

    Args:
        claimed: the partition. Before its last stable offset of then no mark is put: a former owner may have read so
            far, and its blocks ended nowhere before.
        policy: says when the clock stands in.
        now: ms since the epoch.
        pace: how many times faster than real time the clock runs.
    """

    def __init__(self, claimed: ClaimedPartition, policy: Policy, now: int, pace: float = 1.0) -> None:
        self.fold = claimed.fold
        self.generation = claimed.generation
        self.destination = claimed.destination
        self._partition = claimed.fold.partition
        self._marks_from = claimed.end
        self._policy = policy
        self._pace = pace
        self._rejected: list[RejectedCopy] = []
        self._resumed: Resume | None = None
        self._gap: int | None = None
        self._heard_at = now  # when its last record came
        self._newest: int | None = None  # Kafka timestamp of the last record read
        self._at_end = False
        self._marked = ""
        self._blind_from = FAR_PAST
        self._told: tuple[int, int | None, str] | None = None
        self._told_at = 0

    # -- what a flush would tell ------------------------------------------------------------------------------

    @property
    def watermark(self) -> int | None:
        """The watermark of what has been folded, ms; None before the first event."""
        return self.fold.acceptance.watermark()

    @property
    def marked(self) -> str:
        """Why the clock stands in for events since the last of them; "" where it does not."""
        return self._marked

    # -- what arrives -----------------------------------------------------------------------------------------

    def follows(self, offset: int) -> bool:
        """Whether a batch that begins at ``offset`` can be folded. If not, the consumer must seek ``fold.next_offset``.

        A batch that was fetched before a seek cannot. A batch behind a gap in the offsets (compaction, transactions)
        can if it comes a second time.
        """
        expected = self.fold.next_offset
        if offset < expected or (offset > expected and self._gap != offset):
            self._gap = offset
            return False
        self._gap = None
        return True

    def take(self, records: Sequence[Any], now: int) -> Folded:
        """Fold a batch."""
        folded = self.fold.fold(records)
        topics = self.destination.topics
        self._rejected += [copy_of(topics, self._partition, refused) for refused in folded.refused]
        if len(folded.refused) < folded.values:
            # What is rejected or no event says nothing of the time: the partition may be idle.
            self._heard_at = now
        self._newest = records[-1].timestamp
        self._marked = ""
        return folded

    # -- silence ----------------------------------------------------------------------------------------------

    def _put_mark(self, status: FetchStatus, now: int) -> _Mark | None:
        """Put a mark if the clock must stand in for events now; the mark, or None."""
        self._at_end = status.at_end
        if status.position is not None:
            self.fold.pass_over(status.position)
        self._heard_at = min(self._heard_at, now)  # the broker's time has been found to be earlier
        reason = self._reason(status, now)
        reached = self.watermark
        mark = now - round(self._policy.watermark_delay * self._pace)
        if not reason or self.fold.next_offset < self._marks_from:
            if self._marked == "blind":
                self._marked = ""  # it can be fetched again
            return None
        # One mark a second, as soon as the clock makes a T due: a resume record and a block come with each.
        apart = SECOND * self._pace
        due = reached is None or mark // apart > reached // apart
        if reason == "blind" and self._marked != "blind":
            self._blind_from = FAR_PAST if reached is None else reached
        blind_from = self._blind_from if reason == "blind" else None
        if not due or not self.fold.put_mark(mark, blind_from):
            return None
        self._marked = reason
        return _Mark(self.fold.next_offset, mark, reason, blind_from)

    def _reason(self, status: FetchStatus, now: int) -> str:
        """Why the clock must stand in now; "" if it must not."""
        policy = self._policy
        if status.unanswered > policy.blind_after:
            return "blind"
        if not self._at_end or status.answered is None or status.answered > _FRESH:
            return ""  # there may be records that the broker has not handed out
        silent = now - self._heard_at
        if silent >= policy.idle_after * self._pace and not status.held_back:
            return "idle"
        if status.held_back and self._marked == "skew":
            return "skew"  # the transaction is still open
        reached = self.watermark
        delay = round(policy.watermark_delay * self._pace)
        behind = silent - delay if reached is None else now - delay - reached
        return "skew" if behind > policy.skew_after * self._pace else ""

    # -- what is to be written --------------------------------------------------------------------------------

    def flush(self, into: Flush, now: int, status: FetchStatus | None = None) -> None:
        """Put a mark if ``status`` says that one is due, and add to ``into`` what is to be written.

        A mark begins a block, and until the resume record names the mark no other worker knows it. So marks are put
        only here: what is folded behind a mark is in a later flush, which is written after this one. Otherwise the
        successor of a worker that died in between would cut blocks elsewhere, and what lay behind the mark would
        count twice.

        Nothing is awaited here, so that segments and frontiers are of one instant.
        """
        fold = self.fold
        mark = None if status is None else self._put_mark(status, now)
        told = (fold.next_offset, self.watermark, self._marked)
        closed = fold.take_closed()
        recently = now - self._told_at < SECOND * self._pace
        if told == self._told and not closed and mark is None and recently:
            return
        if self._rejected:
            into.rejected[self._partition], self._rejected = self._rejected, []
        for block in closed:
            into.finished += self._segments(block)
        if closed:
            # The successor of a worker that dies now begins after these blocks and would not count them.
            for tallies in in_parts([block.tally for block in closed]):
                into.finished += self._frontier(tallies, self._told, now, finished=True)
        resume = fold.resume_record(self.generation)
        if resume != self._resumed:
            into.resumes.append((self.destination, resume))
            self._resumed = resume
        into.growing += self._segments(fold.block)
        if mark is not None:
            into.frontiers += self._frontier([], mark[:3], now, mark)
        tallies = [fold.block.tally] if fold.block.told else []
        into.frontiers += self._frontier(tallies, told, now)
        self._told, self._told_at = told, now

    def _segments(self, block: Block) -> list[ProducerRecord]:
        destination = self.destination
        return [
            ProducerRecord(
                destination.topics.segments,
                segment_key(segment),
                encode(segment),
                env_partition(segment.env, destination.segment_partitions),
            )
            for segment in self.fold.segments(block, self.generation)
        ]

    def _frontier(
        self,
        tallies: list[Tally],
        told: tuple[int, int | None, str] | None,
        now: int,
        mark: _Mark | None = None,
        *,
        finished: bool = False,
    ) -> list[ProducerRecord]:
        """A frontier for every partition of `sli-segments`; with ``told`` None it says nothing but the tallies."""
        next_offset, watermark, marked = told or (self.fold.next_offset, None, "")
        frontier = Frontier(
            self._partition,
            self.destination.input_partitions,
            self.generation,
            next_offset,
            watermark,
            marked,
            None if self._at_end else self._newest,
            now,
            tallies,
            mark.blind_from if mark else None,
            dict(self.destination.inputs),
        )
        key = frontier_key(frontier, mark=mark is not None, finished=finished)
        return to_all_partitions(self.destination, key, frontier)
