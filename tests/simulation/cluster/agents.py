"""How does Faust hand records to agents? ``Agents`` stands in for Faust, which does not run in virtual time.

What it keeps of Faust: one agent handles the records of a topic one after another; of a partition they come in order;
an offset is committed only after its record was handled; a rebalance drops what waits and goes back to what was
committed; records of an earlier generation are passed over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from tests.simulation.cluster.members import SimClients, SimMember
from tests.simulation.cluster.storage import Stored

__all__ = ["Agents"]

_COMMIT_EVERY = 1.0  # seconds
_POLL_MS = 1_000
_RETRY_AFTER = 1.0  # seconds

#: (partition, offset, value)
Take = Callable[[int, int, bytes | None, bytes | None], Awaitable[None]]
#: Is told the partitions of all topics that were revoked or assigned.
Told = Callable[[set[TopicPartition]], Awaitable[None]]


@dataclass
class _Agent:
    take: Take
    waiting: deque[tuple[int, Stored]]
    some: asyncio.Event


class Agents:
    """The agents of one process, all in one consumer group.

    Args:
        clients: makes the consumer.
        group: its group.
        session_ms: of the member.
        takes: by topic, what handles a record.
        revoked, assigned: are told of rebalances before they end.
        fail: called with what makes going on impossible.
    """

    def __init__(
        self,
        clients: SimClients,
        group: str,
        session_ms: int,
        takes: dict[str, Take],
        *,
        revoked: Told,
        assigned: Told,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._consumer: SimMember = clients.group_member(group, session_ms)
        self._agents = {topic: _Agent(take, deque(), asyncio.Event()) for topic, take in takes.items()}
        self._revoked = revoked
        self._assigned = assigned
        self._fail = fail
        self._rebalancing = True
        self._handled: dict[TopicPartition, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.generation = 0

    def start(self) -> None:
        """Join the group and go on until ``stop``."""
        for agent in self._agents.values():
            self._tasks.append(asyncio.create_task(self._consume(agent)))
        self._tasks += [asyncio.create_task(self._poll()), asyncio.create_task(self._commit())]

    async def stop(self) -> None:
        """End in order."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._commit_once()
        await self._consumer.stop()

    def owned(self, topic: str) -> set[int] | None:
        """The partitions of a topic that are this process's; None while that is being settled."""
        if self._rebalancing:
            return None
        return {place.partition for place in self._consumer.assignment() if place.topic == topic}

    def reads_on(self, topic: str, partition: int, offset: int) -> bool:
        """Whether a partition is known to hold records after an offset."""
        end = self._consumer.highwater(TopicPartition(topic, partition))
        return end is not None and offset + 1 < end

    # -- the consumer's listener ------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Drop what waits, and let what is under way end."""
        self._rebalancing = True
        for agent in self._agents.values():
            agent.waiting.clear()
        await self._revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Begin anew from what was committed."""
        self.generation = self._consumer.generation
        self._handled.clear()
        for agent in self._agents.values():
            agent.waiting.clear()
        await self._assigned(assigned)
        self._rebalancing = False

    # -- tasks ------------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        while True:
            try:
                await self._consumer.start()
                break
            except KafkaError:
                await asyncio.sleep(_RETRY_AFTER)
        self._consumer.subscribe(list(self._agents), listener=self)
        while True:
            came = await self._consumer.getmany(timeout_ms=_POLL_MS)
            for place, records in came.items():
                agent = self._agents[place.topic]
                agent.waiting.extend((self.generation, record) for record in records)
                agent.some.set()

    async def _consume(self, agent: _Agent) -> None:
        while True:
            while not agent.waiting:
                agent.some.clear()
                await agent.some.wait()
            generation, record = agent.waiting.popleft()
            if generation != self.generation:
                continue
            try:
                await agent.take(record.partition, record.offset, record.value, record.key)
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self._fail(error)
                await asyncio.Event().wait()
            if generation == self.generation:
                self._handled[TopicPartition(record.topic, record.partition)] = record.offset + 1

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(_COMMIT_EVERY)
            await self._commit_once()

    async def _commit_once(self) -> None:
        offsets = dict(self._handled)
        if not offsets or self._rebalancing:
            return
        try:
            await self._consumer.commit(offsets)
        except KafkaError:
            return  # again with the next
        for place, offset in offsets.items():
            if self._handled.get(place) == offset:
                del self._handled[place]
