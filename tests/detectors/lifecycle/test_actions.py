"""Incident inputs acknowledge, resolve, note and report; inputs that do not apply are refused."""

from __future__ import annotations

import pytest

from tests.detectors.lifecycle.scenario import Scenario

MINUTES = 60


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("acknowledge", {"incident": "prod-9"}, "there is no incident prod-9 that is not closed"),
        ("unacknowledge", {"incident": "prod-1"}, "prod-1 is not acknowledged"),
        ("note", {"incident": "prod-1", "env": "staging"}, "it is for staging, this is prod"),
        ("declare", {"scope": "prod/nowhere"}, "there is no scope 'prod/nowhere'"),
        ("declare", {"scope": "staging/sis"}, "staging/sis is not in prod"),
        ("declare", {}, "it names no scope"),
        ("report", {"scope": "prod/nowhere"}, "there is no scope 'prod/nowhere'"),
        ("merge", {"incident": "prod-1"}, "it says nothing of an alert"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    kind: str, fields: dict[str, str], reason: str
) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(20).asks(kind, **fields)
    heard = scenario.play(until=20)
    assert [(incident_input.kind, why) for incident_input, why in heard.refused] == [(kind, reason)]
    assert heard.kinds() == [(0, "opened")]


@pytest.mark.parametrize("kind", ["acknowledge", "unacknowledge", "resolve", "declare"])
def test_a_resolved_incident_takes_notes_only(kind: str) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(10).quiet()
    scenario.at(1200).asks(kind, "prod-1").asks("note", "prod-1", text="It was the router.")
    heard = scenario.play(until=1200)
    assert [why for _, why in heard.refused] == ["prod-1 is resolved"]
    assert [note.text for note in heard.incidents["prod-1"].notes] == ["It was the router."]


def test_an_input_applies_once_however_often_it_is_delivered() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    for second in (10, 20, 30):
        scenario.at(second).asks("note", "prod-1", id="the same", text="once")
    heard = scenario.play(until=30)
    assert len(heard.incidents["prod-1"].notes) == 1
    assert [why for _, why in heard.refused] == ["it was dealt with before"] * 2


def test_an_input_is_remembered_beyond_the_next_one() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    for second, name in ((10, "one"), (20, "two"), (30, "one")):
        scenario.at(second).asks("note", "prod-1", id=name, text=name)
    assert [n.text for n in scenario.play(until=30).incidents["prod-1"].notes] == ["one", "two"]


def test_a_report_is_noted_on_the_incident_that_may_be_why() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(20).asks("report", scope="prod/ssoe/mhv", text="cannot sign in")
    heard = scenario.play(until=20)
    assert heard.incidents["prod-1"].notes[0].text == "reports that prod/ssoe/mhv fails: cannot sign in"


@pytest.mark.parametrize(("fails", "said"), [("prod/*/idme", "prod/ssoe"), ("prod/sis", "prod/*/idme")])
def test_a_report_of_a_scope_that_only_overlaps_may_still_be_of_the_same(fails: str, said: str) -> None:
    scenario = Scenario()
    scenario.at(0).fires(fails, people=60)
    scenario.at(20).asks("report", scope=said)
    assert scenario.play(until=20).incidents["prod-1"].notes[0].text == f"reports that {said} fails"


def test_an_acknowledgement_can_be_taken_back() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(20).asks("acknowledge", "prod-1")
    scenario.at(40).asks("unacknowledge", "prod-1")
    heard = scenario.play(until=40)
    assert heard.incidents["prod-1"].state == "open"
    assert heard.incidents["prod-1"].acknowledged_by is None


def test_an_incident_may_be_acknowledged_while_it_recovers() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(20).quiet()
    scenario.at(200).asks("acknowledge", "prod-1")
    scenario.at(300).fires("prod/ssoe")
    heard = scenario.play(until=300)
    assert heard.last("acknowledged").incident.state == "recovering"
    assert heard.incidents["prod-1"].state == "acknowledged"
