"""The numbers under which owners write: a later owner's is greater, also when the broker has forgotten the group."""

from __future__ import annotations

from collections.abc import Coroutine
from random import Random
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.partition_claim import ClaimedPartition, PartitionClaim
from streams.ingest.settings import IngestSettings
from streams.ingest.writes import Destination, to_ingest_state
from streams.segments.codec import BLOCK_OFFSETS, Resume
from streams.settings.policy_file import default_policy
from tests.support.oracle import NOON
from tests.support.stepped_kafka import INTERNAL, TOPICS, BatchProducer, Consumer, Kafka, TopicReader, World

WHERE = TopicPartition(TOPICS.login_events, 0)
DESTINATION = Destination(TOPICS, INTERNAL, 0, 1)


class Beginning:
    """A worker that takes the partition over, from stop to stop.

    Attributes:
        number: under which it writes, once it has begun.
        refused: the broker did not confirm that the partition is its own.
    """

    def __init__(self, world: World, generation: int) -> None:
        producer: Any = BatchProducer(world)
        reader: Any = TopicReader(world)
        settings = IngestSettings(TOPICS, "ingest", INTERNAL, start="earliest")
        claims = PartitionClaim(settings, world.policy, producer, reader, world.clock)
        self.member = _member(generation)
        consumer: Any = Consumer(world, self.member)
        self._running: Coroutine[Any, Any, ClaimedPartition] = claims.claim(
            consumer, WHERE, generation, DESTINATION
        )
        self.number: int | None = None
        self.refused = False

    @property
    def is_over(self) -> bool:
        return self.refused or self.number is not None

    def step(self) -> None:
        try:
            self._running.send(None)
        except StopIteration as end:
            self.number = end.value.generation
        except CommitFailedError:
            self.refused = True

    def finish(self) -> int:
        while not self.is_over:
            self.step()
        assert self.number is not None
        return self.number


def _member(generation: int) -> Any:
    """A member of the group: the assignment that it knows of, and the real one."""
    return SimpleNamespace(told=(generation, {0}), owned=(generation, {0}))


def world_after(number: int, seed: int = 0) -> World:
    """A partition that was written under a number."""
    kafka = Kafka(NOON)
    world = World(kafka, default_policy(), Random(seed), 1)
    out = to_ingest_state(DESTINATION, Resume(0, number, 1000, BLOCK_OFFSETS, 0, None, None, None, 0, None))
    kafka.append(out.topic, out.partition or 0, out.key, out.value)
    return world


@given(before=st.integers(0, 50), generation=st.integers(1, 50))
def test_a_new_owner_has_a_greater_number_than_the_one_before(before: int, generation: int) -> None:
    number = Beginning(world_after(before), generation).finish()
    assert number > before
    assert number == generation or generation <= before


@given(
    before=st.integers(0, 20),
    generation=st.integers(1, 20),
    interrupted=st.integers(0, 12),
    order=st.lists(st.booleans(), max_size=40),
)
def test_whoever_lost_the_partition_while_beginning_has_the_smaller_number_or_none(
    before: int, generation: int, interrupted: int, order: list[bool]
) -> None:
    world = world_after(before)
    former = Beginning(world, generation)
    for _ in range(interrupted):
        if not former.is_over:
            former.step()
    former.member.owned = (generation + 1, set())
    successor = Beginning(world, generation + 1)
    for its_turn in order:
        one = former if its_turn else successor
        if not one.is_over:
            one.step()
    number = successor.finish()
    while not former.is_over:
        former.step()
    assert former.refused or (former.number or 0) < number
