"""Quantiles of durations lie within the stated error, in any window and scope, also with late facts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.axes import Leaf
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.scopes import SCOPES
from detectors.windows.facts import ON_TIME, TOO_LATE, FactRow
from detectors.windows.fixed_scopes import fixed_scopes
from detectors.windows.latency_histogram import RELATIVE_ERROR, Durations, bucket, buckets, quantile
from tests.support.facts import columns_of, leaf_at

SHARES = (0.5, 0.95, 0.99)
MS = st.floats(0.001, 1e9)
AT = 1_000_000 * SECOND


def row(
    pane: int, durations: list[float], leaf: Leaf = ("ssoe", "idme", None), first: int = ON_TIME
) -> FactRow:
    histogram: dict[int, int] = {}
    for duration in durations:
        histogram[bucket(duration)] = histogram.get(bucket(duration), 0) + 1
    return FactRow(
        pane, first, leaf, "callback", "success", "", "", len(durations), len(durations), [], [], histogram
    )


def exact(durations: list[float], share: float) -> float:
    """Return the value at the rank that ``quantile`` uses."""
    return sorted(durations)[math.floor(share * (len(durations) - 1) + 1e-9)]


def ask(rows: list[FactRow], window: int = HOUR, scope: str = "", at: int = AT) -> list[float]:
    durations = Durations(fixed_scopes("prod"), SECOND, HOUR)
    durations.add(columns_of(rows, SECOND), at)
    return [float(ms) for ms in durations.quantiles(at, window, SHARES)[SCOPES.index(scope)]]


@given(st.lists(MS, min_size=1, max_size=200), st.sampled_from(SHARES))
def test_a_quantile_is_within_the_stated_error(durations: list[float], share: float) -> None:
    found = quantile(row(0, durations).durations, share)
    assert found == pytest.approx(exact(durations, share), rel=RELATIVE_ERROR * 1.0001)


@given(st.lists(MS, min_size=1, max_size=60))
def test_many_durations_have_the_buckets_that_each_has_by_itself(durations: list[float]) -> None:
    assert buckets(np.array(durations)).tolist() == [bucket(one) for one in durations]


@given(st.lists(st.tuples(st.integers(1, 4_000), st.integers(0, 9), MS), min_size=1, max_size=80))
def test_a_window_and_scope_have_the_quantiles_of_what_lies_in_them(
    events: list[tuple[int, int, float]],
) -> None:
    rows = [row(AT - back * SECOND, [ms], leaf_at(leaf)) for back, leaf, ms in events]
    for window in (5 * MINUTE, HOUR):
        inside = [ms for back, _, ms in events if back * SECOND <= window]
        for found, share in zip(ask(rows, window), SHARES, strict=True):
            if inside:
                assert found == pytest.approx(exact(inside, share), rel=RELATIVE_ERROR * 1.0001)
            else:
                assert math.isnan(found)


def test_a_scope_has_its_own_requests_only() -> None:
    slow = row(AT - SECOND, [4_000.0], ("ssoe", "idme", None))
    fast = row(AT - SECOND, [40.0] * 9, ("sis", "idme", None))
    assert ask([slow, fast], scope="ssoe")[0] == pytest.approx(4_000, rel=0.011)
    assert ask([slow, fast], scope="sis")[2] == pytest.approx(40, rel=0.011)
    assert ask([slow, fast], scope="*/idme")[0] == pytest.approx(40, rel=0.011)
    assert math.isnan(ask([slow, fast], scope="ssoe/mhv")[0])


def test_what_comes_late_counts_from_when_it_came_and_too_late_never() -> None:
    late = row(AT - MINUTE, [900.0], first=AT + 10 * SECOND)
    assert math.isnan(ask([late])[0])
    assert ask([late], at=AT + 10 * SECOND)[0] == pytest.approx(900, rel=0.011)
    assert math.isnan(ask([row(AT - MINUTE, [900.0], first=TOO_LATE)])[0])


def test_it_keeps_as_much_as_is_asked_for() -> None:
    durations = Durations(fixed_scopes("prod"), SECOND, HOUR)
    for at in range(AT, AT + 6 * HOUR, MINUTE):
        facts = [row(at - SECOND, [float(ms) for ms in range(100, 2_000, 3)])]
        durations.add(columns_of(facts, SECOND), at)
    assert sum(part.shape[1] for part in durations._parts) < 3 * 60 * 160
    assert durations.quantiles(AT + 6 * HOUR, HOUR, SHARES)[0, 0] == pytest.approx(1_050, rel=0.02)
