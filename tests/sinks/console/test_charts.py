"""What is drawn over time can be read: each value is seen, and no words stand upon others."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import HOUR, MINUTE
from sinks.console.charts import Sample, Span, people_chart, success_chart

SPAN = Span(0, HOUR)
_LINE = re.compile(r'<path d="([^"]+)" class="line">')
_WORDS = re.compile(r'<text x="([\d.]+)" y="([\d.]+)"(?: text-anchor="(\w+)")?>severity')


@given(st.sets(st.integers(0, 29), min_size=1))
def test_a_value_without_neighbours_is_seen_as_a_dot(minutes: set[int]) -> None:
    """A path that only moves draws nothing: each of its parts has a line, if one without length."""
    samples = [Sample(2 * MINUTE * minute, 0.5, None) for minute in sorted(minutes)]
    drawn = success_chart(samples, SPAN, 0.999, title="Success")
    (line,) = _LINE.findall(drawn)
    parts = line.split("M")[1:]
    assert parts
    assert all("h" in part or "L" in part for part in parts)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(0, 100_000))
def test_the_words_of_two_thresholds_never_stand_upon_each_other(one: int, other: int, most: int) -> None:
    thresholds = list(enumerate(sorted((one, other), reverse=True), 1))
    drawn = people_chart([Sample(HOUR // 2, None, most)], SPAN, thresholds, title="People")
    places = [(float(y), anchor) for _, y, anchor in _WORDS.findall(drawn)]
    assert len(places) == drawn.count(">severity ")
    for n, (y, anchor) in enumerate(places):
        assert all(abs(y - other_y) >= 10 or anchor != other for other_y, other in places[:n])
