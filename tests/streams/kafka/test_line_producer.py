"""Lines onto a topic: keys, pace and shifted times."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import MINUTE, SECOND, parse_instant
from streams.kafka.clients import KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.line_producer import Produced, TopicSink, key_of, produce, shift_line
from streams.simulate import simulate

PEAK = parse_instant("2026-10-06T14:00:00-04:00")


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


class Received:
    """A sink that keeps what it gets, and takes no values larger than ``largest``."""

    def __init__(self, largest: int = 1 << 20) -> None:
        self.records: list[tuple[bytes | None, bytes, int]] = []
        self._largest = largest

    async def __call__(self, key: bytes | None, value: bytes, at: int) -> bool:
        if len(value) > self._largest:
            return False
        self.records.append((key, value, at))
        return True

    @property
    def values(self) -> list[bytes]:
        return [value for _, value, _ in self.records]


def event(at: str, **more: object) -> bytes:
    return json.dumps({"event_id": "e1", "occurred_at": at, **more}).encode()


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"event_id":"e","flow_id":"f"}', b"f"),
        (b'{"event_id":"e","flow_id":null}', b"e"),
        (b'{"event_id":"e"}', b"e"),
        (b'{"event_id":"e","flow_id":7}', b"e"),
        (b'{"event_id":"","flow_id":""}', None),
        ('{"event_id":"é"}'.encode(), "é".encode()),
        (b'{"event_id":7}', None),
        (b'{"event_id":"e"', None),
        (b"[1]", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_key_is_the_flow_else_the_event_else_nothing(line: bytes, key: bytes | None) -> None:
    assert key_of(line) == key


@pytest.mark.parametrize(
    ("before", "by", "after"),
    [
        ("2026-11-23T15:04:05.123Z", 1, "2026-11-23T15:04:05.124Z"),
        ("2026-12-31T23:59:59.999Z", 1, "2027-01-01T00:00:00.000Z"),
        ("2026-11-23T15:04:05Z", 1000, "2026-11-23T15:04:06Z"),
        ("2026-11-23T15:04:05Z", 5, "2026-11-23T15:04:05.005Z"),
        ("2026-11-23T15:04:05.5Z", 500, "2026-11-23T15:04:06.0Z"),
        ("2026-11-23T15:04:05.123456789-05:00", -124, "2026-11-23T15:04:04.999456789-05:00"),
        ("2026-11-23T15:04:05.000+05:30", MINUTE, "2026-11-23T15:05:05.000+05:30"),
        ("0999-01-01T00:00:00Z", 1000, "0999-01-01T00:00:01Z"),
    ],
)
def test_an_instant_moves_in_its_own_form(before: str, by: int, after: str) -> None:
    line = b'{"a" : 1 ,  "occurred_at" : "%s","b":"\\u00e9"}'
    assert shift_line(line % before.encode(), by) == line % after.encode()


@pytest.mark.parametrize(
    "line",
    [
        b'{"occurred_at":"2026-11-23 15:04:05Z"}',
        b'{"occurred_at":"2026-11-23T15:04:60Z"}',
        b'{"occurred_at":"2026-11-23T15:04:05-00:00"}',
        b'{"occurred_at":"9999-12-31T23:59:59.999Z"}',
        b'{"occurred_at":1764000000}',
        b'{"x":{"occurred_at":"2026-11-23T15:04:05Z"}}',
        b'{"x":"occurred_at"}',
        b"",
        b"\xff\xfe",
    ],
)
def test_a_line_without_a_time_that_can_be_moved_stays_as_it_is(line: bytes) -> None:
    assert shift_line(line, 1) == line


def test_only_the_last_time_of_the_top_level_moves() -> None:
    line = (
        b'{"x":{"occurred_at":"2026-01-01T00:00:00Z","y":["occurred_at",{}]},'
        b'"occurred_at":"2026-02-02T00:00:00Z","note":"\\"occurred_at\\":\\"2026-03-03T00:00:00Z\\" {",'
        b'"occurred\\u005fat":"2026-04-04T00:00:00\\u005a","z":"occurred_at"}'
    )
    assert shift_line(line, 1000) == line.replace(b"2026-04-04T00:00:00\\u005a", b"2026-04-04T00:00:01Z")


text = st.text(max_size=8)
values = st.recursive(
    st.none() | st.integers(-9, 9) | text | st.just("occurred_at"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(text | st.just("occurred_at"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(text, values, max_size=4),
    st.integers(0, 4_000_000_000_000),
    st.integers(-(10**11), 10**11),
    st.booleans(),
)
def test_a_shift_moves_the_time_and_nothing_else(
    fields: dict[str, object], at: int, by: int, ascii_only: bool
) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = json.dumps({**fields, "occurred_at": stamp}, ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    )
    moved = shift_line(line, by)
    assert parse_instant(json.loads(moved)["occurred_at"]) == at + by
    assert shift_line(moved, -by) == line
    assert len(moved) == len(line)


async def test_every_line_is_sent_as_it_is_in_order_and_counted() -> None:
    lines = [
        event("2026-11-23T15:04:06Z"),
        b"not json",
        b"  ",
        b'{"event_id":"e2"}',
        event("2026-11-23T15:04:05Z", flow_id="f"),
    ]
    sink, clock = Received(), Clock(PEAK)
    assert await produce(lines, clock, sink) == Produced(sent=4, malformed=2, too_large=0, shifted_by=0)
    assert sink.values == [line for line in lines if line.strip()]
    assert [key for key, _, _ in sink.records] == [b"e1", None, b"e2", b"f"]
    assert clock.now == PEAK


@pytest.mark.parametrize("rebase", [PEAK, "now"])
async def test_rebasing_puts_the_first_event_at_the_given_instant_and_keeps_the_distances(
    rebase: int | Literal["now"],
) -> None:
    lines = [b"malformed", event("2026-01-01T00:00:00.250Z"), event("2026-01-01T00:00:01Z")]
    sink = Received()
    told = await produce(lines, Clock(PEAK), sink, rebase=rebase)
    assert sink.values == [
        b"malformed",
        event("2026-10-06T18:00:00.000Z"),
        event("2026-10-06T18:00:00.750Z"),
    ]
    assert told.shifted_by == PEAK - parse_instant("2026-01-01T00:00:00.250Z")


@pytest.mark.parametrize(("speed", "waited"), [(1.0, 60 * SECOND), (10.0, 6 * SECOND), (0.5, 120 * SECOND)])
async def test_events_leave_as_far_apart_as_they_happened_times_the_speed(speed: float, waited: int) -> None:
    lines = [
        event("2026-11-23T15:04:00Z"),
        event("2026-11-23T15:04:30Z"),
        event("2026-11-23T15:04:10Z"),  # late: at once
        event("2026-11-23T15:05:00Z"),
    ]
    sink, clock = Received(), Clock(PEAK)
    await produce(lines, clock, sink, speed, sleep=clock.sleep)
    assert [at - PEAK for _, _, at in sink.records] == [0, waited // 2, waited // 2, waited]


async def test_a_slow_sink_is_caught_up_with_instead_of_adding_up() -> None:
    clock = Clock(PEAK)
    sent = []

    async def slow(key: bytes | None, value: bytes, at: int) -> bool:
        sent.append(at - PEAK)
        clock.now += 700
        return True

    await produce([event(f"2026-11-23T15:04:0{s}Z") for s in range(4)], clock, slow, 1.0, sleep=clock.sleep)
    assert sent == [0, 1000, 2000, 3000]


async def test_a_speed_of_nothing_is_refused() -> None:
    for speed in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            await produce([], Clock(PEAK), Received(), speed)


async def test_a_line_too_large_to_send_is_counted_and_the_rest_goes_on() -> None:
    sink = Received(largest=100)
    told = await produce([b"x" * 101, event("2026-11-23T15:04:00Z")], Clock(PEAK), sink)
    assert (told.sent, told.too_large, told.malformed) == (1, 1, 1)


async def test_simulated_lines_arrive_on_a_topic_with_keys_and_the_clocks_timestamps(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    topic = topic_prefix + "login-events"
    kafka = {"bootstrap_servers": embedded_broker.address}
    admin = AIOKafkaAdminClient(**kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 2, 1)])
    finally:
        await admin.close()
    lines = [*simulate("healthy", 1, PEAK, MINUTE).lines(), b"\xffmalformed"]
    async with TopicSink(topic, KafkaClients(kafka)) as sink:
        told = await produce([b"x" * (9 << 20), *lines], Clock(PEAK), sink)
    assert told == Produced(sent=len(lines), malformed=2, too_large=1, shifted_by=0)

    async with AIOKafkaConsumer(**kafka, auto_offset_reset="earliest") as consumer:
        parts = [TopicPartition(topic, p) for p in range(2)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        records: list[Any] = []
        while len(records) < len(lines):
            got = await asyncio.wait_for(consumer.getmany(timeout_ms=1000), 10)
            records += [record for batch in got.values() for record in batch]
    assert sorted(record.value for record in records) == sorted(lines)
    assert all(record.key == key_of(record.value) for record in records)
    assert {record.timestamp for record in records} == {PEAK}
    partition_of: dict[bytes | None, set[int]] = {}
    for record in records:
        partition_of.setdefault(record.key, set()).add(record.partition)
    del partition_of[None]
    assert {len(p) for p in partition_of.values()} == {1}
    assert set.union(*partition_of.values()) == {0, 1}


async def test_a_refused_record_is_an_error_not_a_loss(
    embedded_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, topic_prefix: str
) -> None:
    async def refuse(*_: object, **__: object) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(OSError("the broker refused"))
        return future

    async def send() -> None:
        kafka = {"bootstrap_servers": embedded_broker.address}
        async with TopicSink(topic_prefix + "login-events", KafkaClients(kafka)) as sink:
            monkeypatch.setattr(sink._producer, "send", refuse)
            await sink(None, b"x", PEAK)

    with pytest.raises(OSError, match="refused"):
        await send()


def test_keys_of_simulated_lines_keep_a_flow_together() -> None:
    for line in simulate("healthy", 1, PEAK, MINUTE, 0.2).lines():
        event = json.loads(line)
        assert key_of(line) == (event.get("flow_id") or event["event_id"]).encode()
