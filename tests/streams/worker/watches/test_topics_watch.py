"""A topic that is gone, or has another number of partitions, is an obstacle with its name until it is as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka.errors import KafkaConnectionError
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.clocks import Timing
from streams.runtime.progress import Progress, Why
from streams.worker.watches.topics_watch import TopicsWatch

INPUT, OWN = "login-events", "incident-commands"


class World:
    """Topics whose numbers of partitions a test sets; None: the broker is away."""

    def __init__(self) -> None:
        self.found: Mapping[str, int] | None = {INPUT: 4, OWN: 4}
        self.progress = Progress(lambda: 0.0)
        self.looks = 0
        self.slept: list[float] = []
        self.watch = TopicsWatch(self.partitions, [INPUT], self.progress, Timing(sleep=self.sleep))

    async def partitions(self) -> Mapping[str, int]:
        self.looks += 1
        if self.found is None:
            raise KafkaConnectionError
        return self.found

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.looks == 4:
            raise asyncio.CancelledError

    async def look(self, found: Mapping[str, int] | None) -> list[str]:
        """What is said once it has looked twice."""
        self.found = found
        await self.watch.look()
        await self.watch.look()
        obstacles = self.progress.obstacles()
        assert all(one.why is Why.BROKER for one in obstacles)
        return [f"{one.sentence}: {one.remedy}" for one in obstacles]


async def test_a_topic_that_is_gone_is_told_until_it_is_there_again() -> None:
    world = World()
    assert await world.look({INPUT: 4, OWN: 4}) == []
    (told,) = await world.look({INPUT: 4, OWN: 0})
    assert told.startswith(
        "the topic incident-commands is gone: somebody has deleted it: restart the workers"
    )
    assert await world.look(None) == [told]
    assert await world.look({INPUT: 4, OWN: 4}) == []


async def test_a_topic_of_producers_is_to_be_made_again_as_it_was() -> None:
    world = World()
    await world.look({INPUT: 12, OWN: 4})
    (told,) = await world.look({INPUT: 0, OWN: 4})
    assert "kafka-topics.sh --create --topic login-events --partitions 12" in told
    (told,) = await world.look({INPUT: 4, OWN: 4})
    assert "the topic login-events has 4 partitions, and had 12" in told


async def test_producers_may_get_more_partitions_and_topics_of_our_own_may_not() -> None:
    world = World()
    await world.look({INPUT: 4, OWN: 4})
    assert await world.look({INPUT: 6, OWN: 4}) == []
    assert len(await world.look({INPUT: 4, OWN: 6})) == 2


async def test_what_was_never_there_and_what_is_not_told_is_no_obstacle() -> None:
    world = World()
    assert await world.look({INPUT: 4, OWN: 0}) == []
    assert await world.look({}) == []


async def test_a_broker_that_knows_no_topic_for_a_moment_is_asked_again_soon_and_nothing_is_said() -> None:
    world = World()
    await world.look({INPUT: 4, OWN: 4})
    for found in ({INPUT: 4, OWN: 0}, {INPUT: 4, OWN: 4}, {INPUT: 4, OWN: 0}):
        world.found = found
        await world.watch.look()
        assert world.progress.obstacles() == ()


async def test_it_looks_at_once_and_again_and_sooner_where_something_seems_wrong() -> None:
    world = World()
    await world.watch.look()
    world.found = {INPUT: 4, OWN: 0}
    with pytest.raises(asyncio.CancelledError):
        await world.watch.follow()
    assert world.slept == [5.0, 20.0, 20.0]
    assert len(world.progress.obstacles()) == 1


@given(st.lists(st.dictionaries(st.sampled_from([INPUT, OWN, "sli"]), st.integers(0, 6)), max_size=8))
async def test_whatever_has_happened_nothing_stands_once_all_is_as_it_was(
    looks: list[dict[str, int]],
) -> None:
    world = World()
    first = {INPUT: 6, OWN: 3, "sli": 3}
    await world.look(first)
    for found in looks:
        told = await world.look(found)
        assert len(told) == sum(number != first[topic] for topic, number in found.items())
    assert await world.look(first) == []
