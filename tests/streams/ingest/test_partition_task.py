"""Marks: when the clock stands in for events, and that every mark in the fold is written where it was put."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.aggregate.acceptance import Rules
from streams.ingest.blocks import BlockFold
from streams.ingest.fetch_monitor import FetchStatus
from streams.ingest.partition_claim import ClaimedPartition
from streams.ingest.partition_task import PartitionTask
from streams.ingest.writes import Destination, Flush
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.segments.codec import BLOCK_OFFSETS, Frontier, Resume, Segment, decode
from streams.settings.policy_file import default_policy
from tests.support.oracle import NOON, written

POLICY = default_policy()
DELAY = POLICY.watermark_delay
TOPICS = Topics()


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int
    value: bytes | None
    topic: str = "login-events"
    partition: int = 0


def event(offset: int, at: int) -> Record:
    value = (
        f'{{"schema_version":1,"event_id":"e{offset}","occurred_at":"{written(at)}","env":"prod",'
        '"auth_method":"ssoe","step":"callback","outcome":"success"}'
    )
    return Record(offset, at, value.encode())


def begun(marks_from: int = 0) -> PartitionTask:
    resume = Resume(0, 7, POLICY.step, BLOCK_OFFSETS, 0, None, None, None, 0, None)
    fold = BlockFold(0, Rules.of(POLICY), resume)
    fold.ready(whole=True)
    destination = Destination(TOPICS, 1, 0, 1)
    claimed = ClaimedPartition(TopicPartition("login-events", 0), destination, fold, marks_from, 7)
    return PartitionTask(claimed, POLICY, NOON)


@pytest.fixture
def task() -> PartitionTask:
    return begun()


def fetched(
    position: int | None, end: int | None, answered: int | None = 0, unanswered: int = 0, *, stable: int = -1
) -> FetchStatus:
    """What the fetches of a partition have said, where nothing is held back unless ``stable`` is given."""
    return FetchStatus(position, end if stable < 0 else stable, end, answered, unanswered)


def flush(task: PartitionTask, now: int, status: FetchStatus | None = None) -> list[tuple[str, Any]]:
    """(key, decoded value) of what is written, in order."""
    flush = Flush()
    end = task.fold.next_offset
    task.flush(flush, now, status or fetched(end, end))
    return [_told(out) for records in flush.batches() for out in records if out.topic != TOPICS.rejected]


def _told(out: ProducerRecord) -> tuple[str, Any]:
    assert out.key is not None
    return out.key.decode(), decode(out.value) if out.value is not None else None


def marks(
    task: PartitionTask, now: int, status: FetchStatus | None = None
) -> list[tuple[str, int | None, str]]:
    told = flush(task, now, status)
    return [(key, said.watermark, said.marked) for key, said in told if key.startswith("mark/")]


def test_a_silent_partition_gets_a_mark_once_it_has_been_read_to_its_end(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    assert marks(task, NOON + POLICY.idle_after - 1) == []
    there_is_more = fetched(1, 2)
    assert marks(task, NOON + 5_000, there_is_more) == []
    assert marks(task, NOON + 5_000) == [("mark/0/7/1/idle", NOON + 5_000 - DELAY, "idle")]


def test_marks_follow_each_other_where_the_clock_makes_a_second_due(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    told = [marks(task, NOON + after) for after in (1_900, 1_990, 2_000, 2_500, 2_999, 3_000)]
    assert [len(one) for one in told] == [1, 0, 1, 0, 0, 1]
    assert told[2][0][1] == NOON + 2_000 - DELAY


def test_what_comes_behind_a_mark_is_written_after_it(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    assert [key for key, _, _ in marks(task, NOON + 5_000)] == ["mark/0/7/1/idle"]
    task.take([event(1, NOON + 4_900), event(2, NOON + 15_000)], NOON + 15_010)
    told = flush(task, NOON + 15_020)
    assert [key for key, _ in told if key.startswith("mark/")] == []
    last = told[-1][1]
    assert isinstance(last, Frontier)
    assert (last.next_offset, last.marked) == (3, "")


def test_without_a_sight_of_the_partition_no_mark_is_put(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    flush = Flush()
    task.flush(flush, NOON + 5_000)
    assert flush.frontiers
    assert [out.key for out in flush.frontiers if (out.key or b"").startswith(b"mark/")] == []


def test_a_slow_producer_does_not_hold_the_others_back(task: PartitionTask) -> None:
    now = NOON + POLICY.skew_after + DELAY + 2_000
    task.take([event(0, NOON)], now)
    assert marks(task, now + 1) == [("mark/0/7/1/skew", now + 1 - DELAY, "skew")]


def test_a_marker_behind_the_last_record_does_not_keep_a_partition_from_its_end(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    assert marks(task, NOON + 5_000, fetched(1, 2)) == []
    assert marks(task, NOON + 5_000, fetched(2, 2)) == [("mark/0/7/2/idle", NOON + 5_000 - DELAY, "idle")]
    assert task.follows(2)


def test_no_mark_waits_for_markers_that_were_there_when_the_partition_was_claimed() -> None:
    task = begun(marks_from=2)
    task.take([event(0, NOON)], NOON)
    assert marks(task, NOON + 5_000, fetched(2, 2)) == [("mark/0/7/2/idle", NOON + 5_000 - DELAY, "idle")]


def test_an_open_transaction_is_a_slow_producer_until_it_ends(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    slow = NOON + POLICY.skew_after
    held = fetched(1, 9, stable=1)
    assert marks(task, NOON + 5_000, held) == []
    assert marks(task, slow, held) == []
    assert marks(task, slow + 1, held) == [("mark/0/7/1/skew", slow + 1 - DELAY, "skew")]
    assert marks(task, slow + 500, held) == []
    assert marks(task, slow + 1_001, held) == [("mark/0/7/1/skew", slow + 1_001 - DELAY, "skew")]
    # aborted: a marker at 9, and nothing to be handed out
    assert marks(task, slow + 2_001, fetched(10, 10)) == [("mark/0/7/10/idle", slow + 2_001 - DELAY, "idle")]
    assert task.follows(10)


def test_an_open_transaction_on_an_empty_partition_does_not_hold_the_others_back(task: PartitionTask) -> None:
    slow = NOON + POLICY.skew_after + DELAY
    held = fetched(0, 3, stable=0)
    assert marks(task, slow, held) == []
    assert marks(task, slow + 1, held) == [("mark/0/7/0/skew", slow + 1 - DELAY, "skew")]


def test_what_is_rejected_does_not_keep_a_partition_from_being_idle(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    task.take([Record(1, NOON + 5_000, b"{}")], NOON + 5_000)
    assert marks(task, NOON + 5_000) == [("mark/0/7/2/idle", NOON + 5_000 - DELAY, "idle")]


def test_a_partition_that_is_not_answered_is_not_taken_for_silent(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    assert marks(task, NOON + 30_000, fetched(1, 1, 30_000, 30_000)) == []


def test_whoever_takes_over_finds_since_when_a_partition_is_blind(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    later = NOON + POLICY.blind_after + 1
    blind = fetched(1, 5, None, POLICY.blind_after + 1)
    resumes = [said for _, said in flush(task, later, blind) if isinstance(said, Resume)]
    assert [(one.mark, one.blind_from) for one in resumes] == [(later - DELAY, NOON - DELAY)]
    idle = fetched(1, 1)
    resumes = [said for _, said in flush(task, later + 5_000, idle) if isinstance(said, Resume)]
    assert [(one.mark, one.blind_from) for one in resumes] == [(later + 5_000 - DELAY, None)]


def test_a_partition_that_cannot_be_fetched_is_marked_blind_until_it_can(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    later = NOON + POLICY.blind_after + 1
    blind = fetched(1, 5, None, POLICY.blind_after + 1)
    assert marks(task, later, blind) == [("mark/0/7/1/blind", later - DELAY, "blind")]
    assert flush(task, later + 500, fetched(1, 5))[-1][1].marked == ""


def test_no_mark_is_put_where_a_former_owner_may_have_read_further() -> None:
    task = begun(marks_from=2)
    later = NOON + POLICY.blind_after + 1
    task.take([event(0, NOON)], NOON)
    blind = fetched(None, None, None, POLICY.blind_after + 1)
    assert marks(task, later, blind) == []
    task.take([event(1, NOON)], NOON)
    assert marks(task, later, blind) == [("mark/0/7/2/blind", later - DELAY, "blind")]


def test_what_a_finished_block_held_is_told_before_its_successor_can_be_resumed_from(
    task: PartitionTask,
) -> None:
    task.take([event(0, NOON)], NOON)
    flush(task, NOON)
    told = flush(task, NOON + 5_000)
    kinds = [key.partition("/")[0] for key, _ in told]
    assert kinds.index("tally") < kinds.index("resume") < kinds.index("mark")
    first = told[kinds.index("tally")][1]
    assert [tally.records for tally in first.tallies] == [1]
    assert first.watermark == NOON - DELAY, "the mark is not to be acted on before it can be resumed from"


def test_all_that_is_written_names_the_generation_in_which_the_partition_was_taken_over(
    task: PartitionTask,
) -> None:
    task.take([event(0, NOON)], NOON)
    told = [said for _, said in flush(task, NOON)]
    assert {type(said) for said in told} == {Segment, Frontier, Resume}
    assert {said.generation for said in told} == {7}


def test_a_gap_is_believed_when_it_comes_again(task: PartitionTask) -> None:
    task.take([event(0, NOON)], NOON)
    assert not task.follows(5)
    assert not task.follows(0)
    assert task.follows(1)
    assert not task.follows(5)
    assert task.follows(5)
