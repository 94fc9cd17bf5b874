"""How does a test stop a worker between any two records that it writes? Kafka in memory is advanced step by step.

Workers are coroutines that only the test advances. A worker stops before each record that it writes; there the test may
end the worker, or let another worker take over its partitions. All choices follow from one seed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from detectors.policy.policy import Policy
from streams.evaluate.policies.book import FixedPolicy, Policies
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.runtime.clocks import Timing
from streams.runtime.progress import Progress

__all__ = [
    "INTERNAL",
    "SINKS",
    "TOPICS",
    "BatchProducer",
    "Consumer",
    "EvaluateWorker",
    "Kafka",
    "TopicReader",
    "Worker",
    "World",
]

TOPICS = Topics()
#: Partitions of the internal topics.
INTERNAL = 2
SINKS = frozenset({"pagerduty", "datadog", "slack"})


@dataclass(frozen=True, slots=True)
class Stored:
    """A record on the log."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Kafka:
    """Topics as lists of records.

    Attributes:
        now: the timestamp of records that are written, ms.
        archive: all records that were ever written, by (topic, partition).
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self.archive: dict[tuple[str, int], list[Stored]] = {}

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        timestamp: int | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        place, stamp = (topic, partition), self.now if timestamp is None else timestamp
        record = Stored(self.end(topic, partition), stamp, key, value, tuple(headers))
        self.archive.setdefault(place, []).append(record)

    def read(self, topic: str, partition: int, start: int = 0) -> list[Stored]:
        return [record for record in self.archive.get((topic, partition), ()) if record.offset >= start]

    def end(self, topic: str, partition: int) -> int:
        return len(self.archive.get((topic, partition), ()))


class _Stop:
    """An awaitable at which a worker stops, so that the test can choose what happens next."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class World:
    """The topics, and what all workers share: the policy, the clock and the source of choices.

    Args:
        kafka: the topics.
        policy: the policy.
        random: the source of all choices.
        inputs: the number of partitions of ``login-events``.
        committed: the committed offsets of evaluate's group: (topic, partition) -> offset.
        policies: which policy judges which T; None: ``policy`` judges all.
    """

    kafka: Kafka
    policy: Policy
    random: Random
    inputs: int
    committed: dict[tuple[str, int], int] = field(default_factory=dict)
    policies: Policies | None = None

    def clock(self) -> int:
        return self.kafka.now


class BatchProducer:
    """A ``streams.kafka.producer.BatchProducer`` that writes record by record, in the order of each partition."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def write(
        self,
        records: Iterable[ProducerRecord],
        *,
        give_up: Callable[[], bool] = lambda: False,
        attempts: int | None = None,
    ) -> None:
        await self._write(list(records))

    async def append(self, records: Iterable[ProducerRecord]) -> list[int]:
        return await self._write(list(records))

    async def _write(self, batch: list[ProducerRecord]) -> list[int]:
        world = self._world
        waiting: dict[tuple[str, int], list[int]] = {}
        offsets = [0] * len(batch)
        for number, out in enumerate(batch):
            waiting.setdefault((out.topic, out.partition or 0), []).append(number)
        while waiting:
            await _Stop()
            place = world.random.choice(sorted(waiting))
            number = waiting[place].pop(0)
            offsets[number] = world.kafka.end(*place)
            out = batch[number]
            world.kafka.append(*place, out.key, out.value, headers=out.headers)
            if not waiting[place]:
                del waiting[place]
        if batch:
            await _Stop()
        return offsets


class TopicReader:
    """A ``streams.kafka.topic_reader.TopicReader`` of the topics in memory."""

    def __init__(self, world: World) -> None:
        self._world = world

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        yield

    async def read(
        self, place: TopicPartition, *, start: int = 0, since: int | None = None, end: int | None = None
    ) -> AsyncIterator[Stored]:
        await _Stop()
        found = since is None
        for record in list(self._world.kafka.archive.get((place.topic, place.partition), ())):
            if end is not None and record.offset >= end:
                return
            found = found or record.timestamp >= (since or 0)
            if found and record.offset >= start:
                yield record

    async def batches(self, place: TopicPartition, *, start: int, end: int) -> AsyncIterator[list[Stored]]:
        records = [record async for record in self.read(place, start=start, end=end)]
        for begin in range(0, len(records), 3):
            yield records[begin : begin + 3]

    async def end(self, place: TopicPartition) -> int:
        return self._world.kafka.end(place.topic, place.partition)


class Consumer:
    """The methods of a consumer that a claim of a partition calls."""

    def __init__(self, world: World, worker: Worker) -> None:
        self._world = world
        self._worker = worker

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if not offsets:
            raise ValueError(offsets)
        await _Stop()
        if self._worker.told != self._worker.owned:
            raise CommitFailedError

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self._world.kafka.end(place.topic, place.partition) for place in places}

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        found = {}
        for place, at in times.items():
            log = self._world.kafka.read(place.topic, place.partition)
            found[place] = next((SimpleNamespace(offset=r.offset) for r in log if r.timestamp >= at), None)
        return found


# -- workers -------------------------------------------------------------------------------------------------


class Worker:
    """A process: a coroutine that loops until it is ended.

    ``owned`` are the partitions that it was assigned, and ``told`` those that it knows of: a worker that stands still
    learns of an assignment late.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.owned: tuple[int, set[int]] = (0, set())
        self.told: tuple[int, set[int]] = (0, set())
        self.rounds = 0
        self._running: Coroutine[Any, Any, None] = self._run()

    async def _run(self) -> None:
        while True:
            await self._round()
            self.rounds += 1
            await _Stop()

    async def _round(self) -> None:
        raise NotImplementedError

    def step(self) -> None:
        """Run the worker until it stops next: before it writes a record, or after a round of its loop."""
        self._running.send(None)

    def end(self) -> None:
        """End the worker."""
        self._running.close()


class EvaluateWorker(Worker):
    """Runs ``streams.evaluate.service.Evaluate`` as its agents do: records in order, occasional commits of offsets.

    Attributes:
        deaf: whether it is given no inputs, though it is given segments.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        producer: Any = BatchProducer(world)
        reader: Any = TopicReader(world)
        self.progress = Progress(lambda: world.kafka.now / 1_000)
        self.evaluate = Evaluate(
            EvaluateSettings(TOPICS, SINKS, INTERNAL),
            world.policies or FixedPolicy(world.policy),
            producer,
            reader,
            Timing(clock=world.clock),
            progress=self.progress,
            generation=lambda: self.told[0],
        )
        self._positions: dict[tuple[str, int], int] = {}
        self.deaf = False

    async def _round(self) -> None:
        world, kafka = self.world, self.world.kafka
        if self.told != self.owned:
            self.told = self.owned
            self.evaluate.keep(self.told[1])
            # a rebalance goes back to what was committed
            self._positions = {
                (topic, shard): world.committed.get((topic, shard), 0)
                for topic in (TOPICS.segments, TOPICS.inputs)
                for shard in self.told[1]
            }
        for (topic, shard), position in sorted(self._positions.items()):
            if self.deaf and topic == TOPICS.inputs:
                continue
            take = self.evaluate.take_segment if topic == TOPICS.segments else self.evaluate.take_input
            for record in kafka.read(topic, shard, position)[: world.random.choice([0, 1, 5, 50])]:
                await take(shard, record.offset, record.value)
                self._positions[topic, shard] = record.offset + 1
                if world.random.random() < 0.2 and self.told == self.owned:
                    world.committed[topic, shard] = record.offset + 1
