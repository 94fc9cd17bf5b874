"""The parser's own records: whatever was fetched, the same records, positions and errors as aiokafka gives."""

from __future__ import annotations

import asyncio
import struct
from collections import OrderedDict
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.raw_records import RawResult, give_raw_records, longest_waiting_first

PLACE = TopicPartition("t", 0)
_COMMIT, _ABORT = struct.pack(">hh", 0, 1), struct.pack(">hh", 0, 0)


def _batch(
    base: int,
    offsets: list[int],
    *,
    codec: int = 0,
    producer: int = -1,
    transactional: bool = False,
    control: bytes | None = None,
    last: int | None = None,
    append_time: int | None = None,
    corrupt: bool = False,
) -> bytes:
    """A record batch (format 2) whose records stand at ``base`` plus each of ``offsets``."""
    builder = DefaultRecordBatchBuilder(2, codec, int(transactional), producer, 0, 0, 1 << 20)
    for offset in offsets:
        builder.append(offset, 1_000 + offset, control, b"%d" % (base + offset), [("h", b"1")])
    raw = bytearray(builder.build())
    struct.pack_into(">q", raw, 0, base)
    attributes = struct.unpack_from(">h", raw, 21)[0]
    if control is not None:
        attributes |= 0x20
    if append_time is not None:
        attributes |= 0x08
        struct.pack_into(">q", raw, 35, append_time)
    struct.pack_into(">h", raw, 21, attributes)
    if last is not None:  # compaction has removed the records at the end
        struct.pack_into(">i", raw, 23, last)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])) ^ (1 if corrupt else 0))
    return bytes(raw)


def _legacy(base: int, count: int, codec: int) -> bytes:
    builder = LegacyRecordBatchBuilder(1, codec, 1 << 20)
    for n in range(count):
        builder.append(base + n, 1_000 + n, None, b"%d" % n)
    return bytes(builder.build())


class _Assignment:
    """Stands for aiokafka's assignment: one partition and its position."""

    active = True

    def __init__(self, position: int) -> None:
        self.paused = False
        self.position = position

    def state_value(self, _: TopicPartition) -> _Assignment:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def _fetched(data: bytes, position: int, aborted: list[tuple[int, int]], isolation: int) -> FetchResult:
    found = PartitionRecords(PLACE, MemoryRecords(data), aborted, position, None, None, True, isolation)
    return FetchResult(PLACE, assignment=_Assignment(position), partition_records=found, backoff=0.1)


def _drained(
    result: FetchResult, getall: Any, sizes: list[int | None]
) -> list[tuple[list[tuple[Any, ...]] | str, int, bool]]:
    """What each call gave, and where the position stood after it."""
    out: list[tuple[list[tuple[Any, ...]] | str, int, bool]] = []
    for size in sizes:
        if not result.has_more():
            break
        given: list[tuple[Any, ...]] | str
        try:
            given = [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in getall(size)]
        except (CorruptRecordException, SystemError) as error:  # its parser of format 1 stumbles over a cut
            given = str(error)
        out.append((given, result._assignment.position, result.has_more()))
    return out


@st.composite
def _logs(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]]]:
    """Bytes as they are fetched, and the aborted transactions in them: (producer, first offset)."""
    base, data, aborted = draw(st.integers(0, 50)), b"", []
    open_at: dict[int, int] = {}
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(
            st.sampled_from(("plain", "plain", "idempotent", "transaction", "end", "legacy", "corrupt"))
        )
        offsets = sorted(draw(st.sets(st.integers(0, 6), min_size=1)))
        codec = draw(st.sampled_from((0, 0, 1, 3)))
        producer = draw(st.integers(1, 2))
        if kind == "legacy":
            count = len(offsets)
            data += _legacy(base, count, draw(st.sampled_from((0, 1))))
            base += count
            continue
        if kind == "end":
            abort = draw(st.booleans())
            if abort and producer in open_at:
                aborted.append((producer, open_at[producer]))
            open_at.pop(producer, None)
            control = _ABORT if abort else _COMMIT
            data += _batch(base, [0], producer=producer, transactional=True, control=control)
            base += 1
            continue
        last = offsets[-1] + draw(st.integers(0, 3))
        data += _batch(
            base,
            offsets,
            codec=codec,
            producer=-1 if kind in ("plain", "corrupt") else producer,
            transactional=kind == "transaction",
            last=last,
            append_time=draw(st.sampled_from((None, None, 77_000))),
            corrupt=kind == "corrupt",
        )
        if kind == "transaction":
            open_at.setdefault(producer, base)
        base += last + 1
    cut = draw(st.integers(0, 30))  # a fetch may end within a batch
    return data[: len(data) - cut], aborted


