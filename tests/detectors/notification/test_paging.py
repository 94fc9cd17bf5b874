"""Pages are triggered at the right time, under the right key."""

from __future__ import annotations

import pytest

from tests.detectors.lifecycle.scenario import Heard, Scenario, policy

MINUTES = 60
HOURS = 3600
IN_MAINTENANCE = policy(
    "maintenance:\n- {scope: prod/ssoe, start: 2026-11-23T14:00:00Z, end: 2026-11-23T15:10:00Z,"
    " description: patching}\n"
)


@pytest.mark.parametrize(("people", "level"), [(51, "error"), (1001, "critical")])
def test_severities_1_and_2_page_on_opening(people: int, level: str) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=people)
    assert scenario.play(until=300).pages() == [(0, level, "prod-1:0")]


def test_a_severity_3_waits_half_a_minute_for_a_rise_before_it_is_told_as_a_warning() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    assert scenario.play(until=300).pages() == [(30, "warning", "prod-1:0")]


def test_a_rise_within_the_wait_makes_one_page_of_it() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    scenario.at(20).hits(2000)
    assert scenario.play(until=300).pages() == [(20, "critical", "prod-1:0")]


def test_a_severity_3_acknowledged_within_the_wait_warns_nobody() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    scenario.at(20).asks("acknowledge", "prod-1")
    assert scenario.play(until=300).pages() == []


def test_a_rise_is_a_trigger_at_the_same_key() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).hits(2000)
    heard = scenario.play(until=300)
    assert heard.pages() == [(0, "error", "prod-1:0"), (100, "critical", "prod-1:0")]
    assert [(p.dedup_key, p.level) for p in heard.incidents["prod-1"].pages] == [
        ("watchofficer:prod-1:0", "critical")
    ]


def test_an_incident_keeps_the_keys_with_which_it_opened_whatever_the_policy_says_by_then() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.play(until=100)
    scenario.policy = policy("notify: {dedup_prefix: other}\n")
    scenario.restart()
    scenario.at(110).hits(2000)
    scenario.at(200).quiet("prod/ssoe")
    scenario.at(4 * HOURS).fires("prod/sis", people=60)
    heard = scenario.play(until=4 * HOURS)
    assert heard.when("resolved")
    keys = {(command.incident_id, command.sink): command.dedup_key for command in heard.commands}
    assert set(keys.values()) == {"watchofficer:prod-1:0", "other:prod-2:0"}
    assert keys["prod-2", "pagerduty"] == "other:prod-2:0"


def test_a_rise_to_severity_1_after_an_acknowledgement_wakes_again() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(50).asks("acknowledge", "prod-1", via="pagerduty")
    scenario.at(100).hits(2000)
    assert scenario.play(until=300).pages() == [(0, "error", "prod-1:0"), (100, "critical", "prod-1:0:s1")]


@pytest.mark.parametrize(("people", "level", "key"), [(60, "error", "s2"), (2000, "critical", "s1")])
def test_a_rise_from_a_level_that_does_not_page_wakes(people: int, level: str, key: str) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    scenario.at(100).hits(people)
    assert scenario.play(until=300).pages() == [
        (30, "warning", "prod-1:0"),
        (100, level, f"prod-1:0:{key}"),
    ]


def test_after_a_linked_page_the_next_rise_goes_to_its_key() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    scenario.at(100).hits(60)
    scenario.at(200).hits(2000)
    assert scenario.play(until=300).pages()[-1] == (200, "critical", "prod-1:0:s2")


def test_a_second_rise_to_the_same_severity_does_not_wake_once_more() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(50).asks("acknowledge", "prod-1")
    scenario.at(100).hits(2000)
    scenario.at(200).hits(100)
    scenario.at(2000).hits(2000)
    keys = [key for _, _, key in scenario.play(until=2100).pages()]
    assert keys == ["prod-1:0", "prod-1:0:s1"]


def test_a_rise_to_severity_2_that_somebody_is_at_wakes_nobody() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(50).asks("acknowledge", "prod-1")
    scenario.at(100).hits(10)
    scenario.at(2000).hits(60)
    assert scenario.play(until=2000).pages() == [(0, "error", "prod-1:0")]


def test_a_rise_to_severity_1_wakes_even_if_nobody_was_paged_before_the_acknowledgement() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    scenario.at(20).asks("acknowledge", "prod-1")
    scenario.at(100).hits(2000)
    assert scenario.play(until=300).pages() == [(100, "critical", "prod-1:0:s1")]


def test_pagerduty_hears_of_acknowledgements_made_with_us_only_and_on_every_key() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    scenario.at(100).hits(60)
    scenario.at(200).asks("acknowledge", "prod-1", via="http")
    heard = scenario.play(until=300)
    assert [key for *_, key in heard.told("pagerduty", "acknowledge")] == ["prod-1:0", "prod-1:0:s2"]
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(200).asks("acknowledge", "prod-1", via="pagerduty")
    assert scenario.play(until=300).told("pagerduty", "acknowledge") == []


def test_a_page_after_the_acknowledgement_can_be_acknowledged_too() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(50).asks("acknowledge", "prod-1")
    scenario.at(100).hits(2000)
    scenario.at(150).asks("acknowledge", "prod-1", by="Bob").asks("acknowledge", "prod-1", by="Cy")
    heard = scenario.play(until=300)
    assert [key for *_, key in heard.told("pagerduty", "acknowledge")] == [
        "prod-1:0",
        "prod-1:0",
        "prod-1:0:s1",
    ]
    assert [incident_input.by for incident_input, _ in heard.refused] == ["Cy"]
    assert heard.incidents["prod-1"].acknowledged_by == "Ada"


