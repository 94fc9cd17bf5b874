"""What does a worker keep for as long as its process lives, and what does it do when its pipeline cannot go on?

HTTP and the watchdog run from the first second, before any broker answers. The pipeline, which is all
that needs Kafka, is made once the broker answers, and made anew when it loses its lease or the broker during its start.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

import structlog
from aiokafka.errors import KafkaError, UnrecognizedBrokerVersion

from detectors.incidents import IncidentInput
from detectors.notification.plan import PAGERDUTY_REST
from detectors.policy.policy import Policy
from sinks.receivers.pagerduty.rest import PagerDutyRest
from streams.dispatch.receivers import http_client, receivers
from streams.evaluate.policies.book import FixedPolicy, PolicyBook
from streams.evaluate.shard import Shard
from streams.http.api import routes
from streams.http.charts import Charts
from streams.http.pagerduty.poll import StatusPoll
from streams.http.server import HttpServer
from streams.http.tailing.tailer import ViewsTailer
from streams.http.views import Views
from streams.ingest.input_health import InputHealth
from streams.kafka.clients import Backoff, KafkaClients
from streams.kafka.diagnosis import diagnose
from streams.kafka.probe import BrokerProbe
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics, env_partition
from streams.records.models import encode_input
from streams.records.reading import OwnRecords
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.clocks import Clock
from streams.runtime.health import Health
from streams.runtime.lease import LeaseLost
from streams.runtime.progress import Progress
from streams.settings.settings import Settings
from streams.watchdog.assembly import make_watchdog, process_name
from streams.watchdog.peers import Peers
from streams.watchdog.pulse import LoopPulse
from streams.watchdog.watchdog import Watchdog
from streams.worker.metrics_feed import MetricsFeed, metrics_of
from streams.worker.options import Role, WorkerOptions
from streams.worker.pipeline import Pipeline, Surroundings
from streams.worker.policies.keeper import PolicyKeeper
from streams.worker.preparation import Preparation, kafka_questions
from streams.worker.watches.broker_watch import BrokerWatch
from streams.worker.watches.clock_watch import ClockWatch
from streams.worker.words import Words

__all__ = ["Role", "Worker", "WorkerOptions"]

log = structlog.get_logger(__name__)

_UNWRITTEN = 100  # records for the quarantine that wait for a pipeline
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 4.0  # seconds, of the backoff between two pipelines
_WENT_WELL_SECONDS = 60.0  # a pipeline that ran for so long does not make its successor wait longer
#: For stopping a pipeline whose successor waits, and one with which the worker ends, seconds.
_STOP_SECONDS, _END_SECONDS = 20.0, 7.0


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
        self._options = options
        self._policy = policy
        self._stack = AsyncExitStack()
        self.topics = Topics(settings.topic_prefix)
        self.health = Health(time.monotonic)
        self.progress = Progress(time.monotonic)
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.started = asyncio.Event()
        name = process_name(options.role, options.port)
        self._peers = Peers(name, time.monotonic, lambda: self.views.ready)
        self.views = Views(self.topics, states=self._peers.take)
        self.metrics = metrics_of(settings, policy, clock)
        self._feed = MetricsFeed(self.metrics, settings.sinks())
        kafka = settings.kafka_client_kwargs()
        broker_time = BrokerClock(clock, time.monotonic) if clock.pace == 1 else None
        self._clients = KafkaClients(kafka, broker_time, settings.client_rack)
        self._http = http_client(timeout=10.0)
        self._charts = Charts(self.views, self._in_force, settings.chart_key, clock=clock)
        self._receivers = receivers(settings, self._http, clock, self._in_force, self._charts)
        self._probe = BrokerProbe(self._clients, partial(diagnose, kafka))
        records = OwnRecords(self.topics, self._put_aside)
        self._tailer = self._tail(clock, records)
        self.watchdog = self._make_watchdog(policy, clock, name)
        self._words = Words(name, self.topics.watch_state, self.watchdog.said)
        self._pulse = LoopPulse(self.progress, self._observe_stall)
        self._broker_watch = BrokerWatch(self._probe, self._unfetched, self.health, self.progress)
        future_limit = policy.future_limit if options.check_timestamps else None
        inputs = [one.topic for one in options.inputs] or [self.topics.login_events]
        questions = kafka_questions(
            kafka, self.topics, options.roles, future_limit, policy.step, inputs=inputs
        )
        self._inputs = InputHealth(inputs if "ingest" in options.roles else (), time.monotonic, policy)
        self._prepare = Preparation(questions, self.health, self.progress)
        self._reader = TopicReader(self._clients, patient=True)
        self._keeper = self._make_keeper(policy, broker_time or clock, records, name)
        self._surroundings = Surroundings(
            settings=settings,
            policy=lambda: policy if self._keeper is None else self._keeper.newest,
            policies=FixedPolicy(policy) if self._keeper is None else self._keeper.book,
            clock=clock,
            broker_time=broker_time or clock,
            options=options,
            topics=self.topics,
            health=self.health,
            progress=self.progress,
            feed=self._feed,
            views=self.views,
            clients=self._clients,
            receivers=self._receivers,
            records=records,
            words=self._words,
            inputs=self._inputs,
        )
        self._clock_watch = ClockWatch(broker_time, self.progress, self._feed) if broker_time else None
        self._pipeline: Pipeline | None = None
        self._unwritten: deque[ProducerRecord] = deque(maxlen=_UNWRITTEN)
        self._server = self._make_server(clock)
        self._unready()

    def _make_watchdog(self, policy: Policy, clock: Clock, name: str) -> Watchdog:
        return make_watchdog(
            self._settings,
            policy,
            clock,
            self.progress,
            self.health,
            name=name,
            others=self._peers,
            blind_after=self._options.blind_after,
            exempt=self._judges_later,
            on_look=self.metrics.watch.set_blind,
        )

    def _make_keeper(
        self, policy: Policy, time: Callable[[], int], records: OwnRecords, name: str
    ) -> PolicyKeeper | None:
        if self._options.policy_file is None:
            return None
        return PolicyKeeper(
            self._options.policy_file,
            policy,
            PolicyBook(self.topics, self._reader, time, records, known=policy),
            topic=self.topics.policy,
            write=self._write_once,
            time=time,
            name=name,
            records="evaluate" in self._options.roles,
            force=self._options.policy_force,
            on_change=lambda policy: self.metrics.set_policy(policy.hash),
        )

    def _in_force(self) -> Policy:
        """The policy that is in force, which pages, messages and charts follow from its T on."""
        return self._policy if self._keeper is None else self._keeper.in_force

    async def _write_once(self, record: ProducerRecord) -> None:
        producer = BatchProducer(self._clients)
        try:
            await producer.write([record], attempts=1)
        finally:
            await producer.stop()

    def _unready(self) -> None:
        """Say of every part that it is not ready yet."""
        for part in (*sorted(self._options.roles), "views"):
            self.health.unready(part, "it waits for the Kafka broker")
        self.health.unready("broker", "it has not answered yet")

    def _make_server(self, clock: Clock) -> HttpServer:
        settings, options = self._settings, self._options
        table = routes(
            self.views,
            self.metrics,
            self.watchdog.report,
            self._submit,
            settings,
            self._in_force,
            clock=clock,
            charts=self._charts,
            inputs_health=self._inputs.report,
        )
        return HttpServer(table, host=settings.bind, port=options.port, tls=settings.http_context())

    def _tail(self, clock: Clock, records: OwnRecords) -> ViewsTailer:
        return ViewsTailer(self.views, self._clients.tail, topics=self.topics, clock=clock, own=records)

    def reload_policy(self) -> None:
        """Read the file of the policy again, and put it in force if it is another one."""
        if self._keeper is None or "evaluate" not in self._options.roles:
            log.warning("policy_not_reloaded", why="workers of the role evaluate or all record the policy")
        else:
            self._keeper.reload()

    # -- starting and stopping --------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        return self._server.url

    @property
    def shards(self) -> list[Shard]:
        """The shards that have been restored here."""
        return [] if self._pipeline is None else list(self._pipeline.evaluate.shards.values())

    async def start(self) -> None:
        """Serve HTTP, and start all else in the background. ``started`` is set once the first pipeline runs.

        Raises:
            AddressTaken: HTTP cannot be served.
        """
        await self._server.start()
        self._stack.push_async_callback(self._server.stop)
        self._stack.push_async_callback(self._http.aclose)
        self._stack.push_async_callback(self._probe.close)
        self._run_beside(self._pulse.run(), "pulse")
        if self._clock_watch is not None:
            self._run_beside(self._clock_watch.follow(), "clock")
        self._stack.callback(self.watchdog.stop)
        self.watchdog.start()
        self._stack.push_async_callback(self._broker_watch.stop)
        await self._broker_watch.start()
        self._run_beside(self._supervise(), "pipeline")

    async def stop(self) -> None:
        """Stop all parts, the last started first: what was read is written, what was not is read again."""
        self._words.last = True
        await self._stack.aclose()

    def _run_beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run a coroutine as a task until ``stop``."""
        self._stack.push_async_callback(_cancel, asyncio.create_task(work, name=name))

    # -- one pipeline after the other -------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Run one pipeline after the other until the worker stops, or cannot go on."""
        try:
            await self._prepare()
            self._run_beside(self._prepare.follow(), "rights and topics")
            await self._tailer.start()
            if self._keeper is not None:
                await self._stack.enter_async_context(self._reader.kept())
                self._run_beside(self._keeper.follow(), "policy")
            rest = self._receivers.get(PAGERDUTY_REST)
            if isinstance(rest, PagerDutyRest):
                self._run_beside(self._poll(rest).follow(self._surroundings.clock.sleep), "poll")
            try:
                await self._run_pipelines()
            finally:
                await self._tailer.stop()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    async def _run_pipelines(self) -> None:
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT)
        while True:
            began = time.monotonic()
            try:
                await self._run_pipeline()
            except LeaseLost as error:
                self.metrics.count_lease_lost()
                log.warning("lease_lost", reason=str(error), consequence="its partitions are claimed anew")
            except (KafkaError, OSError, UnrecognizedBrokerVersion) as error:
                if time.monotonic() - began > _WENT_WELL_SECONDS:
                    backoff.succeeded()
                log.warning("broker_unavailable", error=repr(error), retry_in_seconds=backoff.failed())
                await backoff.wait()
            await self._prepare()

    async def _run_pipeline(self) -> None:
        """Run one pipeline until it fails.

        Raises:
            KafkaError, OSError, UnrecognizedBrokerVersion: the broker went away while the pipeline started.
            LeaseLost: the worker stood still; what it did may be another's by now.
            Exception: any other reason for which the pipeline cannot go on.
        """
        if self._keeper is not None:
            await self._keeper.begin()
        pipeline = self._pipeline = Pipeline(self._surroundings, self._prepare.partitions)
        pipeline.aside.put(self._unwritten)
        self._unwritten.clear()
        self._feed.begin_counting()
        why, seconds, runs = "this worker stops", _END_SECONDS, False
        try:
            await _started(pipeline)
            runs = True
            self.started.set()
            raise await pipeline.failed
        except Exception as error:
            why, seconds = f"it starts again: {error}", _STOP_SECONDS
            raise
        finally:
            self._pipeline = None
            try:
                await pipeline.stop(why, seconds)
            except TimeoutError as error:
                log.error("pipeline_stop_timed_out", seconds=seconds, reason=str(error))
                if runs:  # what hangs may still be a member of the consumer groups
                    self._fail(error)

    def _poll(self, rest: PagerDutyRest) -> StatusPoll:
        return StatusPoll(
            rest.list,
            self.views,
            self._submit,
            prefix=lambda: self._in_force().notify.dedup_prefix,
            mine=lambda incident: self._pipeline is not None and self._pipeline.dispatch.owns(incident),
            clock=self._surroundings.clock,
            services=self._settings.pagerduty.scopes(),
        )

    # -- what the parts ask for -------------------------------------------------------------------------------

    async def _submit(self, value: IncidentInput) -> None:
        if self._pipeline is None:
            raise OSError("this worker has not started its work yet")
        partition = env_partition(value.env, self._pipeline.partitions)
        record = ProducerRecord(self.topics.inputs, value.env.encode(), encode_input(value), partition)
        try:
            await self._pipeline.submit(record)
        except LeaseLost as error:
            raise OSError(str(error)) from error

    def _put_aside(self, records: Sequence[ProducerRecord]) -> None:
        """Copy records to the quarantine, now or once there is a pipeline; the log names them in any case."""
        if self._pipeline is None:
            self._unwritten.extend(records)
        else:
            self._pipeline.aside.put(records)

    def _unfetched(self) -> str | None:
        ingest = None if self._pipeline is None else self._pipeline.ingest
        return None if ingest is None else ingest.unfetched()

    def _judges_later(self) -> bool:
        """Whether evaluation waits for work that a start does not need."""
        before = self._options.before_judging
        return before is not None and not before.done()

    def _observe_stall(self, seconds: float) -> None:
        self.progress.stalled(seconds)
        self.metrics.watch.observe_stall(seconds)


async def _started(pipeline: Pipeline) -> None:
    """Start a pipeline.

    Raises:
        Exception: whatever the start raises, or a part that failed meanwhile.
    """
    starting = asyncio.create_task(pipeline.start())
    try:
        waited: set[asyncio.Future[Any]] = {starting, pipeline.failed}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
    if pipeline.failed.done():
        raise pipeline.failed.result()
    starting.result()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
