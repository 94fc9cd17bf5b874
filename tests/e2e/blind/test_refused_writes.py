"""A topic that takes no records any more is named within seconds, and holds up no page that it is not needed for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from streams.kafka.topics import PARTITIONS
from tests.e2e.harness.deployment import QUICK, Deployment, deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic, make_topics, sees_again, told_blind
from tests.e2e.harness.worker import until
from tests.support.brokers import ApacheKafka
from tests.support.kafka.node import docker_answers
from tests.support.kafka.pair import pair_of_brokers
from tests.support.kafka.setup import Listener

pytestmark = [pytest.mark.blind, pytest.mark.timeout(300)]

OUTAGE = frozenset({"ssoe"})


@asynccontextmanager
async def with_rights(
    kafka: ApacheKafka, prefix: str, folder: Path, policy: str = QUICKLY_BLIND
) -> AsyncIterator[Deployment]:
    """A worker that is ready, whose rights can be taken."""
    settings = kafka.worker_settings(Listener.SASL_PLAINTEXT)
    async with deployed(kafka.address, prefix, folder, policy=policy, settings=settings) as deployment:
        await make_topics(deployment)
        kafka.admin.allow_what_a_worker_needs(prefix)
        deployment.worker.start()
        await deployment.worker.ready()
        yield deployment


@pytest.mark.ci
async def test_indicators_that_may_not_be_written_are_told_and_hold_up_no_page(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        with_rights(secured_kafka, topic_prefix, tmp_path) as deployment,
        Traffic(deployment) as traffic,
    ):
        await asyncio.sleep(3.0)
        secured_kafka.admin.deny(("WRITE",), "TOPIC", topic_prefix + "sli")
        traffic.failing = OUTAGE
        told = await told_blind(deployment, "write", topic_prefix + "sli", "authoriz", within=90.0)
        await deployment.incident_in("prod-1", ["open"], 30.0)

        async def paged() -> bool:
            return deployment.sandbox.pagerduty.open_alert("watchofficer:prod-1:0") is not None

        await until(paged, 40.0, "a page for prod-1", deployment.worker)
        secured_kafka.admin.forgive("TOPIC", topic_prefix + "sli")
        await sees_again(deployment)
        assert told.alert.severity == "critical"


async def test_by_default_it_is_told_within_ninety_seconds(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        with_rights(secured_kafka, topic_prefix, tmp_path, QUICK) as deployment,
        Traffic(deployment),
    ):
        await asyncio.sleep(3.0)
        secured_kafka.admin.deny(("WRITE",), "TOPIC", topic_prefix + "sli")
        told = await told_blind(deployment, "write", topic_prefix + "sli", within=90.0)
        assert told.after > 50.0
        secured_kafka.admin.forgive("TOPIC", topic_prefix + "sli")
        await sees_again(deployment)


@pytest.mark.parametrize("topic", ["incident-commands", "incidents", "sli-segments"])
async def test_what_pages_need_is_told_while_it_may_not_be_written_and_pages_come_when_it_may(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path, topic: str
) -> None:
    async with (
        with_rights(secured_kafka, topic_prefix, tmp_path) as deployment,
        Traffic(deployment) as traffic,
    ):
        await asyncio.sleep(3.0)
        secured_kafka.admin.deny(("WRITE",), "TOPIC", topic_prefix + topic)
        traffic.failing = OUTAGE
        await told_blind(deployment, "write", topic_prefix + topic, "authoriz", within=90.0)
        secured_kafka.admin.forgive("TOPIC", topic_prefix + topic)
        await sees_again(deployment)
        await deployment.incident_in("prod-1", ["open"], 60.0)


@pytest.mark.parametrize("topic", ["sli-segments", "watch-state"])
async def test_a_topic_that_refuses_records_for_their_size_is_told_until_it_takes_them(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path, topic: str
) -> None:
    async with deployed(apache_kafka.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        async with Traffic(deployment) as traffic:
            await asyncio.sleep(3.0)
            apache_kafka.admin.configure(topic_prefix + topic, {"max.message.bytes": "100"})
            traffic.failing = OUTAGE
            await told_blind(deployment, "write", topic_prefix + topic, within=90.0)
            apache_kafka.admin.configure(topic_prefix + topic, {"max.message.bytes": None})
            await sees_again(deployment)
            await deployment.incident_in("prod-1", ["open"], 60.0)


async def test_a_full_disk_is_told_until_there_is_room(
    small_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    assert small_kafka.disk is not None
    async with deployed(small_kafka.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        async with Traffic(deployment):
            await asyncio.sleep(3.0)
            small_kafka.disk.fill()
            await told_blind(deployment, "broker", within=90.0)
        small_kafka.disk.clear()
        small_kafka.restart()
        await sees_again(deployment, 90.0)


async def test_rejected_records_whose_topic_took_none_until_the_worker_ended_are_copied_by_the_next(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    rejected = topic_prefix + "login-events.rejected"
    async with with_rights(secured_kafka, topic_prefix, tmp_path) as deployment, Traffic(deployment):
        secured_kafka.admin.deny(("WRITE",), "TOPIC", rejected)
        await asyncio.sleep(3.0)
        await deployment.produce([b"no event"] * 5)
        await told_blind(deployment, "write", rejected, "authoriz", within=90.0)
        await asyncio.sleep(12.0)  # of event time: a block has ended since, and a restart begins behind it
        assert (await deployment.worker.stop())[0] == 0
        assert await deployment.on("login-events.rejected") == []
        deployment.worker.start()
        await asyncio.sleep(5.0)
        secured_kafka.admin.forgive("TOPIC", rejected)

        async def copied() -> bool:
            return len({one.key for one in await deployment.on("login-events.rejected")}) >= 5

        await until(copied, 90.0, "the copies", deployment.worker)
        await sees_again(deployment)


async def test_too_few_replicas_are_told_until_there_are_enough(topic_prefix: str, tmp_path: Path) -> None:
    if docker_answers():
        pytest.skip("containers of two brokers do not reach each other")
    sli = topic_prefix + "sli"
    with pair_of_brokers(tmp_path / "kafka") as (first, second):
        second.start()
        await asyncio.to_thread(first.admin.create, sli, PARTITIONS, {"min.insync.replicas": "2"}, replicas=2)
        second.stop()  # all else stands on the first alone, the offsets of groups too
        async with deployed(first.address, topic_prefix, tmp_path, policy=QUICK) as deployment:
            await make_topics(deployment)
            async with AIOKafkaConsumer(bootstrap_servers=first.address, group_id=topic_prefix):
                pass
            second.start()
            deployment.worker.start()
            await deployment.worker.ready()
            async with Traffic(deployment) as traffic:
                await asyncio.sleep(3.0)
                second.kill()
                traffic.failing = OUTAGE
                # The client repeats such a write by itself for 20 s before it says what the broker answers.
                await deployment.incident_in("prod-1", ["open", "acknowledged"], 60.0)
                await told_blind(deployment, "write", sli, "replicas", "min.insync.replicas", within=90.0)
                second.start()
                await sees_again(deployment)
