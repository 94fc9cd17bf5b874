"""Which parts does a worker have, and in which order are they started and stopped?"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import faust
import httpx
from mode import Service

from detectors.incidents import IncidentInput
from detectors.instants import SECOND, format_duration
from detectors.policy.policy import Policy
from sinks.metrics.prometheus import Metrics
from streams.dispatch.receivers import LeaseGuard, notifiers, receivers
from streams.dispatch.service import Dispatch
from streams.evaluate.metrics_snapshot import burn_windows
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.events.validation import Reason
from streams.http.api import mount, routes
from streams.http.views import Views, ViewsTailer
from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings, Start
from streams.kafka.clients import KafkaClients
from streams.kafka.faust_app import AppOptions, add_agent, agents_group, create_app, generation, reads_on
from streams.kafka.probe import BrokerProbe
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import PARTITIONS, Topics, env_partition
from streams.records.models import encode_input
from streams.runtime.clocks import Clock, Timing
from streams.runtime.health import Health
from streams.runtime.lease import Lease, LeaseLost
from streams.runtime.progress import Progress
from streams.settings.settings import Settings
from streams.worker.assignment import HAND_OVER_SECONDS, Assignment
from streams.worker.blindness import Blindness
from streams.worker.metrics_feed import MetricsFeed

__all__ = ["Role", "Worker", "WorkerOptions"]

Role = Literal["all", "ingest", "evaluate", "sinks"]
#: An iteration of ingest may take so long, seconds: a rebalance and the reading back of duplicates come between two.
_POLLS_WITHIN = 60.0
_TICK_EVERY = 0.5  # seconds between renewals of the lease
#: Of the session: the last heartbeat may have been sent a fifth of a session before a worker stood still.
_LEASE = 0.6


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """What differs between a deployment and the demo.

    Attributes:
        role: which parts run here.
        start: where to begin without a resume record.
        session_seconds: after so long without a heartbeat a worker's partitions are given to another. On the
            embedded broker a first join waits for half of it.
        port: of the web server.
        before_judging: awaited before the first segment is evaluated; work that a start does not need is done
            meanwhile.
        folder: for temporary files; the system's by default.
    """

    role: Role = "all"
    start: Start = None
    session_seconds: float = 10.0
    port: int = 6066
    before_judging: asyncio.Future[None] | None = None
    folder: Path | None = None


class Worker:
    """One worker. ``failed`` is set when it cannot go on; the process must then end.

    The constructor makes all parts; ``start`` only starts them. It must be called on a running event loop.

    Args:
        settings: credentials, addresses, the broker.
        policy: the policy.
        clock: the time, injected.
        options: the role of the worker, and how a demo differs from a deployment.
    """

    def __init__(self, settings: Settings, policy: Policy, clock: Clock, options: WorkerOptions) -> None:
        self._settings = settings
        self._policy = policy
        self._clock = clock
        self._options = options
        self._roles = {"ingest", "evaluate", "sinks"} if options.role == "all" else {options.role}
        self._stack = AsyncExitStack()
        self.topics = Topics(settings.topic_prefix)
        self.health = Health(time.monotonic)
        self.progress = Progress(time.monotonic)
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.views = Views(self.topics)
        self.metrics = _metrics(settings, policy, clock)
        self._feed = MetricsFeed(self.metrics, policy)
        self._lease = Lease(_LEASE * options.session_seconds, time.monotonic)
        self._clients = KafkaClients(settings.kafka_client_kwargs())
        self._producer = BatchProducer(self._clients, clock if clock.pace != 1 else None, self._lease)
        self._http = httpx.AsyncClient(timeout=10.0)
        self._receivers = receivers(settings, self._http, clock)
        self._probe = BrokerProbe(self._clients)
        self.app = self._make_app()
        reader = TopicReader(self._clients, patient=True)
        self.evaluate = self._make_evaluate(reader)
        self.dispatch = self._make_dispatch(reader)
        self.ingest = self._make_ingest() if "ingest" in self._roles else None
        self._tailer = ViewsTailer(self.views, self._clients.tail, topics=self.topics, clock=clock)
        self._blindness = Blindness(
            self._why_blind,
            notifiers(self._receivers, settings, policy),
            clock,
            round(policy.blind_after * clock.pace),
            self.health,
        )
        self._assignment = Assignment(
            self.app,
            self.topics,
            evaluate=self.evaluate if "evaluate" in self._roles else None,
            dispatch=self.dispatch if "sinks" in self._roles else None,
            ingest=self.ingest,
            views=self.views,
            feed=self._feed,
            health=self.health,
        )
        self._add_agents()
        mount(
            self.app,
            routes(self.views, self.metrics, self.health, self._submit, settings, policy, clock=clock),
        )

    # -- making the parts -------------------------------------------------------------------------------------

    def _make_app(self) -> faust.App:
        options = self._options
        datadir = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="watchofficer-", dir=options.folder)
        )
        app = create_app(
            self._settings,
            AppOptions(
                name=agents_group(self.topics),
                session_seconds=options.session_seconds,
                datadir=datadir,
                port=options.port,
            ),
        )
        # Without agents there is nothing to consume.
        app.producer_only = not self._roles & {"evaluate", "sinks"}
        return app

    def _make_evaluate(self, reader: TopicReader) -> Evaluate:
        return Evaluate(
            EvaluateSettings(self.topics, self._settings.sinks(), PARTITIONS, self._clock.pace),
            self._policy,
            self._producer,
            reader,
            Timing(clock=self._clock, sleep=self._clock.sleep),
            notify=self._feed.shard_evaluated,
            more=lambda partition, offset: reads_on(self.app, self.topics.segments, partition, offset),
            generation=lambda: generation(self.app),
        )

    def _make_dispatch(self, reader: TopicReader) -> Dispatch:
        return Dispatch(
            self.topics,
            PARTITIONS,
            {sink: LeaseGuard(client, self._lease) for sink, client in self._receivers.items()},
            self._producer,
            reader,
            Timing(clock=self._clock, sleep=self._clock.sleep),
            on_delivered=self._feed.delivered,
        )

    def _make_ingest(self) -> Ingest:
        return Ingest(
            IngestSettings(
                topics=self.topics,
                group=f"{self.topics.prefix}watchofficer-ingest",
                internal_partitions=PARTITIONS,
                session_ms=round(self._options.session_seconds * SECOND),
                start=self._options.start,
                pace=self._clock.pace,
            ),
            self._policy,
            self._producer,
            Timing(clock=self._clock),
            self.fail,
            clients=self._clients,
        )

    def _add_agents(self) -> None:
        """Add the Faust agents of the roles, and report each part as not ready yet."""
        waiting = "its partitions are not assigned yet"
        if "evaluate" in self._roles:
            add_agent(self.app, self.topics.segments, "evaluate", self._take_segment, self.fail)
            add_agent(self.app, self.topics.inputs, "inputs", self.evaluate.take_input, self.fail)
            self.health.unready("evaluate", waiting)
        if "sinks" in self._roles:
            add_agent(self.app, self.topics.commands, "sinks", self.dispatch.take, self.fail)
            self.health.unready("sinks", waiting)
        if "ingest" in self._roles:
            self.health.unready("ingest", waiting)
        self.health.unready("views", "the topics are still being read")

    # -- starting and stopping --------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        return f"http://{self._settings.bind}:{self._options.port}"

    def fail(self, error: BaseException) -> None:
        """End the worker: what is going on cannot be finished here."""
        if not self.failed.done():
            self.failed.set_result(error)

    async def start(self) -> None:
        """Start all parts of the role.

        Raises:
            KafkaError, OSError: no broker, or the port is taken.
        """
        self._stack.push_async_callback(self._http.aclose)
        self._lease.begin()
        self._run_beside(self._tick(), "lease")
        await self._producer.start()
        self._stack.push_async_callback(self._producer.stop)
        if self.ingest is not None:  # first, so that its group is joined while Faust's is
            await self._run(self.ingest)
        await self._run(self._tailer)
        self._stack.push_async_callback(self.app.stop)
        await self.app.start()  # returns once its group has been joined
        self._stack.push_async_callback(self.evaluate.close, HAND_OVER_SECONDS)
        self._stack.push_async_callback(self.dispatch.let_go, range(PARTITIONS), HAND_OVER_SECONDS)
        self._stack.push_async_callback(self._probe.close)
        await self._run(self._blindness)
        if self.ingest is not None:
            self.health.expect("ingest", _POLLS_WITHIN)
        self._run_beside(self._assignment.follow(self.fail), "ownership")

    async def stop(self) -> None:
        """Stop all parts, the last started first: what was read is written, what was not is read again."""
        await self._stack.aclose()

    async def _run(self, service: Service) -> None:
        await service.start()
        self._stack.push_async_callback(service.stop)

    def _run_beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a coroutine as a task until ``stop``."""
        self._stack.push_async_callback(_cancel, asyncio.create_task(work, name=name))

    async def _tick(self) -> None:
        """Renew the lease for as long as the worker does not stand still."""
        while True:
            await asyncio.sleep(_TICK_EVERY)
            self.progress.beat("loop")
            try:
                self._lease.tick()
            except LeaseLost as error:
                self.fail(error)
                return

    # -- what the parts ask for -------------------------------------------------------------------------------

    async def _submit(self, value: IncidentInput) -> None:
        partition = env_partition(value.env, PARTITIONS)
        record = ProducerRecord(self.topics.inputs, value.env.encode(), encode_input(value), partition)
        await self._producer.write([record], attempts=2)

    async def _take_segment(self, partition: int, offset: int, value: bytes | None) -> None:
        if self._options.before_judging is not None:
            await asyncio.shield(self._options.before_judging)
        await self.evaluate.take_segment(partition, offset, value)

    async def _why_blind(self) -> str | None:
        return await self._probe() or (None if self.ingest is None else self.ingest.unfetched())


def _metrics(settings: Settings, policy: Policy, clock: Clock) -> Metrics:
    return Metrics(
        clock=clock,
        windows=[format_duration(window) for window in policy.sli_windows],
        reasons=[reason.value for reason in Reason],
        burn_windows=burn_windows(policy),
        deliveries=[
            (sink, outcome) for sink in sorted(settings.sinks()) for outcome in ("delivered", "dead")
        ],
        version=version("watchofficer"),
        policy=policy.hash,
    )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
