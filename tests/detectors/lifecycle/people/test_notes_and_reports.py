"""Notes and reports reach every receiver, once a minute at most; a report without an incident opens one."""

from __future__ import annotations

import pytest

from detectors.incidents import Command
from detectors.instants import parse_instant
from detectors.notification.plan import PAGERDUTY_REST, plan
from tests.detectors.lifecycle.scenario import Heard, Scenario

#: Monday 2026-11-23, 22:00 in New York: nobody is at work.
NIGHT = parse_instant("2026-11-24T03:00:00Z")


def failing() -> Scenario:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    return scenario


def of_notes(heard: Heard, sink: str) -> list[tuple[int, str, str]]:
    """Return (second, action, text) of each message of notes."""
    return [
        ((c.at - heard.start) // 1_000, c.action, c.reason)
        for c in heard.commands
        if c.sink == sink and c.kind in ("note", "notes") and c.action != "update"
    ]


def test_a_note_is_told_at_once_and_those_of_the_next_minute_together() -> None:
    scenario = failing()
    scenario.at(20).asks("note", "prod-1", text="looking")
    scenario.at(30).asks("note", "prod-1", text="it is\nthe router", by="Bob")
    scenario.at(40).asks("note", "prod-1", text="restarted")
    heard = scenario.play(until=600)
    joined = "15:00 Bob: it is the router\n15:00 Ada: restarted"
    assert of_notes(heard, "slack") == [(20, "reply", "looking"), (80, "reply", joined)]
    assert of_notes(heard, "datadog") == [(20, "event", "15:00 Ada: looking"), (80, "event", joined)]
    assert [note.text for note in heard.incidents["prod-1"].notes] == [
        "looking",
        "it is\nthe router",
        "restarted",
    ]


def test_whatever_the_number_of_notes_there_is_one_message_a_minute() -> None:
    scenario = failing()
    for second in range(10, 190, 10):
        for number in range(5):
            scenario.at(second).asks("note", "prod-1", text=f"note {number}", id=f"{second}-{number}")
    heard = scenario.play(until=400)
    assert [second for second, *_ in of_notes(heard, "slack")] == [10, 70, 130, 190]
    assert "are on the timeline alone" in heard.last("notes").reason
    assert len(heard.when("note")) == 90


def test_notes_that_wait_are_told_before_the_incident_closes_and_outlive_a_restart() -> None:
    scenario = failing()
    scenario.at(10).quiet()
    scenario.at(900).asks("note", "prod-1", text="one").asks("note", "prod-1", text="two")
    heard = scenario.play(until=910)
    assert heard.incidents["prod-1"].state == "resolved"
    scenario.restart()
    assert of_notes(scenario.play(until=2_000), "slack")[1:] == [(960, "reply", "15:15 Ada: two")]


def test_a_note_from_pagerduty_is_not_sent_back_there_and_one_of_ours_is_where_it_can_be() -> None:
    scenario = failing()
    scenario.at(20).asks("note", "prod-1", text="from there", via="pagerduty")
    scenario.at(100).asks("note", "prod-1", text="from here")
    heard = scenario.play(until=100)
    sinks = frozenset({"pagerduty", PAGERDUTY_REST})
    commands: list[Command] = [c for t in heard.transitions for c in plan(t, scenario.policy, sinks)]
    assert [(c.action, c.reason) for c in commands if c.kind == "note"] == [("note", "15:01 Ada: from here")]
    without = [c for t in heard.transitions for c in plan(t, scenario.policy, frozenset({"pagerduty"}))]
    assert not [c for c in without if c.action == "note"]


@pytest.mark.parametrize(("env", "pages"), [("prod", 1), ("staging", 0)])
def test_a_report_at_night_opens_an_incident_that_says_who_said_it_and_pages_for_production(
    env: str, pages: int
) -> None:
    scenario = Scenario(env=env, start=NIGHT)
    scenario.at(20).asks("report", scope=f"{env}/*/idme", text="blank page", env=env)
    heard = scenario.play(until=600)
    opened = heard.transitions[0]
    assert (opened.kind, opened.by, opened.input) == ("opened", "Ada", f"{NIGHT + 20_000}-0")
    assert opened.reason == f"Ada reports that {env}/*/idme fails: blank page"
    assert heard.pages() == [(20, "error", "prod-1:0")][:pages]
    assert heard.messages()[0] == (20, "post", "opened")


def test_a_report_within_business_hours_is_told_in_slack_and_wakes_nobody() -> None:
    scenario = Scenario()
    scenario.at(20).asks("report", scope="prod/*/idme", text="blank page")
    heard = scenario.play(until=600)
    assert heard.pages() == []
    assert heard.messages()[0] == (20, "post", "opened")
    assert heard.told("datadog", "event")[0][0] == 20


def test_the_data_corrects_its_severity_and_then_it_pages() -> None:
    scenario = Scenario()
    scenario.at(20).asks("report", scope="prod/ssoe")
    scenario.at(60).fires("prod/ssoe", people=5_000)
    heard = scenario.play(until=60)
    assert list(heard.incidents) == ["prod-1"]
    assert heard.pages() == [(60, "critical", "prod-1:0")]


def test_a_report_that_nothing_bears_out_fades() -> None:
    scenario = Scenario(start=NIGHT, every=60)
    scenario.at(60).asks("report", scope="prod/ssoe")
    heard = scenario.play(until=3 * 3_600)
    assert heard.when("resolved") == [60 + 2 * 3_600]
    assert heard.last("resolved").incident.resolved_reason == "faded"


def test_a_second_report_joins_the_first_whenever_it_comes() -> None:
    scenario = Scenario(start=NIGHT)
    scenario.at(20).asks("report", scope="prod/ssoe").asks("report", scope="prod/ssoe", by="Bob")
    scenario.at(40).asks("report", scope="prod/ssoe/mhv", by="Cy", text="me too")
    heard = scenario.play(until=40)
    assert list(heard.incidents) == ["prod-1"]
    assert [(note.by, note.text) for note in heard.incidents["prod-1"].notes] == [
        ("Bob", "reports that prod/ssoe fails"),
        ("Cy", "reports that prod/ssoe/mhv fails: me too"),
    ]
    assert all(t.input is not None for t in heard.transitions if t.kind in ("opened", "note"))


def test_a_report_in_the_step_in_which_a_detector_finds_it_too_does_not_vanish() -> None:
    scenario = Scenario()
    scenario.at(20).fires("prod/ssoe", people=400).asks("report", scope="prod/ssoe", text="blank page")
    heard = scenario.play(until=20)
    assert list(heard.incidents) == ["prod-1"]
    assert [note.text for note in heard.incidents["prod-1"].notes] == [
        "reports that prod/ssoe fails: blank page"
    ]
    assert heard.pages() == [(20, "error", "prod-1:0")]


def test_what_people_write_is_kept_without_what_cannot_be_seen() -> None:
    scenario = failing()
    scenario.at(20).asks("note", "prod-1", text="up\u202e\x00\r\n\r\n\r\ndown\n", by="A\u202eda\n")
    scenario.at(30).asks("acknowledge", "prod-1", by="\u200b")
    heard = scenario.play(until=30)
    (note,) = heard.incidents["prod-1"].notes
    assert (note.by, note.text) == ("Ada", "up\n\ndown")
    assert heard.incidents["prod-1"].acknowledged_by == "somebody"
