"""A topic is read back as a whole, also where its broker misjudges its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.kafka.admin import create_missing
from streams.kafka.clients import Consumer, KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics


async def written(broker: EmbeddedBroker, prefix: str, count: int) -> tuple[TopicReader, TopicPartition]:
    """Return a reader, and a partition that holds ``count`` records in one batch."""
    topics, kafka = Topics(prefix), {"bootstrap_servers": broker.address}
    await create_missing(topics, kafka)
    async with AIOKafkaProducer(**kafka, linger_ms=50) as producer:
        sent = [await producer.send(topics.inputs, b"%d" % n, partition=1) for n in range(count)]
        assert [(await each).offset for each in sent] == list(range(count))
    return TopicReader(KafkaClients(kafka)), TopicPartition(topics.inputs, 1)


async def test_the_last_batch_is_read_to_its_end(embedded_broker: EmbeddedBroker, topic_prefix: str) -> None:
    reader, place = await written(embedded_broker, topic_prefix, 7)
    assert [record.value async for record in reader.read(place)] == [b"%d" % n for n in range(7)]
    assert await reader.end(place) == 7


async def test_it_is_read_from_an_offset_to_before_another(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    reader, place = await written(embedded_broker, topic_prefix, 7)
    assert [record.offset async for record in reader.read(place, start=2, end=5)] == [2, 3, 4]
    assert [record.offset async for record in reader.read(place, start=6, end=7)] == [6]
    assert [record.offset async for record in reader.read(place, start=7, end=7)] == []


async def test_an_empty_partition_holds_nothing(embedded_broker: EmbeddedBroker, topic_prefix: str) -> None:
    reader, place = await written(embedded_broker, topic_prefix, 0)
    assert [record async for record in reader.read(place)] == []
    assert await reader.end(place) == 0


class Counting(KafkaClients):
    """Counts the consumers that are made."""

    made = 0

    def reader(self) -> Consumer:
        self.made += 1
        return super().reader()


async def test_reads_one_after_the_other_share_a_consumer_while_it_is_kept(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    _, place = await written(embedded_broker, topic_prefix, 30)
    clients = Counting({"bootstrap_servers": embedded_broker.address})
    reader = TopicReader(clients)
    async with reader.kept():
        for start in (0, 10, 0):
            offsets = [record.offset async for record in reader.read(place, start=start, end=30)]
            assert offsets == list(range(start, 30))
        batches = reader.batches(place)
        assert isinstance(batches, AsyncGenerator)
        await anext(batches)
        await batches.aclose()  # what is left unread is not given to the next read
        assert [record.offset async for record in reader.read(place, start=25, end=30)] == list(range(25, 30))
        await asyncio.gather(reader.end(place), reader.end(place))
    assert clients.made <= 3
    assert await reader.end(place) == 30


async def test_a_topic_that_a_consumer_does_not_know_yet_is_read_without_a_wait_to_ask_again(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    _, place = await written(embedded_broker, topic_prefix, 7)
    another = TopicPartition(Topics(topic_prefix).commands, 1)
    minute = {"bootstrap_servers": embedded_broker.address, "retry_backoff_ms": 60_000}
    reader = TopicReader(KafkaClients(minute))
    async with asyncio.timeout(20), reader.kept():
        assert [record async for record in reader.read(another)] == []
        assert len([record async for record in reader.read(place)]) == 7
        assert await reader.end(another) == 0
