"""Severity from people: the figure, its bound, and how it rises and falls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from detectors.instants import MINUTE
from detectors.lifecycle.severity import (
    Figure,
    Level,
    csps_of,
    datadog_severity,
    figure,
    follow,
    poisson_lower_bound,
    severity_of,
)
from streams.settings.policy_file import default_policy

POLICY = default_policy()


@given(st.integers(1, 5_000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_so_many_events_or_more_are_as_unlikely_as_the_confidence_says_at_the_lower_bound(
    events: int, confidence: float
) -> None:
    bound = poisson_lower_bound(events, confidence)
    assert poisson.sf(events - 1, bound) == pytest.approx(1 - confidence, rel=1e-6)


def test_the_lower_bound_of_nothing_is_nothing() -> None:
    assert poisson_lower_bound(0, 0.95) == 0.0


@pytest.mark.parametrize(
    ("observed", "recent", "estimate", "expected"),
    [
        (0, 0, None, Figure(0, "observed")),
        (30, 1, None, Figure(30, "observed")),
        # 12 times the lower bound of 10 people, 7.2892 (half the chi-square quantile of 20 degrees at 0.2).
        (10, 10, None, Figure(87, "projected")),
        (87, 10, None, Figure(87, "observed")),
        (10, 10, 87.9, Figure(87, "projected")),
        (10, 10, 88.0, Figure(88, "estimated")),
        (0, 0, 1830.7, Figure(1830, "estimated")),
    ],
)
def test_the_greatest_figure_counts_and_says_what_it_rests_on(
    observed: int, recent: int, estimate: float | None, expected: Figure
) -> None:
    assert figure(observed, recent, estimate, POLICY) == expected


@pytest.mark.parametrize(
    ("users", "severity"), [(0, 3), (50, 3), (51, 2), (1000, 2), (1001, 1), (1_000_000, 1)]
)
def test_exactly_a_threshold_is_not_over_it(users: int, severity: int) -> None:
    assert severity_of(users, "prod", POLICY) == severity
    assert severity_of(users, "staging", POLICY) == 3


def _levels(figures: list[int], *, start: Level | None = None, every: int = MINUTE) -> list[int]:
    level, out = start, []
    for n, users in enumerate(figures):
        level = follow(level, users, "prod", n * every, POLICY)
        out.append(level.severity)
    return out


def test_it_rises_at_once_and_falls_after_a_quarter_of_an_hour_well_below() -> None:
    severities = _levels([60, 1200, *[700] * 16])
    assert severities == [2, 1, *[1] * 15, 2]


def test_just_below_the_threshold_it_never_falls() -> None:
    assert set(_levels([1200, *[800] * 60])) == {1}
    assert set(_levels([60, *[40] * 60])) == {2}


def test_a_break_starts_the_dwell_again() -> None:
    assert set(_levels([1200, *[700] * 15, 900, *[700] * 15])) == {1}


def test_it_falls_from_1_to_3_directly_when_it_was_low_enough_all_the_time() -> None:
    assert _levels([1200, *[0] * 16])[-2:] == [1, 3]


def test_each_threshold_has_a_dwell_of_its_own() -> None:
    severities = _levels([1200, *[700] * 10, *[0] * 20])
    assert severities.index(2) == 16
    assert severities.index(3) == 26


def test_what_may_not_fall_keeps_its_severity_and_starts_its_dwell_again() -> None:
    level = follow(None, 1200, "prod", 0, POLICY)
    for minute in range(1, 60):
        level = follow(level, 0, "prod", minute * MINUTE, POLICY, may_fall=False)
    assert level == Level(1)


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=120))
def test_it_is_never_less_severe_than_the_figure_and_each_fall_was_earned(figures: list[int]) -> None:
    severities = _levels(figures)
    for n, users in enumerate(figures):
        assert severities[n] <= severity_of(users, "prod", POLICY)
        if n and severities[n] > severities[n - 1]:
            threshold = {1: 1000, 2: 50}[severities[n] - 1]
            assert n >= 15
            assert max(figures[n - 15 : n + 1]) < threshold * 0.8


@pytest.mark.parametrize(
    ("scope", "severity", "csps", "expected"),
    [
        ("prod", 3, 0, "SEV-1"),
        ("prod/*/idme", 3, 2, "SEV-1"),
        ("prod/ssoe/idme", 2, 1, "SEV-2"),
        ("prod/ssoe", 1, 0, "SEV-2"),
        ("prod/ssoe", 1, 2, "SEV-2"),
        ("prod/ssoe", 2, 0, "SEV-3"),
        ("prod/sis", 3, 0, "SEV-4"),
        ("staging", 3, 0, "SEV-5"),
        ("localhost/*/idme", 3, 2, "SEV-5"),
    ],
)
def test_datadog_has_a_scale_of_its_own(scope: str, severity: int, csps: int, expected: str) -> None:
    assert datadog_severity(scope, severity, csps) == expected


def test_providers_are_counted_once_however_many_scopes_they_fail_on() -> None:
    assert csps_of(["prod/ssoe/idme", "prod/sis/idme", "prod/ssoe", "prod"]) == 1
    assert csps_of(["prod/ssoe/idme", "prod/*/mhv"]) == 2
