"""One deployment that most tests share. While they look at what they brought themselves, it lives through an outage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from detectors.instants import parse_instant
from streams.embedded import EmbeddedBroker
from streams.simulate import Episode, simulate
from tests.e2e.deployment import Deployment, deployed
from tests.processes import COMMAND, ROOT, environment

#: The traffic of a weekday's afternoon, whenever the tests run.
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


@dataclass
class Outage:
    """An outage of prod/ssoe, from before it to after it.

    Attributes:
        events: the events, as they stand on the topic.
        then: state of the incident -> path -> what was answered over HTTP in that state.
    """

    events: list[dict[str, Any]]
    then: dict[str, dict[str, Any]]


@dataclass
class Shared:
    """The deployment and the outage that is played on it."""

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
    """A worker that runs. Environment prod is the outage's; other tests use one each."""
    return _shared.deployment


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def outage(_shared: Shared) -> Outage:
    """What came of the outage, once it is over."""
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
            then[state] = {path: (await deployment.worker.get(path))[1] for path in _ASKED}
        assert await asyncio.wait_for(producing.wait(), 60.0) == 0
    finally:
        if producing.returncode is None:
            producing.kill()
            await producing.wait()
    await deployment.incident_in("prod-1", ["closed"], 60.0)
    on_topic = [one for one in await deployment.on("login-events") if b'"env":"prod"' in (one.value or b"")]
    assert len(on_topic) == len(events)
    return Outage([one.json() for one in on_topic], then)
