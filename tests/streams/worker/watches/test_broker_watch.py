"""Is it an obstacle, and named for what it is, when the broker or one of its partitions does not answer?"""

from __future__ import annotations

import pytest

from streams.kafka.diagnosis import Diagnosis
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why
from streams.worker.watches.broker_watch import BrokerWatch


class Watched:
    """A broker, its partitions, and what is said of them."""

    def __init__(self) -> None:
        self.away: Diagnosis | None = None
        self.unfetched: str | None = None
        self.health = Health(lambda: 0.0)
        self.progress = Progress(lambda: 0.0)
        self.watch = BrokerWatch(self.probe, lambda: self.unfetched, self.health, self.progress)

    async def probe(self) -> Diagnosis | None:
        return self.away

    async def look(self) -> list[tuple[Why, str, str]]:
        await self.watch.look()
        return [(one.why, one.sentence, one.remedy) for one in self.progress.obstacles()]


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_a_broker_that_answers_is_no_obstacle(watched: Watched) -> None:
    assert await watched.look() == []
    assert watched.health.waiting() == {}


async def test_a_broker_that_is_away_is_told_at_once_and_taken_back(watched: Watched) -> None:
    watched.away = Diagnosis("nothing listens at kafka-1:9092", "start it")
    assert await watched.look() == [(Why.BROKER, "nothing listens at kafka-1:9092", "start it")]
    assert watched.health.waiting() == {"broker": "nothing listens at kafka-1:9092"}
    watched.away = None
    assert await watched.look() == []
    assert watched.health.waiting() == {}


async def test_a_partition_that_is_not_fetched_is_told_apart_from_a_broker_that_is_away(
    watched: Watched,
) -> None:
    watched.unfetched = "partition 3 of login-events cannot be fetched"
    assert await watched.look() == [], "ingest itself reports it"
    assert "partition 3" in watched.health.waiting()["broker"]
