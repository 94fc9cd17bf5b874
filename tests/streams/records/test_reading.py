"""A record on our own topics that cannot be read is named, copied and passed by, unless it decides verdicts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from detectors.engine.state import EngineState
from detectors.instants import HOUR, format_instant
from detectors.lifecycle.lifecycle import LifecycleMemory
from streams.evaluate.ownership.owner import Access
from streams.evaluate.restore import restore_shard
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import decides_verdicts
from streams.evaluate.shard_state import ShardState, encode_state
from streams.ingest.partition_claim import PartitionClaim
from streams.ingest.settings import IngestSettings
from streams.ingest.writes import Destination
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.records.policies import schedule_of
from streams.records.reading import OwnRecords, Reading, Stored, Unreadable
from streams.replay.topic_source import checkpoint_at
from streams.segments.codec import Frontier, Resume, decode, encode
from streams.settings.policy_file import default_policy

TOPICS = Topics("team.")
POLICY = default_policy()
NOW = 1_795_435_200_000
JUNK = b"\x93not a record"


class Own:
    """All that was copied to the quarantine."""

    def __init__(self) -> None:
        self.copied: list[ProducerRecord] = []
        self.records = OwnRecords(TOPICS, self.copied.extend)

    def reading(self, topic: str = TOPICS.segments) -> Reading:
        return self.records.reading(topic, 1)

    def places(self) -> list[bytes | None]:
        return [record.key for record in self.copied]


def number(value: bytes) -> int:
    return int(value)


def test_an_unreadable_record_is_named_copied_and_passed_by() -> None:
    own = Own()
    reading = own.reading()
    with capture_logs() as lines:
        found = [
            reading.take(Stored(n, b"k%d" % n, value), number) for n, value in enumerate([b"1", b"x", b"3"])
        ]
    assert found == [1, None, 3]
    (line,) = lines
    assert (line["topic"], line["partition"], line["offset"]) == (TOPICS.segments, 1, 1)
    assert "ValueError" in line["why"]
    (copy,) = own.copied
    assert (copy.topic, copy.value) == ("team.watchofficer.quarantine", b"x")
    headers = dict(copy.headers)
    assert (headers["topic"], headers["partition"], headers["offset"]) == (b"team.sli-segments", b"1", b"1")
    assert b"ValueError" in headers["why"]


def test_a_record_is_copied_once_for_each_start_and_a_long_value_not_whole() -> None:
    own = Own()
    for _ in range(3):
        own.reading().take(Stored(5, b"k", b"x" * 1_000_000), number)
    (copy,) = own.copied
    assert len(copy.value or b"") == 64 * 1024
    assert dict(copy.headers)["truncated"] == b"1000000"


@pytest.mark.parametrize("later", [b"7", None])
def test_a_later_record_of_the_key_takes_its_place(later: bytes | None) -> None:
    reading = Own().reading()
    reading.take(Stored(0, b"k", b"x"), number)
    reading.take(Stored(1, b"k", later), number)
    reading.refuse(lambda key: True)


def test_what_decides_verdicts_is_refused_in_one_line_that_says_what_to_do() -> None:
    reading = Own().reading()
    reading.take(Stored(17, b"segment/0/8192/prod/3", b"x"), number)
    with pytest.raises(Unreadable) as refused:
        reading.refuse(decides_verdicts)
    said = str(refused.value)
    assert "\n" not in said
    for part in ("team.sli-segments", "partition 1", "offset 17", "segment/0/8192/prod/3", "kcat"):
        assert part in said


def test_of_segments_junk_and_frontiers_are_passed_by() -> None:
    reading = Own().reading()
    for key in (None, b"junk", b"frontier/0/1"):
        reading.take(Stored(0, key, b"x"), number)
    reading.refuse(decides_verdicts)


# -- restoring a shard -----------------------------------------------------------------------------------------


class Log:
    """What stands on the topics."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Stored]] = {}

    def put(self, topic: str, key: bytes, value: bytes | None, partition: int = 0) -> None:
        log = self.records.setdefault(TopicPartition(topic, partition), [])
        log.append(Stored(len(log), key, value))

    async def read(
        self, place: TopicPartition, *, start: int = 0, end: int | None = None, **more: Any
    ) -> AsyncIterator[Stored]:
        for record in list(self.records.get(place, ())):
            if record.offset >= start and (end is None or record.offset < end):
                yield record

    async def append(self, records: Sequence[ProducerRecord]) -> list[int]:
        for record in records:
            self.put(record.topic, record.key or b"", record.value, record.partition or 0)
        return [len(self.records[TopicPartition(one.topic, one.partition or 0)]) - 1 for one in records[-1:]]


