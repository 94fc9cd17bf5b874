"""A partition is an obstacle when it is not read to its last stable offset and does not get on, and not before."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException

from streams.ingest.fetch_monitor import FetchStatus
from streams.ingest.read_report import ReadReport
from streams.runtime.progress import Position, Progress, Why

ONE, TWO = TopicPartition("login-events", 1), TopicPartition("login-events", 2)


class World:
    """A worker that reads, and what it says of that."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.progress = Progress(lambda: self.seconds)
        self.report = ReadReport(self.progress, lambda: self.seconds)
        self.report.assigned([ONE, TWO])

    def look(self, partition: TopicPartition, position: int, stable: int, unanswered: float = 0.0) -> None:
        """Look at a partition."""
        milliseconds = round(1_000 * unanswered)
        self.report.look(partition, FetchStatus(position, stable, stable, milliseconds, milliseconds))

    def said(self) -> list[tuple[Why, str, float]]:
        """The obstacles: why, key and since when."""
        return [(one.why, one.key, one.since) for one in self.progress.obstacles()]


@pytest.fixture
def world() -> World:
    return World()


def test_one_that_was_not_read_since_the_start_is_told_from_one_that_cannot_be_fetched(world: World) -> None:
    world.report.waits(ONE)
    (obstacle,) = world.progress.obstacles()
    assert (obstacle.why, obstacle.key) == (Why.START, "partition 1")
    assert "partition 1 of login-events has not been read since" in obstacle.sentence
    world.look(ONE, 0, 10)
    assert world.said() == []


def test_a_long_backlog_is_no_obstacle_while_it_gets_shorter(world: World) -> None:
    for position in range(0, 100, 5):
        world.look(ONE, position, 100)
        world.seconds += 4
    assert world.said() == []
    assert world.progress.positions() == {1: Position(95, 100)}


def test_one_that_stands_before_its_last_stable_offset_is(world: World) -> None:
    for _ in range(30):
        world.look(ONE, 7, 8)
        world.look(TWO, 8, 8)
        world.seconds += 0.2
    assert world.said() == [(Why.PARTITION, "partition 1", 100.0)]
    assert "up to offset 7, its last stable offset is 8" in world.progress.obstacles()[0].sentence
    world.look(ONE, 8, 8)
    assert world.said() == []


def test_while_nobody_looked_nothing_stood(world: World) -> None:
    world.look(ONE, 7, 8)
    world.seconds += 60  # a write took so long
    world.look(ONE, 7, 8)
    assert world.said() == []


def test_one_that_is_not_answered_is(world: World) -> None:
    world.look(ONE, 7, 7, unanswered=5.0)
    assert world.said() == []
    world.look(ONE, 7, 7, unanswered=6.0)
    assert world.said() == [(Why.PARTITION, "partition 1", 94.0)]


def test_what_another_worker_has_now_is_forgotten(world: World) -> None:
    world.report.waits(TWO)
    world.look(ONE, 7, 7, unanswered=6.0)
    world.report.assigned([])
    assert world.said() == []
    assert world.progress.positions() == {}


def test_records_that_cannot_be_read_are_until_a_partition_is_at_its_end(world: World) -> None:
    world.report.failed(CorruptRecordException("login-events/1"))
    world.report.assigned([])
    world.report.assigned([ONE])
    world.look(ONE, 7, 8)
    assert world.said() == [(Why.PARTITION, "reading", 100.0)]
    world.look(ONE, 8, 8)
    assert world.said() == []
