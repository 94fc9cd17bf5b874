"""The benchmark of two workers: how it reads their pace, and that it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reporting.figures import Goal
from benchmarks.setup.filled import Record
from benchmarks.two_workers import Pace, beside_ceiling, figure_of, fold, pace
from detectors.instants import MINUTE
from streams.runtime.clocks import RealClock
from streams.segments.codec import Frontier
from tests.support.mixed_events import mixed_events


def frontier(partition: int, generation: int, offset: int, at: int) -> Frontier:
    return Frontier(partition, 2, generation, offset, None, "", None, at, [])


def test_the_pace_is_that_of_all_partitions_while_all_are_being_folded() -> None:
    told = [
        frontier(0, 3, -1, 0),
        frontier(0, 3, 0, 900),
        frontier(0, 3, 1_000, 1_000),
        frontier(1, 3, 2_000, 1_500),  # both are at work from here
        frontier(0, 3, 5_000, 2_000),
        frontier(1, 3, 6_000, 2_500),
        frontier(0, 3, 8_000, 3_000),  # until here
        frontier(1, 3, 9_000, 3_500),
        frontier(0, 3, 8_100, 3_200),  # the end was reached some time before
        frontier(1, 3, 9_500, 9_000),
        frontier(1, 3, 9_500, 9_500),  # says again what it said
    ]
    assert pace(told) == ((8_000 - 3_000) + (7_500 - 2_000)) / 1.5


def test_what_a_former_owner_folded_is_not_in_the_pace() -> None:
    former = [frontier(0, 3, 8_000, 500), frontier(1, 3, 8_000, 600)]
    last = [
        frontier(p, 4, offset, at)
        for p in (0, 1)
        for offset, at in ((9_000, 1_000), (10_000, 1_500), (10_001, 2_000))
    ]
    assert pace([*former, *last]) == 2_000 / 0.5


@pytest.mark.parametrize("second", [1_000, 500])
def test_a_pace_needs_a_time_in_which_all_partitions_are_folded(second: int) -> None:
    zero = [frontier(0, 3, offset, at) for offset, at in ((10, 100), (20, 200), (30, 300))]
    with pytest.raises(ValueError, match="more events"):
        pace([*zero, frontier(1, 3, 1_000, second), frontier(1, 3, 2_000, second + 100)])
    with pytest.raises(ValueError, match="more events"):
        pace([*zero, frontier(1, 3, 1_000, second)])


def test_the_figure_says_what_the_broker_took() -> None:
    one, two = (
        [Pace(100.0, 0.2, 1.0), Pace(110.0, 0.3, 1.0)],
        [Pace(180.0, 0.4, 1.6), Pace(210.0, None, None)],
    )
    found = figure_of(one, two, 1_000, 316.0)
    assert (found.value, found.ceiling, found.goal) == (195.0, 105.0, Goal("at least", 1.7, "ratio"))
    assert found.ratio == pytest.approx((180 / 100 + 210 / 110) / 2)
    assert "beside one worker the broker took 0.25 of a core (one worker: 1.00)" in found.note
    assert "beside two the broker took 0.40 of a core (two: 1.60)" in found.note


def test_the_ceiling_is_what_the_broker_leaves_of_the_cores() -> None:
    one = [Pace(100.0, 0.2, 0.8), Pace(100.0, None, None), Pace(100.0, 0.1, 0.5)]
    two = [Pace(150.0, 0.8, 1.2), Pace(170.0, 0.4, 1.6), Pace(160.0, 0.5, 1.0)]
    found = beside_ceiling(one, two, 2)
    assert found is not None
    assert found.runs == (150.0, 160.0)
    assert found.ceiling == pytest.approx((150.0 + 200.0) / 2)  # no more than two workers have room
    assert found.ratio == pytest.approx((1.0 + 0.8) / 2)
    assert beside_ceiling([Pace(100.0, None, None)], two[:1], 2) is None


@pytest.mark.long
@pytest.mark.e2e
async def test_two_workers_fold_all_that_stands_on_two_partitions(tmp_path: Path) -> None:
    start = RealClock()() - MINUTE
    events: list[list[Record]] = [
        [(at, None, value) for at, value in mixed_events(4_000, start, 2_000, seed)] for seed in (1, 2)
    ]
    frontiers, took = await fold(4_000, 2, events, tmp_path)
    assert len(took) == 3
    for partition in (0, 1):
        assert max(one.next_offset for one in frontiers if one.partition == partition) == 4_000
