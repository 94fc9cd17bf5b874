"""However much people write about an incident, its record stays small, the watch goes on and the log has it whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness.deployment import TOKEN, deployed, login
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic, blind_alerts
from tests.e2e.harness.worker import until
from tests.support.brokers import ApacheKafka

pytestmark = [pytest.mark.blind, pytest.mark.timeout(240)]

BEARER = {"Authorization": f"Bearer {TOKEN}"}
NOTES, NOTE = 72, "警" * 3_999
MOST_BYTES = 256 * 1024


async def test_seventy_two_long_notes_hold_up_neither_the_next_outage_nor_the_next_start(
    apache_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(apache_kafka.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        worker = deployment.worker
        worker.start()
        await worker.ready()
        failed: dict[str, Any] = {"env": "staging", "outcome": "failure", "error_code": "007"}
        await deployment.produce(login(f"staging {n}", flow_id=f"f:{n}", **failed) for n in range(20))
        await deployment.incident_in("staging-1", ["open"], 40.0)
        for number in range(NOTES):
            path = "/api/v1/incidents/staging-1/note"
            status, answer = await worker.post(path, {"text": NOTE, "by": "Grace Hopper"}, **BEARER)
            assert status == 202, (number, answer)

        async def all_in_the_log() -> bool:
            lines = [one.json() for one in await deployment.on("incident-log") if one.key == "staging-1"]
            notes = [line for line in lines if line["type"] == "note"]
            return len(notes) >= NOTES and all(NOTE in str(line) for line in notes)

        await until(all_in_the_log, 60.0, "every note in the log, whole", worker)
        sizes = [len(one.value or b"") for one in await deployment.on("incidents")]
        assert max(sizes) < MOST_BYTES
        async with Traffic(deployment, failing=frozenset({"ssoe"})):
            await deployment.incident_in("prod-1", ["open"], 40.0)
        await worker.stop()
        worker.start()
        await worker.ready()
        async with Traffic(deployment, failing=frozenset({"sis"}), env="dev"):
            await deployment.incident_in("dev-1", ["open"], 60.0)
        assert blind_alerts(deployment) == {}
