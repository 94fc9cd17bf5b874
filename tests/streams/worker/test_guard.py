"""Does a guard tell what stood on the topic when it came from what is written since?"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.worker.guard import follow_states

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

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        self.stopped = True

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


async def test_a_topic_that_is_not_there_has_been_read_and_is_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def sleep(seconds: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", sleep)
    consumer = Consumer([], end=0, assigned=False)
    assert await followed(consumer) == ["up"]
    assert consumer.stopped
