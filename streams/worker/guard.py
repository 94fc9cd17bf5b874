"""Which parts does a guard have: the process that notices when no worker evaluates any more?

A guard joins no group, writes nothing and needs no Faust. It reads `watch-state`, asks whether the broker answers, and
says that the watch is blind as the workers do, at the same keys. One that cannot read says why, and blames no worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from importlib.metadata import version
from typing import Any

import structlog
from aiohttp import web
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from detectors.instants import SECOND
from detectors.policy.policy import Policy
from sinks.metrics.prometheus import Metrics
from streams.http.access.gate import Gate
from streams.http.pages.health import HealthPages
from streams.http.responses import answered
from streams.http.server import HttpServer
from streams.kafka.clients import Backoff, ClientFactory, KafkaClients
from streams.kafka.diagnosis import Diagnosis, diagnose
from streams.kafka.probe import BrokerProbe
from streams.kafka.rights import missing_rights
from streams.kafka.topics import Topics
from streams.records.progress import evaluated_to_in, together_in
from streams.runtime.clocks import Clock
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why
from streams.settings.settings import Settings
from streams.watchdog.assembly import make_watchdog, process_name
from streams.watchdog.fleet import FleetWatch
from streams.watchdog.peers import Peers
from streams.watchdog.pulse import LoopPulse
from streams.worker.watches.rights_watch import RightsWatch

__all__ = ["Guard", "Unfetched", "follow_states"]

log = structlog.get_logger(__name__)

_LOOK_EVERY = 1.0  # seconds
_PROBE_EVERY = 2.0  # seconds
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds, of the backoff
_POLL_MS = 500
_MAX_RECORDS = 500
_PATIENCE = 30.0  # seconds for one answer of the broker
_UNFETCHED = 15.0  # seconds without an answer to a fetch; a silent partition is answered twice a second
_AGAIN_AFTER, _WENT_WELL = (
    5.0,
    30.0,
)  # seconds until a loop that has failed begins anew, and until it counts as well
_READING = "watch-state"  # the part of this process, and the key of its obstacle
#: A consumer that is given no partition for so many polls is made anew: the topic may have been created meanwhile.
_POLLS_WITHOUT_TOPIC = 10


class Guard:
    """The parts of a guard. It must be made and started on a running event loop.

    Args:
        settings: credentials, addresses, the broker.
        policy: says after how long the watch is blind.
        clock: the present, ms.
        port: of the web server.
    """

    def __init__(self, settings: Settings, policy: Policy, clock: Clock, port: int) -> None:
        self._settings = settings
        self._clock = clock
        self._stack = AsyncExitStack()
        self.health = Health(time.monotonic)
        self.progress = Progress(time.monotonic)
        self.metrics = Metrics(
            clock=clock, whys=[why.value for why in Why], version=version("watchofficer"), policy=policy.hash
        )
        name = process_name("guard", port)
        self._peers = Peers(name, time.monotonic, lambda: _READING not in self.health.waiting())
        self.watchdog = make_watchdog(
            settings,
            policy,
            clock,
            self.progress,
            self.health,
            name=name,
            others=self._peers,
            on_look=self.metrics.watch.set_blind,
        )
        kafka = settings.kafka_client_kwargs()
        self._clients = KafkaClients(kafka)
        self._topics = Topics(settings.topic_prefix)
        self._fleet = FleetWatch(self.progress, time.monotonic, blind_after=policy.blind_after / SECOND)
        self._diagnose = partial(diagnose, kafka)
        self._probe = BrokerProbe(self._clients, self._diagnose)
        self._rights = RightsWatch(
            partial(missing_rights, kafka, self._topics, ("guard",)),
            kafka.get("sasl_plain_username"),
            self.progress,
        )
        self._server = HttpServer(self._table(), host=settings.bind, port=port, tls=settings.http_context())
        self.health.unready("broker", "it has not answered yet")
        self.health.unready(_READING, "it has not been read yet")

    def _table(self) -> list[web.RouteDef]:
        pages = HealthPages(self.watchdog.report)
        gate = Gate(self._settings.tokens(), bind=self._settings.bind, clock=self._clock)
        table = [*pages.table(), ("GET", "/metrics", self._metrics)]
        return [
            web.get(path, answered(gate.guarded(method, path, handler))) for method, path, handler in table
        ]

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self.metrics.render(request.headers.get("Accept"))
        return web.Response(body=body, headers={"Content-Type": content_type})

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        return self._server.url

    async def start(self) -> None:
        """Serve HTTP, and watch in the background.

        Raises:
            AddressTaken: HTTP cannot be served.
        """
        await self._server.start()
        self._stack.push_async_callback(self._server.stop)
        self._stack.push_async_callback(self._probe.close)
        self._run_beside(LoopPulse(self.progress, self._observe_stall).run, "pulse")
        self._stack.callback(self.watchdog.stop)
        self.watchdog.start()
        self._run_beside(self._ask_broker, "broker")
        self._run_beside(self._look_at_rights, "rights")
        self._run_beside(self._look, "fleet")
        self._run_beside(self._follow, _READING)

    async def stop(self) -> None:
        """Stop all parts, the last started first."""
        await self._stack.aclose()

    def _run_beside(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        task = asyncio.create_task(self._kept(work, name), name=name)
        self._stack.push_async_callback(_cancel, task)

    async def _kept(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run a loop until ``stop``. One that fails begins anew, and is an obstacle until it goes on for a while."""
        key = f"guard {name}"
        while True:
            running = asyncio.create_task(work(), name=name)
            try:
                if not (await asyncio.wait({running}, timeout=_WENT_WELL))[0]:
                    self.progress.going(Why.START, key)
                await running
            except asyncio.CancelledError:
                await _cancel(running)
                raise
            except Exception as error:
                log.exception("guard_part_failed", part=name)
                self.progress.stuck(Why.START, f"the part {name} of the guard fails: {error!r}", key=key)
            await asyncio.sleep(_AGAIN_AFTER)

    def _observe_stall(self, seconds: float) -> None:
        self.progress.stalled(seconds)
        self.metrics.watch.observe_stall(seconds)

    async def _ask_broker(self) -> None:
        while True:
            away = await self._probe()
            if away is None:
                self.progress.going(Why.BROKER)
                self.health.ready("broker")
            else:
                self.progress.stuck(Why.BROKER, away.sentence, remedy=away.remedy)
                self.health.unready("broker", away.sentence)
            await asyncio.sleep(_PROBE_EVERY)

    async def _look_at_rights(self) -> None:
        await self._rights.look()
        await self._rights.follow()

    async def _look(self) -> None:
        while True:
            self._fleet.look()
            await asyncio.sleep(_LOOK_EVERY)

    async def _follow(self) -> None:
        """Follow `watch-state` for as long as the guard runs."""
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT)
        while True:
            self._fleet.reads_anew()
            try:
                await follow_states(
                    self._clients,
                    self._topics.watch_state,
                    self._take,
                    self._caught_up,
                )
                backoff.succeeded()
            except (KafkaError, OSError) as error:
                self._deaf(await self._why_deaf(error))
                log.warning("watch_state_read_failed", error=repr(error), retry_in_seconds=backoff.failed())
                await backoff.wait()

    async def _why_deaf(self, error: BaseException) -> Diagnosis:
        if isinstance(error, Unfetched):
            return Diagnosis(
                str(error), "kafka-topics.sh --describe shows whether the partition has a leader"
            )
        return await self._diagnose(error)

    def _deaf(self, why: Diagnosis) -> None:
        """The guard cannot read what workers write: a cause of its own, beside which no worker is blamed."""
        topic = self._topics.watch_state
        self.health.unready(_READING, f"it cannot be read: {why.sentence}")
        sentence = (
            f"The guard cannot read {topic}, and does not see whether any worker evaluates: {why.sentence}"
        )
        self.progress.stuck(Why.BROKER, sentence, key=_READING, remedy=why.remedy)

    def _caught_up(self) -> None:
        self.progress.going(Why.BROKER, _READING)
        self.health.ready(_READING)
        self._fleet.caught_up()

    def _take(self, record: Any) -> None:
        if self._peers.take(record.key, record.headers):
            return
        env = (record.key or b"").decode("utf-8", "replace")
        self._fleet.take(
            env,
            evaluated_to_in(record.headers),
            gone=record.value is None,
            place=record.partition,
            together=together_in(record.headers),
            stamp=record.timestamp,
        )


