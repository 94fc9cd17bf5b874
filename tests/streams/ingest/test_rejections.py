"""A rising share of rejected records is a notice, most of them an obstacle that says what the first of them lacks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.events.validation import Reason, Rejection
from streams.ingest.blocks import Folded, RefusedRecord
from streams.ingest.rejections import Rejections
from streams.runtime.progress import Progress, Why

PARTITION = TopicPartition("login-events", 3)
WHY = Rejection(Reason.BAD_VERSION, "schema_version must be 1")


class World:
    """A worker that reads a batch a second."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.offset = 0
        self.progress = Progress(lambda: self.seconds)
        self.rejections = Rejections(self.progress, lambda: self.seconds)

    def read(self, seconds: int, good: int, bad: int) -> None:
        """Read so many records of either kind in each second."""
        for _ in range(seconds):
            records: list[Any] = [SimpleNamespace(offset=self.offset + n) for n in range(good + bad)]
            self.offset += good + bad
            if records:
                refused = [RefusedRecord(one, WHY, b"") for one in records[good:]]
                self.rejections.note(PARTITION, Folded(len(records), refused))
            self.rejections.look()
            self.seconds += 1.0


@pytest.fixture
def world() -> World:
    return World()


def test_most_of_the_last_minute_is_an_obstacle_while_it_lasts(world: World) -> None:
    world.read(60, good=2, bad=0)
    world.read(29, good=0, bad=2)
    assert world.progress.obstacles() == ()
    world.read(3, good=0, bad=2)
    (obstacle,) = world.progress.obstacles()
    assert (obstacle.why, obstacle.since) == (Why.REJECTED, 160.0)
    assert "bad_version: schema_version must be 1 (login-events/3, offset 120)" in obstacle.sentence
    world.read(40, good=2, bad=0)
    assert world.progress.obstacles() == ()
    assert world.rejections.share > 0


def test_after_the_last_it_ends_by_itself(world: World) -> None:
    world.read(30, good=0, bad=2)
    assert world.progress.obstacles() != ()
    world.read(61, good=0, bad=0)
    assert world.progress.obstacles() == ()


def test_few_records_say_nothing(world: World) -> None:
    world.read(1, good=0, bad=19)
    assert world.progress.obstacles() == ()
    assert world.rejections.share == 0.0


def test_a_share_that_rises_is_noticed_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.read(60, good=10, bad=0)
    world.read(20, good=8, bad=2)
    world.read(100, good=10, bad=0)
    said = capsys.readouterr().out
    assert (said.count("rejected_share_rose"), said.count("rejected_share_fell")) == (1, 1)
    assert "schema_version must be 1" in said
    assert world.progress.obstacles() == ()
