"""Changes of incidents make commands for Datadog and Slack, with ids that follow from the changes."""

from __future__ import annotations

import pytest

from detectors.notification.plan import makes_thread_message, plan
from streams.settings.policy_file import default_policy
from tests.detectors.lifecycle.scenario import SINKS, Heard, Scenario

MINUTES = 60
HOURS = 3600


# -- Datadog -------------------------------------------------------------------------------------------------


def test_datadog_gets_an_event_on_opening_on_rises_and_on_the_end() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    scenario.at(100).hits(60)
    scenario.at(200).hits(900)
    scenario.at(300).quiet()
    heard = scenario.play(until=1500)
    assert [(s, level) for s, _, level, _ in heard.told("datadog", "event")] == [
        (0, "warn"),
        (100, "error"),
        (1190, "ok"),
    ]
    assert heard.told("datadog", "incident_create", "incident_update", "incident_resolve") == []


def test_a_declared_incident_follows_ours_in_datadog() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).asks("declare", "prod-1")
    scenario.at(200).hits(1001)
    scenario.at(300).quiet()
    scenario.at(400).fires("prod/ssoe")
    scenario.at(500).quiet()
    heard = scenario.play(until=2000)
    actions = heard.told("datadog", "incident_create", "incident_update", "incident_resolve")
    assert [(second, action) for second, action, *_ in actions] == [
        (100, "incident_create"),
        (200, "incident_update"),
        (350, "incident_update"),
        (400, "incident_update"),
        (610, "incident_update"),
        (1390, "incident_resolve"),
    ]


# -- Slack ---------------------------------------------------------------------------------------------------


def test_slack_gets_one_thread_with_a_line_for_each_change() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).asks("acknowledge", "prod-1")
    scenario.at(200).hits(2000)
    scenario.at(300).quiet()
    heard = scenario.play(until=1200)
    assert heard.messages() == [
        (0, "post", "opened"),
        (100, "reply", "acknowledged"),
        (200, "broadcast", "severity"),
        (200, "reply", "declared"),
        (350, "reply", "recovering"),
        (1190, "reply", "resolved"),
    ]


def test_every_message_in_the_thread_goes_with_a_correction_of_the_root() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).asks("acknowledge", "prod-1")
    scenario.at(150).asks("note", "prod-1", text="looking")
    scenario.at(300).quiet()
    heard = scenario.play(until=1200)
    edits = [second for second, *_ in heard.told("slack", "update")]
    assert edits == [100, 150, 350, 1190]


def test_a_fall_is_a_line_in_the_thread_and_no_broadcast() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(60).hits(10)
    assert (16 * MINUTES, "reply", "severity") in scenario.play(until=HOURS).messages()


def test_reminders_are_said_in_the_thread_and_breaches_in_the_channel() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=2000)
    messages = scenario.play(until=HOURS).messages()
    assert [m for m in messages if m[2] in ("reminder", "breach")] == [
        (15 * MINUTES, "reply", "reminder"),
        (30 * MINUTES, "reply", "reminder"),
        (30 * MINUTES, "broadcast", "breach"),
        (60 * MINUTES, "broadcast", "breach"),
    ]


def test_a_second_change_of_scope_within_five_minutes_is_said_when_they_are_over() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=60)
    scenario.at(60).quiet().fires("prod/ssoe")
    scenario.at(120).quiet().fires("prod")
    heard = scenario.play(until=600)
    assert [m for m in heard.messages() if m[2] == "scope"] == [
        (80, "reply", "scope"),
        (380, "reply", "scope"),
    ]
    # The root is corrected at once.
    assert [second for second, *_ in heard.told("slack", "update")] == [80, 140, 380]
    assert [t.at // 1000 - heard.start // 1000 for t in heard.transitions if t.visible] == [0, 80, 140]


def test_a_reopened_incident_gets_a_thread_of_its_own() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).quiet()
    scenario.at(1200).fires("prod/ssoe")
    assert scenario.play(until=1200).told("slack", "post") == [
        (0, "post", "info", "prod-1:0"),
        (1200, "post", "info", "prod-1:1"),
    ]


def test_nobody_is_told_that_an_incident_is_closed() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(10).quiet()
    heard = scenario.play(until=HOURS)
    assert heard.when("closed") != []
    assert all(command.kind != "closed" for command in heard.commands)


# -- ids and switches ----------------------------------------------------------------------------------------


def test_an_id_names_incident_epoch_change_receiver_and_action() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(50).asks("acknowledge", "prod-1")
    scenario.at(100).hits(2000)
    heard = scenario.play(until=100)
    start = heard.start
    ids = [c.id for c in heard.commands if c.sink == "pagerduty"]
    assert ids == [
        f"prod-1:0:opened@{start}:pagerduty:trigger",
        f"prod-1:0:acknowledged@{start + 50_000}:pagerduty:acknowledge",
        f"prod-1:0:severity-1@{start + 100_000}:pagerduty:trigger:s1",
    ]


def test_two_changes_of_one_kind_in_one_step_have_ids_of_their_own() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(50).asks("note", "prod-1", text="a").asks("note", "prod-1", text="b")
    heard = scenario.play(until=50)
    ids = [command.id for command in heard.commands]
    assert len(ids) == len(set(ids))
    assert len(heard.incidents["prod-1"].notes) == 2


@pytest.mark.parametrize("sinks", [set(), {"slack"}, {"pagerduty", "datadog"}])
def test_receivers_that_are_off_are_told_nothing(sinks: set[str]) -> None:
    heard = _busy()
    told = [c.sink for t in heard.transitions for c in plan(t, default_policy(), frozenset(sinks))]
    assert set(told) == sinks


def test_while_catching_up_nothing_is_sent() -> None:
    assert [c for t in _busy().transitions for c in plan(t, default_policy(), SINKS, True)] == []


def test_a_transition_speaks_exactly_if_it_makes_a_message() -> None:
    for transition in _busy().transitions:
        actions = {c.action for c in plan(transition, default_policy(), frozenset({"slack"}))}
        assert makes_thread_message(transition) is bool(actions - {"update"})


def _busy() -> Heard:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=60)
    scenario.at(50).asks("acknowledge", "prod-1").asks("note", "prod-1", text="on it")
    scenario.at(100).hits(2000)
    scenario.at(150).quiet().fires("prod/ssoe")
    scenario.at(300).quiet()
    return scenario.play(until=2 * HOURS)
