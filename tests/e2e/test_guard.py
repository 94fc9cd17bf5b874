"""A worker that stands still as a whole cannot say so: the guard does, at the same key, and takes it back."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import QUICK, Deployment, deployed
from tests.e2e.harness.worker import Worker, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

KEY = "watchofficer:blind:lag"
BLIND_AFTER = 10.0


class Heartbeats:
    """The service that would raise the alarm if it were called no more."""

    def __init__(self) -> None:
        self.count = 0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.count += 1
        return web.Response(text="OK")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Heartbeats]:
        application = web.Application()
        application.router.add_get("/ping", self.take)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ping"
        try:
            yield self
        finally:
            await runner.cleanup()


def actions(deployment: Deployment) -> list[str]:
    """What PagerDuty was asked to do with the alert, in order."""
    bodies = [one.body for one in deployment.sandbox.pagerduty.requests if one.path.startswith("/v2/")]
    return [body["event_action"] for body in bodies if body["dedup_key"] == KEY]


@pytest.mark.long
async def test_a_worker_that_is_frozen_is_told_by_the_guard(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    policy = QUICK + f"blind_after: {BLIND_AFTER:.0f}s\n"
    async with (
        Heartbeats().listening() as heartbeats,
        deployed(embedded_broker.address, topic_prefix, tmp_path, policy=policy) as deployment,
    ):
        worker = deployment.worker
        worker.start()
        await worker.ready()
        guard = Worker(
            deployment.settings | {"HEARTBEAT_URL": heartbeats.url},
            tmp_path / "guard.log",
            *("--role", "guard", "--policy", str(tmp_path / "policy.yaml")),
        )
        guard.start()
        try:
            await guard.ready()

            async def beats() -> bool:
                return heartbeats.count > 0

            await until(beats, 60.0, "the first heartbeat", guard)
            assert "trigger" not in actions(deployment)

            worker.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]

            async def told() -> bool:
                return "trigger" in actions(deployment)

            await until(told, BLIND_AFTER + 30.0, "that the watch is blind", guard)
            status, body = await guard.get("/readyz")
            assert status == 503
            assert "No worker has evaluated" in body["parts"]["blind:lag"]
            assert "prod" in body["parts"]["blind:lag"]
            status, health = await guard.get("/api/v1/health")
            assert (status, health["status"], health["told"]["pagerduty"]) == (200, "blind", ["lag"])
            assert any("The watch is blind" in one.words for one in deployment.sandbox.slack.roots)
            beaten = heartbeats.count

            worker.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]

            async def taken_back() -> bool:
                return actions(deployment)[-1] == "resolve"

            await until(taken_back, 90.0, "that the watch sees again", guard)
            assert heartbeats.count in (beaten, beaten + 1)  # none while it was blind
            await guard.ready()
            assert (await guard.stop())[0] == 0
        finally:
            guard.kill()
            if worker.exit_status is None:
                worker.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
