"""What does a member of a simulated consumer group do? And how are the clients of one process made?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, RequestTimedOutError

from tests.simulation.cluster.broker import Broker
from tests.simulation.cluster.clients import SimConsumer, SimProducer
from tests.simulation.cluster.groups import Group, Joined
from tests.simulation.loop import current_process

__all__ = ["SimClients", "SimMember"]

_T = TypeVar("_T")
_RETRY_AFTER = 0.1  # seconds


class SimMember(SimConsumer):
    """A consumer of a group. It joins, sends heartbeats and joins anew as aiokafka's does."""

    def __init__(self, broker: Broker, random: Random, group: str, session: float) -> None:
        super().__init__(broker, random, reset_to_earliest=True)
        self._group_name = group
        self._session = session
        self._topics: Sequence[str] = ()
        self._listener: Any = None
        self._member: str | None = None
        self._is_settled = asyncio.Event()
        self._coordinating: asyncio.Task[None] | None = None
        self.generation = -1

    def subscribe(self, topics: Sequence[str], *, listener: Any) -> None:
        """Join the group for topics."""
        self._topics = topics
        self._listener = listener
        self._coordinating = asyncio.create_task(self._coordinate())

    async def stop(self) -> None:
        """Leave the group."""
        await super().stop()
        self._is_settled.set()
        if self._coordinating is not None:
            self._coordinating.cancel()
            await asyncio.gather(self._coordinating, return_exceptions=True)
            self._coordinating = None
        name, self._member = self._member, None
        if name is not None:
            try:
                await self._ask(lambda: self._group.leave(name))
            except KafkaError:
                return  # the session ends by itself

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets.

        Raises:
            KafkaError: they may not have been.
            ValueError: there are none.
        """
        if not offsets:
            raise ValueError(offsets)
        if not offsets.keys() <= self._positions.keys():
            raise IllegalStateError("not all of these partitions are assigned to this consumer")
        name, generation = self._member, self.generation
        await self._ask(lambda: self._group.commit(name, generation, offsets))

    def _ask(self, apply: Callable[[], _T | asyncio.Future[_T]]) -> asyncio.Future[_T]:
        """Send a request to the group's coordinator."""
        process = current_process()
        me = self._group_name, -1 if process is None else int(process.name.partition(".")[0])

        def unless_cut_off() -> _T | asyncio.Future[_T]:
            if me in self._broker.cut_off:
                raise RequestTimedOutError
            return apply()

        return self._call(unless_cut_off)

    @property
    def _group(self) -> Group:
        return self._broker.group(self._group_name, self._topics)

    async def _settled(self) -> None:
        await self._is_settled.wait()

    async def _coordinate(self) -> None:
        while True:
            self._is_settled.clear()
            await self._listener.on_partitions_revoked(set(self._positions))
            await self._join()
            while await self._heartbeat():
                pass

    async def _join(self) -> None:
        while True:
            join = partial(self._group.join, self._member, self._session)
            try:
                joined: Joined = await self._ask(join)
            except KafkaError:
                await asyncio.sleep(_RETRY_AFTER)
                continue
            break
        self._member, self.generation = joined.member, joined.generation
        self._positions = dict.fromkeys(joined.assigned)
        self._came.clear()
        await self._listener.on_partitions_assigned(set(joined.assigned))
        self._is_settled.set()
        if any(at is None for at in self._positions.values()):
            self._find = asyncio.create_task(self._find_positions(joined.generation))

    async def _find_positions(self, generation: int) -> None:
        """What was committed is where to begin, unless a position was set meanwhile."""
        while self.generation == generation:
            places = [place for place, at in self._positions.items() if at is None]
            try:
                offsets = await self._ask(partial(self._committed, places))
            except KafkaError:
                await asyncio.sleep(_RETRY_AFTER)
                continue
            if self.generation == generation:
                for place, at in offsets.items():
                    if self._positions.get(place, at) is None:
                        self._positions[place] = at
            return

    def _committed(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: self._group.offsets.get(p, self._broker.logs[p].begin) for p in places}

    async def _heartbeat(self) -> bool:
        """Send one; False if it is time to join anew."""
        await asyncio.sleep(max(0.5, self._session / 5))
        name, generation = self._member, self.generation
        assert name is not None
        try:
            said = await self._ask(lambda: self._group.heartbeat(name, generation))
        except KafkaError:
            return True
        if said == "unknown":
            self._member = None
        return bool(said == "ok")


class SimClients:
    """Makes the clients of one process. Each draws from a source of its own, so none changes what another draws.

    Args:
        broker: the cluster.
        name: of the process.
        seed: of the run.
    """

    def __init__(self, broker: Broker, name: str, seed: int) -> None:
        self._broker = broker
        self._name = name
        self._seed = seed
        self._made: Counter[str] = Counter()

    def _random(self, kind: str) -> Random:
        self._made[kind] += 1
        return Random(f"{self._seed}/{self._name}/{kind}/{self._made[kind]}")

    def reader(self) -> SimConsumer:
        """A consumer without a group."""
        return SimConsumer(self._broker, self._random("reader"))

    def group_member(self, group: str, session_ms: int) -> SimMember:
        """A consumer of a group."""
        return SimMember(self._broker, self._random(group), group, session_ms / 1_000)

    def tail(self, *topics: str) -> SimConsumer:
        """Nobody who runs here follows topics without a group."""
        raise NotImplementedError

    def producer(self, **options: Any) -> SimProducer:
        """A producer."""
        return SimProducer(self._broker, self._random("producer"))

    def client(self) -> Any:
        """Nobody who runs here asks for metadata alone."""
        raise NotImplementedError
