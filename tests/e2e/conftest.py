"""Most tests share one deployment, which goes through an outage while they test with events of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from detectors.instants import parse_instant
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.simulate import Episode, simulate
from tests.e2e.harness.deployment import Deployment, deployed
from tests.e2e.harness.worker import until
from tests.support.processes import COMMAND, ROOT, environment

#: An instant whose traffic, that of a weekday's afternoon, is simulated whenever the tests run.
_AFTERNOON = parse_instant("2026-10-06T14:00:00-04:00")
_SIGN_INS_A_SECOND = 10.0
_LASTS, _FAILS_FROM, _FAILS_FOR = 50_000, 8_000, 14_000  # ms
_ACKNOWLEDGES_AFTER = 4.0  # seconds
_ASKED = (
    "/v0/backend_statuses",
    "/v0/backend_statuses?auth_method=ssoe",
    "/v0/backend_statuses?auth_method=sis",
    "/api/v1/incidents/prod-1",
    "/api/v1/slis?scope=prod/ssoe&scope=prod/sis",
    "/metrics",
)
#: State of the incident -> (status, severity) of prod/ssoe in the banner and in Prometheus.
_MEANS = {"acknowledged": ("critical", 1.0), "resolved": ("active", 0.0)}


@dataclass
class Outage:
    """An outage of prod/ssoe, from before it to after it.

    Attributes:
        events: the events on the topic.
        then: state of the incident -> path -> the answer over HTTP in that state.
    """

    events: list[dict[str, Any]]
    then: dict[str, dict[str, Any]]


@dataclass
class Shared:
    """The deployment and the outage in it."""

    deployment: Deployment
    outage: asyncio.Task[Outage]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _shared(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shared]:
    folder = tmp_path_factory.mktemp("shared")
    async with deployed(
        embedded_broker.address, "shared.", folder, acknowledge_after=_ACKNOWLEDGES_AFTER
    ) as deployment:
        deployment.worker.start()
        events = await asyncio.to_thread(_events)
        await deployment.worker.ready()
        outage = asyncio.create_task(_play(deployment, events), name="outage")
        try:
            yield Shared(deployment, outage)
        finally:
            outage.cancel()
            await asyncio.gather(outage, return_exceptions=True)


@pytest.fixture(scope="session")
def deployment(_shared: Shared) -> Deployment:
    """A running worker. The outage has the environment prod; each other test has one of its own."""
    return _shared.deployment


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def outage(_shared: Shared) -> Outage:
    """The observations of the outage, once it is over."""
    return await _shared.outage


def _events() -> list[bytes]:
    episode = Episode(
        effect="failure",
        scope="prod/ssoe",
        at=_FAILS_FROM,
        lasts=_FAILS_FOR,
        steps=("callback",),
        errors="ssoe_down",
    )
    played = simulate("healthy", 1, _AFTERNOON, _LASTS, _SIGN_INS_A_SECOND, episodes=[episode])
    return [line for line in played.lines() if json.loads(line)["env"] == "prod"]


async def _play(deployment: Deployment, events: list[bytes]) -> Outage:
    file = deployment.folder / "events.jsonl"
    file.write_bytes(b"\n".join(events))
    then: dict[str, dict[str, Any]] = {}
    producing = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("produce", str(file), "--speed", "1", "--rebase", "now"),
        env=environment(deployment.settings),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
    )
    try:
        for state in ("acknowledged", "resolved"):
            await deployment.incident_in("prod-1", [state], 60.0)
            then[state] = await _answers(deployment, state)
        assert await asyncio.wait_for(producing.wait(), 60.0) == 0
    finally:
        if producing.returncode is None:
            producing.kill()
            await producing.wait()
    await deployment.incident_in("prod-1", ["closed"], 60.0)

    async def logged() -> bool:
        found = await deployment.incident("prod-1")
        return found is not None and found["log"][-1]["type"] == "closed"

    await until(logged, 20.0, "the last line of the log of prod-1", deployment.worker)
    await deployment.all_told()
    on_topic = [one for one in await deployment.on("login-events") if b'"env":"prod"' in (one.value or b"")]
    assert len(on_topic) == len(events)
    return Outage([one.json() for one in on_topic], then)


async def _answers(deployment: Deployment, state: str) -> dict[str, Any]:
    """Return the answers over HTTP by path, once all of them show the incident in this state.

    The incident, its log, the banners and the metrics each reach HTTP on a separate way.
    """

    async def agree() -> dict[str, Any] | None:
        answers = {path: (await deployment.worker.get(path))[1] for path in _ASKED}
        log = answers["/api/v1/incidents/prod-1"]["log"]
        statuses = answers["/v0/backend_statuses"]["data"]["attributes"]["statuses"]
        (status,) = [one["status"] for one in statuses if one["service_id"] == "ssoe"]
        (severity,) = [
            sample.value
            for family in text_string_to_metric_families(answers["/metrics"])
            for sample in family.samples
            if sample.name == "watchofficer_incident_severity"
            and {label: value for label, value in sample.labels.items() if value}
            == {"env": "prod", "auth_method": "ssoe"}
        ]
        told = any(line["type"] == state for line in log) and (status, severity) == _MEANS[state]
        return answers if told else None

    return await until(agree, 20.0, f"all answers tell that prod-1 is {state}", deployment.worker)
