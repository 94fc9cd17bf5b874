"""A worker whose clock is minutes ahead judges by the broker's time, and says that its clock is wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from detectors.instants import parse_instant
from tests.e2e.harness.deployment import deployed, now
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic, sees_again, told_blind
from tests.support.brokers import ApacheKafka
from tests.support.false_clock.clock import FalseClock

pytestmark = [pytest.mark.blind, pytest.mark.timeout(240)]


@pytest.mark.parametrize("seconds", [120, -120])
async def test_an_outage_is_seen_at_its_time_and_the_clock_is_told(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path, seconds: int
) -> None:
    clock = FalseClock(tmp_path / "clock")
    clock.set(seconds)
    async with deployed(
        apache_kafka.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND, variables=clock.variables
    ) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        await asyncio.sleep(5.0)  # with no traffic, marks alone move the watermark
        began = now()
        async with Traffic(deployment, failing=frozenset({"ssoe", "sis"})):
            incident = await deployment.incident_in("prod-1", ["open"], 40.0)
            await told_blind(deployment, "clock", "clock", within=90.0)
        assert abs(parse_instant(incident["opened_at"]) - began) < 40_000


async def test_a_clock_that_jumps_while_the_worker_runs_falsifies_nothing_and_is_told(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    clock = FalseClock(tmp_path / "clock")
    async with (
        deployed(
            apache_kafka.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND, variables=clock.variables
        ) as deployment,
        Traffic(deployment) as traffic,
    ):
        deployment.worker.start()
        await deployment.worker.ready()
        await asyncio.sleep(5.0)
        clock.set(180)
        await told_blind(deployment, "clock", "clock", within=90.0)
        began = now()
        traffic.failing = frozenset({"ssoe"})
        incident = await deployment.incident_in("prod-1", ["open"], 40.0)
        assert abs(parse_instant(incident["opened_at"]) - began) < 40_000
        clock.set(0)
        await sees_again(deployment, 90.0)
