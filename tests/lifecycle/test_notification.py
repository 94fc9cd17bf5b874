"""Who is woken, and who is told what."""

from __future__ import annotations

import msgspec
import pytest

from detectors.incidents import Incident
from detectors.notification import catch_up, plan, speaks
from detectors.policy import default_policy
from tests.lifecycle.score import SINKS, Heard, Score, policy

MINUTES = 60
HOURS = 3600
IN_MAINTENANCE = policy(
    "maintenance:\n- {scope: prod/ssoe, start: 2026-11-23T14:00:00Z, end: 2026-11-23T15:10:00Z,"
    " description: patching}\n"
)


# -- PagerDuty -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("people", "level"), [(51, "error"), (1001, "critical")])
def test_severities_1_and_2_page_on_opening(people: int, level: str) -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=people)
    assert score.play(until=300).pages() == [(0, level, "prod-1:0")]


def test_a_severity_3_waits_half_a_minute_for_a_rise_before_it_is_told_as_a_warning() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    assert score.play(until=300).pages() == [(30, "warning", "prod-1:0")]


def test_a_rise_within_the_wait_makes_one_page_of_it() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    score.at(20).hits(2000)
    assert score.play(until=300).pages() == [(20, "critical", "prod-1:0")]


def test_a_severity_3_acknowledged_within_the_wait_warns_nobody() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    score.at(20).asks("acknowledge", "prod-1")
    assert score.play(until=300).pages() == []


def test_a_rise_is_a_trigger_at_the_same_key() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).hits(2000)
    heard = score.play(until=300)
    assert heard.pages() == [(0, "error", "prod-1:0"), (100, "critical", "prod-1:0")]
    assert [(p.dedup_key, p.level) for p in heard.incidents["prod-1"].pages] == [
        ("watchofficer:prod-1:0", "critical")
    ]


def test_a_rise_to_severity_1_after_an_acknowledgement_wakes_again() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(50).asks("acknowledge", "prod-1", via="pagerduty")
    score.at(100).hits(2000)
    assert score.play(until=300).pages() == [(0, "error", "prod-1:0"), (100, "critical", "prod-1:0:s1")]


@pytest.mark.parametrize(("people", "level", "key"), [(60, "error", "s2"), (2000, "critical", "s1")])
def test_a_rise_from_a_level_that_does_not_page_wakes(people: int, level: str, key: str) -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    score.at(100).hits(people)
    assert score.play(until=300).pages() == [
        (30, "warning", "prod-1:0"),
        (100, level, f"prod-1:0:{key}"),
    ]


def test_after_a_linked_page_the_next_rise_goes_to_its_key() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    score.at(100).hits(60)
    score.at(200).hits(2000)
    assert score.play(until=300).pages()[-1] == (200, "critical", "prod-1:0:s2")


def test_a_second_rise_to_the_same_severity_does_not_wake_once_more() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(50).asks("acknowledge", "prod-1")
    score.at(100).hits(2000)
    score.at(200).hits(100)
    score.at(2000).hits(2000)
    keys = [key for _, _, key in score.play(until=2100).pages()]
    assert keys == ["prod-1:0", "prod-1:0:s1", "prod-1:0:s1"]


def test_a_rise_to_severity_2_that_somebody_is_at_wakes_nobody() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(50).asks("acknowledge", "prod-1")
    score.at(100).hits(10)
    score.at(2000).hits(60)
    assert score.play(until=2000).pages() == [(0, "error", "prod-1:0"), (2000, "error", "prod-1:0")]


def test_a_rise_to_severity_1_wakes_even_if_nobody_was_paged_before_the_acknowledgement() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    score.at(20).asks("acknowledge", "prod-1")
    score.at(100).hits(2000)
    assert score.play(until=300).pages() == [(100, "critical", "prod-1:0:s1")]


def test_pagerduty_hears_of_acknowledgements_made_with_us_only_and_on_every_key() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    score.at(100).hits(60)
    score.at(200).asks("acknowledge", "prod-1", via="http")
    heard = score.play(until=300)
    assert [key for *_, key in heard.told("pagerduty", "acknowledge")] == ["prod-1:0", "prod-1:0:s2"]
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(200).asks("acknowledge", "prod-1", via="pagerduty")
    assert score.play(until=300).told("pagerduty", "acknowledge") == []


