"""Is it said of an environment that it has not been evaluated ever, and of a command that it has not been sent?"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streams.http.views import Views
from streams.kafka.topics import Topics
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why
from streams.worker import assignment
from streams.worker.assignment import Assignment


class Parts:
    """The parts of a worker, as far as they are asked."""

    def __init__(self) -> None:
        self.reached: int | None = None
        self.oldest: dict[str, tuple[int, int]] = {}
        self.pending: list[tuple[dict[str, tuple[int, int]], int]] = []
        shard = SimpleNamespace(envs=("prod",), held_back_by=lambda: "2 partitions have not reported")
        self.shard: Any = shard
        shard.evaluated_to = None
        self.evaluate: Any = SimpleNamespace(shards={0: shard}, keep=lambda partitions: [])

        async def own(partitions: object) -> None:
            return None

        self.dispatch: Any = SimpleNamespace(
            own=own,
            deliveries={},
            oldest_pending=lambda: self.oldest,
            gates=dict,
            unheard_for=lambda now: 0.0,
        )
        self.feed: Any = SimpleNamespace(
            gates=lambda gates: None,
            shards_dropped=lambda shards: None,
            deliveries=lambda counts: None,
            pending=lambda oldest, now: self.pending.append((oldest, now)),
        )


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def progress() -> Progress:
    return Progress(lambda: 0.0)


@pytest.fixture
def followed(parts: Parts, progress: Progress, monkeypatch: pytest.MonkeyPatch) -> Assignment:
    monkeypatch.setattr(assignment, "owned", lambda app, topic: {0})
    signal = SimpleNamespace(connect=lambda handler: None)
    app: Any = SimpleNamespace(
        on_partitions_revoked=signal, on_partitions_assigned=signal, consumer=None, crashed=False
    )
    return Assignment(
        app,
        Topics(),
        evaluate=parts.evaluate,
        dispatch=parts.dispatch,
        ingest=None,
        views=Views(),
        feed=parts.feed,
        health=Health(lambda: 0.0),
        progress=progress,
        clock=lambda: 70_000,
    )


async def test_an_environment_that_was_never_evaluated_here_is_an_obstacle_until_it_is(
    followed: Assignment, parts: Parts, progress: Progress
) -> None:
    await followed._look()
    (one,) = progress.obstacles()
    assert (one.why, one.key) == (Why.START, "env prod")
    assert one.sentence == (
        "prod has not been evaluated since this worker started: 2 partitions have not reported"
    )
    parts.shard.evaluated_to = 1_000
    await followed._look()
    assert progress.obstacles() == ()


async def test_a_command_that_waits_is_told_with_its_age(
    followed: Assignment, parts: Parts, progress: Progress
) -> None:
    parts.oldest = {"pagerduty": (2, 10_000)}
    await followed._look()
    assert parts.pending == [({"pagerduty": (2, 10_000)}, 70_000)]
    assert progress.unsent() == {"pagerduty": 10_000}


async def test_whoever_ends_takes_its_obstacles_back(
    followed: Assignment, parts: Parts, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(Exception):
        pass

    parts.oldest = {"slack": (1, 0)}
    await followed._look()
    failed: list[BaseException] = []

    async def sleep(seconds: float) -> None:
        raise Ended

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await followed.follow(failed.append)
    assert [type(one) for one in failed] == [Ended]
    assert progress.obstacles() == ()
    assert progress.unsent() == {}


async def test_a_consumer_that_has_crashed_ends_the_pipeline(followed: Assignment) -> None:
    app: Any = followed._app
    app.consumer = SimpleNamespace(crashed=True, crash_reason=ValueError("denied"))
    failures: list[BaseException] = []
    await followed.follow(failures.append)
    assert [str(one) for one in failures] == ["the consumer of the agents has ended: ValueError('denied')"]
