"""Which parts of a worker read and write Kafka, and in which order are they started and stopped?

A pipeline lives from one joining of the consumer groups to the loss of its lease. What it has folded and not written is
folded again by its successor, in this process or another; what it would still write is refused.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import faust
import structlog
from aiokafka import TopicPartition

from detectors.incidents import Command
from detectors.instants import SECOND
from detectors.notification.notices import change_command
from detectors.notification.plan import PAGERDUTY_REST
from detectors.policy.policy import Policy
from sinks.receivers.answers import SinkClient
from streams.dispatch.receivers import guarded
from streams.dispatch.service import Dispatch
from streams.evaluate.policies.book import Policies
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.http.views import Views
from streams.ingest.input_health import InputHealth
from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings
from streams.kafka.clients import ClientFactory
from streams.kafka.faust_app import AppOptions, add_agent, agents_group, create_app, generation, reads_on
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.refused.aside import AsideWriter, limits_of
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.records.reading import OwnRecords
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.clocks import Clock, Timing
from streams.runtime.health import Health
from streams.runtime.lease import Lease, LeaseLost
from streams.runtime.progress import Progress
from streams.settings.settings import Settings
from streams.worker.assignment import HAND_OVER_SECONDS, Assignment
from streams.worker.metrics_feed import MetricsFeed
from streams.worker.options import WorkerOptions
from streams.worker.words import Words

__all__ = ["Pipeline", "Surroundings"]

log = structlog.get_logger(__name__)

#: An iteration of ingest may take so long, seconds: a rebalance and the reading back of duplicates come between two.
_POLLS_WITHIN = 60.0
_ASIDE_SECONDS = 1.0  # for what waits to be written aside when the pipeline stops
#: By which share of the time for a stop each part must have stopped: a broker that answers nothing must not hold it up.
_APP_BY, _INGEST_BY, _WORDS_BY, _PRODUCER_BY = 0.65, 0.87, 0.94, 1.0
_LEAST_SECONDS = 0.3  # for each part, also where others have used up the time
_TICK_EVERY = 0.5  # seconds between renewals of the lease
#: Of the session: the last heartbeat may have been sent a fifth of a session before a worker stood still.
_LEASE = 0.6


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a worker keeps while one pipeline follows the other.

    Attributes:
        settings: credentials, addresses, the broker.
        policy: returns the policy that judges from some T on.
        policies: which policy judges which T.
        clock: the time, injected.
        broker_time: the broker's time, ms since the epoch; ``clock`` where that runs faster.
        options: the role of the worker, and how a demo differs from a deployment.
        topics: the names of the topics.
        health: is told whether each part is ready.
        progress: is told what does not get on.
        feed: sets the metrics.
        views: the memory that HTTP answers from.
        clients: makes the clients of Kafka.
        receivers: the receivers that are on, by name.
        records: what is done with records of our own topics that cannot be read.
        words: writes what this worker says of itself.
        inputs: is told what became of the records of each input.
    """

    settings: Settings
    policy: Callable[[], Policy]
    policies: Policies
    clock: Clock
    broker_time: Callable[[], int]
    options: WorkerOptions
    topics: Topics
    health: Health
    progress: Progress
    feed: MetricsFeed
    views: Views
    clients: ClientFactory
    receivers: Mapping[str, SinkClient]
    records: OwnRecords
    words: Words
    inputs: InputHealth