def test_resolving_resolves_every_key_that_was_triggered() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    scenario.at(100).hits(60)
    scenario.at(200).asks("acknowledge", "prod-1")
    scenario.at(300).hits(2000)
    scenario.at(400).quiet()
    heard = scenario.play(until=1500)
    assert heard.told("pagerduty", "resolve") == [
        (1290, "resolve", "warning", "prod-1:0"),
        (1290, "resolve", "error", "prod-1:0:s2"),
        (1290, "resolve", "critical", "prod-1:0:s1"),
    ]


def test_every_epoch_has_keys_of_its_own() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).quiet()
    scenario.at(1200).fires("prod/ssoe")
    assert [key for *_, key in scenario.play(until=1300).pages()] == ["prod-1:0", "prod-1:1"]


@pytest.mark.parametrize("env", ["staging", "dev", "localhost"])
def test_outside_prod_pagerduty_hears_nothing_but_slack_and_datadog_do(env: str) -> None:
    scenario = Scenario(env=env, every=60)
    scenario.at(0).fires(f"{env}/ssoe", people=9000)
    scenario.at(HOURS).quiet()
    heard = scenario.play(until=2 * HOURS)
    assert heard.told("pagerduty") == []
    assert [level for _, _, level, _ in heard.told("datadog", "event")] == ["warn", "ok"]
    assert heard.messages()[0] == (0, "post", "opened")


@pytest.mark.parametrize("detector", ["surge", "latency"])
def test_surges_and_slowness_are_told_to_slack_alone(detector: str) -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe/idme", detector=detector, people=2000)
    scenario.at(HOURS).quiet()
    heard = scenario.play(until=2 * HOURS)
    assert (heard.told("pagerduty"), heard.told("datadog")) == ([], [])
    assert heard.messages()[0] == (0, "post", "opened")
    assert heard.messages()[-1][1:] == ("reply", "resolved")


def test_when_more_than_slowness_is_found_the_others_hear_of_it_too() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", detector="latency", people=60)
    scenario.at(600).fires("prod/ssoe", detector="outage")
    heard = scenario.play(until=890)
    assert heard.pages() == [(600, "error", "prod-1:0")]
    assert heard.told("datadog") == [(600, "event", "error", "prod-1:0")]
    assert (600, "reply", "cause") in heard.messages()


def test_a_declared_slowness_is_serious() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", detector="latency", people=20)
    scenario.at(600).asks("declare", "prod-1")
    heard = scenario.play(until=900)
    assert heard.told("datadog") == [
        (600, "event", "warn", "prod-1:0"),
        (600, "incident_create", "warn", "prod-1:0"),
    ]
    assert heard.pages() == [(630, "warning", "prod-1:0")]


def test_in_maintenance_nothing_pages_until_it_is_over() -> None:
    scenario = Scenario(IN_MAINTENANCE)
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(100).hits(2000)
    heard = scenario.play(until=900)
    assert heard.incidents["prod-1"].in_maintenance is False
    assert heard.pages() == [(600, "critical", "prod-1:0")]
    assert heard.told("slack", "post") == [(0, "post", "info", "prod-1:0")]


def test_maintenance_of_one_method_does_not_hide_an_outage_of_all() -> None:
    scenario = Scenario(IN_MAINTENANCE)
    scenario.at(0).fires("prod", people=60)
    assert scenario.play(until=0).pages() == [(0, "error", "prod-1:0")]


# -- response times that are over --------------------------------------------------------------------------------


def breaches(heard: Heard) -> list[tuple[int, str, str]]:
    return [page for page in heard.pages() if page[2].endswith(":breach")]


def test_a_response_time_that_is_over_pages_once_at_a_key_of_its_own() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=2000)
    heard = scenario.play(until=2 * HOURS)
    assert heard.when("breach") == [30 * MINUTES, 60 * MINUTES]
    assert breaches(heard) == [(30 * MINUTES, "critical", "prod-1:0:breach")]


def test_a_rise_after_a_breach_goes_to_the_first_alert_and_the_end_resolves_both() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(40 * MINUTES).hits(5000)
    scenario.at(70 * MINUTES).quiet()
    heard = scenario.play(until=3 * HOURS)
    assert heard.pages() == [
        (0, "error", "prod-1:0"),
        (30 * MINUTES, "error", "prod-1:0:breach"),
        (40 * MINUTES, "critical", "prod-1:0"),
    ]
    resolved = {key for _, action, _, key in heard.told("pagerduty", "resolve")}
    assert resolved == {"prod-1:0", "prod-1:0:breach"}


@pytest.mark.parametrize("kind", ["acknowledge", "resolve"])
def test_a_breach_pages_nobody_once_somebody_has_answered(kind: str) -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=2000)
    scenario.at(28 * MINUTES).asks(kind, "prod-1")
    assert breaches(scenario.play(until=32 * MINUTES)) == []


def test_a_breach_while_it_recovers_pages_nobody() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod/ssoe", people=2000)
    scenario.at(25 * MINUTES).quiet()
    heard = scenario.play(until=31 * MINUTES)
    assert heard.incidents["prod-1"].state == "recovering"
    assert breaches(heard) == []


def test_what_never_paged_has_no_breach_to_page_for() -> None:
    scenario = Scenario(env="staging", every=60)
    scenario.at(0).fires("staging/ssoe", people=60)
    assert scenario.play(until=26 * HOURS).pages() == []
