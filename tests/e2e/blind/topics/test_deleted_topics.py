"""A topic that is deleted while a worker runs is told with its name, also one that nobody writes before an outage."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.harness.deployment import deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic, sees_again, told_blind
from tests.e2e.harness.worker import until
from tests.support.brokers import ApacheKafka

pytestmark = [pytest.mark.blind, pytest.mark.timeout(300)]

OUTAGE = frozenset({"ssoe"})


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param("incident-commands", marks=pytest.mark.ci),
        "incident-inputs",
        "sli-history",
        "sli-segments",
        "watch-state",
        "ingest-state",
    ],
)
async def test_it_is_told_and_a_worker_that_is_restarted_makes_it_again(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path, topic: str
) -> None:
    async with deployed(apache_kafka.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        async with Traffic(deployment) as traffic:
            await asyncio.sleep(4.0)
            apache_kafka.admin.delete(topic_prefix + topic)
            await told_blind(
                deployment, "broker", f"the topic {topic_prefix + topic} is gone", "restart", within=90.0
            )
            await deployment.worker.stop()
            deployment.worker.start()
            await sees_again(deployment)
            traffic.failing = OUTAGE
            await deployment.incident_in("prod-1", ["open"], 60.0)


async def test_an_input_that_is_gone_is_told_and_one_made_anew_ends_the_worker_in_one_line(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    topic = topic_prefix + "login-events"
    async with deployed(apache_kafka.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        async with Traffic(deployment):
            await asyncio.sleep(4.0)
        apache_kafka.admin.delete(topic)
        await told_blind(deployment, "broker", f"the topic {topic} is gone", "--partitions 4", within=90.0)
        await deployment.worker.stop()
        apache_kafka.admin.create(topic, 4, {"message.timestamp.type": "LogAppendTime"})
        deployment.worker.start()

        async def ended() -> bool:
            return deployment.worker.exit_status is not None

        await until(ended, 60.0, "that the worker ends", None)
        assert deployment.worker.exit_status == 2
        said = deployment.worker.said()
        assert "WATCHOFFICER_TOPIC_PREFIX" in said
        assert "Traceback" not in said
