"""`watchofficer tail` of a file that is rotated, killed and away from its broker: every event comes to the topic."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.kafka.embedded_broker import EmbeddedBroker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]

_SETTINGS = {"HASH_KEY": "no secret, and of thirty-two bytes and more"}


def _line(n: int) -> str:
    more = {"clientId": "account", "userId": f"u{n}", "details": {"code_id": f"c{n % 7}"}}
    return json.dumps({"type": "LOGIN", "time": 1_790_000_000_000 + n, **more}) + "\n"


def _start(broker: str, topic: str, file: Path) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "WATCHOFFICER_BROKER": broker}
    environ |= {f"WATCHOFFICER_{name}": value for name, value in _SETTINGS.items()}
    command = [
        sys.executable,
        "-m",
        "streams.cli",
        "tail",
        "--mapping",
        "keycloak",
        "--topic",
        topic,
        str(file),
    ]
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE)


async def test_a_file_that_is_rotated_and_whose_reader_is_killed_comes_as_a_whole(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    topic, file = f"{topic_prefix}events", tmp_path / "keycloak.log"
    admin = AIOKafkaAdminClient(bootstrap_servers=embedded_broker.address)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=embedded_broker.address, auto_offset_reset="earliest"
    )
    await consumer.start()
    flows: dict[int, set[int]] = {}
    names: dict[str, set[str]] = {}

    async def until_there(count: int) -> None:
        while len(names) < count:
            record = await consumer.getone()
            event = json.loads(record.value)
            names.setdefault(event["user_hash"], set()).add(event["event_id"])
            assert record.key.decode() == event["flow_id"]
            flows.setdefault(record.key, set()).add(record.partition)

    file.write_text("".join(map(_line, range(2_000))))
    tail = _start(embedded_broker.address, topic, file)
    try:
        await until_there(1)
        tail.kill()
        await asyncio.to_thread(tail.communicate)
        with file.open("a") as more:
            more.writelines(map(_line, range(2_000, 2_500)))
        file.rename(tmp_path / "keycloak.log.1")
        file.write_text("".join(map(_line, range(2_500, 3_000))))
        tail = _start(embedded_broker.address, topic, file)
        await until_there(3_000)
        tail.send_signal(signal.SIGTERM)
        _, said = await asyncio.to_thread(tail.communicate)
    finally:
        tail.kill()
        await consumer.stop()
    assert tail.returncode == 0, said
    assert all(len(one) == 1 for one in names.values())
    assert all(len(one) == 1 for one in flows.values())
    assert b"mapping keycloak: " in said
