"""No rejected record is without its copy in the end, whenever its topic takes none and whenever a worker ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, NotLeaderForPartitionError
from aiokafka.errors import TopicAuthorizationFailedError as Denied
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from streams.aggregate.acceptance import Rules
from streams.events.decode import decode as decode_event
from streams.ingest.blocks import RefusedRecord
from streams.ingest.rejected_copies import RejectedCopies, RejectedCopy, copy_of
from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings
from streams.ingest.writes import Destination, Flush
from streams.kafka.admin import create_missing
from streams.kafka.clients import KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.producer import BatchProducer
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import PARTITIONS, Topics
from streams.runtime.clocks import RealClock, Timing
from streams.runtime.progress import Progress, Why
from streams.segments.codec import BLOCK_OFFSETS, Resume, decode
from streams.settings.policy_file import default_policy
from tests.streams.ingest.deployment import Deployment, event, until

TOPICS = Topics()
RULES = Rules.of(default_policy())
_PATIENCE = 0.02  # seconds


@dataclass(frozen=True)
class Record:
    """A record of the input; one that is rejected if its value is none."""

    offset: int
    value: bytes | None
    timestamp: int = 1_795_435_200_000


def _rejected(offset: int) -> Record:
    return Record(offset, b"no event")


class Kafka:
    """The input, and the topic of the rejected.

    Attributes:
        refuse: why a write is not done now; None: it is done.
        copied: (partition, offset) of each copy that was taken, in order.
    """

    def __init__(self) -> None:
        self.input: dict[int, list[Record]] = {}
        self.copied: list[tuple[int, int]] = []
        self.refuse: Callable[[], KafkaError | None] = lambda: None

    def producer(self, **_: Any) -> Any:
        return self

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, topic: str, headers: Iterable[tuple[str, bytes]] = (), **_: Any) -> Any:
        answer = asyncio.get_running_loop().create_future()
        error = self.refuse()
        if error is not None:
            answer.set_exception(error)
            return answer
        said = dict(headers)
        self.copied.append((int(said["partition"]), int(said["offset"])))
        answer.set_result(Record(len(self.copied) - 1, None))
        return answer

    async def batches(self, place: TopicPartition, *, start: int, end: int) -> AsyncIterator[list[Record]]:
        await asyncio.sleep(0)
        left = [one for one in self.input.get(place.partition, ()) if start <= one.offset < end]
        for begin in range(0, len(left), 3):
            yield left[begin : begin + 3]


class Worker:
    """Copies as a worker has them, between a claim and its end."""

    def __init__(self, kafka: Kafka, patience: float = _PATIENCE) -> None:
        self.kafka = kafka
        self.progress = Progress(lambda: 0.0)
        clients: Any = kafka
        reader: Any = kafka
        timing = Timing(sleep=lambda seconds: asyncio.sleep(0), monotonic=lambda: 0.0, chance=lambda: 1.0)
        producer = BatchProducer(clients, timing=timing, progress=self.progress)
        self.copies = RejectedCopies(TOPICS, RULES, producer, reader, patience=patience)

    async def read(self, partition: int, records: list[Record]) -> None:
        """Read new records of the input, and write the copies of the rejected ones."""
        self.kafka.input.setdefault(partition, []).extend(records)
        await self.copies.write({partition: copies_of(partition, records)})

    async def settles(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)

    def said(self) -> list[str]:
        return [one.key for one in self.progress.obstacles() if one.why is Why.WRITE]


def copies_of(partition: int, records: list[Record]) -> list[RejectedCopy]:
    refused: Any = decode_event(b"no event")
    return [
        copy_of(TOPICS, partition, RefusedRecord(one, refused, one.value))
        for one in records
        if one.value == b"no event"
    ]


def event_at(offset: int) -> Record:
    return Record(offset, event(f"e{offset}"), RealClock()())


async def test_what_the_topic_takes_is_acknowledged_before_ingest_goes_on() -> None:
    worker = Worker(Kafka())
    await worker.read(0, [_rejected(0), event_at(1), _rejected(2)])
    assert worker.kafka.copied == [(0, 0), (0, 2)]
    assert worker.copies.missing_from(0) is None


@pytest.mark.parametrize("error", [Denied("t"), NotLeaderForPartitionError()])
async def test_what_the_topic_does_not_take_is_read_again_once_it_does(error: KafkaError) -> None:
    worker = Worker(Kafka())
    await worker.read(0, [_rejected(0)])
    worker.kafka.refuse = lambda: error
    await worker.read(0, [event_at(1), _rejected(2)])
    await worker.read(1, [_rejected(7)])
    await worker.read(0, [_rejected(3), event_at(4)])
    await worker.settles()
    assert [worker.copies.missing_from(n) for n in (0, 1, 2)] == [2, 7, None]
    assert worker.said() == [TOPICS.rejected]
    assert worker.kafka.copied == [(0, 0)]
    worker.kafka.refuse = lambda: None
    await worker.settles()
    assert sorted(worker.kafka.copied) == [(0, 0), (0, 2), (0, 3), (1, 7)]
    assert [worker.copies.missing_from(n) for n in (0, 1)] == [None, None]
    assert worker.said() == []
    await worker.read(0, [_rejected(5)])
    assert worker.kafka.copied[-1] == (0, 5)


async def test_a_worker_that_ends_while_the_broker_is_away_says_so_and_one_that_is_refused_goes_on() -> None:
    worker = Worker(Kafka(), patience=60.0)
    some: dict[int | str, list[RejectedCopy]] = {0: copies_of(0, [_rejected(0)])}
    worker.kafka.refuse = KafkaConnectionError
    with pytest.raises(KafkaConnectionError):
        await worker.copies.write(some, lambda: True)
    worker.kafka.refuse = lambda: Denied("t")
    await worker.copies.write(some, lambda: True)
    assert worker.copies.missing_from(0) == 0
    await worker.copies.close()


async def test_the_next_owner_writes_what_is_missing_and_says_what_retention_has_removed() -> None:
    kafka = Kafka()
    kafka.input[0] = [event_at(3), _rejected(4), event_at(5), _rejected(6), _rejected(7)]
    worker = Worker(kafka)
    with capture_logs() as logs:
        worker.copies.claimed(0, 4, 7)
        worker.copies.claimed(1, None, 9)
        await worker.settles()
        assert kafka.copied == [(0, 4), (0, 6)]  # 7 is folded, and copied like any other
        assert "rejected_copies_lost" not in {line["event"] for line in logs}
        worker.copies.claimed(0, 1, 4)
        worker.copies.claimed(2, 1, 4)
        await worker.settles()
    lost = [line for line in logs if line["event"] == "rejected_copies_lost"]
    assert [(one["partition"], one["expected_offset"], one["found_offset"]) for one in lost] == [
        (0, 1, 3),
        (2, 1, 4),
    ]
    assert worker.copies.missing_from(0) is None
    assert worker.copies.missing_from(2) is None


async def test_what_is_missing_of_a_partition_that_went_to_another_worker_is_left_to_it() -> None:
    worker = Worker(Kafka())
    worker.kafka.refuse = lambda: Denied("t")
    await worker.read(0, [_rejected(0)])
    await worker.read(1, [_rejected(0)])
    worker.copies.keep({1})
    assert worker.copies.missing_from(0) is None
    await worker.copies.close()
    assert worker.said() == []


async def test_a_fault_while_copies_are_written_again_ends_ingest() -> None:
    worker = Worker(Kafka())
    worker.kafka.refuse = lambda: Denied("t")
    await worker.read(0, [_rejected(0)])

    def broken() -> KafkaError | None:
        raise RuntimeError("broken")

    worker.kafka.refuse = broken
    await worker.settles()
    with pytest.raises(RuntimeError, match="broken"):
        await worker.copies.write({})


def test_a_resume_record_names_what_is_missing_before_its_start_alone() -> None:
    where = Destination(TOPICS, 1, 0, 1)
    for missing, named in ((None, None), (3, 3), (10, None), (12, None)):
        flush = Flush(resumes=[(where, Resume(0, 1, 1_000, BLOCK_OFFSETS, 10, None, None, None, 0, None))])
        (written,) = flush.batches(lambda _, missing=missing: missing)[1]  # type: ignore[misc]
        said = decode(written.value or b"")
        assert isinstance(said, Resume)
        assert said.rejected_from == named


@given(
    st.lists(
        st.one_of(
            st.lists(st.booleans(), min_size=1, max_size=6).map(lambda some: ("read", some)),
            st.sampled_from([("deny", []), ("allow", []), ("end", []), ("settle", [])]),
        ),
        max_size=30,
    )
)
def test_each_rejected_record_has_a_copy_whenever_its_topic_takes_none_and_workers_end(
    story: list[tuple[str, list[bool]]],
) -> None:
    asyncio.run(_played(story))


async def _played(story: list[tuple[str, list[bool]]]) -> None:
    kafka, end = Kafka(), 0
    worker = Worker(kafka, patience=0.001)
    for what, some in story:
        if what == "read":
            records = [event_at(end + n) if good else _rejected(end + n) for n, good in enumerate(some)]
            end += len(some)
            await worker.read(0, records)
        elif (
            what == "end"
        ):  # the resume record says where the next worker goes on, and what is missing before
            missing = worker.copies.missing_from(0)
            await worker.copies.close()
            worker = Worker(kafka, patience=0.001)
            worker.copies.claimed(0, missing, end)
        elif what == "settle":
            await worker.settles()
        else:
            kafka.refuse = (lambda: Denied("t")) if what == "deny" else (lambda: None)
    kafka.refuse = lambda: None
    await worker.settles()
    expected = {(0, one.offset) for one in kafka.input.get(0, ()) if one.value == b"no event"}
    assert set(kafka.copied) == expected
    assert worker.copies.missing_from(0) is None


# -- on a broker -----------------------------------------------------------------------------------------------


class Refused(BatchProducer):
    """A producer to which a topic is denied while ``denied`` names it."""

    denied = ""

    async def _write_once(self, batch: Any) -> list[int | None]:
        if any(one.topic == self.denied for one in batch):
            raise Denied(self.denied)
        return await super()._write_once(batch)


class Running:
    """Ingest on the embedded broker, one worker after the other."""

    def __init__(self, broker: EmbeddedBroker, prefix: str) -> None:
        self.topics = Topics(prefix)
        self.kafka = {"bootstrap_servers": broker.address}
        self.clients = KafkaClients(self.kafka)
        self.settings = IngestSettings(
            self.topics, f"{prefix}ingest", PARTITIONS, session_ms=6_000, start="earliest"
        )
        self.ingest: Ingest
        self.producer: Refused

    async def start(self, denied: str = "") -> None:
        self.producer = Refused(self.clients)
        self.producer.denied = denied
        failed: list[BaseException] = []
        self.ingest = Ingest(
            self.settings, default_policy(), self.producer, Timing(), failed.append, clients=self.clients
        )
        await self.producer.start()
        await self.ingest.start()

    async def stop(self) -> None:
        await self.ingest.stop()
        await self.producer.stop()

    async def read(self, topic: str, partitions: int = PARTITIONS) -> list[Any]:
        reader, records = TopicReader(self.clients), []
        for number in range(partitions):
            records += [one async for one in reader.read(TopicPartition(topic, number))]
        return records

    async def resumed(self) -> Resume | None:
        said = [decode(one.value or b"") for one in await self.read(self.topics.ingest_state, 1) if one.value]
        return next((one for one in reversed(said) if isinstance(one, Resume)), None)


@pytest.mark.long
async def test_copies_that_were_refused_when_a_worker_ended_are_written_by_the_next_and_nothing_counts_twice(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    running = Running(embedded_broker, topic_prefix)
    topics = running.topics
    await create_missing(topics, running.kafka, input_partitions=1)
    async with AIOKafkaProducer(**running.kafka) as sender:
        for n in range(40):
            value = b"no event" if n % 10 == 3 else event(f"e{n}")
            await sender.send(topics.login_events, value, partition=0)
    await running.start(denied=topics.rejected)

    async def behind() -> bool:  # an idle mark begins a block: a restart begins behind all that was rejected
        said = await running.resumed()
        return said is not None and said.start >= 40

    await until(behind)
    said = await running.resumed()
    assert said is not None
    assert said.rejected_from == 3
    await running.stop()
    assert await running.read(topics.rejected) == []

    await running.start()

    async def copied() -> bool:
        return len(await running.read(topics.rejected)) >= 4

    await until(copied)
    keys = sorted(one.key.decode() for one in await running.read(topics.rejected))
    assert keys == [f"{topics.login_events}/0/{n}" for n in (13, 23, 3, 33)]
    await running.stop()
    frontiers = await Deployment(embedded_broker.address, topics, default_policy()).frontiers()
    tallies = {tally.block: tally for one in frontiers for tally in one.tallies}
    assert sum(one.records for one in tallies.values()) == 40
    assert sum(sum(one.rejected.values()) for one in tallies.values()) == 4
