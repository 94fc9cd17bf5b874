"""Bars and curves: well-formed, true to scale, and escaped."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.reporting.plots import Bar, Line, bars, curves

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_values_and_the_goal_stands_at_one() -> None:
    rows = [Bar("a <b>", 4.0, "4 ×", True), Bar("one", 1.0, "as wanted", True), Bar("c", 0.5, "half", False)]
    drawn = ElementTree.fromstring(bars("T & U", rows, goal="the goal"))
    rects = [(float(one.attrib["x"]), float(one.attrib["width"])) for one in drawn.iter(f"{SVG}rect")]
    (goal,) = [float(one.attrib["d"].split()[0][1:]) for one in drawn.iter(f"{SVG}path")]
    assert rects[1][0] + rects[1][1] == pytest.approx(goal, abs=0.11)
    widths = [width for _, width in rects]
    assert widths[0] - widths[1] == pytest.approx(
        2 * (widths[1] - widths[2]), abs=0.3
    )  # 4 : 1 : ½ in logarithms
    colors = [one.attrib["fill"] for one in drawn.iter(f"{SVG}rect")]
    assert colors[0] == colors[1] != colors[2]
    assert {"T & U", "a <b>", "4 ×", "the goal"} <= {text.text for text in drawn.iter(f"{SVG}text")}


def test_the_axis_of_many_thousands_is_short() -> None:
    drawn = curves("T", "people", [("left", [Line("a", [(1_000, 1.0), (1_000_000, 1.0)])])])
    assert {"1k", "10k", "100k", "1M"} <= {
        text.text for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")
    }


def test_a_linear_curve_rises_and_a_constant_one_does_not() -> None:
    linear = Line("linear", [(1, 1.0), (10, 10.0), (100, 100.0)])
    constant = Line("constant", [(1, 5.0), (10, 5.0), (100, 5.0)])
    drawn = ElementTree.fromstring(
        curves("T", "people", [("left", [linear, constant]), ("right", [constant])])
    )
    first, second, third = [
        [tuple(map(float, pair.split(","))) for pair in one.attrib["points"].split()]
        for one in drawn.iter(f"{SVG}polyline")
    ]
    assert first[0][1] > first[1][1] > first[2][1]
    assert first[1][0] - first[0][0] == pytest.approx(first[2][0] - first[1][0], abs=0.11)
    for line in (second, third):
        assert len({y for _, y in line}) == 1
    assert third[0][0] > second[-1][0]
    ticks = [text.text for text in drawn.iter(f"{SVG}text")]
    assert ticks.index("1") < ticks.index("10") < ticks.index("100")
    assert "linear: 100 → 100" in {title.text for title in drawn.iter(f"{SVG}title")}
