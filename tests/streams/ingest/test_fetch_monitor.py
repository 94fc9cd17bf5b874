"""A partition that is not answered is told from a broker that is away."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from detectors.instants import SECOND
from streams.ingest.fetch_monitor import FetchMonitor

ONE, TWO = TopicPartition("login-events", 1), TopicPartition("login-events", 2)


class Clock:
    """Seconds, and the same as ms since the epoch."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> int:
        return round(self.seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(clock: Clock) -> FetchMonitor:
    monitor = FetchMonitor(clock.monotonic, clock.wall)
    monitor.assigned([ONE, TWO])
    return monitor


def test_the_partition_that_is_not_answered_is_named(monitor: FetchMonitor, clock: Clock) -> None:
    clock.seconds += 60
    assert monitor.status(ONE, 7, clock.wall() - 500).unanswered == 500
    assert monitor.status(TWO, 7, clock.wall() - 70 * SECOND).unanswered == 60 * SECOND
    assert monitor.unanswered(5.0) == [TWO]


def test_one_that_was_never_answered_counts_from_its_assignment(monitor: FetchMonitor, clock: Clock) -> None:
    clock.seconds += 61
    assert monitor.status(ONE, None, None).unanswered == 61 * SECOND
    assert monitor.status(ONE, None, None).answered is None


def test_after_an_absence_of_the_broker_the_wait_begins_anew(monitor: FetchMonitor, clock: Clock) -> None:
    clock.seconds += 600
    monitor.broker_was_away()
    assert monitor.unanswered(5.0) == []
    clock.seconds += 10
    assert monitor.status(ONE, 7, clock.wall() - 610 * SECOND).unanswered == 10 * SECOND


def test_a_rebalance_makes_no_answer(monitor: FetchMonitor, clock: Clock) -> None:
    clock.seconds += 6
    monitor.assigned([TWO])
    clock.seconds += 1
    assert monitor.unanswered(5.0) == [TWO]
    monitor.answered(TWO)
    monitor.answered(ONE)
    assert monitor.unanswered(5.0) == []
