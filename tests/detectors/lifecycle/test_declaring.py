"""Outages are declared by the policy and by people, and a declaration holds an incident open."""

from __future__ import annotations

import pytest

from detectors.policy.policy import Policy
from streams.settings.policy_file import default_policy
from tests.detectors.lifecycle.scenario import Scenario, policy

MINUTES = 60
HOURS = 3600


def test_priority_1_is_declared_automatically_and_once() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=1000)
    scenario.at(60).hits(1001)
    scenario.at(120).hits(500)
    scenario.at(180).hits(5000)
    heard = scenario.play(until=600)
    assert heard.when("declared") == [60]
    assert heard.last("declared").by is None
    assert heard.incidents["prod-1"].declared_by == "policy"


def test_an_outage_that_opens_as_priority_1_is_declared_in_the_same_step() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=5000)
    assert scenario.play(until=0).kinds() == [(0, "opened"), (0, "declared")]


def test_in_maintenance_nothing_is_declared_automatically() -> None:
    scenario = Scenario(_maintenance("prod", "2026-11-23T14:00:00Z", "2026-11-23T15:10:00Z"))
    scenario.at(0).fires("prod/ssoe", people=5000)
    assert scenario.play(until=1200).when("declared") == [600]


def test_what_has_failed_on_a_method_for_a_quarter_of_an_hour_is_declared() -> None:
    for scope, declared in [
        ("prod/ssoe", [900]),
        ("prod", [900]),
        ("prod/ssoe/idme", []),
        ("prod/*/idme", []),
    ]:
        scenario = Scenario()
        scenario.at(0).fires(scope, people=60)
        assert scenario.play(until=1200).when("declared") == declared, scope


def test_the_quarter_of_an_hour_begins_anew_after_a_recovery() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(600).quiet()
    scenario.at(800).fires("prod/ssoe", people=60)
    assert scenario.play(until=3000).when("declared") == [1690]


def test_slowness_of_a_method_that_lasts_is_declared_and_pages_as_an_error() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=0, detector="latency")
    scenario.at(1000).asks("acknowledge", "prod-1")
    scenario.at(1800).quiet()
    heard = scenario.play(until=4000)
    assert heard.when("declared") == [900]
    assert heard.told("pagerduty", "trigger", "resolve") == [
        (900, "trigger", "error", "prod-1:0"),
        (2690, "resolve", "error", "prod-1:0"),
    ]
    assert heard.told("datadog", "incident_create")[0][0] == 900


@pytest.mark.parametrize(
    ("rules", "env", "scope"),
    [
        (policy("latency: {pages: false}\n"), "prod", "prod/ssoe"),
        (default_policy(), "prod", "prod/ssoe/idme"),
        (default_policy(), "staging", "staging/ssoe"),
    ],
)
def test_other_slowness_wakes_nobody_however_long_it_lasts(rules: Policy, env: str, scope: str) -> None:
    scenario = Scenario(rules, env=env)
    scenario.at(0).fires(scope, people=0, detector="latency")
    heard = scenario.play(until=3000)
    assert heard.when("declared") == []
    assert heard.pages() == []


def test_a_person_may_declare_an_incident_once() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(60).asks("declare", "prod-1")
    scenario.at(120).asks("declare", "prod-1", by="Bob")
    heard = scenario.play(until=200)
    assert heard.incidents["prod-1"].declared_by == "Ada"
    assert [reason for _, reason in heard.refused] == ["prod-1 is declared already, by Ada"]


def test_declaring_a_scope_without_an_incident_opens_one() -> None:
    scenario = Scenario()
    scenario.at(0).asks("declare", scope="prod/sis", text="nobody gets in")
    heard = scenario.play(until=0)
    assert heard.kinds() == [(0, "opened"), (0, "declared")]
    incident = heard.incidents["prod-1"]
    assert (incident.scope, incident.causes, incident.declared_by) == ("prod/sis", ("declared",), "Ada")


def test_what_only_a_person_declared_does_not_resolve_because_nothing_is_found() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).asks("declare", scope="prod/sis")
    scenario.at(HOURS).asks("resolve", "prod-1")
    heard = scenario.play(until=HOURS)
    assert heard.when("recovering") == []
    assert heard.when("resolved") == [HOURS]


