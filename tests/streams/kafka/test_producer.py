"""A topic that takes no records is said and holds up no other; what is refused for ever is not tried for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaStorageError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.refused.aside import AsideWriter, Queued
from streams.kafka.refused.failures import Kind, failure_of
from streams.runtime.clocks import Timing
from streams.runtime.progress import Progress, Why

Refuse = Callable[[str, list[bytes]], KafkaError | None]


class Broker:
    """Takes what ``refuse`` does not refuse: (topic, values of one request) -> why not."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.refuse: Refuse = lambda topic, values: None
        self.now = 100.0
        self._waiting: list[tuple[str, bytes, asyncio.Future[Any]]] = []

    def producer(self, **options: Any) -> Any:
        return self

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, topic: str, value: bytes = b"", **more: Any) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)
        self._waiting.append((topic, value, answer))
        return answer

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        for topic in {topic for topic, _, _ in waiting}:
            some = [one for one in waiting if one[0] == topic]
            why = self.refuse(topic, [value for _, value, _ in some])
            for _, value, answer in some:
                if why is None:
                    self.taken.append((topic, value))
                    answer.set_result(SimpleNamespace(offset=len(self.taken) - 1))
                else:
                    answer.set_exception(why)


class Fixture:
    def __init__(self) -> None:
        self.broker = Broker()
        self.progress = Progress(lambda: self.broker.now)
        self.retries = 0
        clients: Any = self.broker
        timing = Timing(sleep=self._sleep, monotonic=lambda: self.broker.now, chance=lambda: 1.0)
        self.producer = BatchProducer(clients, timing=timing, progress=self.progress)

    async def _sleep(self, seconds: float) -> None:
        self.retries += 1
        self.broker.now += seconds
        await asyncio.sleep(0)

    async def let_run(self, rounds: int = 30) -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)

    def said(self) -> list[tuple[str, float]]:
        return [(one.key, one.since) for one in self.progress.obstacles() if one.why is Why.WRITE]


def records(topic: str, *values: bytes, key: bytes | None = None) -> list[ProducerRecord]:
    return [ProducerRecord(topic, key, value, 0) for value in values]


def denied(*topics: str) -> Refuse:
    return lambda topic, values: TopicAuthorizationFailedError(topic) if topic in topics else None


async def test_a_refused_write_is_an_obstacle_from_its_beginning_until_it_is_done() -> None:
    on = Fixture()
    on.broker.refuse = denied("sli")
    writing = asyncio.create_task(on.producer.write(records("sli", b"1")))
    await on.let_run()
    assert on.said() == [("sli", 100.0)]
    (obstacle,) = on.progress.obstacles()
    assert "not authorized to write" in obstacle.sentence
    assert "--operation Write" in obstacle.remedy
    assert "sli" in obstacle.remedy
    on.broker.refuse = lambda topic, values: None
    await writing
    assert on.said() == []
    assert on.broker.taken == [("sli", b"1")]


async def test_a_write_that_is_given_up_leaves_no_obstacle() -> None:
    on = Fixture()
    on.broker.refuse = denied("sli")
    writing = asyncio.create_task(on.producer.write(records("sli", b"1")))
    await on.let_run()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert on.said() == []


async def test_a_write_with_a_limit_of_attempts_is_its_callers_to_tell() -> None:
    on = Fixture()
    on.broker.refuse = denied("incident-inputs")
    with pytest.raises(TopicAuthorizationFailedError):
        await on.producer.write(records("incident-inputs", b"1"), attempts=2)
    assert on.said() == []


async def test_a_broker_that_is_away_is_said_by_whoever_watches_it() -> None:
    on = Fixture()
    on.broker.refuse = lambda topic, values: KafkaConnectionError()
    writing = asyncio.create_task(on.producer.write(records("sli", b"1")))
    await on.let_run()
    assert on.said() == []
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


async def test_one_refused_topic_does_not_stop_another_in_the_same_write() -> None:
    on = Fixture()
    on.broker.refuse = denied("a")
    writing = asyncio.create_task(on.producer.write([*records("a", b"1"), *records("b", b"2")]))
    await on.let_run()
    assert on.broker.taken == [("b", b"2")]
    assert not writing.done()
    on.broker.refuse = lambda topic, values: None
    await writing


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TopicAuthorizationFailedError("t"), Kind.REFUSED, "not authorized"),
        (NotEnoughReplicasError(), Kind.REFUSED, "min.insync.replicas"),
        (KafkaStorageError(), Kind.REFUSED, "disk"),
        (UnknownTopicOrPartitionError(), Kind.REFUSED, "does not exist"),
        (NotLeaderForPartitionError(), Kind.HELD, "no leader"),
        (OSError("gone"), Kind.AWAY, "no broker"),
    ],
)
def test_each_failure_is_told_apart(error: BaseException, kind: Kind, words: str) -> None:
    failure = failure_of(error, "sli")
    assert failure.kind is kind
    assert words in failure.sentence
    assert "sli" in failure.sentence
    assert failure.remedy or kind is Kind.AWAY


# -- sizes -----------------------------------------------------------------------------------------------------


def larger_than(limit: int, *, together: bool = False) -> Refuse:
    def refuse(topic: str, values: list[bytes]) -> KafkaError | None:
        size = sum(map(len, values)) if together else max(map(len, values))
        return MessageSizeTooLargeError() if size > limit else None

    return refuse


LARGE = b"x" * 1_200


