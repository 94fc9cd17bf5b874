"""What do producers and readers of the simulated broker do? They keep to aiokafka's behaviour, as far as it is used."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from tests.simulation.cluster.broker import Broker, Fetched
from tests.simulation.cluster.storage import Stored
from tests.simulation.loop import Process, current_process

__all__ = ["SimConsumer", "SimProducer"]

_T = TypeVar("_T")
#: How long the broker holds a fetch back while there is nothing new, seconds.
_FETCH_WAIT = 0.5
_RETRY_AFTER = 0.1  # seconds
#: How many records of a partition a producer sends together at most: one of these.
_BATCH = (1, 1, 2, 5, 100)
#: The chance that a producer tries again by itself before it gives an error out.
_TRIES_AGAIN = 0.5


class SimProducer:
    """A producer: records of one partition go in order, in one request at a time; an error may leave copies.

    Args:
        broker: where to.
        random: of this client.
    """

    def __init__(self, broker: Broker, random: Random) -> None:
        self._broker = broker
        self._random = random
        self._waiting: dict[TopicPartition, deque[tuple[Any, ...]]] = {}

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaConnectionError: the broker is away.
        """
        await self._broker.call(self._random, lambda: None, safe=True)

    async def stop(self) -> None:
        """Send no more."""

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[Any]:
        """Queue a record; a future of its acknowledgement."""
        number = self._broker.partitions[topic]
        place = TopicPartition(topic, sum(key or b"") % number if partition is None else partition)
        acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = deque()
            asyncio.get_running_loop().call_soon(self._send_some, place)
        waiting.append((acknowledged, key, value, headers or ()))
        return acknowledged

    def _send_some(self, place: TopicPartition) -> None:
        waiting = self._waiting[place]
        batch = [waiting.popleft() for _ in range(min(len(waiting), self._random.choice(_BATCH)))]
        if batch:
            self._send_batch(place, batch)
        else:
            del self._waiting[place]

    def _send_batch(self, place: TopicPartition, batch: list[tuple[Any, ...]]) -> None:
        process = current_process()

        def append() -> int:
            if place.topic in self._broker.denied:
                raise TopicAuthorizationFailedError(place.topic)
            first = self._broker.logs[place].end
            for _, key, value, headers in batch:
                self._broker.append(place, key, value, headers, process=process)
            return first

        sent = _unless_dead(process, lambda: self._broker.call(self._random, append))
        if sent is not None:
            sent.add_done_callback(lambda done: self._acknowledge(place, batch, done))

    def _acknowledge(
        self, place: TopicPartition, batch: list[tuple[Any, ...]], done: asyncio.Future[int]
    ) -> None:
        error = None if done.cancelled() else done.exception()
        denied = isinstance(error, TopicAuthorizationFailedError)
        if error is not None and not denied and self._random.random() < _TRIES_AGAIN:
            asyncio.get_running_loop().call_later(_RETRY_AFTER, self._send_batch, place, batch)
            return
        for number, (acknowledged, *_) in enumerate(batch):
            if acknowledged.done():
                continue
            if error is None:
                acknowledged.set_result(SimpleNamespace(offset=done.result() + number))
            else:
                acknowledged.set_exception(error if denied else KafkaTimeoutError(str(error)))
        self._send_some(place)


def _unless_dead(process: Process | None, make: Callable[[], _T]) -> _T | None:
    return None if process is not None and process.dead else make()


