"""A backlog is judged in strides: no record is judged twice, and the last one always is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from streams.evaluate import service as evaluate
from streams.evaluate.evaluator import Evaluator
from streams.evaluate.service import Evaluate
from streams.evaluate.settings import EvaluateSettings
from streams.evaluate.shard import Shard
from streams.evaluate.totals import Totals
from streams.kafka.topics import Topics
from streams.runtime.clocks import Timing
from streams.segments.codec import Frontier, encode
from streams.settings.policy_file import default_policy


class Strides(Evaluate):
    """Notes where it would have judged, instead of judging."""

    def __init__(self) -> None:
        unused: Any = None
        settings = EvaluateSettings(Topics(), frozenset(), 4)
        super().__init__(
            settings,
            default_policy(),
            unused,
            unused,
            Timing(clock=lambda: 0),
            more=lambda partition, offset: offset + 1 < self.end,
        )
        self.end = 0
        self.judged: list[int | None] = []

    async def _rebuild(self, partition: int, offset: int) -> Shard:
        def nobody(env: str) -> Any:
            raise AssertionError(env)

        return Shard(partition, (), Evaluator(default_policy(), nobody), offset, Totals(()))

    async def _move_on(self, shard: Shard) -> None:
        self.judged.append(shard.watermark())


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


async def test_no_more_is_judged_in_one_go_than_holds_up_the_loop_for_half_a_second() -> None:
    class Slow(Strides):
        """Every step takes so many seconds to judge."""

        a_step_takes = 0.1

        async def _move_on(self, shard: Shard) -> None:
            await Evaluate._move_on(self, shard)

        async def _evaluate(self, shard: Shard, to: int, goal: int) -> float:
            self.judged.append(to)
            steps = (to - (shard.evaluated_to or 0)) // 1_000
            return steps * self.a_step_takes

    slow = Slow()
    shard = await slow._rebuild(0, 0)
    shard.evaluated_to, shard.partitions = 0, 1
    shard.frontiers[0] = Frontier(0, 1, 0, 1, 600_000, "", None, 0, [])
    await slow._move_on(shard)
    goes = [to for to in slow.judged if to is not None]
    assert goes[0] == 25_000  # nothing is known yet
    assert all(after - before == 5_000 for before, after in pairwise(goes))
    slow.a_step_takes, slow.judged = 1e-5, []
    shard.frontiers[0] = Frontier(0, 1, 0, 1, 1_500_000, "", None, 0, [])
    await slow._move_on(shard)
    assert slow.judged == [605_000, 900_000, 1_200_000, 1_500_000]