@given(
    log=_logs(),
    position=st.integers(0, 60),
    isolation=st.sampled_from((READ_COMMITTED, READ_UNCOMMITTED)),
    sizes=st.lists(st.one_of(st.none(), st.integers(1, 12)), min_size=1, max_size=12),
)
def test_whatever_was_fetched_the_same_comes_out_as_from_aiokafka(
    log: tuple[bytes, list[tuple[int, int]]], position: int, isolation: int, sizes: list[int | None]
) -> None:
    data, aborted = log
    plain = _fetched(data, position, list(aborted), isolation)
    raw = _fetched(data, position, list(aborted), isolation)
    expected = _drained(plain, plain.getall, sizes)
    found = _drained(raw, RawResult(raw).getall, sizes)
    # The records and the position are the same after every call. aiokafka notices a call later that no more is left.
    assert [one[:2] for one in found] == [one[:2] for one in expected][: len(found)]
    assert all(not given for given, _, _ in expected[len(found) :])


def test_a_position_that_was_moved_meanwhile_drops_what_was_fetched() -> None:
    result = _fetched(_batch(0, [0, 1, 2]), 0, [], READ_COMMITTED)
    raw = RawResult(result)
    assert [record.offset for record in raw.getall(2)] == [0, 1]
    result._assignment.position = 7
    assert raw.getall(2) == []
    assert not result.has_more()


def test_a_wrong_checksum_is_told_once_and_nothing_behind_it_is_given() -> None:
    data = _batch(0, [0, 1]) + _batch(2, [0], corrupt=True) + _batch(3, [0])
    result = _fetched(data, 0, [], READ_COMMITTED)
    raw = RawResult(result)
    with pytest.raises(CorruptRecordException, match="Invalid CRC"):
        raw.getall(10)
    assert result._assignment.position == 0
    assert raw.getall(10) == []
    assert not result.has_more()


def test_of_what_a_fetch_brings_every_result_gives_raw_records() -> None:
    result = _fetched(_batch(0, [0, 1]), 0, [], READ_COMMITTED)

    class Fetcher:
        def __init__(self) -> None:
            self._records: OrderedDict[TopicPartition, Any] = OrderedDict()

        async def _proc_fetch_request(self, *_: Any) -> bool:
            self._records[PLACE] = result
            return True

    fetcher = Fetcher()
    assert give_raw_records(SimpleNamespace(_fetcher=fetcher))
    request = SimpleNamespace(topics=[("t", [(0, 0, 1)])])
    assert asyncio.run(fetcher._proc_fetch_request("assignment", 0, request))
    assert [type(record).__name__ for record in result.getall(5)] == ["DefaultRecord"] * 2


def test_an_aiokafka_that_is_built_otherwise_is_left_as_it_is() -> None:
    assert not give_raw_records(SimpleNamespace())
    assert not give_raw_records(SimpleNamespace(_fetcher=SimpleNamespace(_records={})))


@given(st.integers(1, 12), st.integers(1, 5), st.randoms(use_true_random=False))
def test_however_few_partitions_an_answer_fills_each_gets_its_turn(
    partitions: int, filled: int, chance: Random
) -> None:
    came_at: dict[TopicPartition, int] = {}
    for answer in range(1, 30):
        asked = [(number, 0, 1) for number in range(partitions)]
        chance.shuffle(asked)
        longest_waiting_first([("t", asked)], came_at)
        assert sorted(number for number, _, _ in asked) == list(range(partitions))
        came_at |= {TopicPartition("t", number): answer for number, _, _ in asked[:filled]}
    assert len(came_at) == partitions
    assert min(came_at.values()) > 29 - -(-partitions // filled)


def test_the_topic_whose_partition_waits_the_longest_comes_first() -> None:
    asked = [("t", [(0, 0, 1), (1, 0, 1)]), ("u", [(0, 0, 1), (1, 0, 1)])]
    places = [TopicPartition(topic, number) for topic in "tu" for number in (0, 1)]
    longest_waiting_first(asked, dict(zip(places, (7, 5, 4, 6), strict=True)))
    assert asked == [("u", [(0, 0, 1), (1, 0, 1)]), ("t", [(1, 0, 1), (0, 0, 1)])]