def test_a_page_after_the_acknowledgement_can_be_acknowledged_too() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(50).asks("acknowledge", "prod-1")
    score.at(100).hits(2000)
    score.at(150).asks("acknowledge", "prod-1", by="Bob").asks("acknowledge", "prod-1", by="Cy")
    heard = score.play(until=300)
    assert [key for *_, key in heard.told("pagerduty", "acknowledge")] == [
        "prod-1:0",
        "prod-1:0",
        "prod-1:0:s1",
    ]
    assert [wish.by for wish, _ in heard.refused] == ["Cy"]
    assert heard.incidents["prod-1"].acknowledged_by == "Ada"


def test_resolving_resolves_every_key_that_was_triggered() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    score.at(100).hits(60)
    score.at(200).asks("acknowledge", "prod-1")
    score.at(300).hits(2000)
    score.at(400).quiet()
    heard = score.play(until=1500)
    assert heard.told("pagerduty", "resolve") == [
        (1290, "resolve", "warning", "prod-1:0"),
        (1290, "resolve", "error", "prod-1:0:s2"),
        (1290, "resolve", "critical", "prod-1:0:s1"),
    ]


def test_every_epoch_has_keys_of_its_own() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).quiet()
    score.at(1200).fires("prod/ssoe")
    assert [key for *_, key in score.play(until=1300).pages()] == ["prod-1:0", "prod-1:1"]


@pytest.mark.parametrize("env", ["staging", "dev", "localhost"])
def test_outside_prod_pagerduty_hears_nothing_but_slack_and_datadog_do(env: str) -> None:
    score = Score(env=env, every=60)
    score.at(0).fires(f"{env}/ssoe", people=9000)
    score.at(HOURS).quiet()
    heard = score.play(until=2 * HOURS)
    assert heard.told("pagerduty") == []
    assert [level for _, _, level, _ in heard.told("datadog", "event")] == ["warn", "ok"]
    assert heard.messages()[0] == (0, "post", "opened")


@pytest.mark.parametrize("detector", ["surge", "latency"])
def test_surges_and_slowness_are_told_to_slack_alone(detector: str) -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", detector=detector, people=2000)
    score.at(HOURS).quiet()
    heard = score.play(until=2 * HOURS)
    assert (heard.told("pagerduty"), heard.told("datadog")) == ([], [])
    assert heard.messages()[0] == (0, "post", "opened")
    assert heard.messages()[-1][1:] == ("reply", "resolved")


def test_when_more_than_slowness_is_found_the_others_hear_of_it_too() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", detector="latency", people=60)
    score.at(600).fires("prod/ssoe", detector="outage")
    heard = score.play(until=900)
    assert heard.pages() == [(600, "error", "prod-1:0")]
    assert heard.told("datadog") == [(600, "event", "error", "prod-1:0")]
    assert (600, "reply", "cause") in heard.messages()


def test_a_declared_slowness_is_serious() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", detector="latency", people=20)
    score.at(600).asks("declare", "prod-1")
    heard = score.play(until=900)
    assert heard.told("datadog") == [
        (600, "event", "warn", "prod-1:0"),
        (600, "incident_create", "warn", "prod-1:0"),
    ]
    assert heard.pages() == [(630, "warning", "prod-1:0")]


def test_in_maintenance_nothing_pages_until_it_is_over() -> None:
    score = Score(IN_MAINTENANCE)
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).hits(2000)
    heard = score.play(until=900)
    assert heard.incidents["prod-1"].in_maintenance is False
    assert heard.pages() == [(600, "critical", "prod-1:0")]
    assert heard.told("slack", "post") == [(0, "post", "info", "prod-1:0")]


def test_maintenance_of_one_method_does_not_hide_an_outage_of_all() -> None:
    score = Score(IN_MAINTENANCE)
    score.at(0).fires("prod", people=60)
    assert score.play(until=0).pages() == [(0, "error", "prod-1:0")]


# -- Datadog -------------------------------------------------------------------------------------------------