def state(reached: int) -> bytes:
    return encode_state(
        ShardState(
            engine=EngineState(reached, LifecycleMemory(at=reached), None, reached), board=(), inputs_to=0
        )
    )


async def restored(log: Log, own: Own) -> Any:
    kafka: Any = log
    settings = EvaluateSettings(TOPICS, frozenset(), 4)
    access = Access(kafka, kafka, own.records)
    return (await restore_shard(settings, schedule_of(POLICY), access, NOW, 0, 0)).shard


async def test_a_state_that_cannot_be_read_is_refused_unless_a_later_one_replaces_it() -> None:
    log, own = Log(), Own()
    log.put(TOPICS.watch_state, b"prod", state(NOW))
    log.put(TOPICS.watch_state, b"prod", JUNK)
    with pytest.raises(Unreadable, match=r"team\.watch-state, partition 0, offset 1"):
        await restored(log, own)
    log.put(TOPICS.watch_state, b"prod", state(NOW + 60_000))
    assert (await restored(log, own)).engine("prod").evaluated_to == NOW + 60_000


async def test_a_state_of_a_newer_version_is_refused_and_says_so() -> None:
    log = Log()
    log.put(TOPICS.watch_state, b"prod", msgspec.msgpack.encode({"version": 99}))
    with pytest.raises(Unreadable, match="newer version"):
        await restored(log, Own())


@pytest.mark.parametrize("name", ["v", "schema_version"])
@pytest.mark.parametrize("topic", TOPICS.all())
def test_a_json_record_of_a_later_form_is_refused_on_every_topic_and_one_of_today_is_read(
    topic: str, name: str
) -> None:
    today = 2 if topic == TOPICS.history else 1
    reading = Own().reading(topic)
    for n, form in enumerate([f'"{name}": {today}, ', ""]):
        assert reading.take(Stored(n, b"k", b"{%s}" % f'{form}"more": 7'.encode()), len)
    reading.refuse()
    assert reading.take(Stored(2, b"k", b'{"more": 7, "%s": %d}' % (name.encode(), today + 1)), len) is None
    with pytest.raises(Unreadable) as refused:
        reading.refuse()
    assert "\n" not in str(refused.value)
    assert f"{topic}, partition 1, offset 2" in str(refused.value)
    assert "written by a newer version of watchofficer: run that version" in str(refused.value)


