"""If the broker has removed records that were not read, people are notified, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from tests.e2e.harness.deployment import Deployment, deployed, login
from tests.faults.campaign.waiting import until
from tests.support.brokers import ApacheKafka

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


async def produce(deployment: Deployment, name: str, count: int) -> None:
    """Write ``count`` events to partition 0."""
    async with AIOKafkaProducer(bootstrap_servers=deployment.broker) as producer:
        for number in range(count):
            await producer.send_and_wait(
                deployment.prefix + "login-events", login(f"{name}-{number}"), partition=0
            )


async def remove_before(deployment: Deployment, offset: int) -> None:
    """Remove all records before ``offset``, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=deployment.broker)
    await admin.start()
    try:
        place = TopicPartition(deployment.prefix + "login-events", 0)
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def counted(deployment: Deployment) -> int:
    """Return the number of events in the worker's metrics."""
    return int(await deployment.metric("watchofficer_login_events_total"))


async def test_what_was_removed_unread_is_declared_and_what_was_read_before_counts_once(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(apache_kafka.address, topic_prefix, tmp_path) as deployment:
        worker = deployment.worker
        worker.start()
        await worker.ready()
        await produce(deployment, "before", 20)
        await until(lambda: _counts(deployment, 20), 60.0, worker.said)
        worker.kill()
        await produce(deployment, "missed", 15)
        await produce(deployment, "after", 5)

        # offsets 0 to 19 were read and judged, 20 to 34 never will be
        await remove_before(deployment, 35)
        worker.start()
        await worker.ready(90.0)
        await until(lambda: _counts(deployment, 25), 60.0, worker.said)
        assert await deployment.metric("watchofficer_events_lost_total") == 15
        assert '"events_lost"' in worker.said()
        declared = await deployment.incident_in("prod-1", ["open", "acknowledged", "recovering"], 60.0)
        assert declared["declared_by"] == "watchofficer"
        assert "15 login events (offsets 20 to 34" in declared["sentence"]

        # Records that were read before are removed too: no event is lost by that, and none counts twice.
        worker.kill()
        await remove_before(deployment, 38)
        worker.start()
        await worker.ready(90.0)
        await produce(deployment, "last", 3)
        await until(lambda: _counts(deployment, 28), 60.0, worker.said)
        assert await deployment.metric("watchofficer_events_lost_total") == 0, "none by this process"


async def _counts(deployment: Deployment, expected: int) -> bool:
    found = await counted(deployment)
    assert found <= expected, "something counts twice"
    return found == expected