async def test_a_batch_that_is_too_large_is_written_record_by_record() -> None:
    on = Fixture()
    on.broker.refuse = larger_than(1_500, together=True)
    await on.producer.write(records("t", LARGE, LARGE))
    assert on.broker.taken == [("t", LARGE)] * 2
    assert on.said() == []


async def test_a_record_that_is_too_large_is_tried_once_set_aside_and_said_until_one_as_large_is_taken() -> (
    None
):
    on = Fixture()
    aside: list[tuple[bytes | None, str]] = []
    on.producer.too_large = lambda record, why: aside.append((record.value, why))
    on.broker.refuse = larger_than(1_500)
    await on.producer.write(records("t", b"small", b"x" * 2_000, b"last"))
    assert on.broker.taken == [("t", b"small"), ("t", b"last")]
    assert on.retries == 0
    assert [value for value, _ in aside] == [b"x" * 2_000]
    assert "2000 bytes" in aside[0][1]
    assert [key for key, _ in on.said()] == ["t:size"]
    await on.producer.write(records("t", b"small"))
    assert [key for key, _ in on.said()] == ["t:size"]
    on.broker.refuse = lambda topic, values: None
    await on.producer.write(records("t", b"x" * 2_000))
    assert on.said() == []


async def test_a_caller_who_asked_for_few_attempts_is_told_that_a_record_is_too_large() -> None:
    on = Fixture()
    on.broker.refuse = larger_than(1_500)
    with pytest.raises(MessageSizeTooLargeError):
        await on.producer.write(records("incident-inputs", b"x" * 2_000), attempts=2)
    assert (on.retries, on.said()) == (0, [])


async def test_a_topic_that_takes_not_even_small_records_is_repeated_and_said_until_it_does() -> None:
    on = Fixture()
    aside: list[bytes | None] = []
    on.producer.too_large = lambda record, why: aside.append(record.value)
    on.broker.refuse = larger_than(10)
    writing = asyncio.create_task(on.producer.append(records("watch-state", b"1", b"a claim of some bytes")))
    await on.let_run()
    (obstacle,) = on.progress.obstacles()
    assert (obstacle.why, obstacle.key, obstacle.since) == (Why.WRITE, "watch-state", 100.0)
    assert "max.message.bytes" in obstacle.remedy
    on.broker.refuse = lambda topic, values: None
    assert None not in await writing
    assert (aside, on.said()) == ([], [])


# -- what no verdict needs -------------------------------------------------------------------------------------


def aside_of(on: Fixture, **limits: Queued) -> AsideWriter:
    return AsideWriter(on.producer, limits)


def values(taken: Iterable[tuple[str, bytes]], topic: str) -> list[bytes]:
    return [value for name, value in taken if name == topic]


async def test_what_the_broker_takes_is_acknowledged_before_the_writer_goes_on() -> None:
    on = Fixture()
    aside = aside_of(on, sli=Queued(1_000))
    await aside.write(records("sli", b"1", b"2"))
    assert values(on.broker.taken, "sli") == [b"1", b"2"]


async def test_a_writer_waits_while_the_broker_is_away_and_not_while_it_refuses() -> None:
    on = Fixture()
    aside = aside_of(on, sli=Queued(1_000))
    on.broker.refuse = lambda topic, some: KafkaConnectionError()
    writing = asyncio.create_task(aside.write(records("sli", b"1")))
    await on.let_run()
    assert not writing.done()
    on.broker.refuse = denied("sli")
    await writing
    await aside.write(records("sli", b"2"))
    assert on.broker.taken == []
    assert [key for key, _ in on.said()] == ["sli"]
    on.broker.refuse = lambda topic, some: None
    await on.let_run()
    assert values(on.broker.taken, "sli") == [b"1", b"2"]
    assert on.said() == []
    await aside.close(1.0)


async def test_a_refused_topic_holds_up_no_other() -> None:
    on = Fixture()
    on.broker.refuse = denied("sli")
    aside = aside_of(on, sli=Queued(1_000), banner=Queued(1_000, newest_of_key=True))
    await aside.write([*records("sli", b"1"), *records("banner", b"2")])
    assert on.broker.taken == [("banner", b"2")]
    await aside.close(0.0)
    assert on.said() == []


async def test_beyond_its_bytes_a_queue_drops_the_oldest_and_counts_them() -> None:
    on = Fixture()
    on.broker.refuse = denied("sli")
    aside = aside_of(on, sli=Queued(50))
    await aside.write(records("sli", b"first"))  # is being written, over and over
    for n in range(20):
        await aside.write(records("sli", b"%010d" % n))
    assert aside.dropped["sli"] == 15
    on.broker.refuse = lambda topic, some: None
    await on.let_run()
    assert values(on.broker.taken, "sli") == [b"first", *(b"%010d" % n for n in range(15, 20))]


async def test_of_a_key_the_newest_is_kept() -> None:
    on = Fixture()
    on.broker.refuse = denied("banner")
    aside = aside_of(on, banner=Queued(1_000, newest_of_key=True))
    await aside.write(records("banner", b"first", key=b"a"))
    for n in range(20):
        await aside.write(
            [*records("banner", b"a%d" % n, key=b"a"), *records("banner", b"b%d" % n, key=b"b")]
        )
    on.broker.refuse = lambda topic, some: None
    await on.let_run()
    assert values(on.broker.taken, "banner") == [b"first", b"a19", b"b19"]
    assert aside.dropped == {}
