"""What runs in a simulated process? The shipped loops, from ingest to delivery, wired as a worker wires them.

Faust and HTTP do not run; ``tests.simulation.cluster.agents`` stands in for Faust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from detectors.policy.policy import Policy
from streams.dispatch.receivers import LeaseGuard
from streams.dispatch.service import Dispatch
from streams.evaluate.policies.book import FixedPolicy
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings
from streams.kafka.producer import BatchProducer
from streams.kafka.refused.aside import AsideWriter, limits_of
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.runtime.clocks import Timing
from streams.runtime.lease import Lease, LeaseLost
from tests.simulation.cluster.agents import Agents
from tests.simulation.cluster.broker import Broker
from tests.simulation.cluster.members import SimClients
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.receivers import Receivers

__all__ = ["AGENTS_GROUP", "INGEST_GROUP", "INTERNAL", "SINKS", "TOPICS", "Role", "Worker", "World"]

TOPICS = Topics()
#: Partitions of the internal topics.
INTERNAL = 2
SINKS = frozenset({"pagerduty", "datadog", "slack"})
INGEST_GROUP, AGENTS_GROUP = "watchofficer-ingest", "watchofficer"
SESSION = 6.0  # seconds
#: As ``streams.worker`` has them: of the session; seconds.
_LEASE, _OWN_EVERY, _HAND_OVER = 0.6, 0.5, 3.0

Role = Literal["all", "ingest", "agents"]
log = structlog.get_logger(__name__)


@dataclass
class World:
    """What all processes of a run share.

    Attributes:
        cost: draws what judging costs when it is measured, seconds.
        leases: whether a process that stood still finds out by itself. Ingest does not rely on that.
    """

    loop: VirtualLoop
    broker: Broker
    receivers: Receivers
    policy: Policy
    seed: int
    wall: Callable[[], int]
    cost: Callable[[], float]


class Worker:
    """One worker process.

    Args:
        world: where it runs.
        name: of the process; a process that follows another has another name.
        role: what runs in it.
        leased: whether it writes and sends only while it holds its lease.
        failed: called with what makes going on impossible.
    """

    def __init__(
        self,
        world: World,
        name: str,
        role: Role,
        *,
        leased: bool,
        failed: Callable[[Worker, BaseException], None],
    ) -> None:
        self.name = name
        self.role = role
        self.process = Process(world.loop, name)
        self.ingest: Ingest | None = None
        self.dispatch: Dispatch | None = None
        self.evaluate: Evaluate | None = None
        self._world = world
        self._leased = leased
        self._failed = failed
        self._agents: Agents | None = None
        self._failing = False
        self._measured = 0.0
        self.process.run(self._run)

    def fail(self, error: BaseException) -> None:
        """End the process: what is going on cannot be finished here."""
        if not self._failing and not self.process.dead:
            self._failing = True
            self._failed(self, error)

    def stop(self, then: Callable[[], None]) -> None:
        """End in order, and call ``then``."""

        async def end() -> None:
            try:
                async with asyncio.timeout(2 * SESSION):
                    await self._stop()
            except (TimeoutError, KafkaError):
                log.info("not_stopped_in_time", worker=self.name)
            finally:
                self.process.kill()
                then()

        self.process.run(end)

    # -- wiring -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        world = self._world
        monotonic = world.loop.time
        clients = SimClients(world.broker, self.name, world.seed)
        random = Random(f"{world.seed}/{self.name}/worker")
        timing = Timing(
            clock=world.wall,
            sleep=asyncio.sleep,
            monotonic=monotonic,
            timer=self._timer,
            wall=world.wall,
            chance=random.random,
        )
        lease = Lease(_LEASE * SESSION, monotonic)
        producer = BatchProducer(clients, lease=lease if self._leased else None, timing=timing)
        aside = AsideWriter(producer, limits_of(TOPICS))
        self._ticking = asyncio.create_task(self._tick(lease))
        if self.role != "agents":
            settings = IngestSettings(
                TOPICS, INGEST_GROUP, INTERNAL, session_ms=round(SESSION * 1_000), start="earliest"
            )
            self.ingest = Ingest(settings, world.policy, producer, timing, self.fail, clients=clients)
            await self.ingest.start()
        if self.role != "ingest":
            self._start_agents(clients, producer, aside, lease, timing)

    def _start_agents(
        self, clients: SimClients, producer: BatchProducer, aside: AsideWriter, lease: Lease, timing: Timing
    ) -> None:
        world = self._world
        reader = TopicReader(clients, patient=True, timing=timing)
        self._http, sinks = world.receivers.clients(Random(f"{world.seed}/{self.name}/http"))
        dispatch = self.dispatch = Dispatch(
            TOPICS,
            INTERNAL,
            {sink: LeaseGuard(client, lease) for sink, client in sinks.items()},
            producer,
            reader,
            timing,
            aside=aside,
        )
        evaluate = self.evaluate = Evaluate(
            EvaluateSettings(TOPICS, SINKS, INTERNAL),
            FixedPolicy(world.policy),
            producer,
            reader,
            timing,
            more=lambda partition, offset: agents.reads_on(TOPICS.segments, partition, offset),
            generation=lambda: agents.generation,
            aside=aside,
        )

        async def revoked(places: set[TopicPartition]) -> None:
            lanes = sorted(place.partition for place in places if place.topic == TOPICS.commands)
            await asyncio.gather(dispatch.let_go(lanes, _HAND_OVER), evaluate.settle(_HAND_OVER))

        async def assigned(places: set[TopicPartition]) -> None:
            evaluate.keep({place.partition for place in places if place.topic == TOPICS.segments})

        agents = self._agents = Agents(
            clients,
            AGENTS_GROUP,
            round(SESSION * 1_000),
            {
                TOPICS.segments: evaluate.take_segment,
                TOPICS.inputs: evaluate.take_input,
                TOPICS.commands: dispatch.take,
            },
            revoked=revoked,
            assigned=assigned,
            fail=self.fail,
        )
        agents.start()
        self._following = asyncio.create_task(self._follow_ownership(agents, evaluate, dispatch))

    def _timer(self) -> float:
        """Judging takes no time here; what it is found to cost is drawn."""
        self._measured += self._world.cost()
        return self._measured

    async def _tick(self, lease: Lease) -> None:
        while self._leased:
            await asyncio.sleep(_OWN_EVERY)
            try:
                lease.tick()
            except LeaseLost as error:
                self.fail(error)
                return

    async def _follow_ownership(self, agents: Agents, evaluate: Evaluate, dispatch: Dispatch) -> None:
        while True:
            await asyncio.sleep(_OWN_EVERY)
            try:
                segments, commands = agents.owned(TOPICS.segments), agents.owned(TOPICS.commands)
                if segments is not None:
                    evaluate.keep(segments)
                if commands is not None:
                    await dispatch.own(commands)
            except Exception as error:
                self.fail(error)
                return

    async def _stop(self) -> None:
        """Stop the parts as ``streams.worker.worker`` does: the last started first."""
        if self.dispatch is not None and self.evaluate is not None and self._agents is not None:
            self._following.cancel()
            await self.dispatch.let_go(range(INTERNAL), _HAND_OVER)
            await self.evaluate.close(_HAND_OVER)
            await self._agents.stop()
            await self._http.aclose()
        if self.ingest is not None:
            await self.ingest.stop()
