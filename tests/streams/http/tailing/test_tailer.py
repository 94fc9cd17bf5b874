"""The tail of the topics: from where it reads, when it is ready, and what it does without a broker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, OffsetAndTimestamp, TopicPartition
from aiokafka.errors import KafkaConnectionError

from detectors.instants import HOUR
from streams.http.tailing.tailer import DELIVERIES, INPUTS, SLI_RECORDS, ViewsTailer
from streams.http.views import LOG_LINES, Views
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from streams.runtime.clocks import Timing

NOW = 1_795_446_300_000
TOPICS = Topics("t.")


class Record(NamedTuple):
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Log:
    """Topics in memory, with the part of a consumer's interface that the tail uses."""

    def __init__(self, partitions: int = 1) -> None:
        self.records: dict[TopicPartition, list[Record]] = {
            TopicPartition(topic, p): [] for topic in Views(TOPICS).topics for p in range(partitions)
        }
        self.begins: dict[TopicPartition, int] = {}
        self.failures = 0
        self.first_offsets: list[dict[TopicPartition, int]] = []
        self.stopped = 0
        self.breaks = False

    def append(self, topic: str, key: str, value: Any, at: int = NOW, partition: int = 0) -> None:
        records = self.records.setdefault(TopicPartition(topic, partition), [])
        records.append(Record(len(records), at, key.encode(), json.dumps(value).encode()))

    def consumer(self, *topics: str) -> Any:
        return FakeConsumer(self, topics)


