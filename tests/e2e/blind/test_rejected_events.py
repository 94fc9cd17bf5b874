"""Events that no one can read make the watch blind, and people learn what the first of them lack."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic, blind_alerts, sees_again, told_blind

pytestmark = [pytest.mark.blind, pytest.mark.timeout(300)]


async def test_a_producer_that_turns_to_another_version_is_told_with_the_field_that_is_wrong(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        deployed(embedded_broker.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment,
        Traffic(deployment) as traffic,
    ):
        deployment.worker.start()
        await deployment.worker.ready()
        await asyncio.sleep(15.0)
        assert blind_alerts(deployment) == {}
        traffic.spoilt = {"schema_version": 2}
        await told_blind(deployment, "rejected", "schema_version", within=100.0)
        traffic.spoilt = {}
        await sees_again(deployment, 120.0)
