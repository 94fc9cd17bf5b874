"""Where does a new owner of an input partition go on, and what does it write before anything else?

A claim has five steps:

0. *Claimed* on `ingest-state`: a number to write under, greater than every one that is found there.
1. *Announced* on every partition of `sli-segments`: whatever a former owner writes from here on does not count there.
2. Read the resume record. What it names as done was acknowledged before it, so every reader of `sli-segments` has it.
3. Write the resume record again under the own number: a former owner's late record is of an older generation, and
   readers pass it over.
4. *Begun* on every partition of `sli-segments`, with the mark that was found: had the former owner died between writing
   the resume record and writing the mark, some environments would have been judged without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import structlog
from aiokafka import TopicPartition
from msgspec.structs import replace

from detectors.incidents import IncidentInput
from detectors.policy.policy import Policy
from detectors.scopes import ENVS
from streams.aggregate.acceptance import Rules
from streams.ingest.blocks import BlockFold, LogReplaced
from streams.ingest.input_changes import is_unchanged, knows
from streams.ingest.settings import IngestSettings
from streams.ingest.writes import Destination, to_all_partitions, to_ingest_state
from streams.kafka.clients import Consumer
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import env_partition
from streams.records.models import encode_input
from streams.records.reading import OwnRecords
from streams.segments.codec import BLOCK_OFFSETS, Frontier, Resume, Segment, decode, encode, owner_key
from streams.segments.fencing import Fencing
from streams.segments.input_partition import InputPartition

__all__ = ["ClaimedPartition", "PartitionClaim"]

log = structlog.get_logger(__name__)


class ClaimedPartition(NamedTuple):
    """An input partition that this worker has claimed.

    Attributes:
        partition: the topic and partition.
        destination: where its records are written.
        fold: at the offset where to go on.
        end: the last stable offset when it was claimed.
        generation: the number under which to write.
        rejected_from: the first offset before the fold's whose copy may be missing; None where all are there.
    """

    partition: TopicPartition
    destination: Destination
    fold: BlockFold
    end: int
    generation: int
    rejected_from: int | None = None


class _Found(NamedTuple):
    """What `ingest-state` says of a partition.

    Attributes:
        resume: the last resume record; None without one.
        written_at: the Kafka timestamp (ms) of the resume record.
        greatest: the greatest number under which somebody wrote, or claimed to.
        read_to: up to which offset this was read.
    """

    resume: Resume | None
    greatest: int
    read_to: int
    written_at: int = 0


class PartitionClaim:
    """Claims input partitions for this worker, by the steps above.

    Attributes:
        lost: events that retention removed before this process read them.

    Args:
        settings: how ingest runs.
        policy: gives the numbers of acceptance.
        producer: writes the records.
        reader: reads topics back.
        clock: ms since the epoch.
        records: what is done with records that cannot be read; they are only logged by default.
    """

    def __init__(
        self,
        settings: IngestSettings,
        policy: Policy,
        producer: BatchProducer,
        reader: TopicReader,
        clock: Callable[[], int],
        *,
        records: OwnRecords | None = None,
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._rules = Rules.of(policy, settings.pace)
        self._producer = producer
        self._reader = reader
        self._clock = clock
        self._records = records or OwnRecords(settings.topics)
        self.lost = 0

    async def destination(self, consumer: Consumer, partition: TopicPartition) -> Destination:
        """Where the records of a partition go."""
        topics, names = self._settings.topics, self._settings.sources()
        ids = await consumer.partition_ids(topics.ingest_state, *names)
        # the input may have got more partitions since this topic was made
        states = len(ids[topics.ingest_state]) or 1
        return Destination(
            topics,
            self._settings.internal_partitions,
            int(partition.partition) % states,
            len(ids[partition.topic]),
            {self._settings.name_of(topic): len(ids[topic]) for topic in names},
        )

    async def claim(
        self,
        consumer: Consumer,
        partition: TopicPartition,
        generation: int,
        destination: Destination,
        answered: Callable[[], None] = lambda: None,
    ) -> ClaimedPartition:
        """Claim a partition.

        Args:
            consumer: the member of the group to which the partition was assigned.
            partition: the topic and partition.
            generation: of the consumer group.
            destination: where the records of the partition are written.
            answered: called when the broker has answered for the partition; reading back may take longer.

        Raises:
            LogReplaced: the topic was made anew.
            TopicProblem: the key of hashes is another.
            CommitFailedError: the partition is another worker's by now.
            KafkaError: the broker refused a request.
        """
        found = await self._find(destination, partition)
        generation = await self._numbered(consumer, destination, partition, generation, found)
        await self._announce(destination, partition, generation, None)
        # Once more: what was written until it was announced counts.
        found = await self._find(destination, partition, found)
        resume = found.resume
        # Afterwards: somebody else may go on reading until this worker notices that it has lost the partition.
        begin = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        answered()
        if resume is not None and resume.start > end:
            # The embedded broker takes the first record of the last batch for the last one: see for oneself.
            end = await self._reader.end(partition)
        if resume is None:
            resume = await self._fresh(consumer, partition, begin, end)
        elif resume.start > end:
            raise LogReplaced(
                f"{partition.topic}/{partition.partition} ends at offset {end}, but {resume.start} was read before: "
                "the topic was made anew. Give the deployment a new WATCHOFFICER_TOPIC_PREFIX for its own topics."
            )
        elif resume.start < begin:
            resume = await self._over_a_gap(partition, resume, begin)
        if self._settings.inputs and found.resume and await self._is_new(partition, found.written_at):
            # Others have been judged without it: what happened meanwhile counts as late.
            now = self._clock()
            resume = replace(resume, mark=now if resume.mark is None else max(now, resume.mark))
        form = self._settings.sources()[partition.topic].form
        unchanged = found.resume is None or is_unchanged(partition, resume.form, form)
        resume = replace(resume, generation=generation, form=form)
        await self._producer.write([to_ingest_state(destination, resume)])
        await self._announce(destination, partition, generation, resume)
        fold = self._fold(partition, resume)
        async for records in self._reader.batches(partition, start=resume.read_from, end=resume.start):
            fold.read_back(records)
        fold.ready(whole=begin <= resume.read_from and unchanged)
        return ClaimedPartition(partition, destination, fold, end, generation, resume.rejected_from)

    def _fold(self, partition: TopicPartition, resume: Resume) -> BlockFold:
        source = self._settings.source_of(partition.topic)
        place = f"{partition.topic}/{partition.partition}"
        return BlockFold(self._settings.known_as(partition), self._rules, resume, source, place)

    async def _numbered(
        self,
        consumer: Consumer,
        destination: Destination,
        partition: TopicPartition,
        generation: int,
        found: _Found,
    ) -> int:
        """The number under which to write: the group's generation, unless the broker counts generations anew.

        A group whose members have all been gone for long, or that somebody deleted, is forgotten by the broker. What
        its owners wrote under greater numbers would then hide everything that is written from now on.

        The number is claimed before it is used, so that whoever takes over after this worker finds it and goes above.
        """
        number = generation if generation > found.greatest else found.greatest + generation + 1
        claim = self._frontier(destination, partition, number, None)
        key = owner_key(claim.partition, number, begun=False)
        await self._producer.write(
            [ProducerRecord(destination.topics.ingest_state, key, encode(claim), destination.state_partition)]
        )
        if number != generation:
            # What was found may be a successor's. The broker refuses this to a worker that has lost the partition; if
            # it does not, a successor has yet to look for claims.
            start = 0 if found.resume is None else found.resume.start
            await consumer.commit({partition: start})
            log.warning("consumer_group_reset", group_generation=generation, written_before=found.greatest)
        return number

    async def _announce(
        self, destination: Destination, partition: TopicPartition, generation: int, resume: Resume | None
    ) -> None:
        """Write an announcement, or with a resume record the beginning, to every partition of `sli-segments`."""
        frontier = self._frontier(destination, partition, generation, resume)
        key = owner_key(frontier.partition, generation, begun=resume is not None)
        await self._producer.write(to_all_partitions(destination, key, frontier))

    def _frontier(
        self, destination: Destination, partition: TopicPartition, generation: int, resume: Resume | None
    ) -> Frontier:
        mark = None if resume is None else resume.mark
        return Frontier(
            self._settings.known_as(partition),
            destination.input_partitions,
            generation,
            -1 if resume is None else resume.start,
            mark,
            "" if mark is None else "resumed",
            None,
            self._clock(),
            [],
            # Without it, whoever has not read the former owner's mark would let incidents resolve meanwhile.
            None if resume is None else resume.blind_from,
            dict(destination.inputs),
        )

    async def _find(
        self, destination: Destination, input_partition: TopicPartition, before: _Found | None = None
    ) -> _Found:
        """Read what `ingest-state` says of a partition, from where ``before`` ended.

        Raises:
            Unreadable: the last resume record of the partition cannot be read.
        """
        topic = TopicPartition(destination.topics.ingest_state, destination.state_partition)
        partition = self._settings.known_as(input_partition)
        resume, greatest, start, written_at = before or _Found(None, -1, 0)
        reading = self._records.reading(topic.topic, topic.partition)
        async for record in self._reader.read(topic, start=start):
            start = record.offset + 1
            said = reading.take(record, decode)
            greatest = max(greatest, _written_under(record.key, partition))
            if not isinstance(said, Resume | Frontier) or said.partition != partition:
                continue
            greatest = max(greatest, said.generation)
            # One of an older generation behind one of a newer is of a worker that had lost the partition.
            if isinstance(said, Resume) and (resume is None or said.generation >= resume.generation):
                resume, written_at = said, int(getattr(record, "timestamp", 0))
        reached = -1 if resume is None else resume.generation
        # A claim that cannot be read has its number in its key; an older resume record has been replaced.
        reading.refuse(
            lambda key: (
                key.startswith("resume/") and _written_under(key.encode(), partition) >= max(reached, 0)
            )
        )
        return _Found(resume, greatest, start, written_at)

    async def _fresh(self, consumer: Consumer, partition: TopicPartition, begin: int, end: int) -> Resume:
        """The resume record of a partition that has none yet."""
        start, mark = self._settings.start, None
        if await self._is_new(partition):
            # Others have been judged already. What happened before now counts as late; the delay of the others'
            # watermarks is what the clocks may differ by.
            offset, mark = begin, self._clock()
        elif start == "earliest":
            offset = begin
        elif start == "latest":
            offset = end
        else:
            at = self._clock() - self._policy.retention if start is None else int(start)
            found = (await consumer.offsets_for_times({partition: max(at, 0)})).get(partition)
            offset = end if found is None else found.offset
        offset = max(begin, offset - offset % BLOCK_OFFSETS)
        step = self._rules.step
        known_as = self._settings.known_as(partition)
        return Resume(known_as, -1, step, BLOCK_OFFSETS, offset, None, None, mark, offset, None)

    async def _is_new(self, partition: TopicPartition, since: int | None = None) -> bool:
        """Whether inputs without the partition are being judged already, or have been since an instant (ms)."""
        name = self._settings.name_of(partition.topic)
        async for said in self._segment_records(0, since):
            if isinstance(said, Frontier) and not knows(said, name, int(partition.partition)):
                return True
        return False

    async def _over_a_gap(self, partition: TopicPartition, resume: Resume, begin: int) -> Resume:
        """Go on where the log begins now, or where a former owner stopped, whichever is later.

        The first records of the open block are gone, so its stored segments stay, and a new block begins behind them.
        The watermark that was reached is kept as a mark. The memory of duplicates begins anew.
        """
        number = self._settings.known_as(partition)
        reached, mark, fencing = resume.start, resume.mark, Fencing()
        for index in range(self._settings.internal_partitions):
            async for said in self._segment_records(index):
                if isinstance(said, Segment) and said.partition == number:
                    reached = max(reached, said.last + 1)
                elif isinstance(said, Frontier) and said.partition == number and index == 0:
                    counts, _ = fencing.frontier(said)
                    if counts and said.watermark is not None:
                        mark = max(said.watermark, said.watermark if mark is None else mark)
        start = max(reached, begin)
        if reached < begin:
            await self._report_lost(partition, reached, begin)
        blind_from = resume.blind_from if mark == resume.mark else None
        return replace(
            resume,
            start=start,
            mark=mark,
            read_from=start,
            greatest_there=resume.greatest,
            blind_from=blind_from,
            # Nobody looks through the records between the two starts for facts; copies of them may be missing.
            rejected_from=resume.start if resume.rejected_from is None else resume.rejected_from,
        )

    async def _report_lost(self, partition: TopicPartition, expected: int, begin: int) -> None:
        """Report that events were removed before they were read: in the log, in a metric, in an incident."""
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
        inputs = self._settings.topics.inputs
        where = env_partition(said.env, self._settings.internal_partitions)
        await self._producer.write([ProducerRecord(inputs, said.env.encode(), encode_input(said), where)])

    async def _segment_records(self, index: int, since: int | None = None) -> Any:
        """The decoded records of a partition of `sli-segments`; those that cannot be read are passed by.

        Args:
            index: the partition.
            since: begin with what the broker took at this instant or later, ms.
        """
        topic = self._settings.topics.segments
        reading = self._records.reading(topic, index)
        async for record in self._reader.read(TopicPartition(topic, index), since=since):
            said = reading.take(record, decode)
            if said is not None:
                yield said


def _written_under(key: bytes | None, partition: InputPartition) -> int:
    """The number in a key of `ingest-state` under which somebody wrote of a partition; -1 for any other key."""
    kind, _, rest = (key or b"").decode("utf-8", "replace").partition("/")
    of, _, number = rest.partition("/")
    if kind not in ("resume", "owner") or of != str(partition):
        return -1
    number = number.partition("/")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else -1
