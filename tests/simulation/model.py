"""Kafka and the workers around it, in memory and under one scheduler: every write is a place to stop at.

Workers are coroutines that nobody but the scheduler moves on. Before each record that is written a worker stops; there
it may be left standing for as long as the scheduler likes, while others take over what was its own, and go on
afterwards (a zombie), or be ended for good (a crash). All choices come from one seed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError

from detectors.policy.policy import Policy
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.ingest.fetch_monitor import FetchStatus
from streams.ingest.partition_claim import PartitionClaim
from streams.ingest.partition_task import PartitionTask
from streams.ingest.settings import IngestSettings
from streams.ingest.writes import Destination, Flush
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.runtime.clocks import Timing

__all__ = [
    "INTERNAL",
    "SINKS",
    "TOPICS",
    "BatchProducer",
    "Consumer",
    "EvaluateWorker",
    "IngestWorker",
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
    """A record as it stands on the log."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Kafka:
    """Topics as lists.

    Attributes:
        now: ms, which stamps what is written.
        logs: what a reader finds, by (topic, partition).
        archive: all that was ever written, also what compaction has removed.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self.logs: dict[tuple[str, int], list[Stored]] = {}
        self.archive: dict[tuple[str, int], list[Stored]] = {}

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        timestamp: int | None = None,
    ) -> None:
        place, stamp = (topic, partition), self.now if timestamp is None else timestamp
        record = Stored(self.end(topic, partition), stamp, key, value)
        self.logs.setdefault(place, []).append(record)
        self.archive.setdefault(place, []).append(record)

    def read(self, topic: str, partition: int, start: int = 0) -> list[Stored]:
        return [record for record in self.logs.get((topic, partition), ()) if record.offset >= start]

    def end(self, topic: str, partition: int) -> int:
        return len(self.archive.get((topic, partition), ()))

    def compact(self, topic: str, partition: int, before: int) -> None:
        """Keep of what was written before ``before`` (ms) only the last record of each key."""
        log = self.logs.get((topic, partition), [])
        last = {record.key: record.offset for record in log if record.timestamp < before}
        self.logs[topic, partition] = [
            record for record in log if record.timestamp >= before or last[record.key] == record.offset
        ]


class _Stop:
    """Awaited where the scheduler may choose what happens next."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class World:
    """Everything that runs, and the choices.

    Args:
        kafka: the topics.
        policy: the policy.
        random: makes all choices.
        inputs: how many partitions ``login-events`` has.
        retries: whether a batch may be written again from its beginning, as when an acknowledgement is lost.
        committed: what the group of evaluate has committed: (topic, partition) -> offset.
    """

    kafka: Kafka
    policy: Policy
    random: Random
    inputs: int
    retries: bool = True
    committed: dict[tuple[str, int], int] = field(default_factory=dict)

    def clock(self) -> int:
        return self.kafka.now


class BatchProducer:
    """Writes record by record, in the order of each partition; see ``streams.kafka.producer.BatchProducer``."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def write(
        self,
        records: Iterable[ProducerRecord],
        *,
        give_up: Callable[[], bool] = lambda: False,
        attempts: int | None = None,
    ) -> None:
        world, batch = self._world, list(records)
        lanes: dict[tuple[str, int], list[ProducerRecord]] = {}
        for out in batch:
            lanes.setdefault((out.topic, out.partition or 0), []).append(out)
        waiting = {place: list(some) for place, some in lanes.items()}
        while waiting:
            await _Stop()
            place = world.random.choice(sorted(waiting))
            out = waiting[place].pop(0)
            world.kafka.append(*place, out.key, out.value)
            if not waiting[place]:
                del waiting[place]
            if world.retries and world.random.random() < 0.01:
                waiting = {place: list(some) for place, some in lanes.items()}
        if batch:
            await _Stop()


class TopicReader:
    """See ``streams.kafka.topic_reader.TopicReader``. ``ever``: what compaction has removed is found, too."""

    def __init__(self, world: World, *, ever: bool = False) -> None:
        self._world = world
        self._logs = world.kafka.archive if ever else world.kafka.logs

    async def read(
        self, place: TopicPartition, *, start: int = 0, since: int | None = None, end: int | None = None
    ) -> AsyncIterator[Stored]:
        await _Stop()
        found = since is None
        for record in list(self._logs.get((place.topic, place.partition), ())):
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
    """What a claim of a partition asks a consumer for."""

    def __init__(self, world: World, worker: Worker) -> None:
        self._world = world
        self._worker = worker

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
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
    """A process: a coroutine that goes round until it is ended.

    ``owned`` is what it was assigned, and ``told`` what it knows of that: a worker that stands still knows late.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.owned: tuple[int, set[int]] = (0, set())
        self.told: tuple[int, set[int]] = (0, set())
        self.rounds = 0
        self.deaf = 0  # for so many rounds it does not notice what it was assigned
        self.frozen = False
        self._running: Coroutine[Any, Any, None] = self._run()

    async def _run(self) -> None:
        while True:
            await self._round()
            self.rounds += 1
            await _Stop()

    async def _round(self) -> None:
        raise NotImplementedError

    def _hears(self) -> bool:
        """Whether there is something new in what it was assigned, and it notices."""
        if self.told == self.owned:
            return False
        self.deaf = max(0, self.deaf - 1)
        return not self.deaf

    def step(self) -> None:
        """On to the next place where it stops."""
        self._running.send(None)

    def end(self) -> None:
        """It is no more."""
        self._running.close()


