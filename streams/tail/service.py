"""Which parts does a process of `watchofficer tail` have, and who is told when it does not get on?

It reads no topic, joins no group and needs no Faust. What does not get on is said as a worker says it, within
``blind_after``, at keys of its own: to PagerDuty and Slack, past Kafka.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial

from detectors.policy.policy import Policy
from streams.kafka.clients import KafkaClients
from streams.kafka.diagnosis import diagnose
from streams.kafka.probe import BrokerProbe
from streams.kafka.producer import BatchProducer
from streams.runtime.clocks import RealClock
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why
from streams.settings.settings import Settings
from streams.tail.delivery import Delivery, LineSource, Records
from streams.watchdog.assembly import make_watchdog
from streams.watchdog.pulse import LoopPulse
from streams.watchdog.report import Report

__all__ = ["Parts", "Tail"]

_PROBE_EVERY = 2.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a source of lines is made of.

    Attributes:
        delivery: puts lines onto the topic, and counts those that are set aside.
        progress: is told what does not get on.
        report: a snapshot of this process.
    """

    delivery: Delivery
    progress: Progress
    report: Callable[[], Report]


class Tail:
    """The parts of a tail. It must be made and started on a running event loop.

    Args:
        settings: credentials, addresses, the broker.
        policy: says after how long something that does not get on is said.
        topic: where lines go.
        records: what a line becomes.
        source: names where lines come from, for people.
    """

    def __init__(self, settings: Settings, policy: Policy, topic: str, records: Records, source: str) -> None:
        kafka = settings.kafka_client_kwargs()
        clients = KafkaClients(kafka)
        self._stack = AsyncExitStack()
        self._progress = Progress(time.monotonic)
        self._health = Health(time.monotonic)
        self._health.unready("broker", "it has not answered yet")
        self._probe = BrokerProbe(clients, partial(diagnose, kafka))
        self._producer = BatchProducer(clients, progress=self._progress)
        host = socket.gethostname()
        named = hashlib.sha256(f"{host} {source}".encode()).hexdigest()[:12]
        self._watchdog = make_watchdog(
            settings.model_copy(update={"heartbeat_url": None}),  # which says that workers live
            policy,
            RealClock(),
            self._progress,
            self._health,
            name=f"watchofficer tail of {source} on {host}",
            prefix=f"{policy.notify.dedup_prefix}:tail:{named}",
        )
        self.parts = Parts(
            delivery=Delivery(self._producer, topic, records),
            progress=self._progress,
            report=self._watchdog.report,
        )

    async def start(self) -> None:
        """Look at the broker from now on, and say what does not get on."""
        self._stack.push_async_callback(self._probe.close)
        self._stack.push_async_callback(self._producer.stop)
        for work in (self._ask_broker(), LoopPulse(self._progress, self._progress.stalled).run()):
            self._stack.push_async_callback(_cancel, asyncio.create_task(work))
        self._stack.callback(self._watchdog.stop)
        self._watchdog.start()

    async def stop(self) -> None:
        """Stop all parts, the last started first."""
        await self._stack.aclose()

    async def run(self, source: LineSource, stop: asyncio.Event) -> None:
        """Deliver what a source brings until it ends, or until ``stop``: what it has brought is delivered first.

        Raises:
            Exception: whatever the source raises, which is a fault of this program.
        """
        running, stopping = asyncio.create_task(source.run()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await source.stop()
            await running
        finally:
            stopping.cancel()

    async def _ask_broker(self) -> None:
        while True:
            away = await self._probe()
            if away is None:
                self._progress.going(Why.BROKER)
                self._health.ready("broker")
            else:
                self._progress.stuck(Why.BROKER, away.sentence, remedy=away.remedy)
                self._health.unready("broker", away.sentence)
            await asyncio.sleep(_PROBE_EVERY)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
