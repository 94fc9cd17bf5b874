"""The silence detector fires where hardly anybody signs in though many are expected, and not for other causes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from detectors.detection.silence import SilenceDetector
from detectors.detection.verdicts import FIRING, NOT_ENOUGH_EVIDENCE, QUIET, Verdicts
from detectors.history.history import History
from detectors.instants import DAY, FAR_PAST, HOUR, SECOND, parse_instant
from detectors.scopes import CSPS, leaf_index
from detectors.windows.counters import GOOD, STARTED
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.traffic import RATE, RETURNS, START, Traffic, leaves_of, scope, usual

POLICY = default_policy()
AFTER = START + DAY  # the histories know all of the day that is judged in the weeks before it


@cache
def full() -> History:
    return usual(days=16, start=AFTER)


SSOE, SIS, ALL = scope("ssoe"), scope("sis"), scope("")


def judge(
    traffic: Traffic, history: History | None = None, first: int = 0, covered_from: int = FAR_PAST
) -> Verdicts:
    detector = SilenceDetector(POLICY, full() if history is None else history)
    return detector.judge(replace(traffic.frame(first), covered_from=covered_from))


def fires(verdicts: Verdicts, path: str) -> list[int]:
    return np.flatnonzero(verdicts.state[:, scope(path)] == FIRING).tolist()


@pytest.mark.parametrize("path", ["ssoe", "sis", "", "ssoe/idme", "*/logingov"])
@pytest.mark.parametrize("seed", range(3))
def test_silence_at_the_peak_is_found_within_a_minute_and_not_before_40_seconds(path: str, seed: int) -> None:
    traffic = Traffic(5_400, seed).silence(path, 4_000, 5_400)
    found = fires(judge(traffic, covered_from=START), path)
    assert 4_000 + 34 <= found[0] <= 4_060
    assert found[-(5_400 - 4_120) :] == list(range(4_120, 5_400)), "it goes on firing while it lasts"


@pytest.mark.parametrize("seed", range(3))
def test_a_deploy_gap_of_30_seconds_fires_nothing(seed: int) -> None:
    traffic = Traffic(5_400, seed).silence("", 4_000, 4_030)
    assert not (judge(traffic, covered_from=START).state == FIRING).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", [1.0, 0.6, 0.4, 0.25])
def test_fewer_sign_ins_than_usual_are_no_silence(level: float, seed: int) -> None:
    traffic = Traffic(7_200, seed, level)
    assert not (judge(traffic, covered_from=START).state == FIRING).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", [0.7, 0.8])
def test_a_level_that_falls_a_little_all_at_once_is_no_shortfall(level: float, seed: int) -> None:
    traffic = Traffic(7_200, seed)
    traffic.counts[3_600:] = Traffic(7_200, seed + 5, level=level).counts[3_600:]
    assert not (judge(traffic, covered_from=START).state == FIRING).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("path", "left", "within"), [("", 0.2, 300), ("", 0.4, 400), ("ssoe", 0.2, 300), ("ssoe", 0.4, 450)]
)
def test_a_shortfall_of_minutes_is_found_on_what_lost_it_with_its_size(
    path: str, left: float, within: int, seed: int
) -> None:
    traffic = Traffic(8_000, seed)
    fewer, leaves = Traffic(8_000, seed + 5, level=left), leaves_of(path)
    traffic.counts[4_000:5_380, leaves] = fewer.counts[4_000:5_380, leaves]
    verdicts = judge(traffic, covered_from=START)
    found = fires(verdicts, path)
    assert 4_060 < found[0] < 4_000 + within
    assert path == "" or verdicts.state[5_000, scope("sis")] != FIRING
    lost = (1 - left) * RATE * (0.7 if path else 1.0) * RETURNS * 3_600
    assert verdicts.explain(5_000, scope(path)).estimated_users == pytest.approx(lost, rel=0.15)
    began = verdicts.explain(found[0], scope(path)).first_bad
    assert began == pytest.approx(START + 4_000 * SECOND, abs=60 * SECOND)
    assert found[-1] < 5_380 + 90, "over soon after it has ended"
    assert SilenceDetector(POLICY, full()).may_fire(replace(traffic.frame(4_400, 4_500), covered_from=START))


@pytest.mark.parametrize("seed", range(3))
def test_half_of_the_sign_ins_is_never_enough_and_all_of_them_are_at_once(seed: int) -> None:
    traffic = Traffic(8_600, seed)
    traffic.counts[3_600:8_000] = Traffic(8_600, seed + 5, level=0.5).counts[3_600:8_000]
    verdicts = judge(traffic, covered_from=START)
    begin = fires(verdicts, "")[0]
    quiet = verdicts.state[:, ALL] == QUIET
    assert begin < 4_000
    assert not quiet[begin:8_000].any()
    assert quiet[8_120:].all()


def test_on_the_first_day_a_flood_that_is_over_is_no_shortfall() -> None:
    traffic = Traffic(7_200, 1)
    traffic.counts[4_000:4_900] = Traffic(7_200, 2, level=3.0).counts[4_000:4_900]
    assert not (judge(traffic, History("prod"), covered_from=START).state == FIRING).any()


def test_a_dip_of_one_provider_does_not_name_its_method() -> None:
    traffic = Traffic(6_000, 1)
    fewer, leaves = Traffic(6_000, 6, level=0.2), leaves_of("ssoe/idme")
    traffic.counts[4_000:, leaves] = fewer.counts[4_000:, leaves]
    verdicts = judge(traffic, covered_from=START)
    assert verdicts.state[4_600, scope("ssoe/idme")] == FIRING
    assert verdicts.state[4_600, SSOE] != FIRING
    assert verdicts.gain(4_600)[scope("ssoe/idme")] > verdicts.gain(4_600)[SSOE]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("path", ["", "sis"])
def test_on_the_first_day_the_hour_before_says_what_is_usual(path: str, seed: int) -> None:
    traffic = Traffic(6_000, seed).silence(path, 4_500, 6_000)
    verdicts = judge(traffic, History("prod"), covered_from=START)
    found = fires(verdicts, path)
    assert 4_500 + 34 <= found[0] <= 4_560
    said = verdicts.explain(found[0], scope(path)).sentence
    assert said.endswith("were expected by the hour before")
    assert SilenceDetector(POLICY, History("prod")).may_fire(replace(traffic.frame(), covered_from=START))


@pytest.mark.parametrize("seed", range(3))
def test_on_the_first_day_nothing_is_said_of_a_deploy_of_fewer_people_or_of_the_first_half_hour(
    seed: int,
) -> None:
    empty = History("prod")
    deploy = Traffic(5_400, seed).silence("", 4_000, 4_030)
    early = Traffic(2_400, seed).silence("", 1_500, 1_790)
    fewer = Traffic(7_200, seed)
    fewer.counts[4_000:] = Traffic(7_200, seed, level=0.7).counts[4_000:]
    for traffic in (deploy, early, fewer):
        assert not (judge(traffic, empty, covered_from=START).state == FIRING).any()


def test_without_a_history_there_is_not_enough_evidence_and_nothing_to_wait_for() -> None:
    verdicts = judge(Traffic(600, 1).silence("", 0, 600), History("prod"))
    assert (verdicts.state == NOT_ENOUGH_EVIDENCE).all()
    assert verdicts.unknowing is not None
    assert verdicts.unknowing.all()
    assert verdicts.explain(0, SSOE).sentence == "no history says how many ssoe sign-ins to expect"
    assert not verdicts.gain(0).any()


def test_windows_from_before_the_facts_begin_are_not_judged() -> None:
    traffic = Traffic(120, 1)
    assert fires(judge(traffic), "ssoe"), "as if there had been an hour of silence"
    verdicts = judge(traffic, covered_from=START)
    assert not (verdicts.state == FIRING).any()
    assert (verdicts.state[:39, SSOE] == NOT_ENOUGH_EVIDENCE).all()
    assert (verdicts.state[45:, SSOE] == QUIET).all()


def test_a_stream_that_begins_in_silence_is_found_as_soon_as_it_is_covered() -> None:
    traffic = Traffic(300, 1).silence("ssoe", 0, 300)
    assert 39 <= fires(judge(traffic, covered_from=START), "ssoe")[0] <= 60


def test_it_is_quiet_when_sign_ins_are_back() -> None:
    traffic = Traffic(6_400, 1).silence("ssoe", 4_000, 5_200)
    verdicts = judge(traffic, covered_from=START)
    after = verdicts.state[5_200:, SSOE]
    assert (after[60:] == QUIET).all()


def test_a_trickle_is_neither_silence_nor_its_end() -> None:
    traffic = Traffic(7_200, 1).silence("ssoe", 4_000, 7_200)
    trickle = Traffic(7_200, 2, level=0.15)
    leaves = leaves_of("ssoe")
    traffic.counts[5_000:, leaves] = trickle.counts[5_000:, leaves]
    found = judge(traffic, covered_from=START).state[5_200:, SSOE]
    assert not (found == QUIET).any()


def test_a_silence_of_many_hours_goes_on_firing() -> None:
    history = usual(days=16, start=AFTER)
    # the same day up to an hour ago is known, and six hours of it were silent
    for slot in range(START - 6 * HOUR, START, 300_000):
        history.add({"env": "prod", "at": slot, "scopes": {}})
    traffic = Traffic(3_600, 1).silence("", 0, 3_600)
    verdicts = judge(traffic, history, 3_500, covered_from=START - 7 * HOUR)
    assert (verdicts.state[:, [ALL, SSOE, SIS]] == FIRING).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_quiet_night_takes_longer_but_is_found(seed: int) -> None:
    history = usual(level=0.05, days=16, start=AFTER)
    traffic = Traffic(7_200, seed, level=0.05).silence("", 3_600, 7_200)
    found = fires(judge(traffic, history, covered_from=START), "")
    assert 3_600 + 180 < found[0] < 3_600 + 1_000


def test_sign_ins_that_moved_to_the_other_method_are_no_silence() -> None:
    traffic = Traffic(5_400, 1)
    for csp in CSPS:
        from_ssoe, to_sis = leaf_index("ssoe", csp), leaf_index("sis", csp)
        traffic.counts[4_000:, to_sis] += traffic.counts[4_000:, from_ssoe]
        traffic.counts[4_000:, from_ssoe] = 0
    verdicts = judge(traffic, covered_from=START)
    assert not (verdicts.state == FIRING).any()
    assert (verdicts.state[4_100:, SSOE] == NOT_ENOUGH_EVIDENCE).all(), "nor has ssoe come back"
    assert (verdicts.state[4_100:, ALL] == QUIET).all()


def test_starts_that_are_no_longer_reported_are_no_silence_while_people_get_through() -> None:
    traffic = Traffic(5_400, 1)
    traffic.counts[4_000:, :, STARTED] = 0
    assert not (judge(traffic, covered_from=START).state == FIRING).any()


def test_failures_are_no_silence() -> None:
    traffic = Traffic(5_400, 1).fail("sis", 4_000, 5_400)
    traffic.counts[4_000:, leaves_of("sis"), STARTED] = 0
    assert not fires(judge(traffic, covered_from=START), "sis")


def test_people_are_estimated_by_what_the_previous_two_weeks_let_expect() -> None:
    traffic = Traffic(5_400, 1).silence("ssoe", 4_000, 5_400)
    verdicts = judge(traffic, covered_from=START)
    per_hour = RATE * 0.7 * RETURNS * 3_600
    for second in (fires(verdicts, "ssoe")[0], 4_200, 5_000):
        cause = verdicts.explain(second, SSOE)
        assert cause.state == "firing"
        assert cause.estimated_users == pytest.approx(per_hour, rel=0.12)
        assert cause.first_bad is not None
        assert cause.first_bad >= START + 3_990 * SECOND - 60 * SECOND
    first = verdicts.explain(fires(verdicts, "ssoe")[0], SSOE)
    assert "ssoe sign-ins arrived in 40s, where" in first.sentence
    assert "expected by the weeks before" in first.sentence
    assert first.failing_ratio > 0.9
    assert float(first.numbers["chance"] or 0) < POLICY.silence.chance


def test_a_silence_that_lasts_is_estimated_by_the_time_before_it() -> None:
    traffic = Traffic(7_200, 1).silence("ssoe", 3_600, 7_200)
    verdicts = judge(traffic, covered_from=START)
    for minutes in (10, 25, 40, 55):
        cause = verdicts.explain(3_600 + 60 * minutes, SSOE)
        assert cause.estimated_users == pytest.approx(RATE * 0.7 * RETURNS * 3_600, rel=0.12), minutes


def test_where_the_whole_day_is_quieter_fewer_people_are_estimated() -> None:
    traffic = Traffic(5_400, 1, level=0.5).silence("ssoe", 4_000, 5_400)
    cause = judge(traffic, covered_from=START).explain(5_000, SSOE)
    assert cause.estimated_users == pytest.approx(RATE * 0.35 * RETURNS * 3_600, rel=0.2)


def test_the_whole_gains_what_its_parts_gain() -> None:
    traffic = Traffic(5_400, 1).silence("ssoe", 4_000, 5_400)
    gain = judge(traffic, covered_from=START).gain(4_100)
    assert gain[SSOE] == pytest.approx(sum(gain[scope(f"ssoe/{csp}")] for csp in CSPS), rel=0.05)
    assert gain[ALL] == gain[SIS] == 0


def test_where_little_is_expected_silence_says_nothing_and_keeps_nothing_waiting() -> None:
    history = usual(level=0.001, days=16, start=AFTER)
    verdicts = judge(Traffic(3_700, 1, level=0.0), history, 3_600, covered_from=START)
    assert (verdicts.state == NOT_ENOUGH_EVIDENCE).all()
    assert verdicts.unknowing is not None
    assert verdicts.unknowing.all()


@pytest.mark.parametrize("cut", [1, 11, 300])
def test_verdicts_do_not_depend_on_how_steps_are_cut_into_frames(cut: int) -> None:
    traffic = Traffic(4_400, 5).silence("ssoe", 4_000, 4_300).silence("sis/idme", 4_100, 4_400)
    whole = SilenceDetector(POLICY, full()).judge(replace(traffic.frame(3_980, 4_400), covered_from=START))
    for first in range(3_980, 4_400, cut)[:: max(1, 60 // cut)]:
        last = min(first + cut, 4_400)
        part = SilenceDetector(POLICY, full()).judge(replace(traffic.frame(first, last), covered_from=START))
        assert (part.state == whole.state[first - 3_980 : last - 3_980]).all()
        assert part.explain(0, SSOE) == whole.explain(first - 3_980, SSOE)
        assert (part.gain(0) == whole.gain(first - 3_980)).all()


def test_completions_stand_for_sign_ins_where_starts_are_never_reported() -> None:
    history = History("prod")
    for old in full().records():
        for counts in old["scopes"].values():
            counts["started"] = 0
        history.add(old)
    traffic = Traffic(5_400, 1)
    traffic.counts[..., STARTED] = 0
    traffic.silence("ssoe", 4_000, 5_400)
    verdicts = judge(traffic, history, covered_from=START)
    assert 4_034 <= fires(verdicts, "ssoe")[0] <= 4_070
    assert not fires(verdicts, "sis")
    assert traffic.counts[:4_000, leaves_of("ssoe"), GOOD].any()


def test_a_week_of_history_is_enough_from_the_first_minutes_on() -> None:
    # The Tuesday before is known from 14:00 on, and so not the hour by which the level of today could be told.
    start = parse_instant("2026-09-22T14:00:00-04:00")
    history = usual(days=9, start=start + 2 * DAY)
    assert not np.isfinite(history.expected(np.array([start + 900_000]), HOUR)).any()
    traffic = Traffic(1_800, 1, start=start).silence("ssoe/idme", 600, 1_800)
    verdicts = SilenceDetector(POLICY, history).judge(replace(traffic.frame(), covered_from=start))
    assert 630 <= fires(verdicts, "ssoe/idme")[0] <= 720
    assert not fires(verdicts, "sis")
    assert not (verdicts.state[:600] == FIRING).any()
