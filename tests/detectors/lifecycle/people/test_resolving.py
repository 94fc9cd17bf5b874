"""What a person resolves while it fails goes on and pages again; what no longer fails is over at once."""

from __future__ import annotations

import pytest

from detectors.incidents import Incident
from tests.detectors.lifecycle.scenario import Heard, Scenario, policy

MINUTES = 60


def failing(rules: str = "", *, people: int = 60) -> Scenario:
    """Return a scenario in which a method fails from second 0 on."""
    scenario = Scenario(policy(rules) if rules else None)
    scenario.at(0).fires("prod/ssoe", people=people)
    return scenario


def incident(heard: Heard) -> Incident:
    return heard.incidents["prod-1"]


def test_what_a_person_resolves_while_it_fails_stays_open_and_is_told_as_that() -> None:
    scenario = failing()
    scenario.at(40).asks("acknowledge", "prod-1", by="Bob")
    scenario.at(100).asks("resolve", "prod-1", text="false alarm")
    heard = scenario.play(until=100)
    assert heard.kinds() == [(0, "opened"), (40, "acknowledged"), (100, "said_resolved")]
    assert heard.last("said_resolved").reason == (
        "Resolved by Ada while failing: false alarm It stays open, and pages again if it still fails in 5m."
    )
    one = incident(heard)
    assert (one.state, one.epoch, one.acknowledged_by, one.said_resolved_by) == ("open", 0, None, "Ada")
    assert [message for message in heard.messages() if message[0] == 100] == [(100, "reply", "said_resolved")]
    assert heard.told("pagerduty", "resolve") == [(100, "resolve", "error", "prod-1:0")]
    assert not [told for told in heard.told("datadog") if told[0] == 100]


def test_it_pages_once_at_a_key_of_its_own_if_it_still_fails_after_the_grace() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1")
    heard = scenario.play(until=20 * MINUTES)
    assert heard.when("still_failing") == [100 + 5 * MINUTES]
    assert heard.pages() == [(0, "error", "prod-1:0"), (400, "error", "prod-1:0:r1")]
    assert (400, "broadcast", "still_failing") in heard.messages()
    assert incident(heard).said_resolved_by is None
    assert [page.closed_at is None for page in incident(heard).pages] == [False, True]


def test_after_three_pages_slack_alone_is_told() -> None:
    scenario = failing()
    for number in range(5):
        scenario.at(100 + number * 10 * MINUTES).asks("resolve", "prod-1")
    heard = scenario.play(until=60 * MINUTES)
    keys = [key for *_, key in heard.pages() if key != "prod-1:0:breach"]
    assert keys == ["prod-1:0", "prod-1:0:r1", "prod-1:0:r2", "prod-1:0:r3"]
    assert len(heard.when("still_failing")) == 5
    assert sum(kind == "still_failing" for *_, kind in heard.messages()) == 5


def test_what_recovers_within_the_grace_pages_nobody_and_resolves_as_ever() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1")
    scenario.at(200).quiet()
    heard = scenario.play(until=30 * MINUTES)
    assert len(heard.pages()) == 1
    assert heard.when("resolved") == [190 + 15 * MINUTES]
    assert incident(heard).said_resolved_by is None


def test_what_fails_again_after_the_grace_pages_then() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1")
    scenario.at(200).quiet()
    scenario.at(10 * MINUTES).fires("prod/ssoe")
    heard = scenario.play(until=11 * MINUTES)
    assert heard.pages()[1:] == [(10 * MINUTES, "error", "prod-1:0:r1")]


@pytest.mark.parametrize("door", ["http", "slack", "pagerduty"])
def test_whoever_takes_it_on_within_the_grace_is_not_paged(door: str) -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1", via=door)
    scenario.at(200).asks("acknowledge", "prod-1", by="Bob", via=door)
    heard = scenario.play(until=20 * MINUTES)
    assert len(heard.pages()) == 1
    assert incident(heard).acknowledged_by == "Bob"


