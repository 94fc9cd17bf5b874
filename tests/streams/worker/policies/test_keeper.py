"""What a worker does with the policy of its file: at its start, when the file changes, and when others know better."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from detectors.instants import SECOND
from detectors.policy.policy import Policy
from streams.evaluate.policies.book import PolicyBook
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.records.policies import NOTICE
from streams.runtime.clocks import Timing
from streams.settings.policy_file import PolicyFile, read_policy
from streams.worker.policies.keeper import PolicyKeeper
from streams.worker.policies.restart_keys import RESTART_KEYS, restart_changes
from tests.support.oracle import NOON

FIRST, SECOND_POLICY, THIRD = (f"severity: {{severity_1_over: {n}}}\n" for n in (100, 200, 300))


class _Stored:
    def __init__(self, offset: int, timestamp: int, record: ProducerRecord) -> None:
        self.offset, self.timestamp = offset, timestamp
        self.key, self.value = record.key, record.value


class Log:
    """The topic `policy`, in memory, and the broker's clock. Writing may take a while."""

    def __init__(self) -> None:
        self.now = NOON
        self.takes = [0]
        self.records: list[_Stored] = []

    async def write(self, record: ProducerRecord) -> None:
        self.now += self.takes.pop(0) if len(self.takes) > 1 else self.takes[0]
        self.records.append(_Stored(len(self.records), self.now, record))

    async def read(self, place: TopicPartition, *, start: int = 0) -> AsyncIterator[_Stored]:
        for record in self.records[start:]:
            yield record


class Worker:
    """A worker with a file of its own."""

    def __init__(
        self,
        log: Log,
        file: Path | None,
        *,
        written_at: int = NOON,
        replaced_by: str | None = None,
        **options: Any,
    ) -> None:
        self.log, self.file, self.in_force = log, file, list[str]()
        if file is not None:
            os.utime(file, (written_at / SECOND, written_at / SECOND))
        source = PolicyFile(file)
        policy = source.load()
        if replaced_by is not None and file is not None:
            file.write_text(replaced_by)
        reader: Any = log
        book = PolicyBook(
            Topics(),
            reader,
            lambda: log.now,
            timing=Timing(clock=lambda: log.now, monotonic=lambda: log.now / SECOND),
        )
        self.keeper = PolicyKeeper(
            source,
            policy,
            book,
            topic="policy",
            write=log.write,
            time=lambda: log.now,
            name="w",
            on_change=lambda policy: self.in_force.append(policy.hash),
            **options,
        )

    def begin(self) -> list[str]:
        with capture_logs() as lines:
            asyncio.run(self.keeper.begin())
        return [line["event"] for line in lines]

    def rewrite(self, text: str, *, ask: bool = True) -> list[Any]:
        assert self.file is not None
        self.file.write_text(text)
        if ask:
            self.keeper.reload()
        with capture_logs() as lines:
            asyncio.run(self.keeper.look())
        return lines

    def judged_by(self, at: int) -> str:
        return self.keeper.book.schedule.at(at).hash


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(FIRST)
    return path


def policy(text: str) -> Policy:
    return read_policy(text, "a test")


def test_the_first_policy_judges_everything_and_is_recorded_once(file: Path) -> None:
    log = Log()
    Worker(log, file).begin()
    other = Worker(log, file)
    other.begin()
    assert len(log.records) == 1
    assert other.judged_by(0) == policy(FIRST).hash


def test_a_change_is_in_force_from_a_t_that_nobody_can_have_judged(file: Path) -> None:
    log = Log()
    worker, other = Worker(log, file), Worker(log, file)
    worker.begin()
    other.begin()
    worker.rewrite(SECOND_POLICY)
    log.now += SECOND
    change = asyncio.run(other.keeper.book.settled(log.now + NOTICE)).next_change(0)
    assert change is not None
    assert change >= log.records[-1].timestamp + NOTICE
    assert change % (10 * SECOND) == 0
    assert other.judged_by(change - 1) == policy(FIRST).hash
    assert other.judged_by(change) == policy(SECOND_POLICY).hash
    assert worker.in_force == []
    log.now = change
    asyncio.run(worker.keeper.look())
    assert worker.in_force == [policy(SECOND_POLICY).hash] == [worker.keeper.in_force.hash]


