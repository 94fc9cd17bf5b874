"""Which parts does a guard have: the process that notices when no worker evaluates any more?

A guard joins no group, writes nothing and needs no Faust. It reads `watch-state`, asks whether the broker answers, and
says that the watch is blind as the workers do, at the same keys.
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
from streams.http.health import HealthPages
from streams.http.responses import answered
from streams.http.server import HttpServer
from streams.kafka.clients import Backoff, ClientFactory, KafkaClients
from streams.kafka.diagnosis import diagnose
from streams.kafka.probe import BrokerProbe
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

__all__ = ["Guard", "follow_states"]

log = structlog.get_logger(__name__)

_LOOK_EVERY = 1.0  # seconds
_PROBE_EVERY = 2.0  # seconds
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds, of the backoff
_POLL_MS = 500
_MAX_RECORDS = 500
_PATIENCE = 30.0  # seconds for one answer of the broker
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
        self._stack = AsyncExitStack()
        self.health = Health(time.monotonic)
        self.progress = Progress(time.monotonic)
        self.metrics = Metrics(
            clock=clock, whys=[why.value for why in Why], version=version("watchofficer"), policy=policy.hash
        )
        name = process_name("guard", port)
        self._peers = Peers(name, time.monotonic, lambda: "watch-state" not in self.health.waiting())
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
        self._probe = BrokerProbe(self._clients, partial(diagnose, kafka))
        self._server = HttpServer(self._table(), host=settings.bind, port=port)
        self.health.unready("broker", "it has not answered yet")
        self.health.unready("watch-state", "it has not been read yet")

    def _table(self) -> list[web.RouteDef]:
        pages = HealthPages(self.watchdog.report)
        routes = [web.get(path, answered(handler)) for _, path, handler in pages.table()]
        return [*routes, web.get("/metrics", answered(self._metrics))]

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self.metrics.render(request.headers.get("Accept"))
        return web.Response(body=body, headers={"Content-Type": content_type})

    @property
    def url(self) -> str:
        """Where HTTP is served."""
        return f"http://{self._settings.bind}:{self._server.port}"

    async def start(self) -> None:
        """Serve HTTP, and watch in the background.

        Raises:
            AddressTaken: HTTP cannot be served.
        """
        await self._server.start()
        self._stack.push_async_callback(self._server.stop)
        self._stack.push_async_callback(self._probe.close)
        self._run_beside(LoopPulse(self.progress, self._observe_stall).run(), "pulse")
        self._stack.callback(self.watchdog.stop)
        self.watchdog.start()
        self._run_beside(self._ask_broker(), "broker")
        self._run_beside(self._look(), "fleet")
        self._run_beside(self._follow(), "watch-state")

    async def stop(self) -> None:
        """Stop all parts, the last started first."""
        await self._stack.aclose()

    def _run_beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._stack.push_async_callback(_cancel, asyncio.create_task(work, name=name))

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
                self.health.unready("watch-state", f"it cannot be read: {error!r}")
                log.warning("watch_state_read_failed", error=repr(error), retry_in_seconds=backoff.failed())
                await backoff.wait()

    def _caught_up(self) -> None:
        self.health.ready("watch-state")
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


async def follow_states(
    clients: ClientFactory, topic: str, take: Callable[[Any], None], caught_up: Callable[[], None]
) -> None:
    """Hand the records of a topic to ``take``, from its beginning on and as they come; return where it has none yet.

    Args:
        clients: makes the consumer.
        topic: the topic.
        take: receives each record.
        caught_up: called once all records have been taken that stood on the topic when it was opened, and again after
            each later poll.

    Raises:
        KafkaError, OSError: the topic cannot be read.
    """
    consumer = clients.tail(topic)
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
            if all([await consumer.position(place) >= end for place, end in ends.items()]):
                caught_up()
        caught_up()  # there is no such topic: no worker has ever run
    finally:
        await consumer.stop()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
