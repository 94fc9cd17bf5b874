"""Response times: hours, and a business day that knows weekends, holidays and the clock of New York."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import DAY, HOUR, MINUTE, SECOND
from detectors.lifecycle.response_times import alert_deadline, alert_half_way, calendar, deadline, half_way
from streams.settings.policy_file import default_policy
from tests.detectors.lifecycle.scenario import START, Scenario, policy

POLICY = default_policy()
NEW_YORK = ZoneInfo("America/New_York")


def ny(text: str) -> int:
    """ms of a wall-clock time in New York."""
    return round(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * SECOND


def test_severities_1_and_2_have_hours_at_any_time_of_day() -> None:
    saturday_night = ny("2026-11-21 03:00")
    assert deadline(saturday_night, 1, POLICY) == saturday_night + HOUR
    assert half_way(saturday_night, 1, POLICY) == saturday_night + HOUR // 2
    assert deadline(saturday_night, 2, POLICY) == saturday_night + 4 * HOUR


def test_any_alert_is_to_be_answered_within_half_an_hour() -> None:
    assert alert_deadline(START, POLICY) == START + 30 * MINUTE
    assert alert_half_way(START, POLICY) == START + 15 * MINUTE


@pytest.mark.parametrize(
    ("opened", "half", "due"),
    [
        # Monday to Tuesday at the same time; half of eleven hours is 5 h 30 min.
        ("2026-11-23 10:00", "2026-11-23 15:30", "2026-11-24 10:00"),
        ("2026-11-23 16:00", "2026-11-24 10:30", "2026-11-24 16:00"),
        # Over the weekend.
        ("2026-11-20 14:00", "2026-11-20 19:30", "2026-11-23 14:00"),
        # Outside business hours it counts from the next opening, and is due as it closes.
        ("2026-11-21 03:00", "2026-11-23 14:30", "2026-11-23 20:00"),
        ("2026-11-23 23:00", "2026-11-24 14:30", "2026-11-24 20:00"),
        ("2026-11-23 07:00", "2026-11-23 14:30", "2026-11-23 20:00"),
        ("2026-11-23 09:00", "2026-11-23 14:30", "2026-11-23 20:00"),
        ("2026-11-23 20:00", "2026-11-24 14:30", "2026-11-24 20:00"),
        # Thanksgiving, and the Friday after it, which is a business day.
        ("2026-11-25 15:00", "2026-11-27 09:30", "2026-11-27 15:00"),
        # Independence Day 2026 is a Saturday and observed on Friday.
        ("2026-07-02 12:00", "2026-07-02 17:30", "2026-07-06 12:00"),
        # The clocks go back on Sunday 2026-11-01 and forward on Sunday 2026-03-08.
        ("2026-10-30 12:00", "2026-10-30 17:30", "2026-11-02 12:00"),
        ("2026-03-06 12:00", "2026-03-06 17:30", "2026-03-09 12:00"),
        # Closed by order: 24 December 2024 before Christmas, 9 January 2025, and 26 December 2025 before a weekend.
        ("2024-12-23 10:00", "2024-12-23 15:30", "2024-12-26 10:00"),
        ("2025-01-08 19:00", "2025-01-10 13:30", "2025-01-10 19:00"),
        ("2025-01-09 10:00", "2025-01-10 14:30", "2025-01-10 20:00"),
        ("2025-12-24 12:00", "2025-12-24 17:30", "2025-12-29 12:00"),
        # The turn of the year: New Year's Day is a Thursday, and one that is a Saturday is observed the year before.
        ("2025-12-31 18:00", "2026-01-02 12:30", "2026-01-02 18:00"),
        ("2027-12-30 18:00", "2028-01-03 12:30", "2028-01-03 18:00"),
    ],
)
def test_a_business_day_ends_at_the_same_time_on_the_next_business_day(
    opened: str, half: str, due: str
) -> None:
    assert half_way(ny(opened), 3, POLICY) == ny(half)
    assert deadline(ny(opened), 3, POLICY) == ny(due)


@given(st.integers(START - 400 * DAY, START + 400 * DAY))
def test_eleven_business_hours_lie_between_opening_and_deadline(opened: int) -> None:
    hours = calendar(POLICY)
    opened -= opened % MINUTE
    due = deadline(opened, 3, POLICY)
    assert sum(hours.is_open(at) for at in range(opened, due, 5 * MINUTE)) == pytest.approx(11 * 12, abs=1)
    assert hours.is_open(due - 1)
    assert opened < half_way(opened, 3, POLICY) < due


@given(st.integers(START - 30 * DAY, START + 30 * DAY), st.integers(0, 10 * DAY))
def test_who_opens_later_is_due_no_sooner(opened: int, later: int) -> None:
    assert deadline(opened, 3, POLICY) <= deadline(opened + later, 3, POLICY)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-23 08:59:59", False),
        ("2026-11-23 09:00", True),
        ("2026-11-23 19:59:59", True),
        ("2026-11-23 20:00", False),
        ("2026-11-22 12:00", False),
        ("2026-11-26 12:00", False),
        ("2026-06-19 12:00", False),
        ("2026-07-03 12:00", False),
    ],
)
def test_business_hours_are_nine_to_eight_on_weekdays_without_holidays(at: str, is_open: bool) -> None:
    assert calendar(POLICY).is_open(ny(at)) is is_open


def test_the_policy_closes_further_days_beside_those_that_ship() -> None:
    own = policy("business_hours: {closed: {2026-11-24: snow}}")
    assert deadline(START, 3, own) == deadline(START, 3, POLICY) + DAY
    assert "2024-12-24" in own.business_hours.closed


def test_the_policy_sets_the_hours_the_zone_and_the_times() -> None:
    other = policy(
        "business_hours: {opens: 8h, closes: 16h}\ntime_zone: Europe/Berlin\nholidays: DE\n"
        "lifecycle: {response: {2: 1 business day}}\n"
    )
    berlin = ZoneInfo("Europe/Berlin")
    # The Friday before 3 October 2027, a Sunday.
    opened = round(datetime(2027, 10, 1, 15, 0, tzinfo=berlin).timestamp()) * SECOND
    due = round(datetime(2027, 10, 4, 15, 0, tzinfo=berlin).timestamp()) * SECOND
    assert deadline(opened, 2, other) == due


def test_an_incident_says_by_when_to_answer_it_until_somebody_has() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)  # severity 2: 4 h, and 30 min for its alert
    scenario.at(10).hits(2_000)
    assert scenario.play(until=0).incidents["prod-1"].process.answer_by == START + 30 * MINUTE
    assert scenario.play(until=1_800).incidents["prod-1"].process.answer_by == START + HOUR
    scenario.at(1_900).asks("acknowledge", "prod-1")
    assert scenario.play(until=1_900).incidents["prod-1"].process.answer_by is None