class IngestWorker(Worker):
    """As ``streams.ingest.service.Ingest``, without the consumer."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._producer = BatchProducer(world)
        settings = IngestSettings(TOPICS, "ingest", INTERNAL, start="earliest")
        producer: Any = self._producer
        reader: Any = TopicReader(world)
        self._claims = PartitionClaim(settings, world.policy, producer, reader, world.clock)
        self._consumer: Any = Consumer(world, self)
        self._open: dict[int, PartitionTask] = {}
        self._writing: Coroutine[Any, Any, None] | None = None
        self.blind: set[int] = set()  # what cannot be fetched

    def end(self) -> None:
        """What is being written goes with it."""
        if self._writing is not None:
            self._writing.close()
        super().end()

    async def _round(self) -> None:
        world, kafka = self.world, self.world.kafka
        if self._hears():
            before, self.told = self.told, self.owned
            unbroken = self.told[0] == before[0] + 1
            self._open = {p: o for p, o in self._open.items() if unbroken and p in self.told[1]}
        generation, mine = self.told
        missing = sorted(mine - set(self._open))
        if missing:
            await self._write_on()
        for partition in missing:
            destination = Destination(TOPICS, INTERNAL, partition, world.inputs)
            where = TopicPartition(TOPICS.login_events, partition)
            try:
                claimed = await self._claims.claim(self._consumer, where, generation, destination)
            except CommitFailedError:
                continue  # it was another's by then
            self._open[partition] = PartitionTask(claimed, world.policy, kafka.now)
        for partition, task in self._open.items():
            blind = partition in self.blind
            log = kafka.read(TOPICS.login_events, partition, task.fold.next_offset)
            some = log[: 0 if blind else world.random.choice([0, 1, 3, 10, 1000])]
            if some:
                assert task.follows(some[0].offset)
                task.take(some, kafka.now)
        if self._writing is not None and world.random.random() < 0.6:
            # beside which the next records are folded
            await self._write_on(world.random.choice([1, 3, 10]))
        elif world.random.random() < 0.6:
            await self._write_on()
            flush = Flush()
            for partition, task in self._open.items():
                known = kafka.end(TOPICS.login_events, partition)
                status = (
                    FetchStatus(None, 90_000, 90_000) if partition in self.blind else FetchStatus(known, 0, 0)
                )
                task.flush(flush, kafka.now, status if world.random.random() < 0.9 else None)
            self._writing = self._write(flush)
            await self._write_on(1)

    async def _write(self, flush: Flush) -> None:
        for records in flush.batches():
            await self._producer.write(records)

    async def _write_on(self, stops: int | None = None) -> None:
        """Go on with what is being written, to its end or by so many stops."""
        while self._writing is not None and stops != 0:
            try:
                self._writing.send(None)
            except StopIteration:
                self._writing = None
                return
            stops = None if stops is None else stops - 1
            await _Stop()


class EvaluateWorker(Worker):
    """As the agents around ``streams.evaluate.service.Evaluate``: records in order, offsets committed now and then."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        producer: Any = BatchProducer(world)
        reader: Any = TopicReader(world)
        self.evaluate = Evaluate(
            EvaluateSettings(TOPICS, SINKS, INTERNAL),
            world.policy,
            producer,
            reader,
            Timing(clock=world.clock),
            generation=lambda: self.told[0],
        )
        self._positions: dict[tuple[str, int], int] = {}

    async def _round(self) -> None:
        world, kafka = self.world, self.world.kafka
        if self._hears():
            self.told = self.owned
            self.evaluate.keep(self.told[1])
            # a rebalance goes back to what was committed
            self._positions = {
                (topic, shard): world.committed.get((topic, shard), 0)
                for topic in (TOPICS.segments, TOPICS.inputs)
                for shard in self.told[1]
            }
        for (topic, shard), position in sorted(self._positions.items()):
            take = self.evaluate.take_segment if topic == TOPICS.segments else self.evaluate.take_input
            for record in kafka.read(topic, shard, position)[: world.random.choice([0, 1, 5, 50])]:
                await take(shard, record.offset, record.value)
                self._positions[topic, shard] = record.offset + 1
                if world.random.random() < 0.2 and self.told == self.owned:
                    world.committed[topic, shard] = record.offset + 1
