"""A secured node tells good clients from bad, rights are given and taken, transactions leave markers, disks fill."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from tests.support.brokers import ApacheKafka
from tests.support.kafka.setup import PASSWORD, WORKER, Listener
from tests.support.kafka.small_disk import SmallDisk, may_mount
from tests.support.kafka.transactions import TransactionalProducer

pytestmark = pytest.mark.kafka

MEGABYTE = 1 << 20


def client(kafka: ApacheKafka, listener: Listener, password: str = PASSWORD) -> AIOKafkaProducer:
    assert kafka.certificates is not None
    context = ssl.create_default_context(cafile=str(kafka.certificates.authority))
    tls = {"ssl_context": context} if listener.protocol.endswith("SSL") else {}
    name = {"sasl_mechanism": "PLAIN", "sasl_plain_username": WORKER, "sasl_plain_password": password}
    return AIOKafkaProducer(
        bootstrap_servers=kafka.address_of(listener),
        security_protocol=listener.protocol,
        **tls,
        **(name if listener.protocol.startswith("SASL") else {}),
    )


@pytest.mark.parametrize("listener", [Listener.SSL, Listener.SASL_SSL, Listener.SASL_PLAINTEXT])
async def test_each_listener_takes_records(
    secured_kafka: ApacheKafka, topic_prefix: str, listener: Listener
) -> None:
    secured_kafka.admin.create(topic_prefix + "events")
    secured_kafka.admin.allow(("WRITE", "DESCRIBE"), "TOPIC", topic_prefix, prefixed=True)
    async with client(secured_kafka, listener) as producer:
        await producer.send_and_wait(topic_prefix + "events", b"one")


@pytest.mark.parametrize("listener", [Listener.EXPIRED, Listener.FOREIGN, Listener.MISNAMED])
async def test_bad_certificates_let_nobody_in(secured_kafka: ApacheKafka, listener: Listener) -> None:
    producer = client(secured_kafka, listener)
    try:
        with pytest.raises(KafkaConnectionError):
            await producer.start()
    finally:
        await producer.stop()


async def test_a_wrong_password_lets_nobody_in(secured_kafka: ApacheKafka) -> None:
    producer = client(secured_kafka, Listener.SASL_SSL, "another")
    try:
        with pytest.raises(KafkaConnectionError):
            await producer.start()
    finally:
        await producer.stop()


async def test_rights_are_denied_and_given_while_a_client_runs(
    secured_kafka: ApacheKafka, topic_prefix: str
) -> None:
    topic, admin = topic_prefix + "events", secured_kafka.admin
    admin.create(topic)
    admin.allow(("WRITE", "DESCRIBE"), "TOPIC", topic_prefix, prefixed=True)
    async with client(secured_kafka, Listener.SASL_PLAINTEXT) as producer:
        await producer.send_and_wait(topic, b"one")
        admin.deny(("WRITE",), "TOPIC", topic)
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(topic, b"two")
        admin.forgive("TOPIC", topic)
        await producer.send_and_wait(topic, b"three")


async def test_a_commit_leaves_a_marker_and_an_open_transaction_holds_readers_back(
    apache_kafka: ApacheKafka, topic_prefix: str
) -> None:
    topic = topic_prefix + "events"
    apache_kafka.admin.create(topic)
    place = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(
        bootstrap_servers=apache_kafka.address, isolation_level="read_committed"
    ) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning()
        with TransactionalProducer(apache_kafka.address, topic, 0, topic) as producer:
            producer.commit([b"one"])
            assert (await consumer.getone()).value == b"one"
            producer.begin([b"two"])
            assert await consumer.end_offsets([place]) == {place: 2}
            producer.abort()
            producer.commit([b"three"])
            assert (await consumer.getone()).offset == 4


def test_a_small_disk_is_filled_and_cleared(tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("a small disk needs root, who may mount it")
    disk = SmallDisk(tmp_path / "disk", 4 * MEGABYTE)
    disk.mount()
    try:
        disk.fill(but=MEGABYTE)
        assert disk.free() <= MEGABYTE
        disk.clear()
        assert disk.free() > 3 * MEGABYTE
    finally:
        disk.unmount()


async def test_a_node_whose_disk_is_full_ends_and_starts_again_when_there_is_room(
    small_kafka: ApacheKafka,
) -> None:
    assert small_kafka.disk is not None
    small_kafka.admin.create("events")
    small_kafka.disk.fill()
    async with AIOKafkaProducer(bootstrap_servers=small_kafka.address, request_timeout_ms=2_000) as producer:
        with pytest.raises(KafkaError):
            await producer.send_and_wait("events", bytes(500_000))
    small_kafka.disk.clear()
    small_kafka.restart()
    async with AIOKafkaProducer(bootstrap_servers=small_kafka.address) as producer:
        await producer.send_and_wait("events", b"one")
