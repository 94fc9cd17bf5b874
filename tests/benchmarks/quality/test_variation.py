"""A scenario with other parameters is still the scenario that its name promises."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.variation import vary
from detectors.instants import HOUR, MINUTE, SECOND
from streams.simulate import SCENARIOS, simulate
from streams.simulate.demand import TIME_ZONE

_names = st.sampled_from(sorted(SCENARIOS))
_seeds = st.integers(0, 10_000)
_HOLIDAYS = holidays.country_holidays("US", years=range(2025, 2028))


def local(starts: str) -> datetime:
    return datetime.fromisoformat(starts).astimezone(TIME_ZONE)


def changes_clock(day: date) -> bool:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=TIME_ZONE)
    return (noon - timedelta(days=1)).utcoffset() != noon.utcoffset()


def test_the_same_seed_gives_the_same_and_another_gives_another() -> None:
    scenario = SCENARIOS["ssoe_outage"]
    assert vary(scenario, 1) == vary(scenario, 1)
    assert len({vary(scenario, seed).scenario for seed in range(20)}) == 20


@given(_names, _seeds)
def test_what_goes_wrong_where_and_whom_it_wakes_stays(name: str, seed: int) -> None:
    before, after = SCENARIOS[name], vary(SCENARIOS[name], seed).scenario
    assert (after.name, after.description) == (before.name, before.description)
    for one, other in zip(before.episodes, after.episodes, strict=True):
        same = ("effect", "scope", "steps", "label", "delay")
        assert [getattr(one, field) for field in same] == [getattr(other, field) for field in same]
        assert (one.share == 1) == (other.share == 1)
        assert bool(one.rise) == bool(other.rise)
        assert bool(one.flapping) == bool(other.flapping)
        assert other.rise <= other.lasts


@given(_names, _seeds)
def test_there_is_as_much_time_before_and_after_it_as_in_the_library(name: str, seed: int) -> None:
    before, after = SCENARIOS[name], vary(SCENARIOS[name], seed).scenario
    for one, other in zip(before.episodes, after.episodes, strict=True):
        assert other.at >= min(one.at, 5 * MINUTE)
        assert after.duration - other.at - other.lasts >= min(0, before.duration - one.at - one.lasts)
        if other.label != "none":
            assert after.duration - other.at - other.lasts >= before.duration - one.at - one.lasts
    assert after.duration < 1.5 * before.duration + 10 * MINUTE


@given(_seeds)
def test_a_fail_over_ends_soon_after_the_trouble(seed: int) -> None:
    trouble, shift = vary(SCENARIOS["fail_over"], seed).scenario.episodes
    assert trouble.at < shift.at < shift.at + shift.lasts <= trouble.at + trouble.lasts + 2 * MINUTE


@given(_names, _seeds)
def test_the_day_is_of_the_same_sort_and_the_hour_near(name: str, seed: int) -> None:
    before, after = (local(one.starts) for one in (SCENARIOS[name], vary(SCENARIOS[name], seed).scenario))
    assert changes_clock(before.date()) == changes_clock(after.date())
    if not changes_clock(after.date()):
        assert (before.weekday() >= 5) == (after.weekday() >= 5)
        if after.weekday() < 5:
            assert (before.date() in _HOLIDAYS) == (after.date() in _HOLIDAYS)
    assert abs((after.hour - before.hour) * 60 + after.minute - before.minute) <= 75


@given(_names, _seeds)
def test_the_weeks_before_foretell_the_day_within_a_fifth(name: str, seed: int) -> None:
    varied = vary(SCENARIOS[name], seed)
    assert 0.8 < varied.history_rate / varied.scenario.rate < 1.2
    assert 0.8 < varied.scenario.rate / SCENARIOS[name].rate < 1.3


@pytest.mark.parametrize(("name", "least", "most"), [("ssoe_blip", 10, 25), ("deploy_gap", 15, 31)])
def test_a_moment_stays_a_moment(name: str, least: int, most: int) -> None:
    for seed in range(50):
        (episode,) = vary(SCENARIOS[name], seed).scenario.episodes
        assert least * SECOND <= episode.lasts <= most * SECOND


def test_it_can_be_simulated() -> None:
    scenario = vary(SCENARIOS["ssoe_outage"], 5).scenario
    simulation = simulate(
        scenario.name, 5, scenario.start, HOUR, scenario.rate / 10, episodes=scenario.episodes
    )
    (record,) = simulation.truth()
    assert record["scope"] == "prod/ssoe"