class Unfetched(OSError):
    """No fetch of a partition is answered, though the broker answers."""


async def follow_states(
    clients: ClientFactory,
    topic: str,
    take: Callable[[Any], None],
    caught_up: Callable[[], None],
    *,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Hand the records of a topic to ``take``, from its beginning on and as they come; return where it has none yet.

    Args:
        clients: makes the consumer.
        topic: the topic.
        take: receives each record.
        caught_up: called once all records have been taken that stood on the topic when it was opened, and again after
            each later poll.
        monotonic: seconds that never go back.

    Raises:
        KafkaError, OSError: the topic cannot be read; ``Unfetched`` where one of its partitions cannot.
    """
    consumer = clients.tail(topic)
    answered: dict[TopicPartition, tuple[int | None, float]] = {}
    try:
        await consumer.start()
        ends: Mapping[TopicPartition, int] | None = None
        without = 0
        while without < _POLLS_WITHOUT_TOPIC:
            assigned = sorted(consumer.assignment())
            if not assigned:
                without += 1
                await asyncio.sleep(_POLL_MS / 1_000)
                continue
            if ends is None:
                async with asyncio.timeout(_PATIENCE):
                    ends = await consumer.end_offsets(assigned)
            batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
            for records in batches.values():
                for record in records:
                    take(record)
            for place in assigned:
                stamp, now = consumer.last_poll_timestamp(place), monotonic()
                if place not in answered or answered[place][0] != stamp:
                    answered[place] = stamp, now
                elif now - answered[place][1] > _UNFETCHED:
                    raise Unfetched(f"partition {place.partition} of {topic} cannot be fetched")
            if all([await consumer.position(place) >= end for place, end in ends.items()]):
                caught_up()
        caught_up()  # there is no such topic: no worker has ever run
    finally:
        await consumer.stop()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