def test_saying_it_again_does_not_put_the_page_off() -> None:
    scenario = failing()
    for second in (100, 200, 300, 390):
        scenario.at(second).asks("resolve", "prod-1")
    heard = scenario.play(until=10 * MINUTES)
    assert heard.when("said_resolved") == [100]
    assert [why for _, why in heard.refused] == ["Ada has resolved prod-1 already, and it still fails"] * 3
    assert heard.when("still_failing") == [400]


def test_a_warning_that_waited_is_not_sent_within_the_grace() -> None:
    scenario = failing(people=10)
    scenario.at(10).asks("resolve", "prod-1")
    heard = scenario.play(until=10 * MINUTES)
    assert heard.pages() == [(10 + 5 * MINUTES, "warning", "prod-1:0:r1")]


def test_a_rise_within_the_grace_pages_at_a_key_of_its_own_and_counts_as_the_page() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1")
    scenario.at(200).hits(5_000)
    heard = scenario.play(until=20 * MINUTES)
    assert heard.pages()[1:] == [(200, "critical", "prod-1:0:s1")]
    assert heard.when("still_failing") == []


def test_the_end_resolves_every_key_that_was_paged() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1")
    scenario.at(500).quiet()
    heard = scenario.play(until=30 * MINUTES)
    assert heard.when("resolved")
    keys = [
        key for second, *_, key in heard.told("pagerduty", "resolve") if second == heard.when("resolved")[0]
    ]
    assert keys == ["prod-1:0", "prod-1:0:r1"]


def test_while_nothing_fires_it_is_over_at_once() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1").quiet()
    heard = scenario.play(until=100)
    assert heard.kinds() == [(0, "opened"), (100, "resolved")]
    assert (incident(heard).resolved_by, incident(heard).resolved_reason) == ("Ada", "by a person")


def test_without_evidence_that_it_fails_a_person_is_believed() -> None:
    scenario = failing()
    scenario.at(100).lacks_evidence("prod/ssoe")
    scenario.at(200).asks("resolve", "prod-1")
    assert scenario.play(until=200).when("resolved") == [200]


def test_a_finding_on_a_narrower_scope_of_the_incident_still_fires() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1").quiet("prod/ssoe").fires("prod/ssoe/mhv")
    assert scenario.play(until=100).when("said_resolved") == [100]


def test_a_flicker_of_quiet_does_not_overrule_the_person() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1").quiet()
    scenario.at(120).fires("prod/ssoe")
    heard = scenario.play(until=390)
    assert (heard.when("resolved"), heard.when("reopened")) == ([100], [])
    assert scenario.play(until=400).when("reopened") == [400]


def test_an_incident_that_only_a_person_has_declared_is_over_when_a_person_says_so() -> None:
    scenario = Scenario()
    scenario.at(0).asks("declare", scope="prod/ssoe")
    scenario.at(100).asks("resolve", "prod-1")
    assert scenario.play(until=100).when("resolved") == [100]


def test_a_silence_is_over_when_a_person_says_so_and_does_not_come_back_before_something_has_arrived() -> (
    None
):
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod", detector="silence", estimated_users=4_000.0).arrives("prod", 0)
    scenario.at(600).asks("resolve", "prod-1")
    heard = scenario.play(until=3 * 3_600)
    assert [kind for _, kind in heard.kinds() if kind not in ("severity", "declared")] == [
        "opened",
        "resolved",
        "closed",
    ]
    scenario.at(4 * 3_600).quiet("prod").arrives("prod", 5_000)
    scenario.at(5 * 3_600).fires("prod", detector="silence", estimated_users=4_000.0)
    assert scenario.play(until=5 * 3_600).when("opened") == [0, 5 * 3_600]


def test_it_outlives_a_restart() -> None:
    scenario = failing()
    scenario.at(100).asks("resolve", "prod-1")
    scenario.play(until=200)
    scenario.restart()
    assert scenario.play(until=400).pages()[1:] == [(400, "error", "prod-1:0:r1")]
