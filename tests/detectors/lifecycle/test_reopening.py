"""When an outage comes back, its incident reopens, or another one opens."""

from __future__ import annotations

import pytest

from tests.detectors.lifecycle.scenario import Scenario

MINUTES = 60


def test_the_same_scope_within_half_an_hour_reopens_it_without_its_acknowledgement() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).asks("acknowledge", "prod-1")
    scenario.at(300).quiet()
    scenario.at(1190 + 30 * MINUTES).fires("prod/ssoe")
    heard = scenario.play(until=4000)
    assert heard.when("resolved")[0] == 1190
    reopened = heard.last("reopened")
    assert (reopened.incident.id, reopened.incident.epoch, reopened.from_state) == ("prod-1", 1, "resolved")
    assert reopened.incident.acknowledged_at is None
    assert reopened.incident.resolved_reason is None
    assert reopened.incident.opened_at == reopened.at
    assert reopened.incident.pages[0].dedup_key == "watchofficer:prod-1:1"


def test_the_same_scope_later_than_that_is_another_incident() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(300).quiet()
    scenario.at(1190 + 30 * MINUTES + 10).fires("prod/ssoe")
    heard = scenario.play(until=4000)
    assert [t.incident.id for t in heard.transitions if t.kind == "opened"] == ["prod-1", "prod-2"]
    assert heard.when("reopened") == []


@pytest.mark.parametrize("scope", ["prod", "prod/sis", "prod/ssoe/idme", "prod/*/idme"])
def test_another_scope_does_not_reopen_it_even_if_it_is_related(scope: str) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(300).quiet()
    scenario.at(1500).fires(scope)
    heard = scenario.play(until=1500)
    assert heard.last("opened").incident.id == "prod-2"


def test_a_scope_on_which_it_had_findings_before_reopens_it() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(60).quiet("prod/ssoe/idme").fires("prod/ssoe")
    scenario.at(300).quiet()
    scenario.at(1500).fires("prod/ssoe/idme")
    reopened = scenario.play(until=1500).last("reopened")
    assert (reopened.incident.epoch, reopened.from_scope, reopened.incident.scope) == (
        1,
        "prod/ssoe",
        "prod/ssoe/idme",
    )


def test_the_scopes_of_earlier_epochs_are_remembered_too() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(60).quiet().fires("prod/ssoe")
    scenario.at(300).quiet()
    scenario.at(1500).fires("prod/ssoe/idme")
    scenario.at(1800).quiet()
    scenario.at(3000).fires("prod/ssoe")
    heard = scenario.play(until=3000)
    assert heard.when("reopened") == [1500, 3000]
    assert (heard.incidents["prod-1"].epoch, heard.incidents["prod-1"].scope) == (2, "prod/ssoe")


def test_of_two_that_could_reopen_the_one_that_ended_on_the_very_scope_does() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(60).quiet().fires("prod/ssoe")
    scenario.at(120).asks("resolve", "prod-1").quiet()
    scenario.at(300).fires("prod/*/idme")
    scenario.at(310).quiet().fires("prod/ssoe/idme")
    scenario.at(700).asks("resolve", "prod-2").quiet()
    heard = scenario.play(until=900)
    assert [i.scope for i in heard.incidents.values()] == ["prod/ssoe", "prod/ssoe/idme"]
    scenario.at(910).fires("prod/ssoe/idme")
    assert scenario.play(until=910).last("reopened").incident.id == "prod-2"


def test_what_was_declared_stays_declared_when_it_comes_back() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(60).asks("declare", "prod-1")
    scenario.at(300).quiet()
    scenario.at(1500).fires("prod/ssoe")
    heard = scenario.play(until=1500)
    assert heard.incidents["prod-1"].declared_by == "Ada"
    assert (1500, "incident_create", "error", "prod-1:1") in heard.told("datadog")