class SimConsumer:
    """A consumer without a group, of assigned partitions.

    Args:
        broker: where from.
        random: of this client.
        reset_to_earliest: where to go on when retention has removed the next offset: the first that is left, or else
            the end, as aiokafka does unless told otherwise.
    """

    generation = -1

    def __init__(self, broker: Broker, random: Random, *, reset_to_earliest: bool = False) -> None:
        self._broker = broker
        self._random = random
        self._reset_to_earliest = reset_to_earliest
        self._positions: dict[TopicPartition, int | None] = {}
        self._paused: set[TopicPartition] = set()
        self._came: dict[TopicPartition, tuple[int, list[Stored], int]] = {}
        self._fetching = False
        self._waiter: asyncio.Future[None] | None = None
        self._highwater: dict[TopicPartition, int] = {}
        self._polled_at: dict[TopicPartition, int] = {}
        self._stopped = False

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaConnectionError: the broker is away.
        """
        await self._call(lambda: None)

    async def stop(self) -> None:
        """Disconnect."""
        self._stopped = True

    def _call(self, apply: Callable[[], _T | asyncio.Future[_T]]) -> asyncio.Future[_T]:
        return self._broker.call(self._random, apply)

    # -- positions --------------------------------------------------------------------------------------------

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these from now on."""
        self._positions = dict.fromkeys(partitions)
        self._paused = set()

    def subscribe(self, topics: Sequence[str], *, listener: Any) -> None:
        """Only members of a group subscribe."""
        raise NotImplementedError

    def assignment(self) -> frozenset[TopicPartition]:
        """What is read."""
        return frozenset(self._positions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on from an offset."""
        assert partition in self._positions, f"{partition} is not assigned"
        self._positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        """The next offset."""
        at = self._positions[partition]
        assert at is not None
        return at

    def highwater(self, partition: TopicPartition) -> int | None:
        """The offset after the last record, as the last fetch said."""
        return self._highwater.get(partition)

    def last_stable_offset(self, partition: TopicPartition) -> int | None:
        """The high watermark: nobody has transactions here."""
        return self.highwater(partition)

    def position_now(self, partition: TopicPartition) -> int | None:
        """The next offset; None while there is none."""
        return self._positions.get(partition)

    def pause(self, *partitions: TopicPartition) -> None:
        """Fetch nothing more of these."""
        assert self._positions.keys() >= set(partitions), f"of {partitions}, some are not assigned"
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Nobody reads by a schema here, so that nobody goes on."""
        raise NotImplementedError

    def last_poll_timestamp(self, partition: TopicPartition) -> int | None:
        """When a fetch was answered last, ms since the epoch."""
        return self._polled_at.get(partition)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Only members of a group commit."""
        raise NotImplementedError

    # -- what the broker knows --------------------------------------------------------------------------------

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offsets that are left."""
        return await self._call(lambda: {p: self._broker.logs[p].begin for p in partitions})

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The offsets after the last records."""
        return await self._call(lambda: {p: self._broker.logs[p].end for p in partitions})

    async def offsets_for_times(
        self, timestamps: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, SimpleNamespace | None]:
        """The first offsets whose records are not older than instants, ms."""

        def look() -> dict[TopicPartition, SimpleNamespace | None]:
            found = {place: self._broker.logs[place].at(at) for place, at in timestamps.items()}
            return {p: None if at is None else SimpleNamespace(offset=at) for p, at in found.items()}

        return await self._call(look)

    async def partition_ids(self, *topics: str) -> dict[str, set[int]]:
        """The partitions of topics."""
        return await self._call(
            lambda: {topic: set(range(self._broker.partitions[topic])) for topic in topics}
        )

    # -- records ----------------------------------------------------------------------------------------------

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Stored]]:
        """Return records that have arrived, or arrive in time, up to the greatest number."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_ms / 1_000
        while True:
            await self._settled()
            out = self._drain(max_records)
            left = until - loop.time()
            if out or left <= 0 or self._stopped:
                return out
            if not self._fetching:
                self._fetch()
            if not self._came:
                self._waiter = loop.create_future()
                timer = loop.call_later(left, _end, self._waiter)
                await self._waiter
                timer.cancel()

    async def _settled(self) -> None:
        """Wait until it is settled what is read."""

    def _drain(self, max_records: int | None) -> dict[TopicPartition, list[Stored]]:
        out: dict[TopicPartition, list[Stored]] = {}
        left = max_records
        for place, (start, records, end) in list(self._came.items()):
            if place not in self._positions or self._positions[place] != start:
                del self._came[place]  # from a position that is not its position any more
                continue
            some = records if left is None else records[:left]
            rest = records[len(some) :]
            self._positions[place] = reached = (
                some[-1].offset + 1 if rest else max(start, self._end_of(records, end))
            )
            if rest:
                self._came[place] = (reached, rest, end)
            else:
                del self._came[place]
            if some:
                out[place] = some
                left = None if left is None else left - len(some)
            if left == 0:
                break
        return out

    @staticmethod
    def _end_of(records: list[Stored], end: int) -> int:
        """The next offset; where compaction has left nothing, behind what it has removed."""
        return records[-1].offset + 1 if records else end

    def _fetch(self) -> None:
        """Ask for what follows the positions; the answer is taken in whenever it comes."""
        places = {
            place: at for place, at in self._positions.items() if at is not None and place not in self._paused
        }
        self._fetching = True
        if places:

            def fetch() -> asyncio.Future[Fetched]:
                return self._broker.fetch(places, _FETCH_WAIT, self._random)

            came: asyncio.Future[Fetched] = self._call(fetch)
            came.add_done_callback(self._take_in)
        else:
            asyncio.get_running_loop().call_later(_RETRY_AFTER, self._fetched)

    def _fetched(self) -> None:
        self._fetching = False
        if self._waiter is not None:
            _end(self._waiter)

    def _take_in(self, answer: asyncio.Future[Fetched]) -> None:
        if answer.cancelled() or answer.exception() is not None:
            asyncio.get_running_loop().call_later(_RETRY_AFTER, self._fetched)
            return
        now = self._broker.wall()
        for place, (start, records, end) in answer.result().items():
            if self._positions.get(place) != start:
                continue
            self._highwater[place] = end
            self._polled_at[place] = now
            begin = self._broker.logs[place].begin
            if start < begin or start > end:
                self._positions[place] = begin if self._reset_to_earliest else end
            elif records or end > start:
                self._came[place] = (start, records, end)
        self._fetched()


def _end(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
