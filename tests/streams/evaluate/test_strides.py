"""A backlog is judged in strides: no record is judged twice, and the last one always is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.evaluate import service as evaluate
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.policies.book import FixedPolicy
from streams.evaluate.restore import Restored
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Shard
from streams.kafka.topics import Topics
from streams.records.policies import schedule_of
from streams.runtime.clocks import Timing
from streams.segments.codec import Frontier, encode
from streams.settings.policy_file import default_policy


def no_engine(env: str) -> Any:
    raise AssertionError(env)


class Owning:
    """The owner of a shard, which may judge whatever it likes, and has no state to write."""

    judged_to = 1 << 60

    async def write(self, records: Any) -> None:
        assert not list(records)


def restored(partition: int, evaluator: Evaluator, offset: int) -> Restored:
    return Restored(
        Shard(partition, (), evaluator, offset),
        cast(Any, Owning()),
        schedule_of(default_policy()).at(0),
        [],
        [],
    )


class Strides(Evaluate):
    """Notes where it would have judged, instead of judging."""

    def __init__(self) -> None:
        unused: Any = None
        settings = EvaluateSettings(Topics(), frozenset(), 4)
        super().__init__(
            settings,
            FixedPolicy(default_policy()),
            unused,
            unused,
            Timing(clock=lambda: 0),
            more=lambda partition, offset: offset + 1 < self.end,
        )
        self.end = 0
        self.judged: list[int | None] = []

    async def _restore(self, partition: int, offset: int, begin_at: int | None = None) -> Restored:
        return restored(partition, Evaluator(default_policy(), no_engine), offset)

    async def _evaluate(self, task: Any) -> None:
        self.judged.append(task.shard.watermark())


def frontier(watermark: int) -> bytes:
    return encode(Frontier(0, 1, 0, watermark, watermark, "", None, watermark, []))


async def test_without_a_backlog_every_frontier_is_judged() -> None:
    strides = Strides()
    for offset in range(5):
        strides.end = offset + 1
        await strides.take_segment(0, offset, frontier(offset))
    assert strides.judged == [0, 1, 2, 3, 4]


async def test_a_backlog_is_judged_where_it_begins_and_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "_STRIDE", 3600.0)
    strides = Strides()
    strides.end = 50
    for offset in range(50):
        await strides.take_segment(0, offset, frontier(offset))
    assert strides.judged == [0, 49]


async def test_a_frontier_that_was_passed_over_is_judged_at_the_next_record_whatever_that_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate, "_STRIDE", 3600.0)
    strides = Strides()
    strides.end = 3
    for offset, value in enumerate([frontier(0), frontier(1), None]):
        await strides.take_segment(0, offset, value)
    assert strides.judged == [0, 1]


async def test_a_long_backlog_does_not_keep_the_watch_from_judging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "_STRIDE", 0.0)
    strides = Strides()
    strides.end = 1_000
    for offset in range(10):
        await strides.take_segment(0, offset, frontier(offset))
    assert strides.judged == list(range(10))


class Ranges(Evaluate):
    """Notes the ends of ranges, instead of judging them."""

    def __init__(self) -> None:
        unused: Any = None
        settings = EvaluateSettings(Topics(), frozenset(), 4)
        super().__init__(settings, FixedPolicy(default_policy()), unused, unused, Timing(clock=lambda: 0))
        self.ends: list[int] = []

    async def _evaluate_range(self, task: Any, to: int, goal: int, states_every: int = 0) -> float:
        self.ends.append(to)
        return 1e9  # so dear that no further T is affordable

    def _report(self, shard: Any) -> None: ...

    def _notify(self, shard: Any) -> None: ...


@pytest.mark.parametrize("step", [1_000, 5_000, 7_000])
async def test_a_state_between_two_t_of_a_new_step_is_gone_on_from_at_the_next_t(step: int) -> None:
    ranges = Ranges()
    shard = SimpleNamespace(
        policy=SimpleNamespace(step=step), watermark=lambda: 50_123, begin_at=lambda goal: 11_001
    )
    judged_by = schedule_of(default_policy()).at(0)
    task: Any = SimpleNamespace(shard=shard, judged_by=judged_by, step_cost=1e9)
    await ranges._evaluate(task)
    assert ranges.ends == list(range(11_001 - 11_001 % step + step, 50_124, step))


class Timed(Evaluator):
    """Each step takes ``cost`` seconds of a timer that nothing else moves."""

    def __init__(self) -> None:
        super().__init__(default_policy(), no_engine)
        self.cost = 0.0625
        self.now = 0.0
        self.reached = 0
        self.ends: list[int] = []

    def advance_in_parts(self, to: int, *args: Any, **more: Any) -> Iterator[None]:
        while self.reached < to:
            self.now += self.cost
            self.reached += 1_000
            yield
        self.ends.append(to)


class Unhurried(Evaluate):
    """Restores shards that ``timed`` judges, and writes nothing."""

    class Producer:
        async def write(self, records: Any) -> None:
            assert not list(records)

    def __init__(self, timed: Timed, timing: Timing, **options: Any) -> None:
        settings, producer, unused = (
            EvaluateSettings(Topics(), frozenset(), 4),
            self.Producer(),
            cast(Any, None),
        )
        super().__init__(
            settings, FixedPolicy(default_policy()), cast(Any, producer), unused, timing, **options
        )
        self._timed = timed

    async def _restore(self, partition: int, offset: int, begin_at: int | None = None) -> Restored:
        return restored(partition, self._timed, offset)


async def test_the_values_of_a_shard_are_told_with_each_t_and_else_once_a_second() -> None:
    told: list[float] = []
    now = 0.0
    timing = Timing(clock=lambda: 0, monotonic=lambda: now)
    evaluate = Unhurried(Timed(), timing, notify=lambda shard: told.append(now))
    for offset, (at, watermark) in enumerate([(10, 0), (10.5, 10), (11, 20), (11.5, 1_000), (12, 1_010)]):
        now = at
        await evaluate.take_segment(0, offset, frontier(watermark))
    assert told == [10, 11, 11.5]


async def test_no_more_is_judged_in_one_go_than_holds_up_the_loop_for_a_tenth_of_a_second() -> None:
    timed = Timed()
    evaluate = Unhurried(timed, Timing(clock=lambda: 0, timer=lambda: timed.now))
    turns: list[float] = []

    async def others() -> None:
        while True:
            turns.append(timed.now)
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    await evaluate.take_segment(0, 0, frontier(0))
    await evaluate.take_segment(0, 1, frontier(600_000))
    assert timed.ends[0] == 25_000  # nothing is known yet
    assert max(after - before for before, after in pairwise(timed.ends)) == 8_000
    assert timed.ends[-1] == 600_000
    assert max(after - before for before, after in pairwise(turns)) < 0.1
    timed.cost, timed.ends = 1e-5, []
    await evaluate.take_segment(0, 2, frontier(1_500_000))
    assert timed.ends == [608_000, 900_000, 1_200_000, 1_500_000]
    timed.cost = 0.04  # an outage begins
    turns.clear()
    await evaluate.take_segment(0, 3, frontier(1_550_000))
    assert max(after - before for before, after in pairwise(turns)) < 0.1
    beside.cancel()
