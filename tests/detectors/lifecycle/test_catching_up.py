"""After a wait, receivers are notified of incidents that are open, that have come and gone, and that have ended."""

from __future__ import annotations

import msgspec

from detectors.incidents import Incident
from detectors.notification.plan import catch_up
from tests.detectors.lifecycle.scenario import SINKS, Scenario

HOURS = 3600


def _caught_up(scenario: Scenario, until: int, before: Incident | None = None) -> list[tuple[str, str, str]]:
    incident = scenario.play(until).incidents["prod-1"]
    return [
        (c.sink, c.action, c.dedup_key.removeprefix("watchofficer:"))
        for c in catch_up(incident, before, scenario.policy, SINKS)
    ]


def test_what_is_still_open_is_sent_with_its_true_start() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=2000)
    incident = scenario.play(until=600).incidents["prod-1"]
    commands = catch_up(incident, None, scenario.policy, SINKS)
    assert [(c.sink, c.action) for c in commands] == [
        ("datadog", "incident_create"),
        ("slack", "post"),
        ("pagerduty", "trigger"),
        ("datadog", "event"),
    ]
    assert {c.at for c in commands} == {incident.opened_at}
    assert all("2026-11-23T14:00:00Z" in c.reason for c in commands)


def test_somebody_who_is_at_it_is_not_woken_by_catching_up() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).asks("acknowledge", "prod-1")
    assert [told for told in _caught_up(scenario, 600) if told[0] == "pagerduty"] == []


def test_a_rise_after_the_acknowledgement_is_not_lost_in_catching_up() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).asks("acknowledge", "prod-1")
    before = scenario.play(until=100).incidents["prod-1"]
    scenario.at(200).hits(2000)
    assert ("pagerduty", "trigger", "prod-1:0:s1") in _caught_up(scenario, 600, before)
    assert ("pagerduty", "trigger", "prod-1:0:s1") in _caught_up(scenario, 600, None)


def test_nobody_is_told_by_catching_up_that_they_were_too_slow() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=2000)
    assert "prod-1:0:breach" in [key for *_, key in scenario.play(until=2 * HOURS).pages()]
    pages = [
        key
        for sink, action, key in _caught_up(scenario, 2 * HOURS)
        if (sink, action) == ("pagerduty", "trigger")
    ]
    assert pages == ["prod-1:0"]
    scenario.at(2 * HOURS + 60).asks("acknowledge", "prod-1")
    assert [told for told in _caught_up(scenario, 3 * HOURS) if told[0] == "pagerduty"] == []


def test_what_has_come_and_gone_is_one_line_in_slack() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=2000)
    scenario.at(300).quiet()
    assert _caught_up(scenario, 1500) == [("slack", "post", "prod-1:0")]
    assert _caught_up(scenario, 2 * HOURS) == [("slack", "post", "prod-1:0")]


def test_what_was_told_before_the_wait_and_has_ended_is_resolved_everywhere() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(50).asks("declare", "prod-1")
    before = scenario.play(until=60).incidents["prod-1"]
    scenario.at(100).hits(2000).asks("acknowledge", "prod-1")
    scenario.at(300).quiet()
    # The page that would have been linked was never sent, so it is not resolved either.
    assert _caught_up(scenario, 1500, before) == [
        ("slack", "update", "prod-1:0"),
        ("slack", "reply", "prod-1:0"),
        ("pagerduty", "resolve", "prod-1:0"),
        ("datadog", "event", "prod-1:0"),
        ("datadog", "incident_resolve", "prod-1:0"),
    ]


def test_what_came_back_during_the_wait_ends_its_old_epoch_and_begins_a_new_one() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    before = scenario.play(until=60).incidents["prod-1"]
    scenario.at(100).quiet()
    scenario.at(1500).fires("prod/ssoe")
    told = _caught_up(scenario, 1600, before)
    assert ("pagerduty", "resolve", "prod-1:0") in told
    assert ("pagerduty", "trigger", "prod-1:1") in told
    assert ("slack", "post", "prod-1:1") in told


def test_what_has_not_changed_during_the_wait_is_not_repeated() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    before = scenario.play(until=60).incidents["prod-1"]
    assert _caught_up(scenario, 120, before) == []


def test_what_was_resolved_before_the_wait_is_not_mentioned_again() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(10).quiet()
    before = scenario.play(until=1200).incidents["prod-1"]
    assert before.state == "resolved"
    assert _caught_up(scenario, 2 * HOURS, before) == []


def test_the_ids_of_catching_up_are_stable_and_no_others() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=2000)
    heard = scenario.play(until=600)
    incident = heard.incidents["prod-1"]
    once, twice = (catch_up(incident, None, scenario.policy, SINKS) for _ in range(2))
    assert msgspec.json.encode(once) == msgspec.json.encode(twice)
    assert not {c.id for c in once} & {c.id for c in heard.commands}
