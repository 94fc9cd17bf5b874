"""How are clients of Kafka made, and how long does a loop wait before it tries again?

Everything that reads or writes topics takes a ``ClientFactory``. ``KafkaClients`` makes aiokafka's clients; a test may
hand in a factory whose clients share a broker in memory. The protocols below name all that is asked of a client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient

from detectors.backoff import full_jitter
from streams.kafka.raw_records import give_raw_records
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.clocks import REAL_TIMING, Timing

__all__ = [
    "FETCH_WAIT_MS",
    "Backoff",
    "Client",
    "ClientFactory",
    "Consumer",
    "KafkaClients",
    "OffsetAt",
    "Producer",
    "Rebalanced",
    "started",
]

#: How long a broker may hold a fetch back while it has nothing new. Apache Kafka answers as soon as a record arrives;
#: the embedded broker looks again only after a part of the wait has passed. So what stands between a failing sign-in
#: and a page waits briefly, at twenty empty answers a second and consumer.
FETCH_WAIT_MS = 50
#: The same for what is read to its end, one partition after the other on one connection: the last fetch of one is
#: answered before whatever is asked next.
_READ_WAIT_MS = 5
_FETCH_BYTES = 4 << 20  # of a partition at once
_METADATA_MS = 15_000  # a partition that is added to the input is found within this


class OffsetAt(Protocol):
    """Where a partition stood at an instant."""

    @property
    def offset(self) -> int: ...


class Rebalanced(Protocol):
    """Is told which partitions of a group became a consumer's own, and which are no longer."""

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None: ...
    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None: ...


class Consumer(Protocol):
    """What is asked of a consumer. Methods of aiokafka's have aiokafka's meaning, and raise what aiokafka raises."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def assign(self, partitions: Sequence[TopicPartition]) -> None: ...
    def subscribe(self, topics: Sequence[str], *, listener: Rebalanced) -> None: ...
    def assignment(self) -> Collection[TopicPartition]: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    def pause(self, *partitions: TopicPartition) -> None: ...
    def resume(self, *partitions: TopicPartition) -> None: ...
    async def position(self, partition: TopicPartition) -> int: ...
    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[TopicPartition, list[Any]]: ...
    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...
    async def beginning_offsets(
        self, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]: ...
    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]: ...
    async def offsets_for_times(
        self, timestamps: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, OffsetAt | None]: ...
    def highwater(self, partition: TopicPartition) -> int | None: ...
    def last_stable_offset(self, partition: TopicPartition) -> int | None: ...
    def last_poll_timestamp(self, partition: TopicPartition) -> int | None: ...

    async def partition_ids(self, *topics: str) -> dict[str, set[int]]:
        """The partitions that each of the topics has now; an empty set for a topic that does not exist."""
        ...

    def position_now(self, partition: TopicPartition) -> int | None:
        """The position in a partition, without waiting for one; None while there is none.

        All records before the position have been handed out. Offsets that hold no record for a reader of committed
        records (markers that end transactions, records of aborted transactions) are passed over.
        """
        ...

    @property
    def generation(self) -> int:
        """The generation of the consumer group in which this consumer was last assigned its partitions."""
        ...


class Producer(Protocol):
    """What is asked of a producer. ``send`` awaits room in the buffer, and gives a future of the acknowledgement."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[Any]: ...


class Client(Protocol):
    """What is asked of a bare connection to a cluster."""

    async def bootstrap(self) -> None: ...
    async def fetch_all_metadata(self) -> object: ...
    async def close(self) -> None: ...


