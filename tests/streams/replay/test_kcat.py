"""A dump that kcat itself makes of a topic on Apache Kafka is replayed as what stands on the topic."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.replay.replay import Replay
from streams.replay.sources import partitions
from streams.replay.verdict_lines import objects
from streams.settings.policy_file import default_policy
from tests.support.brokers import ApacheKafka
from tests.support.oracle import MINUTE, SECOND, Record, judge, written
from tests.support.processes import needs

pytestmark = [
    pytest.mark.kafka,
    needs("kcat", "kcat"),
]
PARTITIONS = 2


def login(at: int, event_id: str, **fields: Any) -> bytes:
    event = {"schema_version": 1, "event_id": event_id, "occurred_at": written(at), "env": "prod"}
    event |= {"auth_method": "ssoe", "step": "callback", "outcome": "success", "csp": "idme"}
    return json.dumps(event | fields, ensure_ascii=False).encode()


async def produce(address: str, topic: str, values: list[bytes | None]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    stamped = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=stamped)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for number, value in enumerate(values):
            await producer.send_and_wait(topic, value, key=b"k", partition=number % PARTITIONS)


async def read(address: str, topic: str, count: int) -> list[list[Record]]:
    """The records of each partition, by a client that is neither kcat nor ours."""
    logs: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=address) as consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        for _ in range(count):
            record = await consumer.getone()
            logs[record.partition].append((record.value, record.timestamp))
    return logs


async def test_a_dump_of_kcat_says_what_is_on_the_topic(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    topic, now = topic_prefix + "login-events", time.time_ns() // 1_000_000
    values: list[bytes | None] = [
        login(now - 3 * MINUTE, "a", user_hash="h:ada"),
        login(now - 3 * MINUTE, "b", outcome="failure", error_code="007", user_hash='h:"\\é\U0001f600\t'),
        login(now - 2 * MINUTE, "c", outcome="failure", user_hash="h:ada", duration_ms=2430),
        None,
        login(now - 2 * MINUTE, "d", auth_method="sis", csp=None),
        b"no event\nbut two lines",
        login(now - 2 * MINUTE, "c"),
        b'{"event_id":"\xff"}',
        login(now - 3 * MINUTE, "late"),
        b"",
        login(now + 4 * MINUTE, "e"),
        login(now + 6 * MINUTE, "from the future"),
        login(now - 4 * MINUTE, "late too", outcome="failure"),
        login(now + 4 * MINUTE + SECOND, "f"),
    ]
    await produce(apache_kafka.address, topic, values)
    said = judge(await read(apache_kafka.address, topic, len(values)))
    assert (said.duplicates, said.late, said.rejected) == (1, 2, 5)

    dump = tmp_path / "dump"
    command = ["kcat", "-b", apache_kafka.address, "-t", topic, "-C", "-e", "-q", "-J"]
    with dump.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*command, stdout=file)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    run = Replay(partitions([str(dump)]), default_policy(), now=0, sli_every=MINUTE)
    slis = [one for one in objects(run.run()) if one["type"] == "sli"]
    assert said.summary().items() <= run.summary.as_json().items()
    assert slis == said.slis
