"""Login events in, segments out: one consumer in batches, one fold for each input partition.

All that is written is a pure function of the log (``blocks``), so a restart, a second worker or a repeated write
changes nothing. The order of writes is what makes a restart safe:

1. rejected records and the last records of finished blocks,
2. the resume record of the open block: from now on a restart begins there,
3. the open block,
4. the frontier, which lets the evaluation move on,
5. the committed offset, for people who look at the group's lag.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from detectors.incidents import IncidentInput
from detectors.instants import DAY, format_instant
from detectors.policy import Policy
from detectors.scopes import ENVS
from streams.blocks import Block, BlockFold, Record
from streams.events import Rejection
from streams.outlet import Out, Outlet
from streams.partition import Rules
from streams.reader import Reader
from streams.records import encode_input
from streams.rejected import rejected_record
from streams.segments import (
    BLOCK_OFFSETS,
    Frontier,
    Resume,
    Tally,
    decode,
    encode,
    frontier_key,
    resume_key,
    segment_key,
)
from streams.topics import Topics, env_partition

__all__ = ["Ingest", "IngestSettings", "Start"]

log = structlog.get_logger(__name__)

#: "earliest", "latest", or an instant (ms); None for one retention back
Start = str | int | None

_POLL_MS = 100
_FLUSH_SECONDS = 0.2
_COMMIT_SECONDS = 10.0
_MAX_RECORDS = 20_000
_METADATA_MS = 15_000  # a partition that is added is found within this


@dataclass(frozen=True)
class IngestSettings:
    """How ingest runs.

    Attributes:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        topics: their names.
        group: the consumer group.
        partitions: of the internal topics.
        session_ms: after so long without a heartbeat a worker's partitions are given to another.
        start: where to begin without a resume record.
        pace: how many times faster than real time the clock runs; waits that stand for delivery grow with it.
    """

    kafka: dict[str, Any]
    topics: Topics
    group: str
    partitions: int
    session_ms: int = 10_000
    start: Start = None
    pace: float = 1.0


class _Open:
    """An assigned partition: its fold and what has not been written yet."""

    def __init__(self, fold: BlockFold) -> None:
        self.fold = fold
        self.rejected: list[Out] = []
        self.resumed: Resume | None = None
        self.gap: int | None = None
        self.heard_at = 0  # the clock when its last record came
        self.newest: int | None = None  # Kafka timestamp of the last record read
        self.at_end = False
        self.marked = ""
        self.told: tuple[int, int | None, str] | None = None
        self.told_at = 0


class LogReplaced(Exception):
    """The input topic is not the one that was read before. The message says what to do."""


class Ingest(Service):
    """The service that folds the input topic.

    Args:
        settings: how it runs.
        policy: of which it uses the numbers of acceptance, never a judgement.
        outlet: where it writes.
        clock: ms since the epoch.
        fail: called with what makes going on impossible.
    """

    def __init__(
        self,
        settings: IngestSettings,
        policy: Policy,
        outlet: Outlet,
        clock: Callable[[], int],
        fail: Callable[[BaseException], None],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._fail = fail
        self._settings = settings
        self._policy = policy
        self._rules = Rules.of(policy, settings.pace)
        self._outlet = outlet
        self._clock = clock
        self._open: dict[TopicPartition, _Open] = {}
        self._assigned: set[TopicPartition] = set()
        self._generation = -1
        self._flushed_at = 0.0
        self._segment_partitions = settings.partitions
        self._input_partitions = 0
        self._state_partitions = 1
        self._reader = Reader(settings.kafka)
        self.polled_at = 0.0
        self.folded = 0
        self.lost = 0

    @property
    def assigned(self) -> bool:
        """Whether every partition that was assigned is being folded."""
        return self._generation >= 0 and self._assigned == set(self._open)

    # -- the loop ---------------------------------------------------------------------------------------------

    @Service.task
    async def _watch_the_log(self) -> None:
        try:
            await self._follow()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._fail(error)

    async def _follow(self) -> None:
        wait = 0.5
        while not self.should_stop:
            consumer = AIOKafkaConsumer(
                **self._settings.kafka,
                group_id=self._settings.group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                session_timeout_ms=self._settings.session_ms,
                heartbeat_interval_ms=max(500, self._settings.session_ms // 5),
                max_partition_fetch_bytes=4 << 20,
                metadata_max_age_ms=_METADATA_MS,
            )
            try:
                await consumer.start()
                wait = 0.5
                consumer.subscribe([self._settings.topics.login_events], listener=_Listener(self, consumer))
                await self._rounds(consumer)
            except (KafkaError, OSError) as error:
                log.warning("broker_away", error=repr(error), retry_in_seconds=wait)
                await self.sleep(wait)
                wait = min(2 * wait, 10.0)
            finally:
                self._open.clear()
                self._assigned = set()
                await consumer.stop()

    async def _rounds(self, consumer: AIOKafkaConsumer) -> None:
        while not self.should_stop:
            missing = self._assigned - set(self._open)
            await asyncio.gather(*(self._begin(consumer, partition) for partition in missing))
            batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
            self.polled_at = asyncio.get_running_loop().time()
            for partition, records in batches.items():
                self._take(consumer, partition, records)
            self._look_for_silence(consumer)
            if asyncio.get_running_loop().time() - self._flushed_at >= _FLUSH_SECONDS:
                await self._flush(consumer)
        await self._flush(consumer)

    def _take(self, consumer: AIOKafkaConsumer, partition: TopicPartition, records: list[Any]) -> None:
        opened = self._open.get(partition)
        if opened is None or not records:
            return  # from a position that was set before the fold was ready: it is read again from its own
        fold = opened.fold
        first = records[0].offset
        if first < fold.next_offset or (first > fold.next_offset and opened.gap != first):
            # A batch from before the seek; or a real gap (compaction, transactions), which comes again.
            opened.gap = first
            consumer.seek(partition, fold.next_offset)
            return
        opened.gap = None
        for record, refused in fold.fold_many(records):
            opened.rejected.append(self._rejected(partition, record, refused))
        self.folded += len(records)
        opened.heard_at = self._clock()
        opened.newest = records[-1].timestamp
        opened.marked = ""

    def _rejected(self, partition: TopicPartition, record: Any, refused: Rejection) -> Out:
        aside = rejected_record(
            partition.topic, partition.partition, record.offset, record.value, refused.reason
        )
        return Out(self._settings.topics.rejected, aside.key, aside.value, None, aside.headers)

    # -- silence ----------------------------------------------------------------------------------------------

    def _look_for_silence(self, consumer: AIOKafkaConsumer) -> None:
        """Put marks where the clock must stand in for events."""
        now = self._clock()
        pace = self._settings.pace
        for partition, opened in self._open.items():
            end = consumer.highwater(partition)
            opened.at_end = end is not None and opened.fold.next_offset >= end
            if not opened.at_end:
                continue
            reached = opened.fold.acceptance.watermark()
            delay = round(self._policy.watermark_delay * pace)
            if now - opened.heard_at >= self._policy.idle_after * pace:
                reason = "idle"
            elif reached is not None and now - delay - reached > self._policy.skew_after * pace:
                reason = "skew"
            else:
                continue
            # One mark a second: a resume record and a block come with each.
            if reached is None or now - delay - reached >= 1000 * pace:
                opened.fold.put_mark(now - delay)
                opened.marked = reason

    # -- writing ----------------------------------------------------------------------------------------------

    async def _flush(self, consumer: AIOKafkaConsumer) -> None:
        self._flushed_at = asyncio.get_running_loop().time()
        now = self._clock()
        topics = self._settings.topics
        finished: list[Out] = []
        resumes: list[Out] = []
        growing: list[Out] = []
        frontiers: list[Out] = []
        # No await before everything is taken: segments and frontier must be of one instant.
        for partition, opened in self._open.items():
            fold = opened.fold
            told = (fold.next_offset, fold.acceptance.watermark(), opened.marked)
            closed = fold.take_closed()
            if told == opened.told and not closed and now - opened.told_at < 1000 * self._settings.pace:
                continue
            finished += opened.rejected
            opened.rejected = []
            tallies: list[Tally] = []
            for block in closed:
                finished += self._segments(fold, block)
                tallies.append(block.tally)
            resume = fold.resume_record(self._generation)
            if resume != opened.resumed:
                resumes.append(
                    Out(
                        topics.ingest_state,
                        resume_key(partition.partition),
                        encode(resume),
                        self._state_partition(partition),
                    )
                )
                opened.resumed = resume
            growing += self._segments(fold, fold.block)
            if fold.block.tally.records:
                tallies.append(fold.block.tally)
            frontier = Frontier(
                partition.partition,
                self._input_partitions,
                self._generation,
                fold.next_offset,
                fold.acceptance.watermark(),
                opened.marked,
                None if opened.at_end else opened.newest,
                now,
                tallies,
            )
            value = encode(frontier)
            mark_at = fold.next_offset if opened.marked else None
            frontiers += self._frontiers(partition, value, mark_at)
            opened.told, opened.told_at = told, now
        give_up = self._lost_or_stopping
        for records in (finished, resumes, growing, frontiers):
            await self._outlet.write(records, give_up=give_up)
        if resumes:
            await self._commit(consumer)

    def _lost_or_stopping(self) -> bool:
        return bool(self.should_stop)

    def _segments(self, fold: BlockFold, block: Block) -> list[Out]:
        return [
            Out(
                self._settings.topics.segments,
                segment_key(segment.partition, segment.block, segment.env),
                encode(segment),
                env_partition(segment.env, self._segment_partitions),
            )
            for segment in fold.segments(block)
        ]

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        starts = {
            partition: opened.fold.block.start
            for partition, opened in self._open.items()
            if partition in consumer.assignment()
        }
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await consumer.commit(starts)
        except (KafkaError, TimeoutError) as error:
            # The resume records are what a restart goes by; the group's offsets are for people.
            log.info("offsets_not_committed", error=repr(error))

    # -- beginning a partition --------------------------------------------------------------------------------

    async def _begin(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        cluster = await consumer._client.fetch_all_metadata()
        self._input_partitions = len(cluster.partitions_for_topic(partition.topic) or ())
        self._state_partitions = len(cluster.partitions_for_topic(self._settings.topics.ingest_state) or ())
        await self._announce(partition)
        begin = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        resume = await self._resume(partition)
        if resume is None:
            resume = await self._fresh(consumer, partition, begin, end)
        elif resume.start > end and resume.start > (end := await self._reader.end(partition)):
            raise LogReplaced(
                f"{partition.topic}/{partition.partition} ends at offset {end}, but {resume.start} was read before: "
                "the topic was made anew. Give the deployment a new WATCHOFFICER_TOPIC_PREFIX for its own topics."
            )
        elif resume.start < begin:
            await self._say_lost(partition, resume.start, begin)
            resume = msgspec.structs.replace(
                resume, start=begin, read_from=begin, greatest_there=resume.greatest
            )
        fold = BlockFold(partition.partition, self._rules, resume)
        async for record in self._reader.read(partition, start=resume.read_from, end=resume.start):
            fold.read_back(Record(record.offset, record.timestamp, record.value))
        fold.ready(whole=begin <= resume.read_from)
        if partition not in self._assigned:
            return
        opened = _Open(fold)
        opened.heard_at = self._clock()
        self._open[partition] = opened
        consumer.seek(partition, fold.next_offset)
        log.info(
            "partition_begun",
            partition=partition.partition,
            offset=fold.next_offset,
            watermark=_instant(fold.acceptance.watermark()),
        )

    async def _say_lost(self, partition: TopicPartition, expected: int, begin: int) -> None:
        """Tell people that events were removed before they were read: in the log, in a metric, in an incident."""
        self.lost += begin - expected
        log.error("events_lost", partition=partition.partition, expected_offset=expected, log_begins=begin)
        said = IncidentInput(
            id=f"lost:{partition.topic}:{partition.partition}:{expected}-{begin}",
            env=ENVS[0],
            kind="declare",
            scope=ENVS[0],
            by="watchofficer",
            text=(
                f"{begin - expected} login events (offsets {expected} to {begin - 1} of {partition.topic}/"
                f"{partition.partition}) were removed by retention before they were read: an outage in them "
                "would not have been seen."
            ),
            at=self._clock(),
        )
        place = env_partition(said.env, self._settings.partitions)
        await self._outlet.write(
            [Out(self._settings.topics.inputs, said.env.encode(), encode_input(said), place)]
        )

    async def _announce(self, partition: TopicPartition) -> None:
        """Say that the partition has a new owner.

        From here on the marks of former owners are ignored. Those that count were written to `ingest-state` before,
        so the resume record that is read next knows them all.
        """
        announced = Frontier(
            partition.partition,
            self._input_partitions,
            self._generation,
            -1,
            None,
            "",
            None,
            self._clock(),
            [],
        )
        await self._outlet.write(self._frontiers(partition, encode(announced), None))

    def _frontiers(self, partition: TopicPartition, value: bytes, mark_at: int | None) -> list[Out]:
        key = frontier_key(partition.partition, mark_at)
        return [
            Out(self._settings.topics.segments, key, value, index)
            for index in range(self._segment_partitions)
        ]

    def _state_partition(self, partition: TopicPartition) -> int:
        """Where a partition's resume records are; the input may have got more partitions since the topic was made."""
        return int(partition.partition) % self._state_partitions

    async def _resume(self, input_partition: TopicPartition) -> Resume | None:
        """The last resume record of a partition, if there is one."""
        topic = self._settings.topics.ingest_state
        place = TopicPartition(topic, self._state_partition(input_partition))
        partition = int(input_partition.partition)
        found: Resume | None = None
        written = 0
        async for record in self._reader.read(place):
            if record.key != resume_key(partition) or record.value is None:
                continue
            resume = decode(record.value)
            if not isinstance(resume, Resume):
                continue
            # One of an older generation behind one of a newer is of a worker that had lost the partition; unless so
            # much later that the group itself was forgotten, and its generations began anew.
            forgotten = record.timestamp - written > DAY
            if found is None or resume.generation >= found.generation or forgotten:
                found, written = resume, record.timestamp
        return found

    async def _fresh(
        self, consumer: AIOKafkaConsumer, partition: TopicPartition, begin: int, end: int
    ) -> Resume:
        start = self._settings.start
        if start == "earliest":
            offset = begin
        elif start == "latest":
            offset = end
        else:
            at = self._clock() - self._policy.retention if start is None else int(start)
            found = (await consumer.offsets_for_times({partition: max(at, 0)})).get(partition)
            offset = end if found is None else found.offset
        offset = max(begin, offset - offset % BLOCK_OFFSETS)
        return Resume(
            partition.partition,
            self._generation,
            self._rules.step,
            BLOCK_OFFSETS,
            offset,
            None,
            None,
            None,
            offset,
            None,
        )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells ingest which partitions are its own."""

    def __init__(self, ingest: Ingest, consumer: AIOKafkaConsumer) -> None:
        self._ingest = ingest
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing is to be done: what was folded and not written is folded again by the next owner."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Keep the folds of partitions that stayed here without a break, and forget the others."""
        ingest = self._ingest
        generation = int(self._consumer._coordinator.generation)
        unbroken = generation == ingest._generation + 1
        ingest._generation = generation
        ingest._assigned = set(assigned)
        kept = {p: o for p, o in ingest._open.items() if unbroken and p in assigned}
        ingest._open = kept
        for partition, opened in kept.items():
            # Each rebalance puts the position back to the committed offset.
            self._consumer.seek(partition, opened.fold.next_offset)
        log.info(
            "partitions_assigned",
            generation=generation,
            assigned=sorted(p.partition for p in assigned),
            kept=sorted(p.partition for p in kept),
        )


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)