def test_what_only_a_person_declared_fades_like_any_other() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).asks("declare", scope="prod/sis")
    heard = scenario.play(until=3 * HOURS)
    assert heard.when("resolved") == [2 * HOURS]


def test_declaring_a_scope_that_an_open_incident_covers_declares_that_one() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(60).asks("declare", scope="prod/ssoe/mhv")
    heard = scenario.play(until=60)
    assert heard.kinds() == [(0, "opened"), (60, "declared")]


def test_declaring_while_it_recovers_is_no_relapse() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=60)
    scenario.at(60).quiet()
    scenario.at(300).asks("declare", scope="prod/ssoe")
    heard = scenario.play(until=1200)
    assert heard.when("relapsed") == []
    assert heard.when("resolved") == [50 + 15 * MINUTES]


def test_what_is_declared_in_the_step_of_its_recovery_is_not_resolved_in_it() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=60).fires("prod/ssoe/mhv")
    scenario.at(10).quiet()
    scenario.at(900).asks("declare", scope="prod/ssoe")
    heard = scenario.play(until=900)
    assert [(i.state, i.declared_by) for i in heard.incidents.values()] == [
        ("recovering", "Ada"),
        ("resolved", None),
    ]


def _maintenance(scope: str, start: str, end: str) -> Policy:
    return policy(f"maintenance:\n- {{scope: {scope}, start: {start}, end: {end}, description: patching}}\n")


def test_a_person_declares_for_states_and_the_incident_keeps_them_when_it_reopens() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/*/logingov", people=60)
    scenario.at(60).asks("declare", "prod-1", states=("AR", "TX"), text="The AAMVA is down.")
    heard = scenario.play(until=100)
    assert heard.last("declared").reason == (
        "Ada declared a service outage for people in AR, TX: The AAMVA is down."
    )
    scenario.restart()
    scenario.at(120).quiet(people=0)
    scenario.at(1500).fires("prod/*/logingov", people=60)
    heard = scenario.play(until=1520)
    assert heard.last("reopened").incident.process.states == ("AR", "TX")


def test_of_what_is_declared_already_a_person_says_for_which_states_once() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=5000)
    for second, states in ((60, None), (80, ("AR",)), (100, ("AR",)), (200, ("AR", "TX"))):
        scenario.at(second).asks("declare", "prod-1", states=states)
    heard = scenario.play(until=220)
    assert heard.when("declared") == [0]
    assert [t.reason for t in heard.transitions if t.kind == "note"] == [
        "It concerns people in AR.",
        "It concerns people in AR, TX.",
    ]
    assert [(asked.states, "is declared already" in why) for asked, why in heard.refused] == [
        (None, True),
        (("AR",), True),
    ]
    assert heard.incidents["prod-1"].process.states == ("AR", "TX")


def test_a_scope_is_declared_for_states_with_or_without_an_incident() -> None:
    scenario = Scenario()
    scenario.at(0).asks("declare", scope="prod/*/logingov", states=("AR",))
    scenario.at(60).asks("declare", scope="prod/*/logingov", states=("TX",))
    heard = scenario.play(until=60)
    assert [t.incident.process.states for t in heard.transitions if t.kind in ("declared", "note")] == [
        ("AR",),
        ("TX",),
    ]


@pytest.mark.parametrize("kind", ["declared", "note"])
def test_what_takes_in_an_incident_that_concerns_states_concerns_them_too(kind: str) -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=60)
    scenario.at(30).fires("prod/ssoe/logingov")
    scenario.at(40).asks("declare", "prod-2", states=("AR",))
    if kind == "note":  # it is declared before
        scenario.at(40).asks("declare", "prod-1", by="Bob")
    scenario.at(60).quiet().fires("prod/ssoe")
    heard = scenario.play(until=80)
    assert heard.incidents["prod-2"].resolved_reason == "merged into prod-1"
    last = heard.last(kind)
    assert (last.incident.id, last.incident.process.states, last.by) == ("prod-1", ("AR",), "Ada")
    assert "prod-2" in last.reason