def test_datadog_gets_an_event_on_opening_on_rises_and_on_the_end() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=20)
    score.at(100).hits(60)
    score.at(200).hits(900)
    score.at(300).quiet()
    heard = score.play(until=1500)
    assert [(s, level) for s, _, level, _ in heard.told("datadog", "event")] == [
        (0, "warn"),
        (100, "error"),
        (1190, "ok"),
    ]
    assert heard.told("datadog", "incident_create", "incident_update", "incident_resolve") == []


def test_a_declared_incident_follows_ours_in_datadog() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("declare", "prod-1")
    score.at(200).hits(1001)
    score.at(300).quiet()
    score.at(400).fires("prod/ssoe")
    score.at(500).quiet()
    heard = score.play(until=2000)
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
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("acknowledge", "prod-1")
    score.at(200).hits(2000)
    score.at(300).quiet()
    heard = score.play(until=1200)
    assert heard.messages() == [
        (0, "post", "opened"),
        (100, "reply", "acknowledged"),
        (200, "broadcast", "severity"),
        (200, "reply", "declared"),
        (350, "reply", "recovering"),
        (1190, "reply", "resolved"),
    ]


def test_every_message_in_the_thread_goes_with_a_correction_of_the_root() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("acknowledge", "prod-1")
    score.at(150).asks("note", "prod-1", text="looking")
    score.at(300).quiet()
    heard = score.play(until=1200)
    edits = [second for second, *_ in heard.told("slack", "update")]
    assert edits == [100, 150, 350, 1190]


def test_a_fall_is_a_line_in_the_thread_and_no_broadcast() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=60)
    score.at(60).hits(10)
    assert (16 * MINUTES, "reply", "severity") in score.play(until=HOURS).messages()


def test_reminders_are_said_in_the_thread_and_breaches_in_the_channel() -> None:
    score = Score(every=60)
    score.at(0).fires("prod/ssoe", people=2000)
    messages = score.play(until=HOURS).messages()
    assert [m for m in messages if m[2] in ("reminder", "breach")] == [
        (15 * MINUTES, "reply", "reminder"),
        (30 * MINUTES, "reply", "reminder"),
        (30 * MINUTES, "broadcast", "breach"),
        (60 * MINUTES, "broadcast", "breach"),
    ]


def test_a_second_change_of_scope_within_five_minutes_is_said_when_they_are_over() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=60)
    score.at(60).quiet().fires("prod/ssoe")
    score.at(120).quiet().fires("prod")
    heard = score.play(until=600)
    assert [m for m in heard.messages() if m[2] == "scope"] == [
        (80, "reply", "scope"),
        (380, "reply", "scope"),
    ]
    # The root is corrected at once.
    assert [second for second, *_ in heard.told("slack", "update")] == [80, 140, 380]
    assert [t.at // 1000 - heard.start // 1000 for t in heard.transitions if t.visible] == [0, 80, 140]


def test_a_reopened_incident_gets_a_thread_of_its_own() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).quiet()
    score.at(1200).fires("prod/ssoe")
    assert score.play(until=1200).told("slack", "post") == [
        (0, "post", "info", "prod-1:0"),
        (1200, "post", "info", "prod-1:1"),
    ]


def test_nobody_is_told_that_an_incident_is_closed() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(10).quiet()
    heard = score.play(until=HOURS)
    assert heard.when("closed") != []
    assert all(command.kind != "closed" for command in heard.commands)


# -- ids and switches ----------------------------------------------------------------------------------------


def test_an_id_names_incident_epoch_change_receiver_and_action() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(50).asks("acknowledge", "prod-1")
    score.at(100).hits(2000)
    heard = score.play(until=100)
    start = heard.start
    ids = [c.id for c in heard.commands if c.sink == "pagerduty"]
    assert ids == [
        f"prod-1:0:opened@{start}:pagerduty:trigger",
        f"prod-1:0:acknowledged@{start + 50_000}:pagerduty:acknowledge",
        f"prod-1:0:severity-1@{start + 100_000}:pagerduty:trigger:s1",
    ]


def test_two_changes_of_one_kind_in_one_step_have_ids_of_their_own() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(50).asks("note", "prod-1", text="a").asks("note", "prod-1", text="b")
    heard = score.play(until=50)
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
        assert speaks(transition) is bool(actions - {"update"})


