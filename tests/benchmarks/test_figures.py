"""The figures of benchmarks: medians, ratios, goals, and the files they are kept in."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.reporting.figures import Goal, figure, machine, read, write


def test_a_figure_is_the_median_of_its_runs_and_keeps_the_least_and_the_greatest() -> None:
    found = figure("x", "how fast", "events/s", [30.0, 10.0, 20.0])
    assert (found.value, found.spread, found.runs) == (20.0, (10.0, 30.0), (30.0, 10.0, 20.0))
    assert found.ratio is None
    assert found.met is None


def test_the_ratio_is_the_median_over_runs_so_that_each_is_held_against_its_own_ceiling() -> None:
    found = figure("x", "how fast", "events/s", [10.0, 20.0, 90.0], ceilings=[20.0, 80.0, 100.0])
    assert found.ratio == 0.5
    assert found.ceiling == 80.0
    assert figure("x", "how long", "s", [2.0], ceilings=[10.0], inverse=True).ratio == 5.0


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("at least", 9.0), True),
        (Goal("at least", 11.0), False),
        (Goal("at most", 11.0), True),
        (Goal("at most", 9.0), False),
        (Goal("at least", 0.5, "ratio"), True),
        (Goal("at least", 0.6, "ratio"), False),
    ],
)
def test_a_goal_is_of_the_value_or_of_the_ratio(goal: Goal, met: bool) -> None:
    found = figure("x", "t", "ms", [10.0], goal=goal, compared_with="the peer", ceilings=[20.0])
    assert found.met is met
    assert ("NOT met" in str(found)) is not met


def test_figures_come_back_from_their_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    one = figure(
        "b", "t", "ms", [1.0, 2.0], goal=Goal("at most", 3.0), points={"line": [(1.0, 2.0)]}, note="n"
    )
    other = figure("a", "t", "s", [1.0], compared_with="c", ceilings=[4.0])
    for each in (one, other):
        write(each, tmp_path / "results")
    assert read(tmp_path / "results") == [other, one]


def test_runs_without_a_ceiling_each_are_refused() -> None:
    with pytest.raises(ValueError, match="2 runs and 1 ceilings"):
        figure("x", "t", "ms", [1.0, 2.0], ceilings=[1.0])
    with pytest.raises(ValueError, match="0 runs"):
        figure("x", "t", "ms", [])


def test_a_machine_has_at_least_one_core_and_some_memory() -> None:
    assert machine().cores >= 1
    assert machine().memory_mb > 0
