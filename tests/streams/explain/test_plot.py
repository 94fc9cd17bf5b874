"""The plot in the terminal: heights, gaps, marks and times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import MINUTE, parse_instant
from streams.explain.case_file import Sample
from streams.explain.plot import Happening, Plot, plot

START = parse_instant("2026-11-23T15:00:00Z")


def drawn(*values: tuple[int, int, int], marks: tuple[tuple[int, str], ...] = (), height: int = 2) -> Plot:
    """A minute a column: good, bad, people."""
    samples = [Sample(START + i * MINUTE, *value) for i, value in enumerate(values)]
    happenings = [Happening(START + at * MINUTE, letter, letter) for at, letter in marks]
    end = START + len(values) * MINUTE
    result = plot(samples, happenings, begin=START, end=end, width=len(values), height=height)
    assert result is not None
    return result


def test_the_success_ratio_goes_from_bottom_to_top() -> None:
    plotted = drawn((0, 8, 0), (1, 3, 0), (4, 4, 0), (3, 1, 0), (8, 0, 0))
    assert plotted.success == ("   ▄█", " ▄███")


def test_people_fill_the_height_where_they_are_the_most() -> None:
    plotted = drawn((9, 0, 0), (9, 0, 10), (9, 0, 20), (9, 0, 5), (9, 0, 0))
    assert (plotted.people, plotted.most) == (("  █  ", " ██▄ "), 20)


def test_what_is_little_still_shows_and_what_is_not_all_is_not_full() -> None:
    assert drawn((999, 1, 1), (1, 999, 1000), (1, 0, 0)).success == ("▇ █", "█▁█")


def test_where_nothing_completed_there_is_a_gap() -> None:
    assert drawn((1, 0, 0), (0, 0, 0), (1, 0, 0)).success == ("█ █", "█·█")


def test_few_samples_stand_until_the_next() -> None:
    samples = [Sample(START, 1, 0, 0), Sample(START + 5 * MINUTE, 0, 1, 4)]
    plotted = plot(samples, [], begin=START, end=START + 10 * MINUTE, width=10, height=1)
    assert plotted is not None
    assert plotted.success == ("█████ ····",)
    assert plotted.people == ("     █····",)


def test_happenings_stand_at_their_time_and_beside_each_other() -> None:
    marks = ((1, "O"), (1, "P"), (2, "S"), (4, "E"))
    assert drawn(*[(1, 0, 0)] * 6, marks=marks).marks == " OPSE "


def test_what_happened_outside_is_not_marked() -> None:
    assert drawn((1, 0, 0), (1, 0, 0), marks=((-1, "O"), (9, "E"))).marks == "  "


def test_times_stand_below_their_columns() -> None:
    axis = drawn(*[(1, 0, 0)] * 30).axis
    assert axis.index("15:00") == 0
    assert axis.index("15:15") == 15


def test_less_than_two_samples_are_no_plot() -> None:
    assert plot([], [], begin=START, end=START + MINUTE) is None
    assert plot([Sample(START, 1, 0, 0)], [], begin=START, end=START + MINUTE) is None


@given(
    values=st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(0, 100), st.integers(0, 100), st.integers(0, 1000)),
        min_size=2,
        max_size=50,
    ),
    width=st.integers(1, 120),
    height=st.integers(1, 6),
    marks=st.lists(st.integers(-(10**6), 10**7), max_size=20),
)
def test_whatever_is_drawn_every_line_has_the_width(
    values: list[tuple[int, int, int, int]], width: int, height: int, marks: list[int]
) -> None:
    samples = sorted((Sample(START + at, *rest) for at, *rest in values), key=lambda one: one.at)
    happenings = [Happening(START + at, "X", "x") for at in marks]
    plotted = plot(samples, happenings, begin=START, end=START + 10**7, width=width, height=height)
    assert plotted is not None
    lines = (*plotted.success, *plotted.people, plotted.marks, plotted.axis)
    assert {len(line) for line in lines} == {width}
    assert len(plotted.success) == len(plotted.people) == height
    assert plotted.marks.count("X") <= sum(0 <= at <= 10**7 for at in marks)
