"""Is a leap in a file's time believed only where the lines behind it do not contradict it?"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import MINUTE, SECOND
from streams.aggregate.leaps import Leaps

_LEAP = 20 * SECOND


def found(times: list[int], cuts: list[int]) -> tuple[list[tuple[int, int]], list[int | None]]:
    """The leaps that are contradicted, and what is believed at each cut."""
    leaps, believed = Leaps(), []
    edges = [0, *sorted(min(cut, len(times)) for cut in cuts), len(times)]
    for begin, end in pairwise(edges):
        leaps.add(np.array(times[begin:end], dtype=np.int64))
        believed.append(leaps.believed)
    leaps.settle()
    return leaps.contradicted, believed


def by_definition(times: list[int]) -> list[tuple[int, int]]:
    """One event after the other: who tells of each leap, and how many of them are from before it?"""
    out = []
    for n in range(1, len(times)):
        before, to = max(times[:n]), times[n]
        if to - before > _LEAP:
            ends = (m for m in range(n, len(times)) if max(times[: m + 1]) >= to + _LEAP)
            telling = times[n : next(ends, len(times))]
            earlier = sum(one < to - _LEAP for one in telling)
            if earlier >= max(3, 0.1 * len(telling)):
                out.append((before, to))
    return out


@given(st.lists(st.integers(0, 3 * MINUTE), max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_leaps_are_those_of_the_definition_however_the_events_are_cut(
    times: list[int], cuts: list[int]
) -> None:
    assert found(times, cuts)[0] == by_definition(times)


def test_a_clock_that_is_ahead_is_not_believed_and_nothing_is_passed_meanwhile() -> None:
    right = list(range(0, 5 * MINUTE, SECOND))
    wrong = [at + 90 * SECOND * (at >= MINUTE) for at in range(0, 5 * MINUTE, SECOND)]
    times = [at for pair in zip(wrong, right, strict=True) for at in pair]
    leaps, believed = found(times, [121, 130])
    assert leaps == [(59 * SECOND, 150 * SECOND)]
    assert believed == [59 * SECOND, 59 * SECOND, None]


def test_a_quiet_time_is_believed_though_two_events_come_late() -> None:
    times = [*range(0, MINUTE, SECOND), *range(5 * MINUTE, 6 * MINUTE, SECOND)]
    times[62:62] = [30 * SECOND, 50 * SECOND]
    assert found(times, [])[0] == []
