"""A policy file that changes while a worker runs: refused whole if it is bad, else in force from a T for everybody."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import QUICK, Deployment, deployed
from tests.e2e.harness.worker import until

pytestmark = pytest.mark.e2e

CHANGED = QUICK.replace("severity_1_over: 60", "severity_1_over: 61")


def reload(deployment: Deployment, policy: str) -> None:
    (deployment.folder / "policy.yaml").write_text(policy)
    assert deployment.worker.process is not None
    deployment.worker.process.send_signal(signal.SIGHUP)


async def said(deployment: Deployment, words: str, within: float = 20.0) -> None:
    async def look() -> bool:
        return words in deployment.worker.said()

    await until(look, within, words, deployment.worker)


async def test_a_bad_file_is_refused_and_a_good_one_recorded(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(embedded_broker.address, topic_prefix, tmp_path) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        reload(deployment, "severity: {severity_1_over: many}\n")
        await said(deployment, "policy_refused")
        reload(deployment, CHANGED)
        records: list[dict[str, str]] = []

        async def recorded() -> bool:
            records[:] = [one.json() for one in await deployment.on("policy")]
            return len(records) == 2

        await until(recorded, 20.0, "the record of the policy", deployment.worker)
        assert '"severity_1_over":61' in records[1]["text"]
        status, _ = await deployment.worker.stop()
        assert status == 0
        assert "Traceback" not in deployment.worker.said()
