"""Ingest on a broker: the next records are folded while the last are being written, and one write follows the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings
from streams.kafka.admin import create_missing
from streams.kafka.clients import ClientFactory, KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import PARTITIONS, Topics
from streams.runtime.clocks import RealClock, Timing
from streams.segments.codec import Frontier, decode
from streams.settings.policy_file import default_policy
from tests.support.mixed_events import mixed_events

_EVENTS = 30_000
_PATIENCE = 30.0  # seconds
_LONGER_BY = 0.5  # seconds


class Unhurried(BatchProducer):
    """Begins to write when something has been folded meanwhile, or after a while.

    Attributes:
        ingest: what writes to it.
        beside: how many writes something was folded beside.
    """

    def __init__(self, clients: ClientFactory) -> None:
        super().__init__(clients)
        self.ingest: Ingest | None = None
        self.beside = 0
        self._busy = False

    async def write(self, records: Iterable[ProducerRecord], **options: Any) -> None:
        assert not self._busy, "two writes at a time"
        self._busy = True
        folded = self._folded()
        deadline = asyncio.get_running_loop().time() + _LONGER_BY
        while self._folded() == folded and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.001)
        self.beside += self._folded() > folded
        await super().write(records, **options)
        self._busy = False

    def _folded(self) -> int:
        return self.ingest.folded if self.ingest is not None else 0


class Refusing(BatchProducer):
    """Writes no segments."""

    async def write(self, records: Iterable[ProducerRecord], **options: Any) -> None:
        batch = list(records)
        if any((out.key or b"").startswith(b"segment/") for out in batch):
            raise RuntimeError("refused")
        await super().write(batch, **options)


async def ingested(
    broker: EmbeddedBroker, prefix: str, producer: BatchProducer, count: int
) -> tuple[Ingest, list[BaseException]]:
    """Run ingest until it has folded ``count`` events and was stopped, or has failed; return it and its failures."""
    topics, kafka = Topics(prefix), {"bootstrap_servers": broker.address}
    await create_missing(topics, kafka, input_partitions=1)
    clock, failed = RealClock(), list[BaseException]()
    async with AIOKafkaProducer(**kafka, max_batch_size=1 << 20, linger_ms=5) as sender:
        for at, value in mixed_events(count, clock() - 90_000, 2_000):
            await sender.send(topics.login_events, value, partition=0, timestamp_ms=at)
    settings = IngestSettings(topics, prefix, PARTITIONS, session_ms=6_000, start="earliest")
    ingest = Ingest(
        settings, default_policy(), producer, Timing(), failed.append, clients=KafkaClients(kafka)
    )
    if isinstance(producer, Unhurried):
        producer.ingest = ingest
    await producer.start()
    try:
        await ingest.start()
        async with asyncio.timeout(_PATIENCE):
            while ingest.folded < count and not failed:
                await asyncio.sleep(0.01)
        await ingest.stop()
    finally:
        await producer.stop()
    return ingest, failed


async def test_the_next_records_are_folded_while_the_last_are_being_written(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    producer = Unhurried(KafkaClients({"bootstrap_servers": embedded_broker.address}))
    ingest, failed = await ingested(embedded_broker, topic_prefix, producer, _EVENTS)
    assert (ingest.folded, failed) == (_EVENTS, [])
    assert producer.beside > 0
    reader = TopicReader(KafkaClients({"bootstrap_servers": embedded_broker.address}))
    reached = [
        frontier.next_offset
        async for record in reader.read(TopicPartition(Topics(topic_prefix).segments, 0))
        if isinstance(frontier := decode(record.value or b""), Frontier)
    ]
    assert reached == sorted(reached)
    assert reached[-1] == _EVENTS


async def test_what_cannot_be_written_ends_ingest(embedded_broker: EmbeddedBroker, topic_prefix: str) -> None:
    producer = Refusing(KafkaClients({"bootstrap_servers": embedded_broker.address}))
    _, failed = await ingested(embedded_broker, topic_prefix, producer, 100)
    assert [str(one) for one in failed] == ["refused"]


async def test_nothing_is_committed_once_a_rebalance_has_taken_all_partitions() -> None:
    place = TopicPartition("login-events", 0)
    committed: list[dict[TopicPartition, int]] = []

    class Member:
        """A member of a group that may have lost its partitions; like aiokafka's it refuses to commit nothing."""

        def __init__(self, *places: TopicPartition) -> None:
            self._places = frozenset(places)

        def assignment(self) -> frozenset[TopicPartition]:
            return self._places

        async def commit(self, offsets: dict[TopicPartition, int]) -> None:
            if not offsets:
                raise ValueError(offsets)
            committed.append(offsets)

    unused: Any = None
    settings = IngestSettings(Topics(), "group", PARTITIONS, session_ms=6_000, start="earliest")
    ingest = Ingest(settings, default_policy(), unused, Timing(), unused, clients=unused)
    member: Any = Member()
    await ingest._commit(member, {place: 7})
    member = Member(place)
    await ingest._commit(member, {place: 7})
    assert committed == [{place: 7}]
