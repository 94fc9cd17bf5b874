"""An incident makes reminders of deadlines, notes breaches, and sends routine updates."""

from __future__ import annotations

from tests.detectors.lifecycle.scenario import Scenario

MINUTES = 60
HOURS = 3600


def test_an_unacknowledged_severity_1_is_reminded_of_and_breaches_by_both_clocks() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=5000)
    heard = scenario.play(until=2 * HOURS)
    assert heard.when("reminder") == [15 * MINUTES, 30 * MINUTES]
    assert heard.when("breach") == [30 * MINUTES, 60 * MINUTES]


def test_a_severity_2_has_four_hours() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=60)
    heard = scenario.play(until=5 * HOURS)
    assert heard.when("reminder") == [15 * MINUTES, 2 * HOURS]
    assert heard.when("breach") == [30 * MINUTES, 4 * HOURS]


def test_a_severity_3_in_staging_has_a_business_day_and_no_alert_to_answer() -> None:
    scenario = Scenario(env="staging", every=60)
    scenario.at(0).fires("staging/ssoe", people=60)
    heard = scenario.play(until=26 * HOURS)
    # Opened on Monday at 10:00 in New York; half of its 11 hours are over at 15:30, all on Tuesday at 10:00.
    assert heard.when("reminder") == [5 * HOURS + 30 * MINUTES]
    assert heard.when("breach") == [24 * HOURS]


def test_acknowledging_stops_the_clocks() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=5000)
    scenario.at(10 * MINUTES).asks("acknowledge", "prod-1")
    heard = scenario.play(until=2 * HOURS)
    assert (heard.when("reminder"), heard.when("breach")) == ([], [])


def test_a_rise_brings_the_deadline_forward() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(90 * MINUTES).hits(5000)
    assert scenario.play(until=2 * HOURS).when("breach") == [30 * MINUTES, 90 * MINUTES]


def test_a_reopened_incident_has_a_clock_of_its_own() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=5000)
    scenario.at(60).asks("acknowledge", "prod-1").quiet()
    scenario.at(20 * MINUTES).fires("prod/ssoe")
    assert scenario.play(until=HOURS).when("reminder") == [35 * MINUTES, 50 * MINUTES]


def test_the_routine_update_comes_half_an_hour_after_the_last_message() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(20 * MINUTES).asks("acknowledge", "prod-1")
    heard = scenario.play(until=115 * MINUTES)
    assert heard.when("update") == [50 * MINUTES, 80 * MINUTES, 110 * MINUTES]


def test_notes_do_not_put_off_the_routine_update() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe/idme", people=60)
    scenario.at(1).asks("acknowledge", "prod-1")
    scenario.at(20 * MINUTES).asks("note", "prod-1", text="looking")
    assert scenario.play(until=40 * MINUTES).when("update") == [31 * MINUTES]
