"""The benchmark of growth: what a shape is called, and that each thing that grows can."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.growth import (
    EVALUATE,
    INGEST,
    Load,
    evaluate_cost,
    exponent,
    figures_of,
    ingest_cost,
    plot,
    shape,
)

_LARGEST = 2


@pytest.mark.parametrize(
    ("points", "slope", "name"),
    [
        ([(1, 5.0), (10, 5.0), (100, 5.0)], 0, "constant"),
        ([(1, 3.0), (10, 30.0), (100, 300.0)], 1, "linear"),
        ([(1, 1.0), (4, 2.0), (16, 4.0)], 0.5, "less than linear"),
        ([(1, 1.0), (3, 9.0)], 2, "more than linear"),
    ],
)
def test_a_shape_is_called_by_the_exponent_of_the_power_law(
    points: list[tuple[float, float]], slope: float, name: str
) -> None:
    assert exponent(points) == pytest.approx(slope)
    assert shape(exponent(points)) == name


@pytest.mark.parametrize(
    "load", [Load(people=1), Load(scopes=1), Load(environments=4), Load(people=50, scopes=3, partitions=3)]
)
def test_every_load_is_ingested_and_evaluated(load: Load) -> None:
    assert len(ingest_cost(load, 300, 2)) == 2
    assert all(cost > 0 for cost in evaluate_cost(load, 3, 2))


def test_a_load_has_traffic_where_it_says() -> None:
    assert [place[0] for place in Load(scopes=2, environments=2).places] == [*["prod"] * 2, *["staging"] * 2]
    assert len(set(Load(environments=4).places)) == 40


def test_the_figures_have_a_curve_for_all_that_grows_and_can_be_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ingest, evaluate = figures_of(events=200, steps=2, runs=1, largest=_LARGEST)
    said = capsys.readouterr().out
    for one, growth in ((ingest, INGEST), (evaluate, EVALUATE)):
        assert set(one.points) == {name for name in growth if name != "people"}
        for name, points in one.points.items():
            assert [x for x, _ in points] == [value for value in growth[name].values if value <= _LARGEST]
            assert f"{one.name}: {name}: " in said
            assert f"{name}: " in one.note
    drawn = ElementTree.fromstring(plot([ingest, evaluate]))
    lines = drawn.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == len(ingest.points) + len(evaluate.points)
