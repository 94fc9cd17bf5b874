"""The expected number is the median of five weeks, whatever one week was like."""

from __future__ import annotations

from tests.detectors.history.test_disturbances import expected, weeks


def test_of_what_is_new_the_weeks_before_it_do_not_count_and_of_what_has_gone_all_do() -> None:
    assert expected(weeks([60, 40, 0, 0], {}), "prod/ssoe") == 50
    assert expected(weeks([0, 0, 0, 60, 40], {}), "prod/ssoe") == 0


def test_a_week_of_half_the_traffic_is_no_measure() -> None:
    assert expected(weeks([50, 100, 104, 102], {}), "prod/ssoe") == 101
    assert expected(weeks([100, 900, 104], {}), "prod/ssoe") == 104
