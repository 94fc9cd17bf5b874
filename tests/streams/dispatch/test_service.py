"""The outbox changes hands: what was written is sent once, by whoever owns it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Receipts
from streams.dispatch.service import Dispatch
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.records.reading import Unreadable
from streams.records.verdicts import command_out, decode_command
from streams.runtime.clocks import Timing
from tests.sinks.samples import OPENED, RunningTime, Time, command, incident

TOPICS = Topics()
PARTITIONS = 1


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = 0


class Broker:
    """Topics in memory, as an producer and a reader."""

    def __init__(self) -> None:
        self.logs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.reads = asyncio.Event()
        self.reads.set()

    async def write(self, outs: Iterable[ProducerRecord], **_: Any) -> None:
        for out in outs:
            log = self.logs[out.topic, out.partition or 0]
            log.append(Record(len(log), out.value, out.key))

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        yield

    async def read(self, place: TopicPartition) -> AsyncIterator[Record]:
        for record in list(self.logs[place.topic, place.partition]):
            yield record
        await self.reads.wait()


@dataclass
class Receiver:
    """Counts what it gets; answers when it is let."""

    got: list[str] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        self.got.append(command.id)
        await self.answers.wait()
        return Delivered({})


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def receiver() -> Receiver:
    receiver = Receiver()
    receiver.answers.set()
    return receiver


def worker(broker: Broker, receiver: Receiver, timing: Timing | None = None) -> Dispatch:
    time = RunningTime()
    return Dispatch(
        TOPICS,
        PARTITIONS,
        {"pagerduty": receiver},
        cast("BatchProducer", broker),
        cast("TopicReader", broker),
        timing or Timing(clock=time.clock, sleep=time.sleep),
    )


async def written(broker: Broker, number: int) -> tuple[int, bytes]:
    """A command on the outbox: its offset and value."""
    out = command_out(TOPICS, PARTITIONS, command(incident=incident(id=f"prod-{number}")))
    await broker.write([out])
    assert out.value is not None
    return len(broker.logs[out.topic, 0]) - 1, out.value


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_command_that_comes_before_the_partition_is_owned_is_sent_once_it_is(
    broker: Broker, receiver: Receiver
) -> None:
    dispatch = worker(broker, receiver)
    await dispatch.take(0, *await written(broker, 1))
    await settled()
    assert receiver.got == []
    await dispatch.own([0])
    await settled()
    assert len(receiver.got) == 1
    await dispatch.close(0.0)


@pytest.mark.parametrize("topic", [TOPICS.commands, TOPICS.deliveries])
async def test_an_outbox_that_a_newer_version_has_written_is_not_dealt_with(
    broker: Broker, receiver: Receiver, topic: str
) -> None:
    await broker.write([ProducerRecord(topic, b"page", b'{"v": 2, "of": "tomorrow"}', 0)])
    await written(broker, 1)
    dispatch = worker(broker, receiver)
    with pytest.raises(Unreadable, match=f"{topic}, partition 0, offset 0 .* newer version"):
        await dispatch.own([0])
    await settled()
    assert receiver.got == []
    if topic == TOPICS.commands:
        with pytest.raises(Unreadable, match="newer version"):
            await dispatch.take(0, 0, b'{"v": 2}')
    await dispatch.close(0.0)


async def test_what_waits_for_a_receiver_is_counted_with_the_oldest(
    broker: Broker, receiver: Receiver
) -> None:
    receiver.answers.clear()
    dispatch = worker(broker, receiver)
    await dispatch.own([0])
    assert dispatch.oldest_pending() == {}
    offset, value = await written(broker, 1)
    await dispatch.take(0, offset, value)
    await dispatch.take(0, *await written(broker, 2))
    made = decode_command(value).at
    assert dispatch.oldest_pending() == {"pagerduty": (2, made)}
    receiver.answers.set()
    await settled()
    assert dispatch.oldest_pending() == {}
    await dispatch.close(0.0)


async def test_a_request_under_way_is_finished_and_recorded_before_the_partition_is_given_away(
    broker: Broker, receiver: Receiver
) -> None:
    receiver.answers.clear()
    first = worker(broker, receiver, Timing(clock=lambda: OPENED))
    second = worker(broker, receiver)
    await first.own([0])
    await first.take(0, *await written(broker, 1))
    await settled()
    giving = asyncio.create_task(first.let_go([0], 5.0))
    await settled()
    assert not giving.done()
    receiver.answers.set()
    await giving
    await second.own([0])
    await settled()
    assert len(receiver.got) == 1, "the new owner knows that it was delivered"
    await second.close(0.0)


async def test_nothing_is_sent_for_a_partition_that_was_given_away(
    broker: Broker, receiver: Receiver
) -> None:
    dispatch = worker(broker, receiver)
    await dispatch.own([0])
    await dispatch.let_go([0], 0.0)
    await dispatch.take(0, *await written(broker, 1))
    await settled()
    assert receiver.got == []
    await dispatch.close(0.0)


async def test_a_partition_given_away_while_it_is_read_back_is_not_taken_over(
    broker: Broker, receiver: Receiver
) -> None:
    dispatch = worker(broker, receiver)
    await written(broker, 1)
    broker.reads.clear()
    owning = asyncio.create_task(dispatch.own([0]))
    await settled()
    await dispatch.let_go([0], 0.0)
    broker.reads.set()
    await owning
    await settled()
    assert receiver.got == []
    await dispatch.close(0.0)


async def test_deliveries_are_counted_on_after_a_partition_was_given_away(
    broker: Broker, receiver: Receiver
) -> None:
    dispatch = worker(broker, receiver)
    await dispatch.own([0])
    await dispatch.take(0, *await written(broker, 1))
    await settled()
    await dispatch.let_go([0], 1.0)
    await dispatch.own([0])
    await dispatch.take(0, *await written(broker, 2))
    await settled()
    assert dispatch.deliveries["pagerduty", "delivered"] == 2
    await dispatch.close(0.0)


async def test_what_waits_while_no_receiver_takes_anything_is_told_by_its_length(
    broker: Broker, receiver: Receiver
) -> None:
    dispatch = worker(broker, receiver)
    await dispatch.own([0])
    assert dispatch.unheard_for(OPENED + 600_000) == 0
    await dispatch.take(0, *await written(broker, 1))
    await settled()
    assert dispatch.unheard_for(OPENED + 600_000) == 0
    receiver.answers.clear()
    await dispatch.take(0, *await written(broker, 2))
    await settled()
    assert 599 <= dispatch.unheard_for(OPENED + 600_000) <= 600
    await dispatch.close(0.0)


async def test_a_worker_takes_the_share_of_a_rate_that_belongs_to_its_partitions(
    broker: Broker, receiver: Receiver
) -> None:
    time = Time()
    dispatch = Dispatch(
        TOPICS,
        4,
        {"pagerduty": receiver},
        cast("BatchProducer", broker),
        cast("TopicReader", broker),
        Timing(clock=time.clock, sleep=time.sleep),
    )
    await dispatch.own([0])
    for number in range(200):
        await dispatch.take(0, *await written(broker, number))
    await time.pass_(60)
    assert 20 <= len(receiver.got) <= 30
    await dispatch.own([0, 1, 2, 3])
    await time.pass_(60)
    assert 100 <= len(receiver.got) <= 150
    await dispatch.close(0.0)


async def test_what_waits_before_any_receiver_has_taken_anything_is_told_too(
    broker: Broker, receiver: Receiver
) -> None:
    receiver.answers.clear()
    dispatch = worker(broker, receiver)
    await dispatch.own([0])
    await dispatch.take(0, *await written(broker, 1))
    await settled()
    assert 599 <= dispatch.unheard_for(OPENED + 600_000) <= 600
    await dispatch.close(0.0)