class Pipeline:
    """The parts of one worker that need Kafka. ``failed`` is set when they cannot go on; they must then be stopped.

    The constructor makes all parts; ``start`` only starts them. It must be called on a running event loop.

    Args:
        surroundings: what outlives the pipeline.
        partitions: the number of partitions of the topics on which a record has a partition of its environment or
            incident.
    """

    def __init__(self, surroundings: Surroundings, partitions: int) -> None:
        self._around = surroundings
        self.partitions = partitions
        self._options = surroundings.options
        self._topics = surroundings.topics
        self._clock = surroundings.clock
        self._health = surroundings.health
        self._roles = self._options.roles
        self._stack = AsyncExitStack()
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._stops_from = self._stop_seconds = 0.0
        self._hung: list[str] = []
        self._lease = Lease(_LEASE * self._options.session_seconds, time.monotonic)
        self.producer = BatchProducer(
            surroundings.clients,
            self._clock if self._clock.pace != 1 else None,
            self._lease,
            progress=surroundings.progress,
        )
        self.aside = AsideWriter(self.producer, limits_of(self._topics))
        self.producer.too_large = self._quarantine
        self.app = self._make_app()
        reader = TopicReader(surroundings.clients, patient=True)
        self.evaluate = self._make_evaluate(reader)
        self.dispatch = self._make_dispatch(reader)
        self.ingest = self._make_ingest() if "ingest" in self._roles else None
        self._assignment = Assignment(
            self.app,
            self._topics,
            evaluate=self.evaluate if "evaluate" in self._roles else None,
            dispatch=self.dispatch if "sinks" in self._roles else None,
            ingest=self.ingest,
            views=surroundings.views,
            feed=surroundings.feed,
            health=self._health,
            progress=surroundings.progress,
            clock=surroundings.clock,
        )
        self._add_agents()

    # -- making the parts -------------------------------------------------------------------------------------

    def _make_app(self) -> faust.App:
        options = self._options
        datadir = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix="watchofficer-", dir=options.folder)
        )
        app = create_app(
            self._around.settings,
            AppOptions(
                name=agents_group(self._topics),
                session_seconds=options.session_seconds,
                datadir=datadir,
            ),
        )
        # Without agents there is nothing to consume.
        app.producer_only = not self._roles & {"evaluate", "sinks"}
        return app

    def _make_evaluate(self, reader: TopicReader) -> Evaluate:
        return Evaluate(
            EvaluateSettings(self._topics, self._around.settings.sinks(), self.partitions, self._clock.pace),
            self._around.policies,
            self.producer,
            reader,
            Timing(clock=self._around.broker_time, sleep=self._clock.sleep),
            progress=self._around.progress,
            notify=self._around.feed.shard_evaluated,
            more=lambda partition, offset: reads_on(self.app, self._topics.segments, partition, offset),
            generation=lambda: generation(self.app),
            aside=self.aside,
            records=self._around.records,
        )

    def _make_dispatch(self, reader: TopicReader) -> Dispatch:
        receivers = self._around.receivers
        return Dispatch(
            self._topics,
            self.partitions,
            {sink: guarded(client, self._lease) for sink, client in receivers.items()},
            self.producer,
            reader,
            Timing(clock=self._clock, sleep=self._clock.sleep),
            on_delivered=self._around.feed.delivered,
            aside=self.aside,
            records=self._around.records,
            first=self._change,
        )

    def _change(self) -> Command | None:
        """The change event of this version and policy, where PagerDuty's REST API is used."""
        if PAGERDUTY_REST not in self._around.receivers:
            return None
        return change_command(version("watchofficer"), self._around.policy(), self._around.clock())

    def _make_ingest(self) -> Ingest:
        broker_time = self._around.broker_time
        return Ingest(
            IngestSettings(
                topics=self._topics,
                group=f"{self._topics.prefix}watchofficer-ingest",
                internal_partitions=self.partitions,
                session_ms=round(self._options.session_seconds * SECOND),
                start=self._options.start,
                pace=self._clock.pace,
                inputs=self._options.inputs,
            ),
            self._around.policy(),
            self.producer,
            Timing(clock=broker_time),
            self.fail,
            clients=self._around.clients,
            time=broker_time if isinstance(broker_time, BrokerClock) else None,
            records=self._around.records,
            progress=self._around.progress,
            health=self._around.inputs,
        )

    def _add_agents(self) -> None:
        """Add the Faust agents of the roles."""
        if "evaluate" in self._roles:
            add_agent(self.app, self._topics.segments, "evaluate", self._take_segment, self.fail)
            add_agent(self.app, self._topics.inputs, "inputs", self.evaluate.take_input, self.fail)
        if "sinks" in self._roles:
            add_agent(self.app, self._topics.commands, "sinks", self.dispatch.take, self.fail)

    # -- starting and stopping --------------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """End the pipeline: what is going on cannot be finished here."""
        if not self.failed.done():
            self.failed.set_result(error)

    async def start(self) -> None:
        """Start all parts of the role.

        Raises:
            KafkaError, OSError: no broker.
        """
        for part in sorted(self._roles):
            self._health.unready(part, "its partitions are not assigned yet")
        self._lease.begin()
        self._run_beside(self._tick(), "lease")
        await self.producer.start()
        self._stopped_by("producer", _PRODUCER_BY, self.producer.stop)
        words = asyncio.create_task(self._around.words.run(self.producer.write), name="words")
        self._stopped_by("words", _WORDS_BY, lambda: _cancel(words))
        self._stack.push_async_callback(self.aside.close, _ASIDE_SECONDS)
        if self.ingest is not None:  # first, so that its group is joined while Faust's is
            self._stopped_by("ingest", _INGEST_BY, self.ingest.stop)
            await self.ingest.start()
        self._stopped_by("app", _APP_BY, self.app.stop)
        await self.app.start()  # returns once its group has been joined
        self._stack.push_async_callback(self._hand_over)
        if self.ingest is not None:
            self._health.expect("ingest", _POLLS_WITHIN)
        self._run_beside(self._assignment.follow(self.fail), "ownership")

    async def stop(self, why: str, seconds: float) -> None:
        """Stop all parts, the last started first: what was read is written, what was not is read again.

        Args:
            why: what is said of the parts from now on, for ``/readyz``.
            seconds: for all of it; each part is left to itself when its share is over.

        Raises:
            TimeoutError: a part has not stopped.
        """
        self._stops_from, self._stop_seconds = asyncio.get_running_loop().time(), seconds
        try:
            await self._stack.aclose()
        finally:
            self._around.feed.shards_dropped(self.evaluate.keep(()))
            for part in sorted(self._roles):
                self._health.forget(part)
                self._health.unready(part, why)
        if self._hung:
            raise TimeoutError(f"not stopped in time: {', '.join(self._hung)}")

    def _stopped_by(self, part: str, share: float, stop: Callable[[], Awaitable[object]]) -> None:
        """Stop a part with the pipeline, by a share of the time that a stop has."""

        async def bounded() -> None:
            used = asyncio.get_running_loop().time() - self._stops_from
            left = max(_LEAST_SECONDS, share * self._stop_seconds - used)
            try:
                async with asyncio.timeout(left):
                    await stop()
            except TimeoutError:
                self._hung.append(part)
                log.warning("part_not_stopped_in_time", part=part, seconds=round(left, 1))

        self._stack.push_async_callback(bounded)

    async def _hand_over(self) -> None:
        """Finish what is being evaluated and delivered, for a while."""
        await asyncio.gather(
            self.dispatch.let_go(range(self.partitions), HAND_OVER_SECONDS),
            self.evaluate.close(HAND_OVER_SECONDS),
        )

    def _run_beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a coroutine as a task until ``stop``."""
        self._stack.push_async_callback(_cancel, asyncio.create_task(work, name=name))

    async def _tick(self) -> None:
        """Renew the lease for as long as the worker does not stand still."""
        while True:
            await asyncio.sleep(_TICK_EVERY)
            try:
                self._lease.tick()
            except LeaseLost as error:
                self.fail(error)
                return

    # -- what the parts ask for -------------------------------------------------------------------------------

    async def submit(self, record: ProducerRecord) -> None:
        """Write a record for HTTP, which waits for the acknowledgement.

        Raises:
            KafkaError, OSError: the broker does not take it.
            LeaseLost: this worker may not write any more.
        """
        await self.producer.write([record], attempts=2)

    def _quarantine(self, record: ProducerRecord, why: str) -> None:
        """Keep the beginning of a record that its topic refuses for its size."""
        if record.topic != self._topics.quarantine:
            place = TopicPartition(record.topic, -1 if record.partition is None else record.partition)
            self.aside.put([self._around.records.quarantined(place, -1, record.value, why)])

    async def _take_segment(
        self, partition: int, offset: int, value: bytes | None, key: bytes | None
    ) -> None:
        if self._options.before_judging is not None:
            await asyncio.shield(self._options.before_judging)
        await self.evaluate.take_segment(partition, offset, value, key)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
