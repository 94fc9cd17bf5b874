"""A record on a topic of the watch's own that cannot be read is passed by, or named in the one line of a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import Deployment, deployed
from tests.e2e.harness.topics import OnTopic
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.blind, pytest.mark.timeout(180)]

UNREADABLE = b"\x00 no record of ours"
#: Keys of what processes say of themselves, which changes no verdict.
_WORDS = ("owner/", "process/")


async def stands(deployment: Deployment, topic: str) -> OnTopic:
    """The unreadable record, once it stands in the place of the newest of the topic that has a key as it should be."""
    newest = [one for one in await deployment.on(topic) if one.key and not one.key.startswith(_WORDS)][-1:]
    partition, key = (newest[0].partition, newest[0].key) if newest else (0, "prod")
    assert key is not None
    async with AIOKafkaProducer(bootstrap_servers=deployment.broker) as producer:
        name = deployment.prefix + topic
        await producer.send_and_wait(name, UNREADABLE, key=key.encode(), partition=partition)
    (found,) = [one for one in await deployment.on(topic) if one.value == UNREADABLE]
    return found


async def lived(deployment: Deployment) -> None:
    """Let a worker write to its topics, and stop it."""
    deployment.worker.start()
    await deployment.worker.ready()
    async with Traffic(deployment):

        async def judged() -> bool:
            return bool(await deployment.on("watch-state")) and bool(await deployment.on("sli"))

        await until(judged, 60.0, "a state", deployment.worker)
    assert (await deployment.worker.stop())[0] == 0


async def ready_or_ended(deployment: Deployment, within: float) -> int | None:
    """The exit status of a worker that ends by itself, or None where it gets ready first."""

    async def look() -> bool:
        ended = deployment.worker.exit_status is not None
        return ended or (await deployment.worker.get("/readyz"))[0] == 200

    await until(look, within, "ready, or the end")
    return deployment.worker.exit_status


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param("incident-deliveries", marks=pytest.mark.ci),
        "sli-history",
        "incident-inputs",
        "banner-state",
    ],
)
async def test_what_changes_no_verdict_is_named_set_aside_and_passed_by(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path, topic: str
) -> None:
    async with deployed(embedded_broker.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        await lived(deployment)
        record = await stands(deployment, topic)
        deployment.worker.start()
        await deployment.worker.ready()

        async def set_aside() -> list[OnTopic]:
            found = await deployment.on("watchofficer.quarantine")
            return [one for one in found if one.value == UNREADABLE]

        (aside, *_) = await until(set_aside, 30.0, "the record in quarantine", deployment.worker)
        named = {name: value.decode() for name, value in aside.headers.items()}
        assert named["topic"] == topic_prefix + topic
        assert (named["partition"], named["offset"]) == (str(record.partition), str(record.offset))
        async with Traffic(deployment, failing=frozenset({"ssoe"})):
            await deployment.incident_in("prod-1", ["open"], 40.0)


@pytest.mark.parametrize("topic", [pytest.param("watch-state", marks=pytest.mark.ci), "ingest-state"])
async def test_what_would_change_a_verdict_is_refused_in_one_line_that_names_the_record(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path, topic: str
) -> None:
    async with deployed(embedded_broker.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        await lived(deployment)
        record = await stands(deployment, topic)
        before = len(deployment.worker.said())
        deployment.worker.start()
        status = await ready_or_ended(deployment, 60.0)
        said = deployment.worker.said()[before:]
        place = [f"{topic_prefix}{topic}", str(record.partition), str(record.offset)]
        lines = [line for line in said.splitlines() if all(part in line for part in place)]
        assert status == 2, said[-3000:]
        assert lines, said[-3000:]
        assert "Traceback" not in said
