"""Does a guard tell what stood on the topic when it came from what is written since?"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.runtime.clocks import RealClock
from streams.runtime.progress import Why
from streams.settings.policy_file import default_policy
from streams.settings.settings import Settings
from streams.worker.guard import Guard, Unfetched, follow_states

PLACE = TopicPartition("watch-state", 0)


class Ended(Exception):
    """The test has seen enough."""


class Consumer:
    """A consumer whose polls bring what a test says."""

    def __init__(self, polls: list[int | None], end: int, *, assigned: bool = True) -> None:
        self.polls = polls
        self.end = end
        self.at = 0
        self.assigned = assigned
        self.stopped = False
        self.answered_at: int | None = None

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        self.stopped = True

    def last_poll_timestamp(self, place: TopicPartition) -> int | None:
        return self.answered_at

    def assignment(self) -> set[TopicPartition]:
        return {PLACE} if self.assigned else set()

    async def end_offsets(self, places: object) -> dict[TopicPartition, int]:
        return {PLACE: self.end}

    async def position(self, place: TopicPartition) -> int:
        return self.at

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        if not self.polls:
            raise Ended
        count = self.polls.pop(0) or 0
        records = [SimpleNamespace(offset=self.at + i) for i in range(count)]
        self.at += count
        return {PLACE: records} if records else {}


async def followed(consumer: Consumer) -> list[str]:
    """What was called, in order: the offsets that were taken, and ``up`` when the end had been reached."""
    seen: list[str] = []
    clients: Any = SimpleNamespace(tail=lambda topic: consumer)
    await follow_states(
        clients, "watch-state", lambda record: seen.append(str(record.offset)), lambda: seen.append("up")
    )
    return seen


async def test_a_poll_that_brings_nothing_is_not_the_end() -> None:
    consumer = Consumer([0, 2, 0, 1, 0, 1], end=3)
    seen: list[str] = []
    clients: Any = SimpleNamespace(tail=lambda topic: consumer)
    with pytest.raises(Ended):
        await follow_states(
            clients, "watch-state", lambda record: seen.append(str(record.offset)), lambda: seen.append("up")
        )
    assert seen == ["0", "1", "2", "up", "up", "3", "up"]
    assert consumer.stopped


@pytest.mark.parametrize("answered", [False, True])
async def test_a_partition_of_which_no_fetch_is_answered_is_not_taken_for_silent(*, answered: bool) -> None:
    now = 100.0

    def poll_and_wait() -> float:
        nonlocal now
        now += 2.0
        if answered:
            consumer.answered_at = round(1_000 * now)
        return now

    consumer = Consumer([0] * 20, end=0)
    clients: Any = SimpleNamespace(tail=lambda topic: consumer)
    with pytest.raises(Ended if answered else Unfetched):
        await follow_states(
            clients,
            "watch-state",
            lambda record: None,
            lambda: None,
            monotonic=poll_and_wait,
        )
    assert consumer.stopped


async def test_a_topic_that_is_not_there_has_been_read_and_is_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def sleep(seconds: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", sleep)
    consumer = Consumer([], end=0, assigned=False)
    assert await followed(consumer) == ["up"]
    assert consumer.stopped


async def test_a_part_of_a_guard_that_fails_is_said_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    began = 0

    async def part() -> None:
        nonlocal began
        began += 1
        if began > 2:
            await asyncio.Event().wait()
        raise ValueError("odd")

    guard = Guard(Settings(broker=("127.0.0.1:1",)), default_policy(), RealClock(), 0)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    running = asyncio.create_task(guard._kept(part, "fleet"))
    while began < 3:
        await asyncio.wait({running}, timeout=0.01)
    (said,) = guard.progress.obstacles()
    assert (said.why, said.sentence) == (Why.START, "the part fleet of the guard fails: ValueError('odd')")
    assert slept == [5.0, 5.0]
    running.cancel()
    await asyncio.wait({running})


@pytest.mark.parametrize("error", [Unfetched("partition 3 of watch-state cannot be fetched"), OSError()])
async def test_a_guard_that_cannot_read_says_so_and_blames_no_worker(error: OSError) -> None:
    guard = Guard(Settings(broker=("127.0.0.1:1",)), default_policy(), RealClock(), 0)
    guard._deaf(await guard._why_deaf(error))
    (said,) = guard.progress.obstacles()
    assert said.why is Why.BROKER
    assert "The guard cannot read watch-state" in said.sentence
    assert (
        "partition 3" if isinstance(error, Unfetched) else "nothing listens on 127.0.0.1:1"
    ) in said.sentence
    assert said.remedy
    assert "watch-state" in guard.health.waiting()
    guard._caught_up()
    assert guard.progress.obstacles() == ()
    assert "watch-state" not in guard.health.waiting()
