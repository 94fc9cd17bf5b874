"""A silence that will not end is gone: it resolves once, and does not page again before something has arrived."""

from __future__ import annotations

import pytest

from tests.detectors.lifecycle.scenario import Heard, Scenario, policy

HOURS = 3_600
#: Four hours of silence in seconds.
GONE = 4 * HOURS
SMALL = "prod/*/clear"


def silent(*, people: float = 480.0) -> Scenario:
    """Return a scenario in which a provider falls silent at second 0, while all else is well."""
    scenario = Scenario(every=60)
    silence(scenario, 0, people)
    return scenario


def silence(scenario: Scenario, second: int, people: float = 480.0) -> None:
    scenario.at(second).fires(SMALL, detector="silence", estimated_users=people).arrives(SMALL, 0)


def opened(heard: Heard) -> list[tuple[int, str]]:
    return [
        (second, kind)
        for second, kind in heard.kinds()
        if kind in ("opened", "reopened", "resolved", "closed")
    ]


def test_a_silence_with_all_else_well_pages_once_and_ends_as_gone() -> None:
    heard = silent().play(until=GONE + 8 * HOURS)
    assert opened(heard) == [(0, "opened"), (GONE, "resolved"), (GONE + HOURS // 2, "closed")]
    assert heard.incidents["prod-1"].resolved_reason == "gone"
    # Nobody acknowledges it, so the response time that ends is a page of its own.
    assert [key for *_, key in heard.pages()] == ["prod-1:0", "prod-1:0:breach"]


def test_a_silence_beside_an_outage_is_not_gone() -> None:
    scenario = silent()
    scenario.at(0).fires("prod/ssoe", people=400)
    assert not [
        t for t in scenario.play(until=GONE + HOURS).transitions if t.incident.resolved_reason == "gone"
    ]


def test_time_in_which_nobody_else_signs_in_or_the_watch_is_blind_does_not_count() -> None:
    scenario = silent()
    scenario.at(HOURS).succeeding(really=False)
    scenario.at(2 * HOURS).succeeding().blind()
    scenario.at(3 * HOURS).blind(really=False)
    heard = scenario.play(until=GONE + 3 * HOURS)
    assert heard.last("resolved").at == heard.start + (GONE + 2 * HOURS) * 1_000


def test_a_silence_of_the_whole_environment_is_never_gone() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).fires("prod", detector="silence", estimated_users=4_000.0)
    assert "resolved" not in [kind for _, kind in scenario.play(until=GONE + HOURS).kinds()]


def test_what_has_come_back_is_expected_again() -> None:
    scenario = silent()
    scenario.at(GONE + 2 * HOURS).quiet(SMALL).arrives(SMALL, 200)
    silence(scenario, GONE + 4 * HOURS)
    heard = scenario.play(until=GONE + 5 * HOURS)
    assert opened(heard)[-1] == (GONE + 4 * HOURS, "opened")


def test_an_outage_of_what_is_gone_is_told() -> None:
    scenario = silent()
    scenario.at(GONE + 2 * HOURS).fires("prod/sis/clear", people=100)
    assert opened(scenario.play(until=GONE + 3 * HOURS))[-1] == (GONE + 2 * HOURS, "opened")


def test_a_silence_that_a_person_has_resolved_does_not_come_back_by_itself() -> None:
    scenario = silent()
    scenario.at(600).asks("resolve", "prod-1")
    heard = scenario.play(until=GONE + HOURS)
    assert opened(heard) == [(0, "opened"), (600, "resolved"), (600 + 1_800, "closed")]


def test_a_person_can_retire_a_value_whose_silence_then_ends() -> None:
    scenario = silent()
    scenario.at(600).asks("retire", axis="csp", value="clear")
    heard = scenario.play(until=GONE)
    assert opened(heard) == [(0, "opened"), (600, "resolved"), (600 + 1_800, "closed")]
    assert heard.last("resolved").by == "Ada"
    assert heard.incidents["prod-1"].resolved_reason == "gone"


def test_a_value_that_is_retired_while_people_still_use_it_opens_nothing_when_they_stop() -> None:
    scenario = Scenario(every=60)
    scenario.at(0).arrives(SMALL, 200).asks("retire", axis="csp", value="clear")
    silence(scenario, HOURS)
    assert not scenario.play(until=2 * HOURS).transitions


@pytest.mark.parametrize(
    ("axis", "value"), [("shoe_size", "44"), ("csp", None), (None, "clear"), ("csp", "*")]
)
def test_what_names_no_value_retires_nothing(axis: str | None, value: str | None) -> None:
    scenario = silent()
    scenario.at(600).asks("retire", axis=axis, value=value)
    heard = scenario.play(until=HOURS)
    assert opened(heard) == [(0, "opened")]
    assert len(heard.refused) == 1


def test_what_the_policy_names_as_retired_opens_no_silence_but_outages() -> None:
    retired = policy("values: {csp: {clear: {retired: 2025-03-04T00:00:00Z}}}")
    scenario = Scenario(retired, every=60)
    silence(scenario, 0)
    scenario.at(HOURS).fires("prod/sis/clear", people=100)
    assert opened(scenario.play(until=2 * HOURS)) == [(HOURS, "opened")]


def test_a_restart_remembers_what_is_gone() -> None:
    scenario = silent()
    for hour in range(12):
        heard = scenario.play(until=hour * HOURS)
        scenario.restart()
    assert opened(heard) == [(0, "opened"), (GONE, "resolved"), (GONE + HOURS // 2, "closed")]