def test_a_change_is_noticed_without_a_signal_and_an_equal_text_changes_nothing(file: Path) -> None:
    log = Log()
    worker = Worker(log, file)
    worker.begin()
    worker.rewrite(SECOND_POLICY + "# longer\n", ask=False)
    assert [(record.key or b"").split(b"/")[1].decode() for record in log.records] == [
        policy(FIRST).hash,
        policy(SECOND_POLICY).hash,
    ]
    assert [line["event"] for line in worker.rewrite("# only words\n" + SECOND_POLICY)] == [
        "policy_unchanged"
    ]
    assert len(log.records) == 2


def test_a_file_that_is_replaced_while_a_worker_starts_is_read_at_the_first_look(file: Path) -> None:
    log = Log()
    worker = Worker(log, file, replaced_by=SECOND_POLICY)
    worker.begin()
    asyncio.run(worker.keeper.look())
    assert [record.value is not None for record in log.records] == [True, True]
    assert worker.keeper.newest.hash == policy(SECOND_POLICY).hash


def test_a_bad_file_is_refused_whole_with_every_problem(file: Path) -> None:
    log = Log()
    worker = Worker(log, file)
    worker.begin()
    (line,) = worker.rewrite("severity: {severity_1_over: x}\ntide: 1\n")
    assert line["event"] == "policy_refused"
    assert len(line["problems"]) == 2
    assert len(log.records) == 1


def test_what_ingest_uses_is_refused_and_named(file: Path) -> None:
    log = Log()
    worker = Worker(log, file)
    worker.begin()
    (line,) = worker.rewrite(
        "retention: 3h\ndedup_horizon: 5m\nobjectives: {sis: {latency_threshold_ms: 900}}\n"
    )
    assert [said.split(":")[0] for said in line["problems"]] == [
        "retention",
        "dedup_horizon",
        "objectives.*.latency_threshold_ms",
    ]
    assert len(log.records) == 1


def test_all_that_ingest_reads_of_a_policy_waits_for_a_restart() -> None:
    changed = {
        key: read_policy(f"{key}: {value}", key)
        for key, value in {"step": "5s", "idle_after": "2s", "max_envs": 3, "envs": "[prod, qa]"}.items()
    }
    assert {key: restart_changes(policy(""), other) for key, other in changed.items()} == {
        key: [key] for key in changed
    }
    assert set(RESTART_KEYS) <= set(Policy.model_fields)


def test_a_file_older_than_the_last_record_is_ignored_with_a_line_unless_forced(
    file: Path, tmp_path: Path
) -> None:
    log = Log()
    worker = Worker(log, file)
    worker.begin()
    log.now += 60 * SECOND
    worker.rewrite(SECOND_POLICY)
    stale = tmp_path / "stale.yaml"
    stale.write_text(THIRD)
    assert "policy_file_is_older" in Worker(log, stale, written_at=NOON).begin()
    assert len(log.records) == 2
    log.now += 60 * SECOND
    assert "policy_file_is_older" not in Worker(log, stale, written_at=NOON, force=True).begin()
    assert len(log.records) == 3
    fresh = tmp_path / "fresh.yaml"
    fresh.write_text(FIRST)
    Worker(log, fresh, written_at=log.now + SECOND).begin()
    assert len(log.records) == 4


def test_a_record_that_the_broker_took_too_late_is_written_again(file: Path) -> None:
    log = Log()
    worker = Worker(log, file)
    worker.begin()
    log.takes = [60 * SECOND, 0]
    worker.rewrite(SECOND_POLICY)
    assert len(log.records) == 3
    assert worker.keeper.newest.hash == policy(SECOND_POLICY).hash


def test_a_worker_that_records_nothing_follows_the_others(file: Path) -> None:
    log = Log()
    worker, ingest = Worker(log, file), Worker(log, file, records=False)
    worker.begin()
    ingest.begin()
    worker.rewrite(SECOND_POLICY)
    log.now += 120 * SECOND
    asyncio.run(ingest.keeper.look())
    assert ingest.in_force == [policy(SECOND_POLICY).hash]
    assert len(log.records) == 2