def test_the_page_on_upgrading_tells_the_form_of_every_topic() -> None:
    page = Path(__file__).parents[3] / "docs" / "upgrading.md"
    table = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    named = {name for line in table for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    assert named == Topics().all().keys() - {Topics().login_events}


async def test_an_input_of_a_later_form_ends_the_restoring_of_a_shard() -> None:
    log = Log()
    log.put(TOPICS.inputs, b"prod", b'{"v": 2, "ask": "what nobody knows yet"}')
    with pytest.raises(Unreadable, match=r"team\.incident-inputs, .* newer version"):
        await restored(log, Own())


async def test_five_minutes_of_a_later_form_end_the_restoring_of_a_shard() -> None:
    log = Log()
    log.put(TOPICS.history, b"prod/x", b'{"v": 3, "env": "prod"}')
    with pytest.raises(Unreadable, match=r"team\.sli-history, .* newer version"):
        await restored(log, Own())


async def test_a_state_of_no_environment_is_passed_by() -> None:
    log, own = Log(), Own()
    log.put(TOPICS.watch_state, b"\xff\xfe", JUNK)
    await restored(log, own)
    assert own.places() == [b"team.watch-state/0/0"]


@pytest.mark.parametrize(
    "value",
    [
        JUNK,
        b"{}",
        b"[]",
        b'{"env":"prod","at":"never","scopes":{}}',
        b'{"env":"prod","at":"2026-11-23T12:00:00Z"}',
    ],
)
async def test_five_minutes_that_cannot_be_read_are_passed_by(value: bytes) -> None:
    log, own = Log(), Own()
    log.put(TOPICS.history, b"prod|x", value)
    await restored(log, own)
    assert own.places() == [b"team.sli-history/0/0"]


async def test_inputs_that_cannot_be_read_are_passed_by() -> None:
    log, own = Log(), Own()
    log.put(TOPICS.inputs, b"prod", b'{"kind":"dance"}')
    await restored(log, own)
    assert own.places() == [b"team.incident-inputs/0/0"]


async def test_a_live_segment_that_cannot_be_read_is_refused_before_anything_is_evaluated() -> None:
    shard = await restored(Log(), Own())
    shard.take(Stored(0, b"junk", JUNK))
    with pytest.raises(Unreadable):
        shard.take(Stored(1, b"segment/0/0/prod/1", JUNK))


# -- claiming a partition --------------------------------------------------------------------------------------


def resume(generation: int, start: int) -> bytes:
    return encode(Resume(0, generation, 1_000, 8192, start, None, None, None, start, None))


async def found(log: Log, own: Own) -> Any:
    unused: Any = None
    reader: Any = log
    claims = PartitionClaim(
        IngestSettings(TOPICS, "ingest", 4), POLICY, unused, reader, lambda: NOW, records=own.records
    )
    return await claims._find(Destination(TOPICS, 4, 0, 1), TopicPartition(TOPICS.login_events, 0))


async def test_the_last_resume_record_of_a_partition_must_be_readable() -> None:
    log, own = Log(), Own()
    log.put(TOPICS.ingest_state, b"resume/0/3", resume(3, 8192))
    log.put(TOPICS.ingest_state, b"resume/0/4", JUNK)
    with pytest.raises(Unreadable, match=r"team\.ingest-state"):
        await found(log, own)
    log.put(TOPICS.ingest_state, b"resume/0/5", resume(5, 16384))
    assert (await found(log, own)).resume.start == 16384


async def test_a_claim_that_cannot_be_read_still_tells_its_number_and_junk_nothing() -> None:
    log, own = Log(), Own()
    log.put(TOPICS.ingest_state, b"resume/0/3", resume(3, 8192))
    log.put(TOPICS.ingest_state, b"owner/0/9", JUNK)
    log.put(TOPICS.ingest_state, b"resume/1/30", JUNK)
    log.put(TOPICS.ingest_state, b"resume/0/no number", JUNK)
    log.put(TOPICS.ingest_state, b"junk", JUNK)
    assert ((await found(log, own)).greatest, (await found(log, own)).resume.generation) == (9, 3)
    assert len(own.copied) == 4


def test_a_record_of_a_later_binary_version_is_told_from_junk() -> None:
    frontier = encode(Frontier(0, 1, 0, 0, None, "", None, 0, []))
    later = bytes((3,)) + frontier[1:]
    own = Own()
    reading = own.reading()
    reading.take(Stored(0, b"junk", b"hello"), decode)
    reading.refuse(lambda key: False)
    reading.take(Stored(1, b"frontier/0/1", later), decode)
    with pytest.raises(Unreadable, match="newer version"):
        reading.refuse(lambda key: False)


async def test_a_replay_from_the_middle_passes_by_a_history_that_cannot_be_read_as_a_worker_does() -> None:
    log = Log()
    log.put(TOPICS.watch_state, b"prod", state(NOW))
    past = {"env": "prod", "at": format_instant(NOW - HOUR)}
    for value in (msgspec.json.encode(past), JUNK, b"[]", b"{}", None):
        log.put(TOPICS.history, b"prod|some time", value)
    reader: Any = log
    states, histories = (TopicPartition(name, 0) for name in (TOPICS.watch_state, TOPICS.history))
    assert (await checkpoint_at(reader, [states], [histories], NOW)).history == [past]
