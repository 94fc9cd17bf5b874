"""A watch that was down for two hours catches up, after one outage that is over and during another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from detectors.instants import MINUTE, SECOND, format_instant
from tests.e2e.harness.deployment import Deployment, deployed, login, now
from tests.faults.campaign.waiting import until
from tests.support.brokers import ApacheKafka

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

#: Minutes before now. The first is resolved (15 min quiet) and closed (30 min later) when the watch comes back.
DOWN_FOR = 120
CAME_AND_WENT = (110, 95)
GOES_ON = (40, 0)


def what_happened(present: int) -> list[tuple[int, int, bytes]]:
    """Return (timestamp, partition, value): a sign-in per second and method, each by another person."""
    out = []
    for second in range(DOWN_FOR * 60):
        at = present - DOWN_FOR * MINUTE + second * SECOND
        ago = (present - at) / MINUTE
        for method, (begin, end) in (("ssoe", CAME_AND_WENT), ("sis", GOES_ON)):
            fields = {"auth_method": method, "user_hash": f"h:{second}", "csp": "idme"}
            if end < ago <= begin:
                fields |= {"outcome": "failure", "error_code": "007"}
            value = login(f"{method}-{second}", at=at, **fields)
            out.append((at + 200, second % 4, value))
    return out


async def missed(broker: str, topic: str, present: int) -> None:
    """Create the topic, with timestamps of producers, and write all events to it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 4, 1, topic_configs={"message.timestamp.type": "CreateTime"})])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker, linger_ms=50) as producer:
        for stamp, partition, value in what_happened(present):
            await producer.send(topic, value, partition=partition, timestamp_ms=stamp)


async def test_what_goes_on_is_told_with_its_true_start_and_what_is_over_wakes_nobody(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    present = now()
    await missed(apache_kafka.address, topic_prefix + "login-events", present)
    began = present - GOES_ON[0] * MINUTE
    options = ("--trust-producer-clocks", "--from", "earliest")
    async with deployed(apache_kafka.address, topic_prefix, tmp_path, *options, policy="{}") as deployment:
        deployment.worker.start()
        woken = deployment.sandbox.pagerduty.woken
        await until(lambda: bool(woken), 150.0, deployment.worker.said)
        await deployment.worker.ready()
        await until(lambda: len(roots(deployment)) > 1, 30.0, deployment.worker.said)

        assert [(one.dedup_key, one.severity) for one in woken] == [("watchofficer:prod-2:0", "critical")]
        alert = deployment.sandbox.pagerduty.alerts[0]
        details = json.dumps(alert.events[0])
        assert started(details, began), details

        over = await deployment.incident_in("prod-1", ["closed"], 30.0)
        assert over["scope"].startswith("prod/ssoe")
        going_on = await deployment.incident_in("prod-2", ["open", "acknowledged"], 30.0)
        assert going_on["scope"].startswith("prod/sis")
        told = [words.lower() for words in roots(deployment)]
        assert sum("came and went" in words for words in told) == 1
        assert len(told) == 2
        keys = {event["aggregation_key"] for event in deployment.sandbox.datadog.events}
        assert keys == {"watchofficer:prod-2:0"}

        deployment.worker.kill()
        deployment.worker.start()
        await deployment.worker.ready()
        assert len(woken) == 1, "told once is told for good"
        assert len(roots(deployment)) == 2


def roots(deployment: Deployment) -> list[str]:
    return [message.words for message in deployment.sandbox.slack.roots]


def started(details: str, began: int) -> bool:
    """Return whether the text names the minute of the first failure."""
    return format_instant(began)[:16] in details
