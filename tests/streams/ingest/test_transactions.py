"""Ingest on Apache Kafka behind transactional producers: markers and open transactions hold nothing back for ever."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from confluent_kafka import Producer

from streams.kafka.admin import create_missing
from streams.kafka.clients import KafkaClients
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from streams.settings.policy_file import default_policy
from tests.streams.ingest.deployment import PATIENCE, Deployment, event, until
from tests.support.brokers import ApacheKafka

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]

_SKEW_AFTER = 5_000  # ms: the least that a policy may say
_POLICY = default_policy().model_copy(update={"skew_after": _SKEW_AFTER})


class Transactions:
    """A transactional producer to partition 0 of the input, which blocks while it waits for the broker."""

    def __init__(self, address: str, topics: Topics) -> None:
        self._topic = topics.login_events
        self._producer = Producer({"bootstrap.servers": address, "transactional.id": topics.prefix + "t"})
        self._producer.init_transactions(30)
        self._sent = 0

    def begin(self, count: int) -> None:
        """Send records in a new transaction, and leave it open."""
        self._producer.begin_transaction()
        for _ in range(count):
            self._sent += 1
            self._producer.produce(self._topic, event(f"t{self._sent}"), partition=0)
        self._producer.flush(30)

    def commit(self) -> None:
        self._producer.commit_transaction(30)

    def abort(self) -> None:
        self._producer.abort_transaction(30)


@pytest.fixture
async def deployment(apache_kafka: ApacheKafka, topic_prefix: str) -> Deployment:
    topics, kafka = Topics(topic_prefix), {"bootstrap_servers": apache_kafka.address}
    await create_missing(topics, kafka, input_partitions=1)
    return Deployment(apache_kafka.address, topics, _POLICY)


async def test_a_partition_behind_a_commit_marker_is_marked_idle_and_goes_on(deployment: Deployment) -> None:
    transactions = await asyncio.to_thread(Transactions, deployment.address, deployment.topics)

    async with deployment.ingesting():
        for number in range(3):
            await asyncio.to_thread(transactions.begin, 2)
            await asyncio.to_thread(transactions.commit)
            await until(partial(deployment.idle_at, 3 * number + 3))
        assert await deployment.accepted() == 6
    async with deployment.ingesting():  # it goes on behind the marker
        await asyncio.to_thread(transactions.begin, 2)
        await asyncio.to_thread(transactions.commit)
        await until(partial(deployment.idle_at, 12))
        assert await deployment.accepted() == 8


async def test_an_open_transaction_is_marked_as_slow_and_goes_on_after_its_abort(
    deployment: Deployment,
) -> None:
    transactions = await asyncio.to_thread(Transactions, deployment.address, deployment.topics)
    async with deployment.ingesting():
        await asyncio.to_thread(transactions.begin, 2)
        began = RealClock()()

        async def slow() -> bool:
            marks = [said for said in await deployment.frontiers() if said.marked == "skew"]
            return len({said.watermark for said in marks}) >= 2  # and again each second

        await until(slow)
        assert RealClock()() - began > _SKEW_AFTER
        assert {said.next_offset for said in await deployment.frontiers()} == {-1, 0}
        # What was sent meanwhile by others comes once the transaction has ended.
        async with AIOKafkaProducer(bootstrap_servers=deployment.address) as producer:
            await producer.send_and_wait(deployment.topics.login_events, event("plain"), partition=0)
        await asyncio.to_thread(transactions.abort)

        await until(partial(deployment.idle_at, 4))  # behind two that were aborted, one, and the marker
        assert await deployment.accepted() == 1


async def test_what_is_read_back_ends_where_a_transaction_is_open(deployment: Deployment) -> None:
    transactions = await asyncio.to_thread(Transactions, deployment.address, deployment.topics)
    await asyncio.to_thread(transactions.begin, 2)
    await asyncio.to_thread(transactions.commit)
    await asyncio.to_thread(transactions.begin, 2)
    reader = TopicReader(KafkaClients({"bootstrap_servers": deployment.address}))
    partition = TopicPartition(deployment.topics.login_events, 0)
    async with asyncio.timeout(PATIENCE):
        assert [record.offset async for record in reader.read(partition)] == [0, 1]
        assert await reader.end(partition) == 3
    await asyncio.to_thread(transactions.abort)
    async with asyncio.timeout(PATIENCE):
        assert [record.offset async for record in reader.read(partition)] == [0, 1]
