"""What does the simulated cluster do with a request, and when does its answer come?

Every request and every answer takes a drawn time. A fault may hold answers back, lose them after the request was
carried out, lose requests, or let nothing through at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, RequestTimedOutError

from tests.simulation.cluster.groups import Group
from tests.simulation.cluster.storage import Digest, Log, Stored
from tests.simulation.loop import NETWORK, Process, VirtualLoop, current_process

__all__ = ["Broker", "Fetched"]

_T = TypeVar("_T")
#: What a request takes one way, seconds: the least and the most.
_TRIP = (0.0002, 0.004)
_REFUSED_AFTER, _TIMED_OUT_AFTER = 0.05, 1.0  # seconds
#: How many records of a partition an answer to a fetch holds at most: one of these.
_FETCHED = (1, 3, 20, 1_000, 1_000)

#: Of each partition that could be fetched: (where it was fetched from, records, the offset after the last record).
Fetched = dict[TopicPartition, tuple[int, list[Stored], int]]


class _Poll:
    """A fetch that waits for records."""

    def __init__(self, places: Mapping[TopicPartition, int], answer: asyncio.Future[None]) -> None:
        self.places = places
        self.answer = answer


class Broker:
    """Topics and groups, and the way to them.

    Args:
        loop: whose time it is.
        wall: ms since the epoch.
        digest: takes in every record.
        partitions: how many each topic has.

    Attributes:
        away: whether nothing gets through.
        slow: how much longer each way takes at most, seconds.
        drop, lose: chances that a request is not carried out, and that its answer is lost.
        unfetchable: partitions of which no fetch is answered.
        denied: topics on which nobody may write.
        cut_off: (group, number of a worker) whose coordinator does not answer, though all else does.
        wrote: called with a record that was appended, and the process that had sent it.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        wall: Callable[[], int],
        digest: Digest,
        partitions: Mapping[str, int],
        random: Random,
    ) -> None:
        self.loop = loop
        self.wall = wall
        self.partitions = dict(partitions)
        self.logs = {TopicPartition(t, p): Log() for t, number in partitions.items() for p in range(number)}
        self.away = False
        self.slow = 0.0
        self.drop = self.lose = 0.0
        self.unfetchable: set[TopicPartition] = set()
        self.denied: set[str] = set()
        self.cut_off: set[tuple[str, int]] = set()
        self.wrote: Callable[[Stored, Process | None], None] = lambda record, process: None
        self.requests = 0
        self._digest = digest
        self._random = random
        self._groups: dict[str, Group] = {}
        self._polls: dict[TopicPartition, list[_Poll]] = {}

    def group(self, name: str, topics: Sequence[str] = ()) -> Group:
        """A consumer group, made on first use."""
        if name not in self._groups:
            places = {topic: range(self.partitions[topic]) for topic in topics}
            self._groups[name] = Group(self.loop, Random(f"{self._random.random()}"), places)
        return self._groups[name]

    def come_back(self) -> None:
        """Let everything through again."""
        self.away = False
        for group in self._groups.values():
            group.recover()

    # -- requests ---------------------------------------------------------------------------------------------

    def call(
        self, random: Random, apply: Callable[[], _T | asyncio.Future[_T]], *, safe: bool = False
    ) -> asyncio.Future[_T]:
        """Send a request of the running process; a future of the answer.

        Args:
            random: of the client, draws what the ways take.
            apply: carries the request out; it may give a future.
            safe: neither the request nor its answer is lost.

        Raises:
            CancelledError: the process is dead.
        """
        process = current_process()
        if process is not None and process.dead:
            raise asyncio.CancelledError
        answer: asyncio.Future[_T] = self.loop.create_future()
        self.requests += 1
        self.loop.call_later(self._trip(random), self._arrive, answer, apply, random, safe, context=NETWORK)
        return answer

    def _trip(self, random: Random) -> float:
        return random.uniform(*_TRIP) + (random.random() * self.slow if self.slow else 0.0)

    def _arrive(
        self, answer: asyncio.Future[Any], apply: Callable[[], Any], random: Random, safe: bool
    ) -> None:
        if self.away:
            self._later(_REFUSED_AFTER, answer, KafkaConnectionError("the broker is away"))
            return
        if not safe and self.drop and random.random() < self.drop:
            self._later(_TIMED_OUT_AFTER, answer, RequestTimedOutError())
            return
        try:
            said = apply()
        except KafkaError as error:
            said = error
        if isinstance(said, asyncio.Future):
            said.add_done_callback(lambda done: self._answer(answer, done, random, safe), context=NETWORK)
        else:
            self._send_back(answer, said, random, safe)

    def _answer(
        self, answer: asyncio.Future[Any], done: asyncio.Future[Any], random: Random, safe: bool
    ) -> None:
        if not done.cancelled():
            self._send_back(answer, done.result(), random, safe)

    def _send_back(self, answer: asyncio.Future[Any], said: Any, random: Random, safe: bool) -> None:
        if self.away or (not safe and self.lose and random.random() < self.lose):
            self._later(_TIMED_OUT_AFTER, answer, RequestTimedOutError())
        else:
            self._later(self._trip(random), answer, said)

    def _later(self, seconds: float, answer: asyncio.Future[Any], said: Any) -> None:
        self.loop.call_later(seconds, _settle, answer, said, context=NETWORK)

    # -- topics -----------------------------------------------------------------------------------------------

    def append(
        self,
        place: TopicPartition,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        *,
        timestamp: int | None = None,
        process: Process | None = None,
    ) -> None:
        """Write a record; ``timestamp`` (ms) is the broker's time by default."""
        log = self.logs[place]
        stamp = self.wall() if timestamp is None else timestamp
        record = Stored(place.topic, place.partition, log.end, stamp, key, value, tuple(headers))
        log.append(record)
        self._digest.record(record)
        for poll in self._polls.pop(place, ()):
            if not poll.answer.done():
                poll.answer.set_result(None)
        self.wrote(record, process)

    def fetch(
        self, places: Mapping[TopicPartition, int], wait: float, random: Random
    ) -> asyncio.Future[Fetched]:
        """Read on from offsets; if there are no records, wait for one for ``wait`` seconds."""
        answer: asyncio.Future[Fetched] = self.loop.create_future()
        limit = random.choice(_FETCHED)

        def read(_: object = None) -> None:
            if not answer.done():
                answer.set_result(self._read(places, limit))

        if self._has_some(places):
            read()
        else:
            ready: asyncio.Future[None] = self.loop.create_future()
            ready.add_done_callback(read, context=NETWORK)
            poll = _Poll(places, ready)
            for place in places:
                waiting = self._polls.setdefault(place, [])
                waiting[:] = [one for one in waiting if not one.answer.done()]
                waiting.append(poll)
            self.loop.call_later(wait, _settle, ready, None, context=NETWORK)
        return answer

    def _has_some(self, places: Mapping[TopicPartition, int]) -> bool:
        return any(self.logs[p].end > at for p, at in places.items() if p not in self.unfetchable)

    def _read(self, places: Mapping[TopicPartition, int], limit: int) -> Fetched:
        out: Fetched = {}
        for place, at in places.items():
            log = self.logs[place]
            if place not in self.unfetchable:
                out[place] = (at, log.read(at, limit), log.end)
        return out


def _settle(answer: asyncio.Future[Any], said: Any) -> None:
    if answer.done():
        return
    if isinstance(said, BaseException):
        answer.set_exception(said)
    else:
        answer.set_result(said)
