"""With no receiver at all, operators find each transition of an incident in the log, with its sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import Deployment, deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.blind, pytest.mark.timeout(180)]

#: The settings that turn receivers on.
RECEIVERS = ("PAGERDUTY__ROUTING_KEY", "DATADOG__API_KEY", "SLACK__TOKEN")


def transitions(deployment: Deployment) -> list[dict[str, Any]]:
    """The lines of the log that tell of a transition of the first incident of prod."""
    lines = [line for line in deployment.worker.said().splitlines() if '"incident_transition"' in line]
    return [one for one in map(json.loads, lines) if one["incident"] == "prod-1"]


async def test_a_severe_incident_that_opens_and_resolves_is_in_the_log(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(
        embedded_broker.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND, without=RECEIVERS
    ) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()

        async def severe() -> list[dict[str, Any]]:
            return [one for one in transitions(deployment) if one["severity"] == 1]

        async def resolved() -> list[dict[str, Any]]:
            return [one for one in transitions(deployment) if one["to"] == "resolved"]

        async with Traffic(deployment, failing=frozenset({"ssoe"})) as traffic:
            (line, *_) = await until(severe, 60.0, "a line of severity 1", deployment.worker)
            assert line["scope"].startswith("prod/ssoe")
            assert line["reason"]
            traffic.failing = frozenset()
            await until(resolved, 60.0, "a line of the resolution", deployment.worker)
        assert deployment.sandbox.timeline == []
