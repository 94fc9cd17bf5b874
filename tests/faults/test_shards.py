"""A worker keeps its state of a partition for as long as no other worker can have owned the partition."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from streams.evaluate.evaluator import Evaluator
from streams.evaluate.policies.book import FixedPolicy
from streams.evaluate.restore import Restored
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Shard
from streams.kafka.topics import PARTITIONS, Topics
from streams.records.policies import schedule_of
from streams.runtime.clocks import Timing
from streams.settings.policy_file import default_policy


class Group:
    """The consumer group's generation."""

    def __init__(self) -> None:
        self.generation = 5


class RestoredAtOnce(Evaluate):
    """An evaluate service whose shards hold nothing."""

    async def _restore(self, partition: int, offset: int, begin_at: int | None = None) -> Restored:
        nothing, judged_by = cast(Any, None), schedule_of(default_policy()).at(0)
        shard = Shard(partition, (), Evaluator(default_policy(), nothing), offset)
        return Restored(shard, nothing, judged_by, [], [])


@pytest.fixture
def group() -> Group:
    return Group()


@pytest.fixture
async def evaluate(group: Group) -> Evaluate:
    nothing = cast(Any, None)
    made = RestoredAtOnce(
        EvaluateSettings(Topics(), frozenset(), PARTITIONS),
        FixedPolicy(default_policy()),
        nothing,
        nothing,
        Timing(clock=lambda: 0),
        generation=lambda: group.generation,
    )
    for partition in (0, 1):
        await made.take_segment(partition, 0, None)
    return made


def test_a_rebalance_that_leaves_a_partition_here_keeps_its_shard(evaluate: Evaluate, group: Group) -> None:
    group.generation = 6
    assert [shard.partition for shard in evaluate.keep([0])] == [1]
    group.generation = 7
    assert evaluate.keep([0]) == []


def test_a_partition_that_was_away_for_a_generation_is_read_anew(evaluate: Evaluate, group: Group) -> None:
    group.generation = 7
    assert {shard.partition for shard in evaluate.keep([0, 1])} == {0, 1}


async def test_partitions_are_given_away_when_what_is_being_judged_has_been_written(
    evaluate: Evaluate,
) -> None:
    await evaluate._busy.acquire()
    settling = asyncio.create_task(evaluate.settle(5.0))
    await asyncio.sleep(0)
    assert not settling.done()
    evaluate._busy.release()
    await settling


async def test_what_takes_too_long_is_not_waited_for(evaluate: Evaluate) -> None:
    await evaluate._busy.acquire()
    await evaluate.settle(0.0)


async def test_nothing_is_judged_any_more_once_it_is_closed(evaluate: Evaluate) -> None:
    await evaluate.close(1.0)
    taking = asyncio.create_task(evaluate.take_segment(0, 0, None))
    await asyncio.sleep(0)
    assert not taking.done()
    taking.cancel()
