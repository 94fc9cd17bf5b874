"""The outcome of an incident follows from its transitions and commands."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detectors.backtest.outcomes import Outcome, Outcomes, longest
from tests.detectors.lifecycle.scenario import START, Scenario


def played(scenario: Scenario, until: int) -> list[Outcome]:
    heard = scenario.play(until=until)
    outcomes = Outcomes()
    outcomes.add(heard.transitions, heard.commands)
    return outcomes.result()


def test_an_outage_from_its_opening_to_its_end() -> None:
    scenario = Scenario()
    scenario.at(10).fires("prod/ssoe", people=400)
    scenario.at(600).fires("prod/ssoe", people=1400)
    scenario.at(1800).quiet("prod/ssoe")
    (one,) = played(scenario, 1800 + 901)
    assert (one.incident, one.epoch, one.env, one.causes) == ("prod-1", 0, "prod", ("outage",))
    assert one.opened_at == START + 10_000
    assert one.paged_at == START + 10_000
    assert one.peak_severity == 1
    assert one.resolved_at is not None
    assert one.resolved_reason == "recovered"
    assert one.open_at(START + 1_000_000)
    assert not one.open_at(one.resolved_at)


def test_a_rise_at_the_same_key_wakes_nobody_again() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=100)
    scenario.at(600).fires("prod/ssoe", people=1400)
    (one,) = played(scenario, 900)
    assert one.pages == (START,)


def test_a_severity_three_is_a_warning_and_no_page() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=20)
    (one,) = played(scenario, 120)
    assert (one.pages, one.peak_severity) == ((), 3)
    assert len(one.warnings) == 1


def test_an_incident_that_comes_back_is_an_epoch_of_its_own() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe", people=400)
    scenario.at(300).quiet("prod/ssoe")
    scenario.at(1500).fires("prod/ssoe", people=400)
    first, second = played(scenario, 1800)
    assert (first.incident, second.incident) == ("prod-1", "prod-1")
    assert (first.epoch, second.epoch) == (0, 1)
    assert second.opened_at == START + 1_500_000
    assert second.resolved_at is None


def test_every_scope_is_kept_with_its_instant() -> None:
    scenario = Scenario()
    scenario.at(0).fires("prod/ssoe/idme", people=400)
    scenario.at(60).fires("prod/ssoe", people=600)
    (one,) = played(scenario, 300)
    widened = START + 80_000  # by steps of 10 s: once the wider cause has held for 15 s
    assert one.scopes == ((START, "prod/ssoe/idme"), (widened, "prod/ssoe"))
    assert one.scope_within(START, START + 100_000) == "prod/ssoe/idme"
    assert one.scope_within(START, START + 300_000) == "prod/ssoe"


@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abc")), min_size=1, max_size=6),
    st.integers(0, 20),
    st.integers(1, 20),
)
def test_longest_is_the_value_of_most_instants(course: list[tuple[int, str]], begin: int, lasts: int) -> None:
    course = sorted(course, key=lambda one: one[0])
    found: Any = longest(course, begin, begin + lasts)
    held: dict[str, int] = {}
    for instant in range(begin, begin + lasts):
        before = [value for since, value in course if since <= instant]
        if before:
            held[before[-1]] = held.get(before[-1], 0) + 1
    assert held.get(found, 0) == max(held.values(), default=0)
