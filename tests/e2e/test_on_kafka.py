"""On Apache Kafka: the topics that are created, those that are refused, and kcat with the lines of the README."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from tests.e2e.harness.deployment import Deployment, deployed, login
from tests.e2e.harness.topics import OnTopic
from tests.e2e.harness.worker import Worker, run_to_end, until
from tests.support.brokers import ApacheKafka
from tests.support.processes import COMMAND, ROOT, environment, needs

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

needs_kcat = needs("kcat", "kcat")
HOUR, DAY = 3_600_000, 86_400_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(
    apache_kafka: ApacheKafka, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """A worker on topics without a prefix, as in the README."""
    folder = tmp_path_factory.mktemp("on-kafka")
    async with deployed(apache_kafka.address, "", folder) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        yield deployment


async def settings_of(address: str, topics: list[str]) -> dict[str, dict[str, str]]:
    """Return the settings of topics by the broker: name -> setting -> value."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        answers = await admin.describe_configs(asked)
        return {
            resource[3]: {entry[0]: entry[1] for entry in resource[4]}
            for answer in answers
            for resource in answer.resources
        }
    finally:
        await admin.close()


async def test_the_topics_that_were_missing_have_the_settings_they_need(deployment: Deployment) -> None:
    compacted = ("ingest-state", "watch-state", "incidents", "banner-state")
    kept = {"login-events.rejected": 7, "sli": 7, "incident-log": 400, "incident-commands": 7}
    kept |= {"incident-commands.dead": 35, "incident-inputs": 35, "login-events": 7}
    both = {"sli-segments": 6 * HOUR, "sli-history": 35 * DAY, "incident-deliveries": 35 * DAY}
    both |= {"sla-days": 800 * DAY}
    every = [*compacted, *kept, *both]
    found = await settings_of(deployment.broker, every)
    assert {name: found[name]["cleanup.policy"] for name in compacted} == dict.fromkeys(compacted, "compact")
    for name, days in kept.items():
        assert (found[name]["cleanup.policy"], found[name]["retention.ms"]) == ("delete", str(days * DAY))
    for name, millis in both.items():
        assert set(found[name]["cleanup.policy"].split(",")) == {"compact", "delete"}
        assert int(found[name]["retention.ms"]) >= millis
    assert found["login-events"]["message.timestamp.type"] == "LogAppendTime"
    admin = AIOKafkaAdminClient(bootstrap_servers=deployment.broker)
    await admin.start()
    described = await admin.describe_topics(every)
    await admin.close()
    assert {one["topic"]: len(one["partitions"]) for one in described} == dict.fromkeys(every, 4)


def lines_of_readme() -> list[str]:
    """Return the README's commands with kcat, and the command that reads kcat's dump, in order."""
    block = next(text for text in (ROOT / "README.md").read_text().split("```") if "kcat -b" in text)
    produce, rest = block.strip().split("\n\n", 1)
    return [produce, *rest.strip().splitlines()]


@pytest.fixture
def shell(deployment: Deployment, tmp_path: Path) -> Any:
    """Returns a function that runs a command of the README against this broker and returns its output."""

    def run(command: str, seconds: float) -> str:
        command = command.replace("kafka-1:9092", deployment.broker)
        command = command.replace(".venv/bin/watchofficer", shlex.join(COMMAND))
        env = environment(deployment.settings) | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            ["timeout", str(seconds), "bash", "-c", command],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        # 124: it would have gone on reading for ever.
        assert done.returncode in (0, 124), done.stderr
        return done.stdout

    return run


@asynccontextmanager
async def reading(
    deployment: Deployment, command: str, file: Path
) -> AsyncIterator[Callable[[], list[dict[str, Any]]]]:
    """Run a kcat command of the README meanwhile; yields a function that returns the records read so far."""
    command = command.replace("kafka-1:9092", deployment.broker).replace("kcat ", "kcat -u ", 1)
    with file.open("wb") as output:
        process = await asyncio.create_subprocess_exec("bash", "-c", f"exec {command}", stdout=output)

    def so_far() -> list[dict[str, Any]]:
        whole, _, _ = file.read_text().rpartition("\n")  # the last line may be there in part
        return [json.loads(line) for line in whole.splitlines()]

    try:
        yield so_far
    finally:
        process.terminate()
        await process.wait()


