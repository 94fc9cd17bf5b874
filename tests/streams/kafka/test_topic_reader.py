"""A topic is read back as a whole, also where its broker misjudges its end."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer, TopicPartition

from streams.kafka.admin import create_missing
from streams.kafka.clients import KafkaClients
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
