"""If the broker forgets a consumer group, as it does with a group without members, no event is skipped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import AdminClient

from tests.e2e.harness.deployment import Deployment, deployed, login
from tests.faults.campaign.waiting import until
from tests.support.brokers import ApacheKafka

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


async def produce(deployment: Deployment, name: str) -> None:
    """Write five events to partition 0."""
    async with AIOKafkaProducer(bootstrap_servers=deployment.broker) as producer:
        for number in range(5):
            await producer.send_and_wait(
                deployment.prefix + "login-events", login(f"{name}-{number}"), partition=0
            )


async def has_counted(deployment: Deployment, expected: int) -> bool:
    found = int(await deployment.metric("watchofficer_login_events_total"))
    assert found <= expected, "something counts twice"
    return found == expected


async def forget_groups(deployment: Deployment) -> list[str]:
    """Delete the groups of a deployment, which must be empty; return their names."""
    admin = AdminClient({"bootstrap.servers": deployment.broker})
    known = await asyncio.to_thread(lambda: admin.list_consumer_groups().result(30.0))
    names = [one.group_id for one in known.valid if one.group_id.startswith(deployment.prefix)]
    for deleted in admin.delete_consumer_groups(names).values():
        await asyncio.to_thread(deleted.result, 30.0)
    return names


async def test_a_forgotten_group_begins_at_small_generations_and_is_still_heard(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(apache_kafka.address, topic_prefix, tmp_path) as deployment:
        worker = deployment.worker
        for times in (1, 2, 3):  # so that the generation is greater than the first
            worker.start()
            await worker.ready(90.0)
            await produce(deployment, f"round-{times}")
            await until(lambda: has_counted(deployment, 5 * times), 60.0, worker.said)  # noqa: B023
            await worker.stop()
        assert len(await forget_groups(deployment)) >= 2
        worker.start()
        await worker.ready(90.0)
        assert '"consumer_group_reset"' in worker.said()
        await produce(deployment, "afterwards")
        await until(lambda: has_counted(deployment, 20), 60.0, worker.said)
