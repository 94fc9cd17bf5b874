"""The running pipeline: ingest, evaluate and sinks of one worker, wired together, started and stopped."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Collection
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import httpx
import structlog
from mode import Service

from detectors.incidents import Command, IncidentInput
from detectors.instants import SECOND, format_duration
from detectors.policy.policy import Policy
from sinks.metrics.prometheus import Metrics
from streams.dispatch.receivers import Leased, receivers, tellers
from streams.dispatch.service import Dispatch
from streams.evaluate.metrics_snapshot import burn_windows, env_snapshot
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Shard
from streams.events.validation import Reason
from streams.http.api import mount, routes
from streams.http.views import Views, ViewsTailer
from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings, Start
from streams.kafka.clients import KafkaClients
from streams.kafka.faust_app import (
    AppOptions,
    add_agent,
    agents_group,
    create_app,
    generation,
    owned,
    reads_on,
)
from streams.kafka.probe import BrokerProbe
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import PARTITIONS, Topics, env_partition
from streams.records.models import encode_input
from streams.runtime.clocks import Clock, Timing
from streams.runtime.health import Health
from streams.runtime.lease import Lease, LeaseLost
from streams.settings.settings import Settings
from streams.worker.blindness import Blindness

__all__ = ["Role", "Worker", "WorkerOptions"]

log = structlog.get_logger(__name__)

Role = Literal["all", "ingest", "evaluate", "sinks"]
_POLLS_WITHIN = 60.0  # seconds: a rebalance and the reading back of duplicates come between two polls
_OWN_EVERY = 0.5  # seconds between looks at which partitions are ours
_OWN_SOON = 0.05  # the same while something is waited for
#: Of the session: the last heartbeat may have been sent a fifth of it before a worker stood still.
_LEASE = 0.6
_HAND_OVER_SECONDS = 3.0  # for what is under way when partitions are given away, or the worker ends


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """What differs between a deployment and the demo.

    Attributes:
        role: which parts run here.
        start: where to begin without a resume record.
        session_seconds: after so long without a heartbeat a worker's partitions are given to another. On the
            embedded broker a first join waits for half of it.
        port: of the web server.
        before_judging: awaited before the first segment is judged; what a start needs no sooner is done meanwhile.
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

    Args:
        settings: credentials, addresses, the broker.
        policy: the policy.
        clock: the time, injected.
        options: see there.
    """

    def __init__(self, settings: Settings, policy: Policy, clock: Clock, options: WorkerOptions) -> None:
        self._settings = settings
        self._policy = policy
        self._clock = clock
        self._options = options
        self.topics = Topics(settings.topic_prefix)
        self.health = Health(time.monotonic)
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.views = Views(self.topics)
        self.metrics = Metrics(
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
        self._stack = AsyncExitStack()
        self._told: dict[tuple[str, str], int] = {}
        self._polled_at = 0.0

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
        settings, options, clock = self._settings, self._options, self._clock
        timing = Timing(clock=clock, sleep=clock.sleep)
        clients = KafkaClients(settings.kafka_client_kwargs())
        does = {"ingest", "evaluate", "sinks"} if options.role == "all" else {options.role}
        self._lease = Lease(_LEASE * options.session_seconds, time.monotonic)
        ticker = asyncio.create_task(self._tick(), name="lease")
        self._stack.push_async_callback(_cancel, ticker)
        producer = BatchProducer(clients, clock if clock.pace != 1 else None, self._lease)
        await producer.start()
        self._stack.push_async_callback(producer.stop)
        self._producer = producer
        reader = TopicReader(clients, patient=True)
        datadir = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="watchofficer-", dir=options.folder)
        )
        self.app = create_app(
            settings,
            AppOptions(
                name=agents_group(self.topics),
                session_seconds=options.session_seconds,
                datadir=datadir,
                port=options.port,
            ),
        )
        self.app.producer_only = not does & {
            "evaluate",
            "sinks",
        }  # without agents there is nothing to consume
        self.evaluate = Evaluate(
            EvaluateSettings(self.topics, settings.sinks(), PARTITIONS, clock.pace),
            self._policy,
            producer,
            reader,
            timing,
            notify=self._notify_metrics,
            more=lambda partition, offset: reads_on(self.app, self.topics.segments, partition, offset),
            generation=lambda: generation(self.app),
        )
        signals: Any = self.app
        signals.on_partitions_revoked.connect(self._hand_over)
        signals.on_partitions_assigned.connect(self._taken_over)
        http = await self._stack.enter_async_context(httpx.AsyncClient(timeout=10.0))
        sinks = receivers(settings, http, clock)
        self.dispatch = Dispatch(
            self.topics,
            PARTITIONS,
            {sink: Leased(client, self._lease) for sink, client in sinks.items()},
            producer,
            reader,
            timing,
            on_delivered=self._delivered,
        )
        if "evaluate" in does:
            add_agent(self.app, self.topics.segments, "evaluate", self._take_segment, self.fail)
            add_agent(self.app, self.topics.inputs, "inputs", self.evaluate.take_input, self.fail)
            self.health.unready("evaluate", "its partitions are not assigned yet")
        if "sinks" in does:
            add_agent(self.app, self.topics.commands, "sinks", self._take_command, self.fail)
            self.health.unready("sinks", "its partitions are not assigned yet")
        mount(
            self.app,
            routes(self.views, self.metrics, self.health, self._submit, settings, self._policy, clock=clock),
        )
        if "ingest" in does:  # first, so that its group is joined while Faust's is
            self.ingest = Ingest(
                IngestSettings(
                    topics=self.topics,
                    group=f"{self.topics.prefix}watchofficer-ingest",
                    partitions=PARTITIONS,
                    session_ms=round(options.session_seconds * SECOND),
                    start=options.start,
                    pace=clock.pace,
                ),
                self._policy,
                producer,
                Timing(clock=clock),
                self.fail,
                clients=clients,
            )
            self.health.unready("ingest", "its partitions are not assigned yet")
            await self._run(self.ingest)
        views = ViewsTailer(
            self.views,
            clients.tail,
            topics=self.topics,
            clock=clock,
        )
        self.health.unready("views", "the topics are still being read")
        await self._run(views)
        self._stack.push_async_callback(self.app.stop)
        await self.app.start()  # returns once its group has been joined
        self._stack.push_async_callback(self.evaluate.close, _HAND_OVER_SECONDS)
        self._stack.push_async_callback(self.dispatch.let_go, range(PARTITIONS), _HAND_OVER_SECONDS)
        probe = BrokerProbe(clients)
        self._stack.push_async_callback(probe.close)

        async def why_blind() -> str | None:
            return await probe() or (self.ingest.unfetched() if "ingest" in does else None)

        await self._run(
            Blindness(
                why_blind,
                tellers(sinks, settings, self._policy),
                clock,
                round(self._policy.blind_after * clock.pace),
                self.health,
            )
        )
        if "ingest" in does:
            self.health.expect("ingest", _POLLS_WITHIN)
        self._does = does
        follower = asyncio.create_task(self._follow_ownership(), name="ownership")
        self._stack.push_async_callback(_cancel, follower)

    async def _run(self, service: Service) -> None:
        await service.start()
        self._stack.push_async_callback(service.stop)

    async def stop(self) -> None:
        """Stop all parts, the last started first: what was read is written, what was not is read again."""
        await self._stack.aclose()

    # -- parts ------------------------------------------------------------------------------------------------

    async def _submit(self, value: IncidentInput) -> None:
        place = env_partition(value.env, PARTITIONS)
        out = ProducerRecord(self.topics.inputs, value.env.encode(), encode_input(value), place)
        await self._producer.write([out], attempts=2)

    async def _take_segment(self, partition: int, offset: int, value: bytes | None) -> None:
        if self._options.before_judging is not None:
            await asyncio.shield(self._options.before_judging)
        await self.evaluate.take_segment(partition, offset, value)

    async def _take_command(self, partition: int, offset: int, value: bytes | None) -> None:
        await self.dispatch.take(partition, offset, value)

    # -- what is told to Prometheus ---------------------------------------------------------------------------

    def _delivered(self, command: Command, at: int) -> None:
        # One that is reopened has its first failing event in the epoch before.
        if (command.sink, command.action, command.kind) == ("pagerduty", "trigger", "opened"):
            seconds = (at - command.incident.first_bad_at) / SECOND
            self.metrics.observe_event_to_page(seconds, command.incident_id)

    def _notify_metrics(self, shard: Shard) -> None:
        for env in shard.envs:
            self.metrics.set_env(env, env_snapshot(shard, env, self._policy))
        if shard.partition == 0:
            rejected = {str(reason): n for reason, n in shard.totals.rejected.items()}
            self.metrics.set_rejected(rejected, shard.totals.personal_fields)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_OWN_EVERY)
            try:
                self._lease.tick()
            except LeaseLost as error:
                self.fail(error)
                return

    # -- whose partitions are whose ---------------------------------------------------------------------------

    async def _hand_over(self, _: object, *revoked: Collection[Any], **__: object) -> None:
        """Before others take partitions over: end what is under way, and begin nothing more."""
        lanes = {tp.partition for some in revoked for tp in some if tp.topic == self.topics.commands}
        await asyncio.gather(
            self.dispatch.let_go(lanes, _HAND_OVER_SECONDS), self.evaluate.settle(_HAND_OVER_SECONDS)
        )

    async def _taken_over(self, _: object, *assigned: Collection[Any], **__: object) -> None:
        segments = self.topics.segments
        self._keep_shards({tp.partition for some in assigned for tp in some if tp.topic == segments})

    def _keep_shards(self, shards: Collection[int]) -> None:
        for shard in self.evaluate.keep(shards):
            for env in shard.envs:
                self.metrics.forget_env(env)
            if shard.partition == 0:
                self.metrics.forget_rejected()

    async def _follow_ownership(self) -> None:
        while True:
            await asyncio.sleep(_OWN_SOON if self.health.waiting() else _OWN_EVERY)
            try:
                await self._look_at_ownership()
            except Exception as error:
                self.fail(error)
                return

    async def _look_at_ownership(self) -> None:
        if "evaluate" in self._does:
            shards = owned(self.app, self.topics.segments)
            if shards is not None:
                self._keep_shards(shards)
                missing = shards - set(self.evaluate.shards)
                if missing:
                    self.health.unready("evaluate", f"partitions {sorted(missing)} are not rebuilt yet")
                else:
                    self.health.ready("evaluate")
        if "sinks" in self._does:
            lanes = owned(self.app, self.topics.commands)
            if lanes is not None:
                await self.dispatch.own(lanes)
                self.health.ready("sinks")
            for (sink, outcome), times in self.dispatch.deliveries.items():
                fresh = times - self._told.get((sink, outcome), 0)
                if fresh > 0:
                    self.metrics.count_delivery(sink, outcome, fresh)
                    self._told[sink, outcome] = times
        if self.views.ready:
            self.health.ready("views")
        if "ingest" in self._does:
            if self.ingest.polled_at > self._polled_at:
                self._polled_at = self.ingest.polled_at
                self.health.beat("ingest")
            self.metrics.set_lost(self.ingest.lost)
            self.metrics.set_producer_lags(self.ingest.producer_lags())
            if self.ingest.assigned:
                self.health.ready("ingest")
            else:
                self.health.unready("ingest", "its partitions are not assigned or not rebuilt yet")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
