"""The situations that are hard to judge hold what their names say."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

from detectors.instants import DAY, HOUR, MINUTE, SECOND, parse_instant
from streams.simulate import SCENARIOS, simulate
from streams.simulate.library.situations import SITUATIONS

pytestmark = pytest.mark.long

Event = dict[str, Any]
RATE = 1.0


@cache
def events(name: str, rate: float = RATE) -> list[Event]:
    """The events of production, with the broker's time as ``ts`` where it is known."""
    found = []
    for line in simulate(name, 1, SCENARIOS[name].start, rate=rate).lines():
        read = json.loads(line)
        event = json.loads(read["payload"]) | {"ts": read["ts"]} if "payload" in read else read
        if event["env"] == "prod":
            found.append(event | {"at": parse_instant(event["occurred_at"])})
    return found


def truth(name: str) -> list[Event]:
    return simulate(name, 1, SCENARIOS[name].start, rate=RATE).truth()


def since(name: str, event: Event) -> float:
    """Minutes from the start of the scenario."""
    return float(event["at"] - SCENARIOS[name].start) / MINUTE


def callbacks(name: str, **of: str) -> list[Event]:
    found = [one for one in events(name) if one["step"] == "callback"]
    return [one for one in found if all(one[field] == value for field, value in of.items())]


@pytest.mark.parametrize("scenario", SITUATIONS, ids=lambda one: one.name)
def test_each_has_a_label_within_its_time(scenario: Any) -> None:
    labels = [one for one in scenario.episodes if one.label != "none"]
    assert labels
    assert all(one.at + one.lasts <= scenario.duration for one in labels)
    assert scenario.world.name == "today"


def test_a_clock_that_is_behind_is_wrong_for_its_producer_alone_and_the_brokers_is_right() -> None:
    name = "clock_behind"
    wrong = Counter(
        (one["auth_method"], one["ts"] - one["at"])
        for one in events(name)
        if 11 * MINUTE <= one["ts"] - SCENARIOS[name].start < 59 * MINUTE
    )
    assert set(wrong) == {("ssoe", 5 * MINUTE), ("sis", 0)}
    stamps = [one["ts"] for one in events(name)]
    assert stamps == sorted(stamps)
    assert [(one["kind"], one["scope"], one["page"]) for one in truth(name)] == [
        ("notice", "prod/ssoe", False)
    ]


def test_a_clock_that_is_ahead_moves_the_events_of_its_producer_among_those_of_others() -> None:
    order = [(one["auth_method"], one["at"]) for one in events("clock_ahead")]
    middle = order[len(order) // 2 :][:200]
    lead = {method: np.median([at for of, at in middle if of == method]) for method in ("ssoe", "sis")}
    assert lead["ssoe"] - lead["sis"] == pytest.approx(90 * SECOND, abs=20 * SECOND)


def test_a_recovery_in_steps_has_the_share_of_each_step() -> None:
    name = "stepped_recovery"
    for begin, end, share in ((10, 25, 0.97), (25, 32, 0.4), (32, 40, 0.1), (40, 50, 0.02), (50, 90, 0.0)):
        failed = [
            one["outcome"] == "failure" and one.get("error_class") == "SSOeUnavailable"
            for one in callbacks(name, auth_method="ssoe")
            if begin <= since(name, one) < end
        ]
        # four in five of the failures have this class
        assert np.mean(failed) == pytest.approx(0.8 * share, abs=0.1)


def test_failures_hide_their_provider_and_successes_name_it() -> None:
    name = "failures_without_provider"
    during = [one for one in callbacks(name, auth_method="ssoe") if 10 <= since(name, one) < 35]
    assert {(one["outcome"], one["csp"] is None) for one in during} == {("failure", True)}
    assert all(one["csp"] is not None for one in callbacks(name, auth_method="sis"))


def test_people_who_stay_longer_at_their_provider_come_back() -> None:
    name = "slow_provider"
    away = [
        one["authentication_time_s"]
        for one in callbacks(name, csp="idme")
        if 20 <= since(name, one) < 49 and one["outcome"] == "success"
    ]
    assert min(away) >= 240
    others = [one["authentication_time_s"] for one in callbacks(name, csp="logingov")]
    assert max(others) <= 120


def test_repeaters_are_a_hundred_people_and_one_person_may_have_no_name() -> None:
    failed = [one for one in callbacks("repeaters") if one.get("error_class") == "CredentialProviderError"]
    by_person = Counter(one["user_hash"] for one in failed)
    assert len([n for n in by_person.values() if n >= 2]) == 100
    night = [one for one in events("retries_at_night", 2.5) if one["outcome"] == "failure"]
    retries = [one for one in night if one["user_hash"] is None and one["step"] == "callback"]
    assert 50 < len(retries) <= 80
    assert len({one["flow_id"] for one in retries}) == len(retries)


def starts_of(name: str, ago: int, lasts: int) -> list[int]:
    """Return the starts in the five-minute records of production in a time before the scenario, ms."""
    scenario = SCENARIOS[name]
    found = []
    for record in simulate(name, 1, scenario.start, rate=RATE).history():
        at = parse_instant(record["at"])
        if record["env"] == "prod" and scenario.start - ago <= at < scenario.start - ago + lasts:
            found.append(sum(leaf["sign_in"]["started"] for leaf in record["leaves"]))
    return found


def test_the_history_of_a_dead_hour_is_empty_and_that_before_it_is_not() -> None:
    dead = starts_of("silence_after_a_dead_week", 7 * DAY + 25 * MINUTE, HOUR)
    before = starts_of("silence_after_a_dead_week", 7 * DAY + 2 * HOUR, HOUR)
    assert len(dead) == len(before) == 12
    assert sum(dead) == 0 < min(before)
    assert starts_of("first_day", 14 * DAY, 14 * DAY) == []


def test_the_history_says_what_an_incident_covered_and_what_failed() -> None:
    scenario = SCENARIOS["silence_after_an_incident_last_week"]
    excluded = Counter(
        tuple(one["excluded"])
        for one in simulate(scenario.name, 1, scenario.start).history()
        if one["env"] == "prod"
    )
    assert excluded["prod/ssoe",] == 24
    assert excluded[()] == 14 * 288 - 24
    chronic = simulate("chronic_then_worse", 1, SCENARIOS["chronic_then_worse"].start).history()
    sums: Counter[tuple[str, str]] = Counter()
    for record in chronic:
        for leaf in record["leaves"] if record["env"] == "prod" else ():
            for counter in ("good", "bad"):
                sums[leaf["axes"]["auth_method"], counter] += leaf["sign_in"][counter]
    assert sums["ssoe", "bad"] / (sums["ssoe", "good"] + sums["ssoe", "bad"]) == pytest.approx(
        0.03, abs=0.002
    )
    assert sums["sis", "bad"] / sums["sis", "good"] < 0.002
