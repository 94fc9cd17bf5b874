"""What an incident reminds of: deadlines, breaches, routine updates."""

from __future__ import annotations

from tests.detectors.lifecycle.score import Score

MINUTES = 60
HOURS = 3600


def test_an_unacknowledged_severity_1_is_reminded_of_and_breaches_by_both_clocks() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=5000)
    heard = score.play(until=2 * HOURS)
    assert heard.when("reminder") == [15 * MINUTES, 30 * MINUTES]
    assert heard.when("breach") == [30 * MINUTES, 60 * MINUTES]


def test_a_severity_2_has_four_hours() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    heard = score.play(until=5 * HOURS)
    assert heard.when("reminder") == [15 * MINUTES, 2 * HOURS]
    assert heard.when("breach") == [30 * MINUTES, 4 * HOURS]


def test_a_severity_3_in_staging_has_a_business_day_and_no_alert_to_answer() -> None:
    score = Score(env="staging", every=60)
    score.at(0).fires("staging/ssoe", people=60)
    heard = score.play(until=26 * HOURS)
    # Opened on Monday at 10:00 in New York; half of its 11 hours are over at 15:30, all on Tuesday at 10:00.
    assert heard.when("reminder") == [5 * HOURS + 30 * MINUTES]
    assert heard.when("breach") == [24 * HOURS]


def test_acknowledging_stops_the_clocks() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=5000)
    score.at(10 * MINUTES).asks("acknowledge", "prod-1")
    heard = score.play(until=2 * HOURS)
    assert (heard.when("reminder"), heard.when("breach")) == ([], [])


def test_a_rise_brings_the_deadline_forward() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    score.at(90 * MINUTES).hits(5000)
    assert score.play(until=2 * HOURS).when("breach") == [30 * MINUTES, 90 * MINUTES]


def test_a_reopened_incident_has_a_clock_of_its_own() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=5000)
    score.at(60).asks("acknowledge", "prod-1").quiet()
    score.at(20 * MINUTES).fires("prod/ssoe")
    assert score.play(until=HOURS).when("reminder") == [35 * MINUTES, 50 * MINUTES]


def test_the_routine_update_comes_half_an_hour_after_the_last_message() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    score.at(20 * MINUTES).asks("acknowledge", "prod-1")
    heard = score.play(until=115 * MINUTES)
    assert heard.when("update") == [50 * MINUTES, 80 * MINUTES, 110 * MINUTES]


def test_notes_do_not_put_off_the_routine_update() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    score.at(1).asks("acknowledge", "prod-1")
    score.at(20 * MINUTES).asks("note", "prod-1", text="looking")
    assert score.play(until=40 * MINUTES).when("update") == [31 * MINUTES]
