"""Reading a topic back: from where it begins, or from an instant, to where it ends now."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.clients import Backoff, ClientFactory, started
from streams.runtime.clocks import REAL_TIMING, Timing

__all__ = ["TopicReader"]

log = structlog.get_logger(__name__)

_POLL_MS = 500
_MAX_RECORDS = 20_000
_PATIENCE = 120  # polls without a record before the end is reached: the rest cannot be fetched
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds, of the backoff


class TopicReader:
    """Reads partitions back, each with a consumer of its own.

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

    async def read(
        self,
        place: TopicPartition,
        *,
        start: int = 0,
        since: int | None = None,
        end: int | None = None,
    ) -> AsyncIterator[Any]:
        """The records of a partition, with ``offset``, ``timestamp``, ``key``, ``value`` and ``headers``.

        Args:
            place: the topic and partition.
            start: the first offset.
            since: instead: the first record that the broker took at or after this instant, ms.
            end: the first offset that is not read, which must exist or be the next; by default it is read to where
                the partition ends now, and perhaps a little further.

        Raises:
            KafkaError, OSError: it cannot be read, and the reader is not patient.
        """
        async for records in self.batches(place, start=start, since=since, end=end):
            for record in records:
                yield record

    async def batches(
        self,
        place: TopicPartition,
        *,
        start: int = 0,
        since: int | None = None,
        end: int | None = None,
    ) -> AsyncIterator[Sequence[Any]]:
        """The same, as many at a time as have come; none of them is empty."""
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT, self._timing)
        while True:
            try:
                async for records in self._batches(place, start, since, end):
                    start, since = records[-1].offset + 1, None
                    backoff.succeeded()
                    yield records
                return
            except (KafkaError, OSError) as error:  # TimeoutError is an OSError
                if not self._patient:
                    raise
                wait = backoff.failed()
                log.warning("topic_read_failed", topic=place.topic, error=repr(error), retry_in_seconds=wait)
            await backoff.wait()

    async def _batches(
        self, place: TopicPartition, start: int, since: int | None, end: int | None
    ) -> AsyncIterator[Sequence[Any]]:
        async with started(self._clients.reader()) as consumer:
            begin = (await consumer.beginning_offsets([place]))[place]
            last = end if end is not None else (await consumer.end_offsets([place]))[place]
            if since is not None:
                found = (await consumer.offsets_for_times({place: max(since, 0)})).get(place)
                start = last if found is None else found.offset
            position = max(begin, start)
            if position >= last:
                return
            consumer.assign([place])
            consumer.seek(place, position)
            barren = 0
            while position < last:
                came = await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
                records = came.get(place, ())
                barren = 0 if records else barren + 1
                # Where no end is given, what was fetched is given out in full: the embedded broker takes the
                # first record of the last batch for the last one, which others of its batch follow.
                if end is not None and records and records[-1].offset >= end:
                    records = [record for record in records if record.offset < end]
                if records:
                    yield records
                # the position passes over what is no record (compaction, transactions), too
                position = await consumer.position(place)
                if barren > _PATIENCE:
                    raise TimeoutError(f"{place.topic}/{place.partition} cannot be read beyond {position}")

    async def end(self, place: TopicPartition) -> int:
        """The offset after the last record, as the log itself says; see ``read`` for why a broker may say less.

        Raises:
            KafkaError: it cannot be read.
        """
        async with started(self._clients.reader()) as consumer:
            begin = (await consumer.beginning_offsets([place]))[place]
            end: int = (await consumer.end_offsets([place]))[place]
            if end > begin:
                consumer.assign([place])
                consumer.seek(place, end - 1)
                await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
                end = max(end, await consumer.position(place))
            return end
