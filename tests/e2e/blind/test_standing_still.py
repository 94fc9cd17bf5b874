"""A worker that stood still gives back what it owned and goes on in the same process; nothing counts twice."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic, sees_again
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.blind, pytest.mark.timeout(240)]


@pytest.mark.parametrize("seconds", [8.0, 25.0])
async def test_a_worker_that_was_frozen_goes_on_without_a_restart(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path, seconds: float
) -> None:
    async with (
        deployed(embedded_broker.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment,
        Traffic(deployment) as traffic,
    ):
        worker = deployment.worker
        worker.start()
        await worker.ready()
        pid = worker.pid
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(pid, signal.SIGCONT)

        async def counted() -> bool:
            return await deployment.metric("watchofficer_leases_lost_total") >= 1

        await until(counted, 30.0, "a lease that was lost", worker)
        await sees_again(deployment, 90.0)
        traffic.failing = frozenset({"ssoe"})
        await deployment.incident_in("prod-1", ["open", "acknowledged"], 40.0)
        assert worker.pid == pid
        assert "Traceback" not in worker.said()
