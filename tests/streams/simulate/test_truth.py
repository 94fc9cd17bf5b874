"""Truth says what the lines hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import HOUR, MINUTE, SECOND, format_instant, parse_instant
from streams.simulate import SCENARIOS, Episode, Simulation, simulate
from streams.simulate.truth import most_people, most_projected, severity

pytestmark = pytest.mark.long

PEAK = parse_instant("2026-10-06T14:00:00-04:00")
BAD = {"003", "004", "007", "110", "201", "400", None}
Event = dict[str, Any]


def lines_of(simulation: Simulation, holding: bytes = b'"env":"prod"') -> list[Event]:
    """The events of lines that hold a text, those of production by default."""
    return [msgspec.json.decode(line) for line in simulation.lines() if holding in line]


def is_bad(event: Event) -> bool:
    return event["outcome"] == "failure" and event.get("error_code") in BAD


def within(event: Event, record: dict[str, Any]) -> bool:
    at = parse_instant(event["occurred_at"])
    return parse_instant(record["start"]) <= at < parse_instant(record["end"])


@given(
    st.lists(st.tuples(st.integers(0, 3 * HOUR), st.integers(0, 6)), max_size=40),
    st.sampled_from([5 * MINUTE, HOUR]),
)
def test_most_people_is_the_count_of_the_busiest_window(events: list[tuple[int, int]], window: int) -> None:
    brute = max(
        (len({who for t, who in events if end - window < t <= end}) for end, _ in events),
        default=0,
    )
    t, people = np.array([e[0] for e in events], np.int64), np.array([e[1] for e in events], np.uint64)
    assert most_people(t, people, window) == brute


def test_a_projection_counts_new_people_alone_and_only_after_five_minutes() -> None:
    t = np.arange(0, HOUR, 3 * SECOND)
    again, new = t // (3 * SECOND) % 100, t // (3 * SECOND)
    assert 1_150 < most_projected(t, new.astype(np.uint64), 0, HOUR) <= 1_200
    assert most_projected(t, new.astype(np.uint64), 0, 4 * MINUTE) == 0
    assert most_projected(t, again.astype(np.uint64), 6 * MINUTE, HOUR) == 100


@pytest.mark.parametrize(
    ("scope", "users", "expected"),
    [("prod/ssoe", 1001, 1), ("prod/ssoe", 1000, 2), ("prod", 51, 2), ("prod", 50, 3), ("staging", 5000, 3)],
)
def test_severity_is_the_slas(scope: str, users: int, expected: int) -> None:
    assert severity(scope, users) == expected


@pytest.mark.parametrize(
    ("scenario", "struck"),
    [
        ("ssoe_outage", lambda e: e["auth_method"] == "ssoe" and e["step"] == "callback"),
        (
            "sis_outage",
            lambda e: (
                e["auth_method"] == "sis" and e["step"] in ("authorize", "callback", "token", "refresh")
            ),
        ),
        ("idme_outage", lambda e: e["csp"] == "idme" and e["step"] == "callback"),
    ],
)
def test_a_total_outage_fails_all_of_its_scope_and_nothing_else(
    scenario: str, struck: Callable[[Event], bool]
) -> None:
    simulation = simulate(scenario, 1, PEAK)
    events = lines_of(simulation)
    (record,) = simulation.truth()
    assert (record["kind"], record["severity"], record["page"]) == ("outage", 1, True)
    assert record["scope"] == {"idme_outage": "prod/*/idme"}.get(scenario, f"prod/{scenario[:-7]}")
    assert record["start"] == format_instant(PEAK + 10 * MINUTE)
    assert record["end"] == format_instant(PEAK + 35 * MINUTE)
    struck_at = [struck(e) and within(e, record) for e in events]
    hit = [e for e, is_struck in zip(events, struck_at, strict=True) if is_struck]
    assert len(hit) > 1000
    assert all(is_bad(e) for e in hit)
    spared = [
        e
        for e, is_struck in zip(events, struck_at, strict=True)
        if not is_struck and e["outcome"] != "started"
    ]
    assert sum(map(is_bad, spared)) < 0.001 * len(spared)


@pytest.mark.parametrize("scenario", ["ssoe_outage", "idme_outage", "ssoe_50_percent", "sis_token_outage"])
def test_users_are_as_many_as_a_recount_of_the_lines_allows(scenario: str) -> None:
    """Each person hurt is named at least once or hides behind a flow: both bounds, from the lines alone."""
    simulation = simulate(scenario, 3, PEAK)
    failed = [e for e in lines_of(simulation) if is_bad(e)]
    (record,) = simulation.truth()
    hurt = [e for e in failed if within(e, record)]
    named = {e["user_hash"] for e in hurt} - {None}
    counted = {e["user_hash"] or e.get("flow_id") or e["event_id"] for e in hurt}
    assert 0.99 * len(named) <= record["users"] <= len(counted)
    assert len(counted) < 1.2 * record["users"]


def test_users_are_the_distinct_people_behind_the_struck_events() -> None:
    simulation = simulate("ssoe_flapping", 2, PEAK)
    hurt = [
        (int(t), int(who))
        for rows in simulation.batches()
        for t, who in zip(*(rows[rows["cause"] == 0][f] for f in ("t", "person")), strict=True)
    ]
    (record,) = simulation.truth()
    begin = PEAK + 10 * MINUTE
    # It lasts an hour, so that the hour up to its end holds everybody.
    assert record["users"] == len({who for _, who in hurt})
    assert all(begin <= t < begin + HOUR and (t - begin) % (300 * SECOND) < 150 * SECOND for t, _ in hurt)


def test_silence_drops_the_scope_alone_and_counts_those_who_would_have_completed() -> None:
    silence, health = (simulate(name, 1, PEAK, HOUR) for name in ("ssoe_silence", "healthy"))
    silent, healthy = ({e["event_id"]: e for e in lines_of(one, b"")} for one in (silence, health))
    (record,) = silence.truth()
    missing = [healthy[i] for i in healthy.keys() - silent.keys()]
    assert not silent.keys() - healthy.keys()
    assert all(e["env"] == "prod" and e["auth_method"] == "ssoe" and within(e, record) for e in missing)
    assert not any(
        e["env"] == "prod" and e["auth_method"] == "ssoe" and within(e, record) for e in silent.values()
    )
    completed = sum(e["step"] == "callback" for e in missing)
    assert (record["kind"], record["severity"], record["page"]) == ("silence", 1, True)
    assert record["users"] == pytest.approx(completed, rel=0.02)


def test_people_whose_provider_hangs_start_and_never_come_back() -> None:
    simulation = simulate("idme_never_returns", 1, PEAK)
    events = lines_of(simulation)
    (record,) = simulation.truth()
    idme = [e for e in events if e["csp"] == "idme" and within(e, record)]
    assert record["kind"] == "funnel"
    assert {e["step"] for e in idme} == {"new", "authorize"}
    assert record["users"] == pytest.approx(0.72 * len(idme), rel=0.05)


@pytest.mark.parametrize("percent", [50, 25, 10, 4])
def test_a_partial_outage_fails_its_share(percent: int) -> None:
    simulation = simulate(f"ssoe_{percent}_percent", 1, PEAK)
    events = lines_of(simulation)
    (record,) = simulation.truth()
    callbacks = [
        e for e in events if (e["auth_method"], e["step"]) == ("ssoe", "callback") and within(e, record)
    ]
    assert sum(map(is_bad, callbacks)) / len(callbacks) == pytest.approx(percent / 100, rel=0.15)


def test_a_ramp_grows_from_nothing_to_everything() -> None:
    events = [
        e
        for e in lines_of(simulate("ssoe_ramp", 1, PEAK))
        if (e["auth_method"], e["step"]) == ("ssoe", "callback")
    ]
    minute = [(parse_instant(e["occurred_at"]) - PEAK) // MINUTE for e in events]
    bad = np.bincount(minute, weights=[is_bad(e) for e in events], minlength=90) / np.bincount(
        minute, minlength=90
    )
    assert bad[10:13].mean() < 0.1
    assert 0.4 < bad[24:27].mean() < 0.6
    assert bad[41:55].min() > 0.9
    assert bad[56:].max() < 0.1


def test_truth_can_be_asked_for_before_the_lines_or_after() -> None:
    before, after = (simulate("two_outages", 1, PEAK) for _ in range(2))
    first = before.truth()
    list(after.lines())
    assert first == after.truth()
    assert [r["scope"] for r in first] == ["prod/ssoe/idme", "prod/sis/logingov"]


def test_an_episode_that_the_run_cuts_off_ends_with_it_and_one_after_it_never_was() -> None:
    (cut,) = simulate("ssoe_outage", 1, PEAK, 20 * MINUTE).truth()
    assert cut["end"] == format_instant(PEAK + 20 * MINUTE)
    assert simulate("ssoe_outage", 1, PEAK, 10 * MINUTE).truth() == []


def test_healthy_scenarios_and_those_that_hurt_nobody_have_no_truth() -> None:
    for name in ("healthy", "deploy_gap", "bot", "late_delivery"):
        assert simulate(name, 1, PEAK, 20 * MINUTE).truth() == []


def test_what_is_only_to_be_noticed_pages_nobody_and_a_blip_may_do_either() -> None:
    for name in ("too_late_surge", "user_error_surge"):
        (record,) = simulate(name, 1, PEAK, 40 * MINUTE).truth()
        assert (record["kind"], record["severity"], record["page"]) == ("surge", 3, False)
    for length, page in ((20 * MINUTE, False), (40 * MINUTE, None)):
        (slow,) = simulate("ssoe_slow", 1, PEAK, length).truth()
        assert (slow["kind"], slow["severity"], slow.get("page")) == ("latency", 3, page)
    (blip,) = simulate("ssoe_blip", 1, PEAK, 20 * MINUTE).truth()
    assert "page" not in blip
    (staging,) = simulate("staging_outage", 1, PEAK, 40 * MINUTE).truth()
    assert (staging["severity"], staging["page"]) == (3, False)


def test_a_short_outage_is_as_severe_as_its_worst_five_minutes_make_an_hour() -> None:
    (record,) = simulate(
        "ssoe_outage",
        1,
        PEAK,
        40 * MINUTE,
        episodes=[Episode(effect="failure", scope="prod/ssoe", lasts=6 * MINUTE)],
    ).truth()
    assert record["users"] < 1000
    assert (record["severity"], record["page"]) == (1, True)


def test_where_only_a_projection_says_severity_2_either_will_do() -> None:
    few = Episode(effect="failure", scope="prod/ssoe", lasts=5 * MINUTE, share=0.05, steps=("callback",))
    (record,) = simulate("ssoe_outage", 1, PEAK, 20 * MINUTE, episodes=[few]).truth()
    assert 4 < record["users"] <= 50
    assert record["severity"] == 2
    assert "page" not in record


def test_slow_requests_are_slow_and_still_succeed() -> None:
    simulation = simulate("ssoe_slow", 1, PEAK, 40 * MINUTE)
    rows = np.concatenate(list(simulation.batches()))
    struck = rows[rows["cause"] == 0]
    assert np.mean(struck["duration"] >= 2430) > 0.5
    assert np.mean(struck["outcome"] == 1) > 0.9


def test_a_fail_over_moves_web_sign_ins_to_sis() -> None:
    events = lines_of(simulate("fail_over", 1, PEAK, 60 * MINUTE))
    moved = [
        e
        for e in events
        if e["step"] in ("new", "authorize") and parse_instant(e["occurred_at"]) > PEAK + 31 * MINUTE
    ]
    assert {e["step"] for e in moved} == {"authorize"}
    assert sum(e["client_id"] == "vaweb" for e in moved) > len(moved) / 2


def test_a_bot_is_one_person_and_fails_each_time() -> None:
    simulation = simulate("bot", 1, PEAK)
    struck = [rows[rows["cause"] == 0] for rows in simulation.batches()]
    bot = np.concatenate(struck)
    assert len(bot) > 150
    assert len(np.unique(bot["person"])) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "prod", "steps": ("sign",)},
        {"scope": "prod", "errors": "none"},
        {"scope": "prod", "share": 1.5},
        {"scope": "prod", "lasts": 0},
        {"scope": "prod", "delay": (5, 1)},
        {"scope": "prod", "flapping": (0, 10)},
        {"scope": "prod", "effect": "bot", "per_minute": 1},
        {"scope": "prod", "effect": "scan", "per_minute": 1},
        {"scope": "prod", "effect": "added", "adds": ("authorize", "perhaps")},
        {"scope": "prod", "effect": "added", "adds": ("sign", "offered")},
    ],
)
def test_an_episode_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"steps|outcome|share|delay|bot|scan"):
        Episode(**{"effect": "failure", **wrong})


@pytest.mark.parametrize(
    ("world", "scope"),
    [("2024", "prod/saml"), ("2024", "prod/*/clear"), ("today", "prod/*/dslogon"), ("today", "prod/a/b/c/d")],
)
def test_a_scope_that_the_world_has_not_is_refused(world: str, scope: str) -> None:
    episodes = [Episode(effect="failure", scope=scope)]
    with pytest.raises(ValueError, match=rf"no scope '{re.escape(scope)}' in the world {world}"):
        simulate("healthy", 1, PEAK, episodes=episodes, world=world)


def test_the_library_names_its_truth_with_scopes_of_production_or_staging() -> None:
    assert len(SCENARIOS) >= 40
    effects = {e.effect for s in SCENARIOS.values() for e in s.episodes}
    assert effects == {
        "failure",
        "surge",
        "silence",
        "no_return",
        "slow",
        "shift",
        "bot",
        "late",
        "duplicate",
        "scan",
        "added",
        "wait",
        "clock",
    }