class ClientFactory(Protocol):
    """Makes clients of one cluster. None of them is started."""

    def reader(self) -> Consumer:
        """A consumer without a group that reads partitions back in large batches.

        Its records have ``offset``, ``timestamp``, ``key``, ``value`` and ``headers``.
        """
        ...

    def group_member(self, group: str, session_ms: int) -> Consumer:
        """A consumer of a group, with records like those of ``reader``, which begins at the earliest offset.

        Args:
            group: the group's name.
            session_ms: after so long without a heartbeat its partitions are given to another member.
        """
        ...

    def tail(self, *topics: str) -> Consumer:
        """A consumer without a group of all partitions of topics, which begins at their earliest offsets.

        Its records have a ``topic`` as well.
        """
        ...

    def producer(self, **options: Any) -> Producer:
        """A producer that waits for the acknowledgement of all replicas; ``options`` are aiokafka's."""
        ...

    def client(self) -> Client:
        """A bare connection, to ask for metadata."""
        ...


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, and what is read from its insides."""

    raw = False  # whether records come as the parser makes them

    async def start(self) -> None:
        await super().start()
        if self.raw:
            give_raw_records(self)

    async def partition_ids(self, *topics: str) -> dict[str, set[int]]:
        cluster = await self._client.fetch_all_metadata()
        return {topic: set(cluster.partitions_for_topic(topic) or ()) for topic in topics}

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        # Of a topic that it does not know, aiokafka asks nothing for a while.
        for topic in {partition.topic for partition in partitions}:
            await self._client.add_topic(topic)
        found: Mapping[TopicPartition, int] = await super().beginning_offsets(partitions)
        return found

    def last_stable_offset(self, partition: TopicPartition) -> int | None:
        stable = super().last_stable_offset(partition)
        # A broker that knows no transactions may name none.
        return self.highwater(partition) if stable is None or stable < 0 else int(stable)

    def position_now(self, partition: TopicPartition) -> int | None:
        assignment = self._subscription.subscription and self._subscription.subscription.assignment
        if assignment is None or partition not in assignment.tps:
            return None
        state = assignment.state_value(partition)
        return int(state.position) if state.has_valid_position else None

    @property
    def generation(self) -> int:
        return int(self._coordinator.generation)


class _RawConsumer(_Consumer):
    raw = True


class _StampedProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer, which notes the broker's time where a topic has ``LogAppendTime``."""

    _LOG_APPEND_TIME = 1
    _NOTE_EVERY = 0.5  # seconds

    def __init__(self, time: BrokerClock, **options: Any) -> None:
        super().__init__(**options)
        self._time = time
        self._noted_at: dict[str, float] = {}

    async def send(self, topic: str, *arguments: Any, **options: Any) -> asyncio.Future[Any]:
        began = monotonic()
        sent: asyncio.Future[Any] = await super().send(topic, *arguments, **options)
        if began - self._noted_at.get(topic, 0.0) > self._NOTE_EVERY:
            self._noted_at[topic] = began
            sent.add_done_callback(partial(self._note, began))
        return sent

    def _note(self, began: float, sent: asyncio.Future[Any]) -> None:
        if sent.cancelled() or sent.exception() is not None:
            return
        answer = sent.result()
        if answer.timestamp_type == self._LOG_APPEND_TIME:
            self._time.note(answer.timestamp, after=began)


class KafkaClients:
    """Makes aiokafka's clients.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        time: learns the broker's time from what producers write; it must go by ``time.monotonic``.
        rack: where the process runs; a member of a group then reads from the replica there, if brokers let it.
    """

    def __init__(
        self, kafka: Mapping[str, Any], time: BrokerClock | None = None, rack: str | None = None
    ) -> None:
        self._kafka = dict(kafka)
        self._time = time
        self._rack = rack

    def reader(self) -> Consumer:
        """A consumer without a group; see ``ClientFactory.reader``."""
        consumer: Consumer = _RawConsumer(
            **self._kafka,
            enable_auto_commit=False,
            isolation_level="read_committed",
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=_READ_WAIT_MS,
        )
        return consumer

    def group_member(self, group: str, session_ms: int) -> Consumer:
        """A consumer of a group; see ``ClientFactory.group_member``."""
        consumer: Consumer = _RawConsumer(
            **self._kafka,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=max(500, session_ms // 5),
            max_partition_fetch_bytes=_FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=_METADATA_MS,
            client_rack=self._rack,
        )
        return consumer

    def tail(self, *topics: str) -> Consumer:
        """A consumer of all partitions of topics; see ``ClientFactory.tail``."""
        consumer: Consumer = _Consumer(
            *topics,
            **self._kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        return consumer

    def producer(self, **options: Any) -> Producer:
        """A producer; see ``ClientFactory.producer``. The embedded broker knows no producer ids: no idempotence."""
        options = {**self._kafka, "acks": "all", **options}
        producer: Producer = (
            AIOKafkaProducer(**options) if self._time is None else _StampedProducer(self._time, **options)
        )
        return producer

    def client(self) -> Client:
        """A bare connection."""
        client: Client = AIOKafkaClient(**self._kafka)
        return client


@asynccontextmanager
async def started(consumer: Consumer) -> AsyncIterator[Consumer]:
    """The consumer, started, and stopped at the end of the context.

    Raises:
        KafkaError: no broker answers.
    """
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


class Backoff:
    """The waits between the attempts of one retry loop: exponential with full jitter.

    Args:
        first: the ceiling of the first wait, seconds.
        longest: the greatest ceiling, seconds.
        timing: gives chance and sleep.
        sleep: sleeps instead of ``timing.sleep``.
    """

    def __init__(
        self,
        first: float,
        longest: float,
        timing: Timing = REAL_TIMING,
        *,
        sleep: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        self._first = first
        self._longest = longest
        self._chance = timing.chance
        self._sleep = sleep or timing.sleep
        self._failures = 0
        self.seconds = 0.0

    def failed(self) -> float:
        """An attempt has failed: the seconds that ``wait`` will sleep, rounded for a log line."""
        self._failures += 1
        self.seconds = full_jitter(self._failures, self._first, self._longest, self._chance())
        return round(self.seconds, 2)

    def succeeded(self) -> None:
        """An attempt has succeeded: the next failure is the first again."""
        self._failures = 0

    async def wait(self) -> None:
        """Sleep for as long as ``failed`` said last."""
        await self._sleep(self.seconds)
