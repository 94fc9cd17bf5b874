"""What goes wrong beside the workers? The broker, rights, full disks, transactions, poison, clocks, busy processors."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from confluent_kafka import KafkaException

from streams.kafka.topics import PARTITIONS, Topics
from tests.faults.campaign.schedule import Fault
from tests.faults.campaign.topics import POISON
from tests.support.brokers import ApacheKafka
from tests.support.false_clock.clock import FalseClock
from tests.support.kafka.transactions import TransactionalProducer
from tests.support.oracle import written

__all__ = ["ABORTED_AFTER_MS", "Troubles"]

#: After which the broker aborts what a producer that lost it has left open.
ABORTED_AFTER_MS = 50_000
_JUMP_SECONDS = 120
_HOGS = 3
_IN_A_TRANSACTION = 12  # events
_AGAIN_SECONDS = 1.0


class Troubles:
    """Does to a deployment what is no fault of a process.

    Args:
        kafka: the broker.
        topics: of the deployment.
        clock: of the first worker.
        busy: held while the broker may be away.
        now: ms since the epoch.
    """

    def __init__(
        self,
        kafka: ApacheKafka,
        topics: Topics,
        clock: FalseClock,
        busy: asyncio.Lock,
        now: Callable[[], int],
    ) -> None:
        self._kafka = kafka
        self._topics = topics
        self._false_clock = clock
        self._busy = busy
        self._now = now
        self._numbers = itertools.count()

    async def befall(self, fault: Fault) -> None:
        """Let it happen, and mend it after its time."""
        await getattr(self, f"_{fault.kind}")(fault)

    # -- the broker ---------------------------------------------------------------------------------------------

    async def _broker_kill(self, fault: Fault) -> None:
        await self._away(self._kafka.kill, fault.seconds)

    async def _broker_restart(self, fault: Fault) -> None:
        await self._away(self._kafka.stop, fault.seconds)

    async def _broker_away(self, fault: Fault) -> None:
        await self._away(self._kafka.stop, fault.seconds)

    async def _broker_hang(self, fault: Fault) -> None:
        async with self._busy:
            with self._kafka.paused():
                await asyncio.sleep(fault.seconds)

    async def _away(self, end: Callable[[], None], seconds: float) -> None:
        async with self._busy:
            await asyncio.to_thread(end)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self._kafka.start)

    # -- what the broker refuses --------------------------------------------------------------------------------

    async def _denied(self, fault: Fault) -> None:
        topics = self._topics
        verdicts = [topics.sli, topics.commands, topics.incidents, topics.incident_log, topics.segments]
        others = [topics.watch_state, topics.ingest_state, topics.rejected, topics.deliveries]
        rights = [*(("WRITE", topic) for topic in verdicts + others), ("READ", topics.login_events)]
        operation, topic = rights[fault.worker % len(rights)]
        admin = self._kafka.admin
        await self._surely(lambda: admin.deny((operation,), "TOPIC", topic))
        await asyncio.sleep(fault.seconds)
        await self._surely(lambda: admin.forgive("TOPIC", topic))

    # -- what stands on topics ----------------------------------------------------------------------------------

    async def _marker(self, fault: Fault) -> None:
        def commit() -> None:
            with self._producer(fault) as producer:
                producer.commit(self._events())

        with suppress(KafkaException):  # the broker went away: it aborts what is open
            await asyncio.to_thread(commit)

    async def _transaction(self, fault: Fault) -> None:
        def open_one() -> TransactionalProducer:
            producer = self._producer(fault)
            producer.begin(self._events())
            return producer

        try:
            producer = await asyncio.to_thread(open_one)
            await asyncio.sleep(fault.seconds)
            await asyncio.to_thread(producer.abort)
        except KafkaException:
            await asyncio.sleep(ABORTED_AFTER_MS / 1000)

    def _producer(self, fault: Fault) -> TransactionalProducer:
        name = f"{self._topics.prefix}{next(self._numbers)}"
        partition = fault.worker % PARTITIONS
        return TransactionalProducer(
            self._kafka.address,
            self._topics.login_events,
            partition,
            name,
            timeout_ms=ABORTED_AFTER_MS,
        )

    def _events(self) -> list[bytes]:
        number = next(self._numbers)
        event = {"schema_version": 1, "env": "prod", "auth_method": "ssoe", "csp": "idme", "step": "callback"}
        event |= {"outcome": "success", "occurred_at": written(self._now())}
        return [
            json.dumps(event | {"event_id": f"transaction {number} {one}"}).encode()
            for one in range(_IN_A_TRANSACTION)
        ]

    async def _poison(self, fault: Fault) -> None:
        some = (self._topics.deliveries, self._topics.history, self._topics.banner)
        topic = some[fault.worker % len(some)]
        async with self._busy, AIOKafkaProducer(bootstrap_servers=self._kafka.address) as producer:
            await producer.send_and_wait(topic, POISON, key=b"poison", partition=0)

    # -- what the machine does ----------------------------------------------------------------------------------

    async def _clock(self, fault: Fault) -> None:
        self._false_clock.set(_JUMP_SECONDS if fault.worker % 2 else -_JUMP_SECONDS)
        await asyncio.sleep(fault.seconds)
        self._false_clock.set(0)

    async def _hog(self, fault: Fault) -> None:
        command = (sys.executable, "-c", "while True: pass")
        hogs = [await asyncio.create_subprocess_exec(*command) for _ in range(_HOGS)]
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            for hog in hogs:
                hog.kill()
                await hog.wait()

    async def _disk_full(self, fault: Fault) -> None:
        disk = self._kafka.disk
        assert disk is not None
        async with self._busy:
            await asyncio.to_thread(disk.fill)
            await asyncio.sleep(fault.seconds)
            await asyncio.to_thread(self._kafka.kill)  # where it has not ended by itself
            disk.clear()
            await asyncio.to_thread(self._kafka.start)

    async def _surely(self, do: Callable[[], Any]) -> None:
        """Ask the broker until it has done it."""
        while True:
            async with self._busy:
                try:
                    await asyncio.to_thread(do)
                    return
                except KafkaException:
                    pass
            await asyncio.sleep(_AGAIN_SECONDS)