def _busy() -> Heard:
    score = Score()
    score.at(0).fires("prod/ssoe/idme", people=60)
    score.at(50).asks("acknowledge", "prod-1").asks("note", "prod-1", text="on it")
    score.at(100).hits(2000)
    score.at(150).quiet().fires("prod/ssoe")
    score.at(300).quiet()
    return score.play(until=2 * HOURS)


# -- after catching up ---------------------------------------------------------------------------------------


def _caught_up(score: Score, until: int, before: Incident | None = None) -> list[tuple[str, str, str]]:
    incident = score.play(until).incidents["prod-1"]
    return [
        (c.sink, c.action, c.dedup_key.removeprefix("watchofficer:"))
        for c in catch_up(incident, before, score.policy, SINKS)
    ]


def test_what_is_still_open_is_sent_with_its_true_start() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=2000)
    incident = score.play(until=600).incidents["prod-1"]
    commands = catch_up(incident, None, score.policy, SINKS)
    assert [(c.sink, c.action) for c in commands] == [
        ("datadog", "incident_create"),
        ("pagerduty", "trigger"),
        ("datadog", "event"),
        ("slack", "post"),
    ]
    assert {c.at for c in commands} == {incident.opened_at}
    assert "2026-11-23T14:59:50Z" in commands[-1].reason


def test_somebody_who_is_at_it_is_not_woken_by_catching_up() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("acknowledge", "prod-1")
    assert [told for told in _caught_up(score, 600) if told[0] == "pagerduty"] == []


def test_a_rise_after_the_acknowledgement_is_not_lost_in_catching_up() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(100).asks("acknowledge", "prod-1")
    before = score.play(until=100).incidents["prod-1"]
    score.at(200).hits(2000)
    assert ("pagerduty", "trigger", "prod-1:0:s1") in _caught_up(score, 600, before)
    assert ("pagerduty", "trigger", "prod-1:0:s1") in _caught_up(score, 600, None)


def test_what_has_come_and_gone_is_one_line_in_slack() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=2000)
    score.at(300).quiet()
    assert _caught_up(score, 1500) == [("slack", "post", "prod-1:0")]
    assert _caught_up(score, 2 * HOURS) == [("slack", "post", "prod-1:0")]


def test_what_was_told_before_the_wait_and_has_ended_is_resolved_everywhere() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(50).asks("declare", "prod-1")
    before = score.play(until=60).incidents["prod-1"]
    score.at(100).hits(2000).asks("acknowledge", "prod-1")
    score.at(300).quiet()
    # The page that would have been linked was never sent, so it is not resolved either.
    assert _caught_up(score, 1500, before) == [
        ("pagerduty", "resolve", "prod-1:0"),
        ("datadog", "event", "prod-1:0"),
        ("datadog", "incident_resolve", "prod-1:0"),
        ("slack", "update", "prod-1:0"),
        ("slack", "reply", "prod-1:0"),
    ]


def test_what_came_back_during_the_wait_ends_its_old_epoch_and_begins_a_new_one() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    before = score.play(until=60).incidents["prod-1"]
    score.at(100).quiet()
    score.at(1500).fires("prod/ssoe")
    told = _caught_up(score, 1600, before)
    assert ("pagerduty", "resolve", "prod-1:0") in told
    assert ("pagerduty", "trigger", "prod-1:1") in told
    assert ("slack", "post", "prod-1:1") in told


def test_what_has_not_changed_during_the_wait_is_not_repeated() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    before = score.play(until=60).incidents["prod-1"]
    assert _caught_up(score, 120, before) == []


def test_what_was_resolved_before_the_wait_is_not_mentioned_again() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=60)
    score.at(10).quiet()
    before = score.play(until=1200).incidents["prod-1"]
    assert before.state == "resolved"
    assert _caught_up(score, 2 * HOURS, before) == []


def test_the_ids_of_catching_up_are_stable_and_no_others() -> None:
    score = Score()
    score.at(0).fires("prod/ssoe", people=2000)
    heard = score.play(until=600)
    incident = heard.incidents["prod-1"]
    once, twice = (catch_up(incident, None, score.policy, SINKS) for _ in range(2))
    assert msgspec.json.encode(once) == msgspec.json.encode(twice)
    assert not {c.id for c in once} & {c.id for c in heard.commands}
