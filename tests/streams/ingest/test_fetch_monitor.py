"""A partition that is not answered is told from a broker that is away."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from detectors.instants import SECOND
from streams.ingest.fetch_monitor import Lookout

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
def lookout(clock: Clock) -> Lookout:
    lookout = Lookout(clock.monotonic, clock.wall)
    lookout.assigned([ONE, TWO])
    return lookout


def test_the_partition_that_is_not_answered_is_named(lookout: Lookout, clock: Clock) -> None:
    clock.seconds += 60
    assert lookout.sight(ONE, 7, clock.wall() - 500).unanswered == 500
    assert lookout.sight(TWO, 7, clock.wall() - 70 * SECOND).unanswered == 60 * SECOND
    assert lookout.unanswered(5.0) == [TWO]


def test_one_that_was_never_answered_counts_from_its_assignment(lookout: Lookout, clock: Clock) -> None:
    clock.seconds += 61
    assert lookout.sight(ONE, None, None).unanswered == 61 * SECOND
    assert lookout.sight(ONE, None, None).answered is None


def test_after_an_absence_of_the_broker_the_wait_begins_anew(lookout: Lookout, clock: Clock) -> None:
    clock.seconds += 600
    lookout.broker_was_away()
    assert lookout.unanswered(5.0) == []
    clock.seconds += 10
    assert lookout.sight(ONE, 7, clock.wall() - 610 * SECOND).unanswered == 10 * SECOND


def test_a_rebalance_makes_no_answer(lookout: Lookout, clock: Clock) -> None:
    clock.seconds += 6
    lookout.assigned([TWO])
    clock.seconds += 1
    assert lookout.unanswered(5.0) == [TWO]
    lookout.answered(TWO)
    lookout.answered(ONE)
    assert lookout.unanswered(5.0) == []
