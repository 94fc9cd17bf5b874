"""How is a partition read back: from an offset or an instant to where the partition ends now?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.clients import Backoff, ClientFactory, Consumer, started
from streams.runtime.clocks import REAL_TIMING, Timing

__all__ = ["TopicReader", "TopicValues"]

log = structlog.get_logger(__name__)

_POLL_MS = 500
_MAX_RECORDS = 20_000
_PATIENCE = 120  # polls without a record before the end is reached: the rest cannot be fetched
_END_POLLS = 10  # polls for the last batch of a partition, which compaction may have emptied
#: After so many records the event loop gets its turn: what was fetched is given out without a wait otherwise.
_TURN = 100
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds, of the backoff


class TopicReader:
    """Reads partitions back, each with a consumer of its own, which within ``kept`` serves one read after the other.

    Args:
        clients: makes the consumers.
        patient: whether a broker that goes away is waited for.
        timing: gives sleep and chance to the waiting.
    """

    def __init__(
        self, clients: ClientFactory, *, patient: bool = False, timing: Timing = REAL_TIMING
    ) -> None:
        self._clients = clients
        self._timing = timing
        self._patient = patient
        self._holders = 0
        self._idle: list[Consumer] = []

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Until the context ends, keep the consumer of a read that is over for the next read.

        A consumer costs connections to make and to close, over TLS handshakes.
        """
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                idle, self._idle = self._idle, []
                await asyncio.gather(*(consumer.stop() for consumer in idle))

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[Consumer]:
        """A started consumer for one read: one that was kept, or a new one."""
        if self._idle:
            consumer = self._idle.pop()
        else:
            consumer = self._clients.reader()
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
        usable = False
        try:
            yield consumer
            usable = True
        except GeneratorExit:  # whoever reads has seen enough
            usable = True
            raise
        finally:
            if usable and self._holders:
                self._idle.append(consumer)
            else:
                await consumer.stop()

    async def read(
        self,
        partition: TopicPartition,
        *,
        start: int = 0,
        since: int | None = None,
        end: int | None = None,
    ) -> AsyncIterator[Any]:
        """The records of a partition, with ``offset``, ``timestamp``, ``key``, ``value`` and ``headers``.

        Args:
            partition: the topic and partition.
            start: the first offset.
            since: instead: the first record that the broker took at or after this instant, ms.
            end: the first offset that is not read, at most the last stable offset; by default the partition is read
                to its last stable offset of now, and perhaps some records further. Behind it the broker hands out
                nothing while a transaction is open.

        Raises:
            KafkaError, OSError: the partition cannot be read, and the reader is not patient.
        """
        async for records in self.batches(partition, start=start, since=since, end=end):
            for number, record in enumerate(records):
                if number % _TURN == _TURN - 1:
                    await asyncio.sleep(0)
                yield record

    async def batches(
        self,
        partition: TopicPartition,
        *,
        start: int = 0,
        since: int | None = None,
        end: int | None = None,
    ) -> AsyncIterator[Sequence[Any]]:
        """The records that ``read`` gives, in the lists in which they were fetched; no list is empty."""
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT, self._timing)
        while True:
            try:
                async for records in self._batches(partition, start, since, end):
                    start, since = records[-1].offset + 1, None
                    backoff.succeeded()
                    yield records
                return
            except (KafkaError, OSError) as error:  # TimeoutError is an OSError
                if not self._patient:
                    raise
                wait = backoff.failed()
                log.warning(
                    "topic_read_failed", topic=partition.topic, error=repr(error), retry_in_seconds=wait
                )
            await backoff.wait()

    async def _batches(
        self, partition: TopicPartition, start: int, since: int | None, end: int | None
    ) -> AsyncIterator[Sequence[Any]]:
        async with self._consumer() as consumer:
            begin = (await consumer.beginning_offsets([partition]))[partition]
            last = end if end is not None else (await consumer.end_offsets([partition]))[partition]
            if since is not None:
                found = (await consumer.offsets_for_times({partition: max(since, 0)})).get(partition)
                start = last if found is None else found.offset
            position = max(begin, start)
            if position >= last:
                return
            consumer.assign([partition])
            consumer.seek(partition, position)
            barren = 0
            while position < last:
                came = await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
                records = came.get(partition, ())
                barren = 0 if records else barren + 1
                # Where no end is given, what was fetched is given out in full: the embedded broker takes the
                # first record of the last batch for the last one, which others of its batch follow.
                if end is not None and records and records[-1].offset >= end:
                    records = [record for record in records if record.offset < end]
                if records:
                    yield records
                # the position passes over what is no record (compaction, transactions), too
                position = await consumer.position(partition)
                if barren > _PATIENCE:
                    raise TimeoutError(
                        f"{partition.topic}/{partition.partition} cannot be read beyond {position}"
                    )
            consumer.pause(partition)  # a consumer that is kept would go on fetching it

    async def end(self, partition: TopicPartition) -> int:
        """The offset after the last record, found by reading the last batch: the embedded broker names a smaller one.

        Raises:
            KafkaError, OSError: the partition cannot be read.
        """
        async with self._consumer() as consumer:
            begin = (await consumer.beginning_offsets([partition]))[partition]
            end: int = (await consumer.end_offsets([partition]))[partition]
            if end > begin:
                consumer.assign([partition])
                consumer.seek(partition, end - 1)
                for _ in range(_END_POLLS):  # a consumer that was kept may still wait for its last fetch
                    came = await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
                    end = max(end, await consumer.position(partition))
                    if came:
                        break
            return end


class TopicValues:
    """Reads topics in full, or a part of them by the broker's time."""

    def __init__(self, clients: ClientFactory) -> None:
        self._clients = clients
        self._reader = TopicReader(clients)

    async def values(
        self,
        topic: str,
        key: bytes | None = None,
        *,
        since: int | None = None,
        enough: Callable[[bytes], bool] = lambda value: False,
    ) -> list[bytes]:
        """The values of a topic's records; none if there is no such topic.

        Args:
            key: of the records; None for all.
            since: the broker took them at or after this instant, ms.
            enough: whether what follows a value on its partition is not wanted.
        """
        async with started(self._clients.reader()) as consumer:
            ids = (await consumer.partition_ids(topic))[topic]
        out = []
        for partition in sorted(ids):
            async for record in self._reader.read(TopicPartition(topic, partition), since=since):
                if record.value is None or key not in (None, record.key):
                    continue
                if enough(record.value):
                    break
                out.append(record.value)
        return out
