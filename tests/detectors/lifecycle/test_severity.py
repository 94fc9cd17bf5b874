"""Severity from people: the figure, its bound, and how it rises and falls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import pdtrc

from detectors.confidence import poisson_lower_bound
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.lifecycle.severity import (
    Figure,
    Level,
    csps_of,
    datadog_severity,
    figure,
    follow,
    grown,
    projected,
    refuted,
    severity_of,
)
from streams.settings.policy_file import default_policy
from tests.detectors.lifecycle.scenario import Scenario

POLICY = default_policy()


@given(st.integers(1, 5_000), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_so_many_events_or_more_are_as_unlikely_as_the_confidence_says_at_the_lower_bound(
    events: int, confidence: float
) -> None:
    bound = poisson_lower_bound(events, confidence)
    assert pdtrc(events - 1, bound) == pytest.approx(1 - confidence, rel=1e-6)


def test_the_lower_bound_of_nothing_is_nothing() -> None:
    assert poisson_lower_bound(0, 0.95) == 0.0


@pytest.mark.parametrize(
    ("observed", "projection", "estimate", "expected"),
    [
        (0, 0.0, None, Figure(0, "observed")),
        (30, 29.9, None, Figure(30, "observed")),
        (10, 87.4, None, Figure(87, "projected")),
        (87, 87.4, None, Figure(87, "observed")),
        (10, 87.4, 87.9, Figure(87, "projected")),
        (10, 87.4, 88.0, Figure(88, "estimated")),
        (0, 0.0, 1830.7, Figure(1830, "estimated")),
    ],
)
def test_the_greatest_figure_counts_and_says_what_it_rests_on(
    observed: int, projection: float, estimate: float | None, expected: Figure
) -> None:
    assert figure(observed, projection, 20 * MINUTE, estimate, POLICY) == expected


@pytest.mark.parametrize(
    ("projection", "early", "later"),
    [(51.0, 50, 51), (74.0, 50, 74), (75.0, 75, 75), (1400.0, 1000, 1400), (1500.0, 1500, 1500)],
)
def test_before_five_minutes_a_projection_counts_from_half_as_much_again_as_a_threshold(
    projection: float, early: int, later: int
) -> None:
    assert figure(10, projection, 2 * MINUTE, None, POLICY).users == early
    assert figure(10, projection, 6 * MINUTE, None, POLICY).users == later
    assert figure(1200, 1200.0, 2 * MINUTE, None, POLICY).users == 1200, "what is observed counts"


class _Incident:
    """An incident that begins at 0, with ``people_at(second)`` people, second by second."""

    def __init__(self, people_at: Callable[[int], int], seconds: int) -> None:
        growth, level = None, None
        self.projections: list[float] = []
        self.levels: list[Level] = []
        for second in range(1, seconds + 1):
            at, people = second * SECOND, people_at(second)
            growth = grown(growth, "prod", 0, at, people, POLICY)
            self.projections.append(max(projected(growth, at, POLICY, people), people))
            seen = figure(people, self.projections[-1], at, None, POLICY)
            gone = [s for s, limit in ((1, 1000), (2, 50)) if refuted(growth, at, people, limit, POLICY)]
            level = follow(level, seen.users, "prod", at, POLICY, sure=people, gone=gone)
            self.levels.append(level)

    @property
    def severities(self) -> list[int]:
        return [level.severity for level in self.levels]


def test_a_projection_adds_the_new_people_of_the_rest_of_the_hour() -> None:
    found = _Incident(lambda second: second // 6, 3600)
    for second in (60, 200, 420, 1800, 3000):
        window = min(second, 300)
        rate = poisson_lower_bound(round(window / 6), 0.8) / window
        expected = second // 6 + rate * (3600 - second)
        assert found.projections[second - 1] == pytest.approx(expected, rel=0.04), "remembered each 10 s"
    assert found.projections[-1] == 600


def test_the_same_people_again_and_again_are_projected_on_nobody() -> None:
    found = _Incident(lambda second: min(100, -(-second // 3)), 3300)
    assert set(found.severities[60:]) == {2}
    assert found.levels[-1].peak == 2


def test_a_projected_level_falls_at_once_when_nobody_new_comes_and_leaves_no_peak() -> None:
    found = _Incident(lambda second: min(second, 20), 400)
    assert (found.severities[15], found.levels[15].peak) == (1, 3)
    assert (found.severities[59], found.levels[59].peak) == (2, 3)
    assert (found.severities[-1], found.levels[-1].peak) == (3, 3)


def test_bouts_that_end_soon_are_projected_once_and_one_that_outlasts_them_is_at_once() -> None:
    def people_at(second: int) -> int:
        return sum(min(max(second - begin, 0), lasts) for begin, lasts in bouts) * 7 // 10

    bouts = [(0, 20), (1200, 20), (2400, 20)]
    found = _Incident(people_at, 3600)
    assert found.severities[10] == 1
    assert set(found.severities[400:]) == {3}
    assert found.levels[-1].peak == 3
    bouts = [(0, 20), (1200, 400)]
    found = _Incident(people_at, 1600)
    assert found.severities[1200] == 3
    assert found.severities[1240] == 2
    assert found.severities[1500] == 1


def test_whose_tries_turn_out_to_be_many_people_at_once_are_not_all_new() -> None:
    growth = None
    for minute in range(1, 31):
        growth = grown(growth, "prod", 0, minute * MINUTE, 1 if minute < 30 else 15, POLICY)
    assert growth is not None
    assert projected(growth, 30 * MINUTE, POLICY, 15) > 75
    assert 15 < projected(growth, 30 * MINUTE, POLICY, 3) < 40


@given(st.lists(st.integers(0, 40), min_size=1, max_size=200))
def test_a_projection_is_never_less_than_what_was_observed_and_ends_with_the_hour(more: list[int]) -> None:
    growth, people = None, 0
    for n, new in enumerate(more):
        people += new
        at = (n + 1) * 30 * SECOND
        growth = grown(growth, "prod", 0, at, people, POLICY)
        projection = projected(growth, at, POLICY, people)
        assert projection >= people or not projection
        assert at < HOUR or not projection
        assert len(growth.seen) <= 12, "what is remembered is bounded"
        assert people <= 1000 or not refuted(growth, at, people, 1000, POLICY)


def test_what_has_stood_for_five_minutes_stays_the_peak_and_falls_as_slowly_as_what_was_observed() -> None:
    level = follow(None, 1200, "prod", 0, POLICY, sure=10)
    for minute in range(1, 6):
        level = follow(level, 1200, "prod", minute * MINUTE, POLICY, sure=10 + 20 * minute)
    assert (level.firm, level.peak) == (1, 1)
    level = follow(level, 120, "prod", 6 * MINUTE, POLICY, sure=120, gone=[1])
    assert (level.severity, level.peak) == (1, 1)
    for minute in range(7, 30):
        level = follow(level, 120, "prod", minute * MINUTE, POLICY, sure=120, gone=[1])
    assert (level.severity, level.peak) == (2, 1)


def test_a_projection_that_falls_short_a_little_is_not_refuted() -> None:
    level = follow(None, 1600, "prod", 0, POLICY, sure=10)
    for minute in range(1, 15):
        level = follow(level, 700, "prod", minute * MINUTE, POLICY, sure=20 * minute)
        assert level.severity == 1
    assert level.peak == 2


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
    assert (level.severity, level.below_1, level.below_2) == (1, None, None)


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


def test_a_share_that_doubles_is_told_once_in_half_an_hour_though_the_severity_is_the_same() -> None:
    scenario = Scenario()
    scenario.at(0).arrives("prod/ssoe", 1000, 30).fires("prod/ssoe", people=90, failing_ratio=0.03)
    scenario.at(600).arrives("prod/ssoe", 1000, 55)  # more, and not twice as many
    scenario.at(1215).arrives("prod/ssoe", 1000, 100)
    scenario.at(1500).arrives("prod/ssoe", 1000, 400)  # told when half an hour has passed
    heard = scenario.play(until=5400)
    assert heard.when("share") == [1260, 3060]
    assert [t.incident.severity for t in heard.transitions if t.kind == "share"] == [2, 2]
    assert [key for _, _, key in heard.pages()] == ["prod-1:0", "prod-1:0:breach"]
    assert heard.last("share").reason == (
        "40.0% of the sign-ins of 5m fail, where 10.0% did when it was told last."
    )
    assert (1260, "reply", "share") in heard.messages()


def test_a_share_that_few_sign_ins_tell_of_or_that_grows_while_an_outage_begins_is_no_rise() -> None:
    scenario = Scenario()
    scenario.at(0).arrives("prod/ssoe", 1000, 50).fires("prod/ssoe", people=90, failing_ratio=0.05)
    scenario.at(120).arrives("prod/ssoe", 1000, 400)
    scenario.at(900).arrives("prod/ssoe", 4, 4)
    assert scenario.play(until=3600).when("share") == []
