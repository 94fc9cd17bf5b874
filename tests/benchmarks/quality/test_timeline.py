"""Plots of detectors: well-formed, the same for the same values, and true to them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.firing import PICTURES
from benchmarks.quality.timeline import Curve, Limit, Span, spans, timeline
from streams.simulate.scenarios import SCENARIOS

VALUES = st.floats(0, 1e6) | st.just(math.nan)


@given(st.lists(VALUES, min_size=3, max_size=50), st.text(max_size=20), st.floats(0.1, 1e5))
def test_whatever_the_values_it_is_a_picture_within_its_frame(
    values: list[float], name: str, limit: float
) -> None:
    if not name.isprintable():
        name = "curve"
    minutes = [n / 2 - 3 for n in range(len(values))]
    picture = timeline(
        "T", "s", minutes, [Curve(name, values)], [Limit(name, limit)], [Span("fires", [(-9, 9)])]
    )
    root = ElementTree.fromstring(picture)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", picture):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height
    again = timeline(
        "T", "s", minutes, [Curve(name, values)], [Limit(name, limit)], [Span("fires", [(-9, 9)])]
    )
    assert picture == again


def test_a_level_stretch_needs_no_points_within_and_what_is_unknown_leaves_a_gap() -> None:
    values = [0.0, 5, 5, 5, 5, 2, math.nan, 3, 3]
    picture = timeline("T", "s", [float(n) for n in range(9)], [Curve("a", values)])
    (path,) = re.findall(r'<path d="(M[^"]*)" fill="none"', picture)
    assert path.count("M") == 2
    assert len(re.findall("[ML]", path)) == 6


def test_spans_are_the_stretches_in_which_something_is_on() -> None:
    assert spans([0, 1, 2, 3, 4], [False, True, True, False, True]) == [(1, 3)]
    assert spans([0, 1], [True, True]) == [(0, 1)]


def test_every_picture_is_of_a_scenario_and_stands_in_the_document() -> None:
    document = Path("docs/detection.md").read_text()
    for picture in PICTURES:
        assert picture.kind in SCENARIOS
        assert f"detection/{picture.name}.svg" in document
    assert len({picture.name for picture in PICTURES}) == len(PICTURES)


@pytest.mark.parametrize("high", [0.7, 3.0, 42.0, 9_999.0])
def test_ticks_are_few_and_round(high: float) -> None:
    picture = timeline("T", "s", [0.0, high], [Curve("a", [0.0, 1.0])])
    assert 3 <= len(re.findall(" min</text>", picture)) <= 12
