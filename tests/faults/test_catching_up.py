"""A watch that was down for two hours catches up, after one outage that is over and during another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
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
GOES_ON = (40, float("-inf"))


def at_second(present: int, second: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (timestamp, partition, value) of a second's sign-ins, one by each method, each by another person."""
    at = present - DOWN_FOR * MINUTE + second * SECOND
    ago = (present - at) / MINUTE
    for method, (begin, end) in (("ssoe", CAME_AND_WENT), ("sis", GOES_ON)):
        fields = {"auth_method": method, "user_hash": f"h:{second}", "csp": "idme"}
        if end < ago <= begin:
            fields |= {"outcome": "failure", "error_code": "007"}
        yield at + 200, second % 4, login(f"{method}-{second}", at=at, **fields)


@asynccontextmanager
async def traffic(broker: str, topic: str, present: int) -> AsyncIterator[None]:
    """Create the topic, with timestamps of producers, write what was missed, and go on until the block ends."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 4, 1, topic_configs={"message.timestamp.type": "CreateTime"})])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker, linger_ms=50) as producer:

        async def write(second: int) -> None:
            for stamp, partition, value in at_second(present, second):
                await producer.send(topic, value, partition=partition, timestamp_ms=stamp)

        async def go_on() -> None:
            for second in count(DOWN_FOR * 60):
                await asyncio.sleep((present - DOWN_FOR * MINUTE + second * SECOND - now()) / SECOND)
                await write(second)

        for second in range(DOWN_FOR * 60):
            await write(second)
        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_what_goes_on_is_told_with_its_true_start_and_what_is_over_wakes_nobody(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    present = now()
    began = present - GOES_ON[0] * MINUTE
    options = ("--trust-producer-clocks", "--from", "earliest")
    async with (
        traffic(apache_kafka.address, topic_prefix + "login-events", present),
        deployed(apache_kafka.address, topic_prefix, tmp_path, *options, policy="{}") as deployment,
    ):
        deployment.worker.start()
        await until(lambda: bool(woken(deployment)), 150.0, deployment.worker.said)
        await deployment.worker.ready()
        await until(lambda: len(roots(deployment)) > 1, 30.0, deployment.worker.said)

        assert woken(deployment) == [("watchofficer:prod-2:0", "critical")]
        alert = deployment.sandbox.pagerduty.open_alert("watchofficer:prod-2:0")
        assert alert is not None
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
        assert len(woken(deployment)) == 1, "told once is told for good"
        assert len(roots(deployment)) == 2


def woken(deployment: Deployment) -> list[tuple[str, str]]:
    """Return (key, severity) of each page for an incident: a machine that is slow to start is told of too."""
    pages = deployment.sandbox.pagerduty.woken
    return [(one.dedup_key, one.severity) for one in pages if ":blind:" not in one.dedup_key]


def roots(deployment: Deployment) -> list[str]:
    """Return the words of each message on an incident, as above."""
    words = [message.words for message in deployment.sandbox.slack.roots]
    return [each for each in words if "blind" not in each.lower()]


def started(details: str, began: int) -> bool:
    """Return whether the text names the minute of the first failure."""
    return format_instant(began)[:16] in details
