"""How does each rejected record get its copy on ``login-events.rejected``, also if that topic takes none for a while?

A copy is written before the resume record moves beyond its original. Where the topic does not take it, ingest goes on,
and what was not confirmed is read from the input again later: none is kept in memory, and none is dropped. Until then
the resume record names the first offset whose copy is missing, so that the next owner goes on from there.

A copy may be written more than once; its key names the original.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.aggregate.acceptance import Rules
from streams.aggregate.batch import refused_in
from streams.aggregate.source import Source
from streams.events.rejected import rejected_record
from streams.ingest.blocks import RefusedRecord
from streams.ingest.waits.schema_wait import learned
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.runtime.clocks import REAL_TIMING
from streams.segments.input_partition import InputPartition, topic_and_number

__all__ = ["RejectedCopies", "RejectedCopy", "copy_of"]

log = structlog.get_logger(__name__)

#: For the acknowledgement ingest waits so long, seconds; then it goes on, and the copies are written later.
_PATIENCE = 5.0
#: Records of the input that are looked through before the event loop gets its turn.
_TURN = 500


class RejectedCopy(NamedTuple):
    """A copy that is to be written.

    Attributes:
        offset: of the original.
        record: the copy.
    """

    offset: int
    record: ProducerRecord


def copy_of(topics: Topics, partition: InputPartition, refused: RefusedRecord) -> RejectedCopy:
    """The copy of a rejected value of an input partition; of what a mapping made without any value of a field."""
    topic, number = topic_and_number(partition, topics.login_events)
    offset, place = refused.record.offset, None if isinstance(partition, int) else refused.place
    made = rejected_record(topic, number, offset, refused.value, refused.why, place=place)
    return RejectedCopy(offset, ProducerRecord(topics.rejected, made.key, made.value, None, made.headers))


@dataclass
class _Missing:
    """Offsets of an input partition that hold all whose copies are missing.

    Attributes:
        first: where they began.
        start: the first whose copy is missing.
        until: the offset after the last one.
    """

    first: int
    start: int
    until: int


class RejectedCopies:
    """Writes the copies of a worker, and knows which are missing.

    Args:
        topics: the names of the topics.
        rules: say which records are rejected.
        producer: writes the copies.
        reader: reads the input again; it waits for a broker that is away.
        source_of: topic -> what becomes of its records.
        patience: seconds for which ``write`` waits for the acknowledgement.
    """

    def __init__(
        self,
        topics: Topics,
        rules: Rules,
        producer: BatchProducer,
        reader: TopicReader,
        source_of: Callable[[str], Source] = lambda topic: Source(),
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._source_of = source_of
        self._topics = topics
        self._rules = rules
        self._producer = producer
        self._reader = reader
        self._patience = patience
        self._missing: dict[InputPartition, _Missing] = {}
        self._task: asyncio.Task[None] | None = None

    def missing_from(self, partition: InputPartition) -> int | None:
        """The first offset of an input partition whose copy is not confirmed; None where all are."""
        missing = self._missing.get(partition)
        return None if missing is None else missing.start

    def keep(self, partitions: Collection[InputPartition]) -> None:
        """Leave what is missing of all other input partitions to their next owners."""
        self._missing = {number: one for number, one in self._missing.items() if number in partitions}

    def claimed(self, partition: InputPartition, missing_from: int | None, until: int) -> None:
        """Write what former owners have left.

        Args:
            partition: the input partition.
            missing_from: as the resume record says.
            until: where this worker goes on.
        """
        if missing_from is not None and missing_from < until:
            log.info("rejected_copies_missing", partition=partition, offset=missing_from, until=until)
            self._miss(partition, missing_from, until)

    async def write(
        self,
        copies: Mapping[InputPartition, Sequence[RejectedCopy]],
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Write copies, and wait until the broker has acknowledged them, or does not take them.

        Args:
            copies: by input partition, those of each in the order of the offsets.
            give_up: asked while the broker is away; True ends the waiting.

        Raises:
            KafkaError, OSError: the broker is away, and ``give_up`` says so.
            LeaseLost: this worker may not write any more.
        """
        self._raise_what_failed()
        direct: dict[InputPartition, Sequence[RejectedCopy]] = {}
        for partition, some in copies.items():
            if self._missing and some:  # the topic takes none: these wait in the input
                self._miss(partition, some[0].offset, some[-1].offset + 1)
            elif some:
                direct[partition] = some
        if direct and not await self._took([one.record for some in direct.values() for one in some], give_up):
            for partition, some in direct.items():
                self._miss(partition, some[0].offset, some[-1].offset + 1)

    async def close(self) -> None:
        """Write no more: what is missing is the next owner's."""
        task, self._task = self._task, None
        self._missing.clear()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _took(self, records: list[ProducerRecord], give_up: Callable[[], bool]) -> bool:
        """Whether the broker has acknowledged the records. Raises as ``write`` does."""
        refused = False

        def refuse() -> None:
            nonlocal refused
            refused = True

        try:
            async with asyncio.timeout(self._patience):
                await self._producer.write(records, give_up=lambda: refused or give_up(), on_refusal=refuse)
        except (KafkaError, OSError):  # TimeoutError is an OSError
            if give_up() and not refused:
                raise
            return False
        return True

    def _miss(self, partition: InputPartition, start: int, until: int) -> None:
        """Offsets ``start`` to ``until`` are missing, beside those that are missing already."""
        known = self._missing.get(partition)
        if known is None:
            self._missing[partition] = _Missing(start, start, until)
        else:
            known.start, known.until = min(known.start, start), max(known.until, until)
        if self._task is None or self._task.done():
            self._raise_what_failed()
            self._task = asyncio.create_task(self._catch_up(), name="write rejected copies")

    def _raise_what_failed(self) -> None:
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()

    # -- reading the input again ------------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        """Write until nothing is missing."""
        while self._missing:
            partition, missing = next(iter(self._missing.items()))
            await self._write_missing(partition, missing)
            if self._missing.get(partition) is missing and missing.start >= missing.until:
                del self._missing[partition]
                log.info("rejected_copies_written", partition=partition, first=missing.first)

    async def _write_missing(self, partition: InputPartition, missing: _Missing) -> None:
        """Read on from the first offset that is missing, to the last that is missing now, and write the copies."""
        until, place = missing.until, TopicPartition(*topic_and_number(partition, self._topics.login_events))
        found = missing.start > missing.first
        async for records in self._reader.batches(place, start=missing.start, end=until):
            if not found and records[0].offset > missing.first:
                self._report_lost(partition, missing.first, records[0].offset)
            found = True
            for some in _parts(records):
                await self._learn_schemas(place.topic, some)
                copies = self._copies(partition, some)
                if copies:
                    await self._producer.write(copies)
                if self._missing.get(partition) is not missing:
                    return  # another worker's by now
                missing.start = max(missing.start, some[-1].offset + 1)
                await asyncio.sleep(0)
        if not found:
            self._report_lost(partition, missing.first, until)
        missing.start = max(missing.start, until)

    async def _learn_schemas(self, topic: str, records: Sequence[Any]) -> None:
        schemas = self._source_of(topic).schemas
        if schemas is not None:
            await learned(schemas, schemas.missing(one.value for one in records), REAL_TIMING)

    def _copies(self, partition: InputPartition, records: Sequence[Any]) -> list[ProducerRecord]:
        stamps = np.fromiter((one.timestamp for one in records), dtype=np.int64, count=len(records))
        offsets = np.fromiter((one.offset for one in records), dtype=np.int64, count=len(records))
        topic, number = topic_and_number(partition, self._topics.login_events)
        opened = self._source_of(topic).open([one.value for one in records], offsets, f"{topic}/{number}")
        refused = refused_in(self._rules, opened.values, stamps[opened.records()])
        found = [RefusedRecord(records[one.record], *one[1:]) for one in opened.rejected(refused)]
        return [copy_of(self._topics, partition, one).record for one in found]

    @staticmethod
    def _report_lost(partition: InputPartition, first: int, found: int) -> None:
        log.error(
            "rejected_copies_lost",
            partition=partition,
            expected_offset=first,
            found_offset=found,
            reason="retention has removed records before all copies of the rejected ones were confirmed",
        )


def _parts(records: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for begin in range(0, len(records), _TURN):
        yield records[begin : begin + _TURN]
