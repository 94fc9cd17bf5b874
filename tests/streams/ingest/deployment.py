"""Ingest on a broker, and what it has written: for tests that ask what it makes of the input."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiokafka import TopicPartition

from detectors.policy.policy import Policy
from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings
from streams.kafka.clients import KafkaClients
from streams.kafka.producer import BatchProducer
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import PARTITIONS, Topics
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.clocks import RealClock, Timing
from streams.segments.codec import Frontier, decode
from tests.support.oracle import written

__all__ = ["PATIENCE", "Deployment", "event", "until"]

PATIENCE = 30.0  # seconds


def event(name: str) -> bytes:
    said = {
        "schema_version": 1,
        "event_id": name,
        "occurred_at": written(RealClock()()),
        "env": "prod",
        "auth_method": "ssoe",
        "step": "callback",
        "outcome": "success",
    }
    return json.dumps(said).encode()


class Deployment:
    """Ingest, and what it has written to the first partition of `sli-segments`.

    Args:
        address: of the broker.
        topics: which exist.
        policy: the policy.
        clock: of the machine that ingest runs on, ms since the epoch.
    """

    def __init__(
        self, address: str, topics: Topics, policy: Policy, clock: Callable[[], int] | None = None
    ) -> None:
        self.address, self.topics, self._policy = address, topics, policy
        self.time = BrokerClock(clock or RealClock(), time.monotonic)
        self._clients = KafkaClients({"bootstrap_servers": address}, self.time)

    @asynccontextmanager
    async def ingesting(self) -> AsyncIterator[Ingest]:
        """Ingest that runs meanwhile."""
        failed: list[BaseException] = []
        settings = IngestSettings(
            self.topics, f"{self.topics.prefix}ingest", PARTITIONS, session_ms=6_000, start="earliest"
        )
        producer = BatchProducer(self._clients)
        timing = Timing(clock=self.time)
        ingest = Ingest(
            settings, self._policy, producer, timing, failed.append, clients=self._clients, time=self.time
        )
        await producer.start()
        try:
            await ingest.start()
            yield ingest
            assert failed == []
        finally:
            await ingest.stop()
            await producer.stop()

    async def frontiers(self) -> list[Frontier]:
        """The frontiers of partition 0 of the input, in order."""
        reader = TopicReader(self._clients)
        return [
            said
            async for record in reader.read(TopicPartition(self.topics.segments, 0))
            if isinstance(said := decode(record.value or b""), Frontier) and said.partition == 0
        ]

    async def idle_at(self, offset: int) -> bool:
        """Whether partition 0 is marked idle at an offset, and nothing is unread."""
        last = (await self.frontiers())[-1:]
        return [(said.next_offset, said.marked, said.unread_since) for said in last] == [
            (offset, "idle", None)
        ]

    async def accepted(self) -> int:
        """How many events of partition 0 were accepted."""
        tallies = {tally.block: tally for said in await self.frontiers() for tally in said.tallies}
        return sum(tally.accepted for tally in tallies.values())


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds, for as long as patience lasts."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.3)
