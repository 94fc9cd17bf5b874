"""Surges and slowness beside outages open incidents, but never take over, widen, reopen or hold open an outage."""

from __future__ import annotations

import pytest

from tests.detectors.lifecycle.scenario import Scenario, policy

BY_USERS = {"numbers": {"counts": "excluded"}}
BAD = {"numbers": {"counts": "bad"}}
#: As a surge says it, ms.
FIVE_MINUTES = {"numbers": {"counts": "bad", "window_ms": 300_000}}
SECONDS = "lifecycle: {recovering_after: 10s, recover_for: 20s}"


def scopes(scenario: Scenario) -> list[tuple[str, str, str]]:
    return [(i.id, i.scope, "+".join(i.causes)) for i in scenario.lifecycle.incidents()]


def test_a_surge_is_severity_3_however_many_people_it_hits_and_wakes_nobody() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod", detector="surge", people=50_000)
    heard = scenario.play(until=1_200)
    (incident,) = scenario.lifecycle.incidents()
    assert (incident.severity, incident.peak_severity) == (3, 3)
    assert (incident.priority, incident.datadog_severity) == ("P3", "SEV-4")
    assert incident.users_impacted == 50_000
    assert heard.pages() == []
    assert heard.told("datadog") == []
    assert heard.messages()[0] == (0, "post", "opened")


@pytest.mark.parametrize(("surge", "numbers"), [("prod/ssoe", BY_USERS), ("prod", BAD), ("prod/*/idme", BAD)])
def test_a_surge_that_an_outage_explains_is_its_symptom(
    surge: str, numbers: dict[str, dict[str, str]]
) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=500)
    scenario.at(60).fires(surge if surge != "prod/ssoe" else "prod/ssoe/idme", detector="surge", **numbers)
    scenario.play(until=300)
    assert scopes(scenario) == [("prod-1", "prod/ssoe", "outage+surge")]


def test_a_surge_of_users_errors_that_is_wider_than_an_outage_is_an_incident_of_its_own() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=500)
    scenario.at(60).fires("prod", detector="surge", **BY_USERS)
    heard = scenario.play(until=300)
    assert scopes(scenario) == [("prod-1", "prod/ssoe/idme", "outage"), ("prod-2", "prod", "surge")]
    assert [key for _, _, key in heard.pages()] == ["prod-1:0"]


def test_an_outage_within_a_surge_has_an_incident_and_a_page_of_its_own() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod", detector="surge", **BY_USERS)
    scenario.at(60).fires("prod/ssoe/idme", people=500)
    heard = scenario.play(until=300)
    assert scopes(scenario) == [("prod-1", "prod", "surge"), ("prod-2", "prod/ssoe/idme", "outage")]
    assert heard.pages() == [(60, "error", "prod-2:0")]


@pytest.mark.parametrize("outage", ["prod/ssoe", "prod"])
def test_an_outage_on_the_scope_of_a_surge_or_around_it_takes_its_incident_over_and_pages(
    outage: str,
) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", detector="surge", **BAD)
    scenario.at(60).quiet("prod/ssoe").fires(outage, people=500)
    heard = scenario.play(until=300)
    assert scopes(scenario) == [("prod-1", outage, "outage+surge")]
    assert heard.pages() == [(60, "error", "prod-1:0")]


def test_what_is_left_of_a_surge_does_not_hold_an_outage_open_nor_reopen_it() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=500)
    scenario.at(600).quiet("prod/ssoe").fires("prod/ssoe", detector="surge", **BAD)
    scenario.at(1_700).quiet("prod/ssoe")
    scenario.at(1_800).fires("prod/ssoe", detector="surge", **BY_USERS)
    heard = scenario.play(until=2_000)
    assert heard.when("resolved") == [600 + 900 - 10]
    assert heard.when("reopened") == []
    assert [(i.id, i.causes) for i in scenario.lifecycle.incidents() if i.state == "open"] == [
        ("prod-2", ("surge",))
    ]


def test_a_surge_narrows_to_what_explains_it_though_its_own_scope_fires_too() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod", detector="surge", **BY_USERS)
    scenario.at(30).quiet("prod").fires("prod/ssoe", detector="surge", **BY_USERS)
    scenario.play(until=400)
    assert scopes(scenario) == [("prod-1", "prod/ssoe", "surge")]


def test_what_a_resolved_outage_left_in_the_window_of_a_surge_opens_nothing() -> None:
    scenario = Scenario(policy(SECONDS))
    scenario.at(0).fires("prod/ssoe", people=500)
    scenario.at(60).quiet("prod/ssoe").fires("prod/ssoe/idme", detector="surge", **FIVE_MINUTES)
    heard = scenario.play(until=100)
    (resolved,) = heard.when("resolved")
    scenario.play(until=resolved + 300 - 10)
    assert scopes(scenario) == [("prod-1", "prod/ssoe", "outage+surge")]
    scenario.play(until=resolved + 300)
    assert scopes(scenario)[1:] == [("prod-2", "prod/ssoe/idme", "surge")], "it has all happened since"


def test_beside_a_resolved_outage_a_surge_of_what_it_did_not_hit_is_an_incident() -> None:
    scenario = Scenario(policy(SECONDS))
    scenario.at(0).fires("prod/ssoe/idme", people=500)
    scenario.at(60).quiet().fires("prod/sis/logingov", detector="surge", **FIVE_MINUTES)
    heard = scenario.play(until=200)
    assert heard.when("opened") == [0, 60]


def test_a_surge_of_failures_opens_nothing_when_nobody_fails_any_more() -> None:
    scenario = Scenario()
    scenario.at(0).nobody_fails().fires("prod/ssoe", detector="surge", **FIVE_MINUTES)
    assert scenario.play(until=60).when("opened") == []
    scenario.at(70).nobody_fails(really=False)
    assert scenario.play(until=100).when("opened") == [70]


def test_a_surge_of_users_errors_needs_no_failure_of_the_service() -> None:
    scenario = Scenario()
    scenario.at(0).nobody_fails().fires("prod/ssoe", detector="surge", **BY_USERS)
    assert scenario.play(until=10).when("opened") == [0]


@pytest.mark.parametrize(("recover_for", "news"), [("15m", 60_000), ("6s", 6_000), ("1s", 5_000)])
def test_failures_are_news_for_a_minute_or_for_as_long_as_recovery_takes(recover_for: str, news: int) -> None:
    rules = policy(f"lifecycle: {{recovering_after: 1s, recover_for: {recover_for}}}")
    assert rules.lifecycle.news == news
