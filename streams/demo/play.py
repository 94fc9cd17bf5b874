"""A scenario played through the real pipeline: embedded broker, sandbox receivers, injected clock."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr

from detectors.policy import Policy
from detectors.scopes import ENVS
from sinks.sandbox import (
    DATADOG_API_KEY,
    DATADOG_APP_KEY,
    ROUTING_KEY,
    SLACK_CHANNEL,
    SLACK_TOKEN,
    Sandbox,
)
from streams.clocks import FastClock
from streams.embedded import EmbeddedBroker, free_port
from streams.outlet import Out, Outlet
from streams.pipeline import Pipeline, PipelineOptions
from streams.produce import Produced, TopicSink, produce
from streams.settings import Settings
from streams.simulate.scenarios import SCENARIOS
from streams.simulate.simulation import Simulation, simulate
from streams.topics import PARTITIONS, Topics, create_missing, env_partition

__all__ = ["Play"]

#: The sandbox responder acknowledges after so many seconds of the demo's clock.
_ACKNOWLEDGES_AFTER = 150.0
#: The embedded broker lets the first member of a group wait for half of this.
_SESSION_SECONDS = 6.0
_WEBHOOK_SECRET = "sandbox"
_READY_SECONDS = 40.0


class Play:
    """Everything that a demo starts, in one asynchronous context; leaving it stops all.

    Args:
        scenario: a name of ``SCENARIOS``.
        seed: of the simulation.
        speed: how many times faster than real time.
        policy: the policy.
        port: of HTTP; a free one by default.
        folder: for the broker's log; nothing is written elsewhere.

    Raises:
        BrokerUnavailable: the embedded broker cannot be started.
        OSError: the port is taken.
    """

    def __init__(
        self, scenario: str, seed: int, speed: float, policy: Policy, port: int | None, folder: Path
    ) -> None:
        self.scenario = SCENARIOS[scenario]
        self.clock = FastClock(self.scenario.duration, speed)
        self.simulation: Simulation = simulate(scenario, seed, self.clock.start, as_if=self.scenario.start)
        self.policy = policy
        self.sandbox = Sandbox.make(
            clock=self.clock,
            sleep=self.clock.sleep,
            webhook_secrets=(_WEBHOOK_SECRET,),
            acknowledge_after=_ACKNOWLEDGES_AFTER,
        )
        self.pipeline: Pipeline
        self.produced: asyncio.Task[Produced]
        self._port = port or free_port()
        self._folder = folder
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Play:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        broker = EmbeddedBroker(log=self._folder / "broker.log")
        await asyncio.to_thread(broker.start)
        self._stack.callback(broker.stop)
        kafka = {"bootstrap_servers": broker.address}
        topics = Topics()
        await create_missing(topics, kafka)
        await self._give_history(kafka, topics)
        await self._stack.enter_async_context(self.sandbox)
        settings = Settings(
            broker=broker.address,
            port=self._port,
            pagerduty={
                "routing_key": ROUTING_KEY,
                "base_url": self.sandbox.pagerduty.url,
                "webhook_secret": _WEBHOOK_SECRET,
            },
            datadog={
                "api_key": DATADOG_API_KEY,
                "app_key": DATADOG_APP_KEY,
                "base_url": self.sandbox.datadog.url,
            },
            slack={"token": SLACK_TOKEN, "channel": SLACK_CHANNEL, "base_url": self.sandbox.slack.base_url},
        )
        self.pipeline = Pipeline(
            settings,
            self.policy,
            self.clock,
            PipelineOptions(port=self._port, session_seconds=_SESSION_SECONDS, start="earliest"),
        )
        self._stack.push_async_callback(self.pipeline.stop)
        await self.pipeline.start()
        self.sandbox.pagerduty.webhook_url = f"{self.pipeline.url}/webhooks/pagerduty"
        async with asyncio.timeout(_READY_SECONDS):
            while self.pipeline.health.waiting() and not self.pipeline.failed.done():
                await asyncio.sleep(0.05)
        if self.pipeline.failed.done():
            raise self.pipeline.failed.result()
        self.clock.release()
        self.produced = asyncio.create_task(self._produce(kafka, topics), name="scenario")
        self._stack.push_async_callback(_cancel, self.produced)

    async def _give_history(self, kafka: dict[str, Any], topics: Topics) -> None:
        """Put the two weeks before on `sli-history`, so that silence has something to be held against."""
        outlet = Outlet(kafka)
        await outlet.start()
        try:
            await outlet.write(
                Out(
                    topics.history,
                    f"{record['env']}|{record['at']}".encode(),
                    msgspec.json.encode(record),
                    env_partition(record["env"], PARTITIONS),
                )
                for record in self.simulation.history()
                if record["env"] in ENVS
            )
        finally:
            await outlet.stop()

    async def _produce(self, kafka: dict[str, Any], topics: Topics) -> Produced:
        async with TopicSink(topics.login_events, kafka) as sink:
            return await produce(self.simulation.lines(), self.clock, sink, 1.0, sleep=self.clock.sleep)


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
