"""A partition that is not answered is told from a broker that is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from aiokafka import TopicPartition

from detectors.instants import SECOND
from streams.ingest.fetch_monitor import FetchMonitor, FetchStatus

if TYPE_CHECKING:
    from streams.kafka.clients import Consumer

ONE, TWO = TopicPartition("login-events", 1), TopicPartition("login-events", 2)


class Clock:
    """Seconds, and the same as ms since the epoch; ``ahead`` is by how many ms the clock on the wall was set."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.ahead = 0

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> int:
        return round(self.seconds * SECOND) + self.ahead


class Fetching:
    """A consumer of which a partition was answered last at ``polled`` (ms since the epoch)."""

    def __init__(self, polled: int | None) -> None:
        self._polled = polled

    def last_poll_timestamp(self, partition: TopicPartition) -> int | None:
        return self._polled

    def highwater(self, partition: TopicPartition) -> int | None:
        return None if self._polled is None else 9

    def last_stable_offset(self, partition: TopicPartition) -> int | None:
        return None if self._polled is None else 8

    def position_now(self, partition: TopicPartition) -> int | None:
        return 7


def status(monitor: FetchMonitor, partition: TopicPartition, polled: int | None) -> FetchStatus:
    return monitor.status(partition, cast("Consumer", Fetching(polled)))


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
    assert status(monitor, ONE, clock.wall() - 500).unanswered == 500
    assert status(monitor, TWO, clock.wall() - 70 * SECOND).unanswered == 60 * SECOND
    assert monitor.unanswered(5.0) == [TWO]


def test_one_that_was_never_answered_counts_from_its_assignment(monitor: FetchMonitor, clock: Clock) -> None:
    clock.seconds += 61
    assert status(monitor, ONE, None).unanswered == 61 * SECOND
    assert status(monitor, ONE, None).answered is None


def test_after_an_absence_of_the_broker_the_wait_begins_anew(monitor: FetchMonitor, clock: Clock) -> None:
    clock.seconds += 600
    monitor.broker_was_away()
    assert monitor.unanswered(5.0) == []
    clock.seconds += 10
    assert status(monitor, ONE, clock.wall() - 610 * SECOND).unanswered == 10 * SECOND


def test_a_rebalance_makes_no_answer(monitor: FetchMonitor, clock: Clock) -> None:
    clock.seconds += 6
    monitor.assigned([TWO])
    clock.seconds += 1
    assert monitor.unanswered(5.0) == [TWO]
    monitor.answered(TWO)
    monitor.answered(ONE)
    assert monitor.unanswered(5.0) == []


def test_a_partition_is_at_its_end_at_the_last_stable_offset(monitor: FetchMonitor, clock: Clock) -> None:
    found = status(monitor, ONE, clock.wall())
    assert (found.position, found.stable, found.end) == (7, 8, 9)
    assert not found.at_end
    assert found.held_back
    assert not status(monitor, ONE, None).at_end


@pytest.mark.parametrize("jump", [-120 * SECOND, 120 * SECOND])
def test_a_clock_that_is_set_changes_no_wait(monitor: FetchMonitor, clock: Clock, jump: int) -> None:
    polled = clock.wall()
    assert status(monitor, ONE, polled).answered == 0
    clock.ahead += jump
    clock.seconds += 10
    found = status(monitor, ONE, polled)
    assert (found.answered, found.unanswered) == (10 * SECOND, 10 * SECOND)
    found = status(monitor, ONE, clock.wall() - jump)
    assert found.answered is not None
    assert 0 <= found.answered <= 10 * SECOND
