"""How do login events become segments: in which loop, and in which order of writes?

One consumer reads the input topic in batches; each input partition has a fold (``partition_task``).

Everything that ingest writes is a pure function of the log (``blocks``), so a restart, a second worker or a repeated
write changes nothing. The order of writes is what makes a restart safe:

1. rejected records, and the last records of finished blocks with their tallies,
2. the resume record of the open block: from now on a restart begins there,
3. the open block,
4. marks and the frontier, which let the evaluation move on,
5. the committed offset, for people who look at the group's lag.

While one flush is written, the next records are folded; their flush is written after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, UnsupportedCodecError
from mode import Service

from detectors.instants import format_instant
from detectors.policy.policy import Policy
from streams.aggregate.acceptance import Rules
from streams.ingest.fetch_monitor import FetchMonitor, FetchStatus
from streams.ingest.input_health import InputHealth
from streams.ingest.partition_claim import PartitionClaim
from streams.ingest.partition_task import PartitionTask
from streams.ingest.read_report import ReadReport
from streams.ingest.rejected_copies import RejectedCopies
from streams.ingest.rejections import Rejections
from streams.ingest.settings import IngestSettings
from streams.ingest.waits.fetching import gather, let_fetch
from streams.ingest.waits.flush_time import FlushTime
from streams.ingest.waits.schema_wait import SchemaWait
from streams.ingest.writes import Flush
from streams.kafka.clients import Backoff, ClientFactory, Consumer
from streams.kafka.producer import BatchProducer
from streams.kafka.topic_reader import TopicReader
from streams.records.reading import OwnRecords
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.clocks import Timing
from streams.runtime.progress import Progress
from streams.segments.input_partition import InputPartition

__all__ = ["Ingest"]

log = structlog.get_logger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds, of the backoff
_COMMIT_SECONDS = 10.0
#: A consumer that lived for so long was well; one that fails sooner, by a denied right, waits longer each time.
_WENT_WELL_SECONDS = 30.0
_MAX_RECORDS = 10_000  # folded in one turn of the event loop
_MAX_MAPPED = 1_000  # of them where records are mapped, which takes ten times as long
_STOP_SECONDS = 5.0  # for the last flush
_UNFETCHED_SECONDS = 5.0  # without an answer to a fetch; a silent partition is answered twenty times a second
_LOG_APPEND_TIME = 1
#: An answer may have been on its way for so long before it was seen, seconds.
_ON_THE_WAY = 2.0
#: A flush that takes longer says that the broker as a whole was away.
_SLOW_FLUSH_SECONDS = 5.0


class Ingest(Service):
    """The service that folds the input topic.

    Args:
        settings: how ingest runs.
        policy: gives the numbers of acceptance; ingest never judges.
        producer: writes the records.
        timing: time, sleep (of real time) and chance.
        fail: called with the exception after which ingest cannot go on.
        clients: makes the consumers.
        time: learns the broker's time from the records that are read; it must go by the monotonic time of ``timing``.
        records: what is done with records of our own topics that cannot be read.
        health: is told what became of the records of each input.
        progress: is told which partitions are not read to their ends, and when most of what is read is rejected.
    """

    def __init__(
        self,
        settings: IngestSettings,
        policy: Policy,
        producer: BatchProducer,
        timing: Timing,
        fail: Callable[[BaseException], None],
        *,
        clients: ClientFactory,
        time: BrokerClock | None = None,
        records: OwnRecords | None = None,
        progress: Progress | None = None,
        health: InputHealth | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._fail = fail
        self._settings = settings
        self._policy = policy
        self._producer = producer
        self._clock = timing.clock
        self._clients = clients
        self._timing = timing
        self._reader = TopicReader(clients, patient=True, timing=timing)
        rules = Rules.of(policy, settings.pace)
        self._copies = RejectedCopies(settings.topics, rules, producer, self._reader, settings.source_of)
        mapped = any(one.mappings for one in settings.inputs)
        self._most = _MAX_MAPPED if mapped else _MAX_RECORDS
        self._claims = PartitionClaim(settings, policy, producer, self._reader, timing.clock, records=records)
        self._partitions: dict[TopicPartition, PartitionTask] = {}
        self._assigned: set[TopicPartition] = set()
        self._generation = -1
        self._flushes = FlushTime(policy, timing, settings.pace)
        self._writing: asyncio.Task[None] | None = None
        self._monitor = FetchMonitor(timing.monotonic, timing.wall)
        self._time = time
        progress = Progress(timing.monotonic) if progress is None else progress
        self._report = ReadReport(progress, timing.monotonic, settings.known_as)
        self._schemas = SchemaWait(settings, self._report, timing)
        self._rejections = Rejections(progress, timing.monotonic, settings.pace)
        self._health = health or InputHealth(list(settings.sources()), timing.monotonic, policy)
        self._waits_since: dict[TopicPartition, float] = {}
        self._ended = asyncio.Event()
        self.polled_at = 0.0
        self.folded = 0

    @property
    def assigned(self) -> bool:
        """Whether every partition that was assigned is being folded."""
        return self._generation >= 0 and self._assigned == set(self._partitions)

    @property
    def lost(self) -> int:
        """Events that retention removed before they were read, since this process started."""
        return self._claims.lost

    @property
    def rejected_share(self) -> float:
        """The share of the records of the last minute that were rejected; 0 where there were too few."""
        return self._rejections.share

    def producer_lags(self) -> dict[InputPartition, int]:
        """How far the newest event of each partition was behind the broker's clock, ms."""
        lags = {
            self._settings.known_as(partition): task.fold.acceptance.producer_lag()
            for partition, task in self._partitions.items()
        }
        return {partition: lag for partition, lag in lags.items() if lag is not None}

    def unfetched(self) -> str | None:
        """Which partitions cannot be fetched though the broker answers, in words; None if all can."""
        # One that is still being claimed has not been asked for yet.
        late = [one for one in self._monitor.unanswered(_UNFETCHED_SECONDS) if one in self._partitions]
        if not late:
            return None
        first = late[0].topic
        numbers = ", ".join(str(partition.partition) for partition in late if partition.topic == first)
        return f"partition {numbers} of {first} cannot be fetched"

    # -- the loop ---------------------------------------------------------------------------------------------

    @Service.task
    async def _watch_the_log(self) -> None:
        try:
            await self._follow()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._fail(error)
        finally:
            self._ended.set()

    async def on_stop(self) -> None:
        """Let the loop finish its batch, flush and commit."""
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._ended.wait()
        except TimeoutError:
            log.warning("ingest_flush_timed_out", consequence="the next owner reads the records again")

    async def _follow(self) -> None:
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT, self._timing)
        while not self.should_stop:
            began = self._timing.monotonic()
            consumer = self._clients.group_member(self._settings.group, self._settings.session_ms)
            try:
                await consumer.start()
                consumer.subscribe([*self._settings.sources()], listener=_Listener(self, consumer))
                await self._rounds(consumer)
            except (KafkaError, OSError) as error:
                if self._timing.monotonic() - began >= _WENT_WELL_SECONDS:
                    backoff.succeeded()
                if isinstance(error, CorruptRecordException | UnsupportedCodecError):
                    self._report.failed(error)
                log.warning("broker_unavailable", error=repr(error), retry_in_seconds=backoff.failed())
                await self.wait(backoff.wait())  # or until the service stops
            finally:
                self._partitions.clear()
                self._assigned = set()
                self._report.assigned(())
                await self._copies.close()
                await self._schemas.close()
                await consumer.stop()

    async def _rounds(self, consumer: Consumer) -> None:
        try:
            while not self.should_stop:
                await self._claim_missing(consumer)
                poll = self._flushes.poll_ms(self._partitions.values())
                batches = await consumer.getmany(timeout_ms=poll, max_records=self._most)
                self.polled_at = self._timing.monotonic()
                if batches:
                    await let_fetch()
                for partition, records in batches.items():
                    self._take(consumer, partition, records)
                if self._flushes.is_due(self._partitions.values(), self.folded):
                    await asyncio.sleep(0)  # a backlog's fold and its flush hold the loop up for long
                    await self._flush(consumer)
                await gather(batches)
            await self._flush(consumer)
            await self._written()
        finally:
            await self._leave_unwritten()

    def _take(self, consumer: Consumer, partition: TopicPartition, records: list[Any]) -> None:
        task = self._partitions.get(partition)
        if task is None or not records:
            return  # fetched before the fold was ready: the consumer has been put to the fold's own offset since
        if not task.follows(records[0].offset) or self._schemas.holds(consumer, partition, records):
            consumer.seek(partition, task.fold.next_offset)
            return
        self._note_time(partition, records[-1])
        folded = task.take(records, self._clock())
        self._rejections.note(partition, folded)
        self._health.note(partition.topic, folded)
        self.folded += len(records)

    def _note_time(self, partition: TopicPartition, record: Any) -> None:
        """Note the broker's time from a record that was just read, where the broker has stamped it."""
        if self._time is not None and getattr(record, "timestamp_type", None) == _LOG_APPEND_TIME:
            self._time.note(record.timestamp, after=self._waits_since.get(partition))

    # -- writing ----------------------------------------------------------------------------------------------

    async def _flush(self, consumer: Consumer) -> None:
        """Begin to write what was folded, after the flush before has been written."""
        await self._written()
        self._flushes.begin(self._partitions.values(), self.folded)
        now = self._clock()
        flush = Flush()
        assigned = consumer.assignment()
        for partition, task in self._partitions.items():  # no await before everything is taken
            task.flush(flush, now, self._fetch_status(consumer, partition) if partition in assigned else None)
        self._rejections.look()
        starts = {partition: task.fold.block.start for partition, task in self._partitions.items()}
        if flush.rejected or any(flush.batches()):
            self._writing = asyncio.create_task(self._write(consumer, flush, starts))

    async def _write(self, consumer: Consumer, flush: Flush, starts: dict[TopicPartition, int]) -> None:
        began = self._timing.monotonic()
        await self._copies.write(flush.rejected, self._gives_up)
        for records in flush.batches(self._copies.missing_from):
            await self._producer.write(records, give_up=self._gives_up)
        if flush.resumes:
            await self._commit(consumer, starts)
        if self._timing.monotonic() - began > _SLOW_FLUSH_SECONDS:
            self._monitor.broker_was_away()

    async def _written(self) -> None:
        """Wait until nothing is being written.

        Raises:
            KafkaError, OSError: the broker does not take the records, and the service stops.
            LeaseLost: this worker may not write any more.
        """
        if self._writing is not None:
            await self._writing
            self._writing = None

    async def _leave_unwritten(self) -> None:
        """Stop writing: the next owner begins where the written records end."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None

    def _fetch_status(self, consumer: Consumer, partition: TopicPartition) -> FetchStatus:
        status = self._monitor.status(partition, consumer)
        self._report.look(partition, status)
        self._waits_since.pop(partition, None)
        if status.at_end and not status.held_back and status.answered is not None:
            # What comes next was appended after the broker had answered.
            self._waits_since[partition] = self._timing.monotonic() - status.answered / 1_000 - _ON_THE_WAY
        return status

    def _gives_up(self) -> bool:
        return bool(self.should_stop)

    async def _commit(self, consumer: Consumer, starts: dict[TopicPartition, int]) -> None:
        assigned = consumer.assignment()
        starts = {partition: start for partition, start in starts.items() if partition in assigned}
        if not starts:  # a rebalance has taken all of them meanwhile; a commit of nothing is an error
            return
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                await consumer.commit(starts)
        except (KafkaError, TimeoutError) as error:
            # The resume records are what a restart goes by; the group's offsets are for people.
            log.info("offset_commit_failed", error=repr(error))

    # -- claiming partitions ----------------------------------------------------------------------------------

    def rebalanced(self, consumer: Consumer, assigned: set[TopicPartition]) -> None:
        """Keep the folds of partitions that stayed here without a break, and forget the others."""
        generation = consumer.generation
        unbroken = generation == self._generation + 1
        self._generation = generation
        self._assigned = set(assigned)
        self._monitor.assigned(assigned)
        self._report.assigned(assigned)
        self._partitions = {p: task for p, task in self._partitions.items() if unbroken and p in assigned}
        self._copies.keep({self._settings.known_as(partition) for partition in self._partitions})
        for partition, task in self._partitions.items():
            # Each rebalance puts the position back to the committed offset.
            consumer.seek(partition, task.fold.next_offset)
        log.info(
            "partitions_assigned",
            generation=generation,
            assigned=self._names(assigned),
            kept=self._names(self._partitions),
        )

    def _names(self, partitions: Iterable[TopicPartition]) -> list[InputPartition]:
        return sorted((self._settings.known_as(one) for one in partitions), key=str)

    async def _claim_missing(self, consumer: Consumer) -> None:
        missing = sorted(self._assigned - set(self._partitions))
        if not missing:
            return
        for partition in missing:
            self._report.waits(partition)
        await (
            self._written()
        )  # a claim reads what this worker may be writing of a partition that has come back
        async with self._reader.kept():
            failures = await asyncio.gather(
                *(self._claim(consumer, partition) for partition in missing), return_exceptions=True
            )
        for failure in failures:
            if failure is not None:
                raise failure

    async def _claim(self, consumer: Consumer, partition: TopicPartition) -> None:
        generation = self._generation
        destination = await self._claims.destination(consumer, partition)
        claimed = await self._claims.claim(
            consumer, partition, generation, destination, lambda: self._monitor.answered(partition)
        )
        if generation != self._generation or partition not in self._assigned:
            return  # somebody else may have owned it meanwhile
        self._partitions[partition] = PartitionTask(claimed, self._policy, self._clock(), self._settings.pace)
        self._monitor.answered(partition)
        fold = claimed.fold
        self._copies.claimed(fold.partition, claimed.rejected_from, fold.next_offset)
        consumer.seek(partition, fold.next_offset)
        log.info(
            "partition_claimed",
            partition=fold.partition,
            offset=fold.next_offset,
            watermark=_instant(fold.acceptance.watermark()),
        )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells ingest which partitions are its own."""

    def __init__(self, ingest: Ingest, consumer: Consumer) -> None:
        self._ingest = ingest
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Do nothing: the next owner folds again what was folded and not written."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Keep the folds of partitions that stayed here without a break, and forget the others."""
        self._ingest.rebalanced(self._consumer, assigned)


def _instant(at: int | None) -> str | None:
    return None if at is None else format_instant(at)
