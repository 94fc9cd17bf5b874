"""A worker that starts well leaves alone what another one says of the watch, which takes it back itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.runtime.progress import Why
from tests.e2e.harness.deployment import Deployment, deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, blind_alerts, sees_again, told_blind
from tests.e2e.harness.worker import Worker, until
from tests.support.brokers import ApacheKafka
from tests.support.false_clock.clock import FalseClock

pytestmark = [pytest.mark.blind, pytest.mark.timeout(240)]

CLOCK = "watchofficer:blind:clock"


def resolved(deployment: Deployment) -> list[str]:
    """The keys that PagerDuty was asked to resolve, in order."""
    bodies = [one.body for one in deployment.sandbox.pagerduty.requests if one.path.startswith("/v2/")]
    return [str(body["dedup_key"]) for body in bodies if body["event_action"] == "resolve"]


@pytest.mark.ci
async def test_a_worker_that_starts_well_does_not_resolve_what_another_one_says(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    clock = FalseClock(tmp_path / "clock")
    async with deployed(
        apache_kafka.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND, variables=clock.variables
    ) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        await deployment.leftovers_resolved()
        clock.set(180)
        await told_blind(deployment, "clock", "clock", within=90.0)
        before = len(resolved(deployment))
        second = Worker(
            deployment.settings, tmp_path / "second.log", "--policy", str(tmp_path / "policy.yaml")
        )
        second.start()
        try:
            await second.ready()

            async def others_resolved() -> bool:
                return len(resolved(deployment)) - before >= len(Why)

            await until(others_resolved, 60.0, "the resolution of all other kinds", second)
            await asyncio.sleep(5.0)
            assert CLOCK not in resolved(deployment)[before:]
            assert blind_alerts(deployment)["clock"].status != "resolved"
            clock.set(0)
            await sees_again(deployment, 90.0)
            alerts = [one for one in deployment.sandbox.pagerduty.alerts if one.dedup_key == CLOCK]
            assert len(alerts) == 1
        finally:
            second.kill()