class FakeConsumer:
    def __init__(self, log: Log, topics: tuple[str, ...]) -> None:
        self._log = log
        self._topics = topics
        self._positions: dict[TopicPartition, int] = {}
        self._assigned: frozenset[TopicPartition] = frozenset()

    async def start(self) -> None:
        if self._log.failures:
            self._log.failures -= 1
            raise KafkaConnectionError("nobody listens")
        self._refresh()

    def _refresh(self) -> None:
        present = frozenset(p for p in self._log.records if p.topic in self._topics)
        if present != self._assigned:  # as aiokafka does, which forgets all positions then
            self._assigned = present
            self._positions = dict.fromkeys(present, 0)

    async def stop(self) -> None:
        self._log.stopped += 1

    def assignment(self) -> frozenset[TopicPartition]:
        return self._assigned

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: self._log.begins.get(p, 0) for p in partitions}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: len(self._log.records[p]) for p in partitions}

    async def offsets_for_times(
        self, times: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        return {
            p: next(
                (
                    OffsetAndTimestamp(r.offset, r.timestamp)
                    for r in self._log.records[p]
                    if r.timestamp >= at
                ),
                None,
            )
            for p, at in times.items()
        }

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if len(self._log.first_offsets) == 0 or partition in self._log.first_offsets[-1]:
            self._log.first_offsets.append({})
        self._log.first_offsets[-1][partition] = offset
        self._positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self._positions[partition]

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(0)
        if self._log.breaks:
            self._log.breaks = False
            raise KafkaConnectionError("gone")
        self._refresh()
        out = {}
        for p in self._assigned:
            out[p] = self._log.records[p][self._positions[p] : self._positions[p] + 2]
            self._positions[p] += len(out[p])
        return out


@asynccontextmanager
async def running(views: Views, log: Log) -> AsyncIterator[list[float]]:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    timing = Timing(chance=lambda: 0.5)
    tailer = ViewsTailer(views, log.consumer, topics=TOPICS, clock=lambda: NOW, pause=pause, timing=timing)
    await tailer.start()
    try:
        yield pauses
    finally:
        await tailer.stop()


async def until(condition: Callable[[], object], turns: int = 5_000, nap: float = 0.0) -> None:
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(nap)
    raise AssertionError("it never came about")


def sli(at: str = "2026-11-23T15:05:00Z") -> dict[str, Any]:
    return {"at": at, "scope": "prod", "window": "5m", "success_ratio": 1.0, "users_impacted": 0}


def incident(number: int) -> dict[str, Any]:
    return {"id": f"prod-{number}", "state": "open", "severity": 2, "opened_at": "2026-11-23T15:05:00Z"}


async def test_it_is_ready_when_all_that_stood_there_at_the_start_has_been_read() -> None:
    log, views = Log(partitions=2), Views(TOPICS)
    for number in range(1, 8):
        log.append("t.incidents", f"prod-{number}", incident(number), partition=number % 2)
    seen_when_ready: list[int] = []
    async with running(views, log):
        await until(lambda: views.ready or (len(views.incidents()) > 99))
        seen_when_ready.append(len(views.incidents()))
        log.append("t.incidents", "prod-8", incident(8))
        await until(lambda: views.incident("prod-8"))
    assert seen_when_ready == [7]


async def test_empty_topics_are_ready_at_once() -> None:
    log, views = Log(), Views(TOPICS)
    async with running(views, log):
        await until(lambda: views.ready)


async def test_compacted_topics_are_read_whole_and_the_others_from_their_recent_part() -> None:
    log, views = Log(), Views(TOPICS)
    for _ in range(SLI_RECORDS + 30):
        log.append("t.sli", "k", sli(), at=NOW - 2 * HOUR)
    for number in range(LOG_LINES + 5):
        log.append("t.incident-log", "k", {"incident": "prod-1", "number": number})
    for number in range(INPUTS + 7):
        log.append("t.incident-inputs", "prod", {"id": str(number)})
    for number in range(DELIVERIES + 3):
        log.append("t.incident-deliveries", str(number), {})
    for topic in ("t.sli-history", "t.sla-days"):
        log.append(topic, "k", {}, at=NOW - 92 * 24 * HOUR)
        log.append(topic, "k", {}, at=NOW - HOUR)
    log.append("t.incidents", "prod-1", incident(1), at=0)
    async with running(views, log):
        await until(lambda: log.first_offsets)
    starts = {p.topic: offset for p, offset in log.first_offsets[0].items()}
    assert starts == {
        "t.incidents": 0,
        "t.banner-state": 0,
        "t.incident-log": 5,
        "t.sli": 30,
        "t.incident-inputs": 7,
        "t.incident-deliveries": 3,
        "t.sli-history": 1,
        "t.sla-days": 1,
    }


async def test_an_hour_of_indicators_is_read_however_many_they_are() -> None:
    log, views = Log(), Views(TOPICS)
    log.append("t.sli", "k", sli(), at=NOW - 2 * HOUR)
    for _ in range(SLI_RECORDS + 30):
        log.append("t.sli", "k", sli(), at=NOW - HOUR)
    async with running(views, log):
        await until(lambda: log.first_offsets)
    assert log.first_offsets[0][TopicPartition("t.sli", 0)] == 1


async def test_a_broker_that_is_away_is_waited_for_longer_and_longer() -> None:
    log, views = Log(), Views(TOPICS)
    log.failures = 8
    async with running(views, log) as pauses:
        await until(lambda: views.ready)
    assert pauses == [0.25, 0.5, 1, 2, 4, 7.5, 7.5, 7.5]  # half of each ceiling
    assert log.stopped == 9


async def test_after_an_interruption_it_goes_on_where_it_was() -> None:
    log, views = Log(), Views(TOPICS)
    for number in range(5):
        log.append("t.incident-log", "k", {"incident": "prod-1", "number": number})
    async with running(views, log):
        await until(lambda: views.ready)
        log.breaks = True
        await until(lambda: len(log.first_offsets) == 2)
        log.append("t.incident-log", "k", {"incident": "prod-1", "number": 5})
        await until(lambda: len(views.incident_log()) == 6)
    assert [line["number"] for line in views.incident_log()] == [0, 1, 2, 3, 4, 5]
    assert views.ready


async def test_a_position_that_retention_has_deleted_gives_way_to_what_is_left() -> None:
    log, views = Log(), Views(TOPICS)
    partition = TopicPartition("t.incidents", 0)
    for number in range(1, 4):
        log.append("t.incidents", f"prod-{number}", incident(number))
    async with running(views, log):
        await until(lambda: views.ready)
        log.begins[partition] = 5
        for number in range(4, 8):
            log.append("t.incidents", f"prod-{number}", incident(number))
        log.breaks = True
        await until(lambda: len(log.first_offsets) == 2)
    assert log.first_offsets[1][partition] == 5


async def test_partitions_that_are_added_are_followed_and_nothing_is_read_twice() -> None:
    log, views = Log(), Views(TOPICS)
    for number in range(4):
        log.append("t.incident-log", "k", {"incident": "prod-1", "number": number})
    async with running(views, log):
        await until(lambda: views.ready)
        log.append("t.incident-log", "k", {"incident": "prod-1", "number": 4}, partition=1)
        await until(lambda: len(views.incident_log()) == 5)
    assert [line["number"] for line in views.incident_log()] == [0, 1, 2, 3, 4]


async def test_on_a_real_broker_it_reads_what_is_there_and_then_what_comes(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    kafka = {"bootstrap_servers": embedded_broker.address}
    topics = Topics(topic_prefix)
    await create_missing(topics, kafka)
    views = Views(topics)

    def consumer(*names: str) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(*names, **kafka, group_id=None, auto_offset_reset="earliest")

    producer = AIOKafkaProducer(**kafka)
    await producer.start()
    tailer = ViewsTailer(views, consumer, topics=topics, clock=lambda: int(time.time() * 1000))
    try:
        for number in range(1, 21):
            key = f"prod-{number}"
            await producer.send_and_wait(
                topics.incidents, json.dumps(incident(number)).encode(), key.encode()
            )
        await producer.send_and_wait(topics.sli, json.dumps(sli()).encode(), b"prod|5m")
        await tailer.start()
        await until(lambda: views.ready, turns=2_000, nap=0.01)
        assert len(views.incidents()) == 20
        assert [v["scope"] for v in views.slis()] == ["prod"]
        await producer.send_and_wait(topics.incidents, json.dumps(incident(21)).encode(), b"prod-21")
        await until(lambda: views.incident("prod-21"), turns=2_000, nap=0.01)
    finally:
        await tailer.stop()
        await producer.stop()