@needs_kcat
async def test_kcat_produces_and_reads_with_the_lines_of_the_readme(
    deployment: Deployment, shell: Any, tmp_path: Path
) -> None:
    produce, banners, slis, dump, replay = lines_of_readme()
    events = "watchofficer_login_events_total"

    await asyncio.to_thread(shell, produce, 20)

    async def counted() -> bool:
        return await deployment.metric(events, env="prod", result="bad") == 1

    await until(counted, 20.0, "the event of the README", deployment.worker)
    others = [produce.replace("9f1c", f"e{n}").replace("h:2b", f"h:{n}") for n in range(40)]
    async with reading(deployment, slis, tmp_path / "indicators") as indicators:

        async def begun() -> bool:
            return bool(indicators())

        await until(begun, 30.0, "the first indicator that is read", deployment.worker)
        await asyncio.to_thread(shell, "\n".join(others), 30)

        async def all_bad() -> bool:
            return max([one["bad"] for one in indicators() if one["scope"] == "prod"], default=0) >= 41

        await until(all_bad, 30.0, "an indicator of all events", deployment.worker)
        assert {one["type"] for one in indicators()} == {"sli"}
        assert max(one["bad"] for one in indicators() if one["scope"] == "prod") == 41

    await deployment.incident_in("prod-1", ["open"], 30.0)

    async def shown() -> str:  # it is written just after the incident, and those that are ok were before
        newest: dict[str, tuple[str, str]] = {}
        for line in str(await asyncio.to_thread(shell, banners, 3)).splitlines():
            key, headers, value = line.split(" ", 2)
            newest[key] = headers, json.loads(value)["state"]
        up = [told for key, (told, state) in newest.items() if state in ("warning", "critical")]
        assert all(key.startswith("prod/ssoe") for key, (_, state) in newest.items() if state != "ok"), newest
        return "".join(up[:1])

    headers = await until(shown, 30.0, "a banner that is up", deployment.worker)
    assert "ce_specversion=1.0" in headers
    assert "ce_type=watchofficer.banner-state.v1" in headers

    # A file is judged up to its last event: one more, well after the others, so that all of those are.
    await asyncio.to_thread(shell, produce.replace("9f1c", "last").replace("h:2b", "h:last"), 20)
    await asyncio.to_thread(shell, dump, 20)
    said = await asyncio.to_thread(shell, replay, 40)
    assert "prod/ssoe" in said


@needs_kcat
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_kcat_produces_with_every_codec(
    deployment: Deployment, shell: Any, tmp_path: Path, codec: str
) -> None:
    events = "watchofficer_login_events_total"
    before = await deployment.metric(events, env="dev")
    file = tmp_path / "events"
    file.write_bytes(b"\n".join(login(f"{codec} {n}", env="dev") for n in range(50)) + b"\n")
    command = f"kcat -b kafka-1:9092 -t login-events -P -z {codec} -l {file}"
    await asyncio.to_thread(shell, command, 20)

    async def counted() -> bool:
        return await deployment.metric(events, env="dev") == before + 50

    await until(counted, 20.0, f"50 events with {codec}", deployment.worker)


async def test_a_record_as_large_as_the_broker_takes_is_set_aside_and_headers_do_no_harm(
    deployment: Deployment,
) -> None:
    events = "watchofficer_login_events_total"
    before = await deployment.metric(events, env="dev")
    large = b'{"event_id":"' + b"x" * 1_000_000 + b'"}'
    headers = [("traceparent", b"00-4bf92f"), ("none", None), ("bytes", b"\xff\x00")]
    async with AIOKafkaProducer(bootstrap_servers=deployment.broker, max_request_size=2_000_000) as producer:
        topic = f"{deployment.prefix}login-events"
        await producer.send_and_wait(topic, large, key=b"k" * 10_000, headers=headers, partition=0)
        await producer.send_and_wait(topic, None, key=b"a tombstone", headers=headers, partition=0)
        await producer.send_and_wait(topic, login("after the large", env="dev"), headers=headers, partition=0)

    async def counted() -> bool:
        return await deployment.metric(events, env="dev") == before + 1

    await until(counted, 20.0, "the event after the large record", deployment.worker)

    async def set_aside() -> dict[bytes, OnTopic] | None:
        found = {one.headers["reason"]: one for one in await deployment.on("login-events.rejected")}
        return found if {b"too_large", b"empty"} <= found.keys() else None

    aside = await until(set_aside, 20.0, "the rejected", deployment.worker)
    assert aside[b"too_large"].headers["truncated"] == str(len(large)).encode()
    assert aside[b"too_large"].json()["length"] == len(large)
    assert aside[b"empty"].value is None


async def test_a_topic_whose_producers_clocks_go_unchecked_is_refused_until_it_is_mended(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    topic = f"{topic_prefix}login-events"
    settings = {"BROKER": apache_kafka.address, "TOPIC_PREFIX": topic_prefix}
    admin = AIOKafkaAdminClient(bootstrap_servers=apache_kafka.address)
    await admin.start()
    unchecked = {"message.timestamp.type": "CreateTime"}
    await admin.create_topics([NewTopic(topic, 2, 1, topic_configs=unchecked)])
    try:
        status, _, said = await asyncio.to_thread(run_to_end, settings, "run")
        assert status == 2
        mending = re.search(
            r"kafka-configs\.sh --alter --entity-type topics --entity-name (\S+) --add-config (\S+)=(\S+)",
            said,
        )
        assert mending is not None, said
        assert mending.groups() == (topic, "message.timestamp.type", "LogAppendTime")
        bound = re.search(r"--add-config message\.timestamp\.after\.max\.ms=(\d+)", said)
        assert bound is not None
        assert int(bound[1]) == 300_000
        assert "--trust-producer-clocks" in said

        assert await starts(settings, tmp_path / "trusting.log", "--trust-producer-clocks")
        mended = {"message.timestamp.after.max.ms": bound[1]}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, mended)])
        assert await starts(settings, tmp_path / "bounded.log")
    finally:
        await admin.close()


async def starts(settings: dict[str, str], log: Path, *arguments: str) -> bool:
    """Return whether a worker becomes ready; the worker is stopped afterwards."""
    worker = Worker(settings, log, *arguments)
    worker.start()
    try:
        await worker.ready()
        return (await worker.stop())[0] == 0
    finally:
        worker.kill()
