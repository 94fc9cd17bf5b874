"""How are records read without an object of eleven fields for each: as aiokafka's parser makes them, in whole batches?

``getmany`` builds a ``ConsumerRecord`` of eleven fields for each record, one call after another: more work than all
that ingest does with an event. Offset, timestamp and value stand on the parser's own records already. Fetching,
positions, checksums and transactions stay aiokafka's; only the order in which a request names partitions is ours.

This module changes attributes of aiokafka's fetcher. If the installed aiokafka lacks them, ``getmany`` stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.errors import CorruptRecordException

__all__ = ["RawResult", "give_raw_records", "longest_waiting_first"]


def give_raw_records(consumer: AIOKafkaConsumer) -> bool:
    """Let a started consumer's ``getmany`` give the parser's records; False if this aiokafka cannot.

    They have ``offset``, ``timestamp``, ``key``, ``value`` and ``headers`` as the others have. Nothing may have been
    fetched yet; the consumer must not be iterated over, nor asked for single records.
    """
    fetcher: Any = getattr(consumer, "_fetcher", None)
    known = hasattr(fetcher, "_records") and hasattr(fetcher, "_proc_fetch_request")
    if not known or not hasattr(aiokafka_fetcher, "FetchResult"):
        return False
    fetch: Callable[..., Any] = fetcher._proc_fetch_request
    came_at: dict[
        TopicPartition, int
    ] = {}  # the number of the answer that last brought records of a partition
    answers = count(1)

    async def fetch_raw(assignment: Any, node: Any, request: Any) -> Any:
        longest_waiting_first(request.topics, came_at)
        came = await fetch(assignment, node, request)
        answer = next(answers)
        # No consumer has read these results yet: the fetcher announces them only after this coroutine returns.
        for partition, result in fetcher._records.items():
            if type(result) is aiokafka_fetcher.FetchResult and "getall" not in vars(result):
                result.getall = RawResult(result).getall
                came_at[partition] = answer
        return came

    fetcher._proc_fetch_request = fetch_raw
    return True


def longest_waiting_first(
    topics: list[tuple[str, list[tuple[int, int, int]]]], came_at: Mapping[TopicPartition, int]
) -> None:
    """Put the partitions first, in place, of which no records have come for the longest time.

    A broker fills its answer in the order of the request, until the answer is full or its time is over; the rest comes
    empty. aiokafka's order is by chance, so that a partition can be passed over for seconds, which holds all back.

    Args:
        topics: (topic, [(partition, offset, bytes)]) of a request.
        came_at: when records of a partition came last, as a number that grows.
    """
    for topic, partitions in topics:
        partitions.sort(key=lambda one: came_at.get(TopicPartition(topic, one[0]), 0))
    topics.sort(key=lambda one: came_at.get(TopicPartition(one[0], one[1][0][0]), 0))


class RawResult:
    """What was fetched of one partition; ``getall`` stands for that of aiokafka's ``FetchResult``."""

    def __init__(self, result: Any) -> None:
        self._result = result
        # of the batch that was given out last: what is left of it, and the offset behind it
        self._rest: list[Any] = []
        self._behind: int | None = None
        self._broken = False

    def getall(self, max_records: int | None = None) -> list[Any]:
        """The next records, at most ``max_records``; the consumer's position moves behind them.

        Raises:
            CorruptRecordException: the checksum of a batch is wrong.
        """
        result = self._result
        if not result.check_assignment(result._topic_partition) or not result.has_more():
            return []
        found = result._partition_records
        if self._broken:
            result._partition_records = None
            return []
        out, self._rest = self._rest, []
        if self._behind is not None:
            found.next_fetch_offset, self._behind = self._behind, None
        while max_records is None or len(out) < max_records:
            try:
                batch = self._next_batch(found)
            except Exception:
                self._broken = True  # the position has not moved: all of this is fetched again
                raise
            if batch is None:
                result._update_position()
                result._partition_records = None
                return out
            out += batch
        out, self._rest = out[:max_records], out[max_records:]
        self._behind, found.next_fetch_offset = found.next_fetch_offset, out[-1].offset + 1
        result._update_position()
        return out

    def _next_batch(self, found: Any) -> list[Any] | None:
        """The records of the next batch, none of what holds none for us; None at the end."""
        if not found._records.has_next():
            return None
        batch = found._records.next_batch()
        if found._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {found._tp}")
        if self._is_to_be_skipped(found, batch):
            found.next_fetch_offset = batch.next_offset
            return []
        records = list(batch)
        if records and records[0].offset < found.next_fetch_offset:
            # of a compressed batch all come, wherever in it the position was
            records = [record for record in records if record.offset >= found.next_fetch_offset]
        # the last offset stays the batch's even where compaction has removed the record
        found.next_fetch_offset = batch.next_offset
        return records

    def _is_to_be_skipped(self, found: Any, batch: Any) -> bool:
        """Whether a batch is of an aborted transaction, or only marks the end of one."""
        committed_only = found._isolation_level == aiokafka_fetcher.READ_COMMITTED
        if committed_only and batch.producer_id is not None:
            found._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and found._contains_abort_marker(batch):
                found._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in found._aborted_producers:
                return True
        return bool(batch.is_control_batch)
