"""A producer with transactions that pauses, or keeps one open, holds back nothing but its own partition."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from detectors.instants import parse_instant
from tests.e2e.harness.deployment import Deployment, deployed, login, now
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic, blind_alerts
from tests.e2e.harness.worker import until
from tests.support.brokers import ApacheKafka
from tests.support.kafka.transactions import TransactionalProducer

pytestmark = [pytest.mark.blind, pytest.mark.timeout(240)]

THEIRS = 3  # the partition that the producer with transactions writes to


@asynccontextmanager
async def begun(kafka: ApacheKafka, prefix: str, folder: Path) -> AsyncIterator[Deployment]:
    """A worker that is ready."""
    policy = QUICKLY_BLIND + "skew_after: 5s\n"
    async with deployed(kafka.address, prefix, folder, policy=policy) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        yield deployment


def producer(deployment: Deployment) -> TransactionalProducer:
    return TransactionalProducer(
        deployment.broker, deployment.prefix + "login-events", THEIRS, deployment.prefix
    )


async def evaluated_since(deployment: Deployment, instant: int, within: float = 30.0) -> None:
    """Wait until indicators of prod from after the instant (ms) are published."""

    async def look() -> bool:
        status, body = await deployment.worker.get("/api/v1/slis?scope=prod")
        return status == 200 and any(parse_instant(one["at"]) > instant for one in body["slis"])

    await until(look, within, "indicators of the present", deployment.worker)


@pytest.mark.ci
async def test_an_outage_is_seen_while_a_commit_marker_is_the_last_of_another_partition(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    async with begun(apache_kafka, topic_prefix, tmp_path) as deployment:
        with producer(deployment) as theirs:
            theirs.commit([login(f"committed {number}") for number in range(20)])
            async with Traffic(deployment, 0, 1, 2) as traffic:
                await asyncio.sleep(3.0)
                traffic.failing = frozenset({"ssoe"})
                await deployment.incident_in("prod-1", ["open"], 40.0)
        assert blind_alerts(deployment) == {}


async def test_an_outage_is_seen_while_a_transaction_is_open_and_the_watch_goes_on_after_its_abort(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    async with begun(apache_kafka, topic_prefix, tmp_path) as deployment:
        with producer(deployment) as theirs:
            theirs.commit([login("committed")])
            theirs.begin([login(f"open {number}") for number in range(20)])
            async with Traffic(deployment, 0, 1, 2) as traffic:
                await asyncio.sleep(3.0)
                traffic.failing = frozenset({"ssoe"})
                await deployment.incident_in("prod-1", ["open"], 60.0)
                theirs.abort()
                await evaluated_since(deployment, now())
        assert blind_alerts(deployment) == {}
