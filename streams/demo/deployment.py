"""What does a demo start? A worker with an embedded broker, sandbox receivers, made traffic and a fast clock."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from detectors.errors import WatchofficerError
from detectors.instants import DAY, MINUTE, SECOND, format_duration, parse_instant
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from sinks.sandbox import (
    DATADOG_API_KEY,
    DATADOG_APP_KEY,
    ROUTING_KEY,
    SLACK_CHANNEL,
    SLACK_TOKEN,
    Sandbox,
)
from streams.demo.recording import Recording
from streams.http.server import AddressTaken
from streams.kafka.admin import create_missing
from streams.kafka.clients import ClientFactory, KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.line_producer import Produced, TopicSink, produce
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topics import PARTITIONS, Topics, env_partition
from streams.runtime.clocks import FastClock
from streams.settings.settings import Settings
from streams.simulate.episodes import Placed
from streams.simulate.scenario import Scenario
from streams.simulate.scenarios import SCENARIOS
from streams.simulate.simulation import Simulation, simulate
from streams.worker.worker import Worker, WorkerOptions

__all__ = ["Deployment", "Exercise", "PortTaken", "pick_port"]

#: Seconds of the demo's clock after which the sandbox responder acknowledges.
_ACKNOWLEDGES_AFTER = 150.0
#: The embedded broker lets the first member of a group wait for half of this.
_SESSION_SECONDS = 6.0
#: A demo plays an hour in a minute: on a busy machine its watch is minutes behind, which is no fault to page for.
_BLIND_AFTER = 900.0
_WEBHOOK_SECRET = "sandbox"  # noqa: S105 - of a demo on loopback
_READY_SECONDS = 240.0
_READY_POLL = 0.02
#: How far the clock may be ahead of the event that is next, ms.
_AHEAD = 10 * SECOND
#: How far what is evaluated may be behind the clock, ms beside the delay of events, before the clock waits for it.
_BEHIND = 4 * MINUTE
#: Seconds for which the clock waits for an evaluation that does not get on, once in a demo.
_STUCK = 300.0
#: How long healthy traffic continues after the scenario, ms.
_AFTERWARDS = 30 * DAY
#: Below the range that systems use for outgoing connections, so that none of these takes a port first.
_PORTS = range(20_000, 32_000)
_VALID_AT_MOST = 7 * DAY  # the policy's own limit
_LOOPBACK = "127.0.0.1"


class PortTaken(WatchofficerError):
    """HTTP cannot be served on the requested port. The message is one line."""


def pick_port(wanted: int | None) -> int:
    """The port to serve HTTP on: ``wanted``, or a free port if that is None.

    Raises:
        PortTaken: the port cannot be used; the message says why.
    """
    for port in [wanted] if wanted is not None else random.sample(_PORTS, 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            try:
                probe.bind((_LOOPBACK, port))
                probe.listen(1)
            except OSError as error:
                why = error.strerror or str(error)
            else:
                return port
    raise PortTaken(f"port {wanted}: {why}; choose another with --port" if wanted else f"no free port: {why}")


class _Event(msgspec.Struct):
    occurred_at: str


@dataclass(frozen=True)
class Exercise:
    """What makes an exercise of a deployment.

    Attributes:
        settings: of its receivers and its broker; a sandbox, and the embedded broker, for what they lack.
        live: whether people answer it: the outage happens in real time, and no sandbox acknowledges.
    """

    settings: Settings
    live: bool


def _healthy_for(scenario: Scenario) -> int:
    """For how long (ms) nothing is wrong in a scenario, but for the last minute, or a minute where all is wrong."""
    first = min((episode.at for episode in scenario.episodes), default=scenario.duration)
    return max(first - MINUTE, MINUTE)


class Deployment:
    """Everything that a demo starts, as an asynchronous context manager that stops it all.

    Args:
        plays: a name of ``SCENARIOS``, or a recording.
        seed: the seed of the simulation.
        speed: multiple of real time at which the clock runs.
        policy: the policy.
        port: the port of HTTP; None for a free one.
        folder: the only folder that is written to: logs and temporary files.
        exercise: what makes an exercise of it; None for a demo.

    Raises:
        BrokerUnavailable: the embedded broker cannot be started.
        PortTaken: HTTP cannot be served on the port.
        TimeoutError: the worker was not ready within four minutes.
    """

    def __init__(
        self,
        plays: str | Recording,
        seed: int,
        speed: float,
        policy: Policy,
        port: int | None,
        folder: Path,
        *,
        exercise: Exercise | None = None,
    ) -> None:
        self.recording = plays if isinstance(plays, Recording) else None
        self.scenario = plays.scenario if isinstance(plays, Recording) else SCENARIOS[plays]
        self._own = Settings() if exercise is None else exercise.settings
        live = exercise is not None and exercise.live
        self.clock = FastClock(_healthy_for(self.scenario) if live else self.scenario.duration, speed)
        self.policy = _at_pace(policy, speed)
        self.sandbox = Sandbox.make(
            clock=self.clock,
            # Not the clock's own sleep, which slows down to real time once the clock has caught up.
            sleep=lambda seconds: asyncio.sleep(seconds / speed),
            webhook_secrets=(_WEBHOOK_SECRET,),
            acknowledge_after=None if live else _ACKNOWLEDGES_AFTER,
        )
        self.topics = Topics("" if exercise is None else f"exercise.{self.clock.start // SECOND}.")
        self.clients: ClientFactory = KafkaClients({})
        self.worker: Worker
        self.produced: asyncio.Task[Produced]
        self._seed = seed
        self._traffic = None if self.recording else self._simulation(self.scenario.duration + _AFTERWARDS)
        self._port = port
        self._folder = folder
        self._broker = EmbeddedBroker(log=folder / "broker.log")
        self._stack = AsyncExitStack()
        self._waits = True

    @property
    def end(self) -> int:
        """The end of the scenario, ms of the demo's clock."""
        return self.clock.start + self.scenario.duration

    @property
    def episodes(self) -> list[Placed]:
        """The scenario's episodes, with their begin and end."""
        start = self.clock.start
        return [
            Placed(index, episode, start + episode.at, start + episode.at + episode.lasts)
            for index, episode in enumerate(self.scenario.episodes)
        ]

    def evaluated_to(self) -> int | None:
        """The T, ms, up to which every environment has been judged; None before the first."""
        shards = self.worker.shards
        reached = [shard.evaluated_to for shard in shards if shard.evaluated_to is not None]
        return min(reached) if reached and len(reached) == len(shards) else None

    async def truth(self) -> list[dict[str, Any]]:
        """The scenario's true outages, as ``simulate --truth`` writes them; none are known of a recording."""
        if self.recording is not None:
            return []
        given_up = threading.Event()

        def run() -> list[dict[str, Any]]:
            simulation = self._simulation(self.scenario.duration)
            for _ in simulation.batches():
                if given_up.is_set():
                    return []
            return simulation.truth()

        try:
            return await asyncio.to_thread(run)
        finally:
            given_up.set()

    def kill(self) -> None:
        """Kill the embedded broker, the only other process, if there is no time to stop it."""
        self._broker.kill()

    async def __aenter__(self) -> Deployment:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _simulation(self, duration: int) -> Simulation:
        scenario = self.scenario
        return simulate(scenario.name, self._seed, self.clock.start, duration, as_if=scenario.start)

    async def _start(self) -> None:
        port = pick_port(self._port)
        if not self._own.broker:
            await self._start_broker()
            self._own = self._own.model_copy(update={"broker": (self._broker.address,)})
        kafka = self._own.kafka_client_kwargs()
        self.clients = KafkaClients(kafka)
        await create_missing(self.topics, kafka)
        await self._stack.enter_async_context(self.sandbox)
        history = asyncio.create_task(self._give_history(), name="history")
        self._stack.push_async_callback(_cancel, history)
        self.worker = Worker(
            self._settings(port),
            self.policy,
            self.clock,
            WorkerOptions(
                port=port,
                session_seconds=_SESSION_SECONDS,
                start="earliest",
                before_judging=history,
                blind_after=_BLIND_AFTER,
                folder=self._folder,
            ),
        )
        self._stack.push_async_callback(self.worker.stop)
        try:
            await self.worker.start()
        except AddressTaken as error:
            raise PortTaken(str(error)) from error
        self.sandbox.pagerduty.webhook_url = f"{self.worker.url}/webhooks/pagerduty"
        await self._ready()
        self.produced = asyncio.create_task(self._produce(), name="scenario")
        self._stack.push_async_callback(_cancel, self.produced)

    async def _ready(self) -> None:
        failed, deadline = self.worker.failed, asyncio.get_running_loop().time() + _READY_SECONDS
        while waiting := self.worker.health.waiting():
            if failed.done():
                raise failed.result()
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"not ready within {_READY_SECONDS:.0f} s: {waiting}")
            await asyncio.sleep(_READY_POLL)

    async def _start_broker(self) -> None:
        starting = asyncio.create_task(asyncio.to_thread(self._broker.start))
        self._stack.push_async_callback(asyncio.to_thread, self._broker.stop)
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The thread cannot be stopped, so wait until its broker exists and can be stopped.
            with suppress(Exception):
                await starting
            raise

    def _settings(self, port: int) -> Settings:
        """The settings of the worker: its own receivers, and a sandbox for each of the three that it lacks."""
        sandbox = self.sandbox
        made = Settings.model_validate(
            {
                "pagerduty": {
                    "routing_key": ROUTING_KEY,
                    "base_url": sandbox.pagerduty.url,
                    "webhook_secret": _WEBHOOK_SECRET,
                },
                "datadog": {
                    "api_key": DATADOG_API_KEY,
                    "app_key": DATADOG_APP_KEY,
                    "base_url": sandbox.datadog.url,
                },
                "slack": {
                    "token": SLACK_TOKEN,
                    "channel": SLACK_CHANNEL,
                    "base_url": sandbox.slack.base_url,
                },
            }
        )
        kinds = {name.partition(":")[0] for name in self._own.sinks()}
        lacking = {name: getattr(made, name) for name in made.sinks() - kinds}
        return self._own.model_copy(
            update={"port": port, "topic_prefix": self.topics.prefix, "policy": None, **lacking}
        )

    async def _give_history(self) -> None:
        """Write the two weeks before to `sli-history`, from which silence is detected."""
        producer = BatchProducer(self.clients)
        await producer.start()
        try:
            records = await asyncio.to_thread(self._history)
            await producer.write(records)
        finally:
            await producer.stop()

    def _history(self) -> list[ProducerRecord]:
        return [
            ProducerRecord(
                self.topics.history,
                f"{record['env']}|{record['at']}".encode(),
                msgspec.json.encode(record),
                env_partition(record["env"], PARTITIONS),
            )
            for record in (self._traffic.history() if self._traffic else ())
            if record["env"] in ENVS
        ]

    async def _produce(self) -> Produced:
        async with TopicSink(self.topics.login_events, self.clients) as sink:

            async def paced(key: bytes | None, value: bytes, at: int) -> bool:
                await self._keep_pace()
                return await sink(key, value, at)

            return await produce(self._lines(), self.clock, paced, 1.0, sleep=self.clock.sleep)

    async def _keep_pace(self) -> None:
        """Hold the next event, and so the clock, while the evaluation is far behind.

        Else a busy machine would evaluate an incident from its beginning to its end within seconds of real time, in
        which nobody can act.
        """
        allowed = round(self.policy.watermark_delay * self.clock.pace) + _BEHIND
        loop, seen = asyncio.get_running_loop(), self.evaluated_to()
        stuck_at = loop.time() + _STUCK
        while self._waits and self.clock() - (seen or self.clock.start) > allowed:
            await asyncio.sleep(_READY_POLL)
            reached = self.evaluated_to()
            if reached != seen:
                seen, stuck_at = reached, loop.time() + _STUCK
            self._waits = loop.time() < stuck_at

    def _lines(self) -> Iterator[bytes]:
        """The events, each of which the clock waits for: else a busy machine would make a silence of sign-in.

        The clock starts with the first of them.
        """
        for line in self._made():
            instant = parse_instant(msgspec.json.decode(line, type=_Event).occurred_at)
            self.clock.wait_at(instant + _AHEAD)
            self.clock.release()
            yield line
        self.clock.wait_at(self.end + _AFTERWARDS)

    def _made(self) -> Iterator[bytes]:
        if self.recording is not None:
            yield from self.recording.lines(self.clock.start)
        elif self._traffic is not None:
            yield from (line for _, line in self._traffic.entries())


def _at_pace(policy: Policy, pace: float) -> Policy:
    """The policy for a clock that runs ``pace`` times faster: banners are valid for ``pace`` times as long."""
    values = json.loads(policy.canonical())
    valid_for = min(round(policy.banner.valid_for * pace), _VALID_AT_MOST)
    values["banner"]["valid_for"] = format_duration(valid_for)
    return Policy.model_validate(values)


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
