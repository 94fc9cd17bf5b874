"""The latency detector fires when more requests are slow than the objective allows, and ends after that."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.detection.latency import LatencyDetector
from detectors.detection.verdicts import FIRING, QUIET, Verdicts
from detectors.history.history import BUCKET, History
from detectors.instants import DAY, HOUR, MINUTE, SECOND
from detectors.scopes import CSPS
from detectors.windows.counters import TIMED
from streams.settings.policy_file import default_policy, read_policy
from tests.detectors.detection.simulated.traffic import START, Traffic, scope

POLICY = default_policy()
SSOE, SIS, ALL = scope("ssoe"), scope("sis"), scope("")


def judge(traffic: Traffic, history: History | None = None, first: int = 0) -> Verdicts:
    return LatencyDetector(POLICY, history or History("prod")).judge(traffic.frame(first))


def fires(verdicts: Verdicts, path: str) -> list[int]:
    return np.flatnonzero(verdicts.state[:, scope(path)] == FIRING).tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.9, 0.6, 0.45])
def test_slowness_of_a_method_is_found_within_minutes_and_over_within_five(share: float, seed: int) -> None:
    traffic = Traffic(7_200, seed).slow("ssoe", 3_600, 5_400, share)
    verdicts = judge(traffic)
    found = fires(verdicts, "ssoe")
    assert 3_600 < found[0] <= 3_600 + 300
    assert 5_400 <= found[-1] <= 5_400 + 300
    assert (verdicts.state[5_700:, SSOE] == QUIET).all()
    assert not fires(verdicts, "sis")


@pytest.mark.parametrize("seed", range(5))
def test_what_the_promise_allows_is_no_finding(seed: int) -> None:
    verdicts = judge(Traffic(7_200, seed).slow("", 0, 7_200, 0.045))
    assert not (verdicts.state == FIRING).any()


def test_a_sixth_that_is_slow_is_found_by_the_longer_windows() -> None:
    verdicts = judge(Traffic(9_000, 1).slow("ssoe", 0, 9_000, 0.2))
    found = fires(verdicts, "ssoe")
    assert found
    assert verdicts.explain(found[-1], SSOE).numbers["long_ms"] == HOUR


def test_what_is_slow_for_days_is_found_with_the_history() -> None:
    history = History("prod")
    for at in range(START - 3 * DAY, START, BUCKET):
        counts = {"good": 700, "bad": 0, "excluded": 0, "started": 900, "slow": 49, "timed": 700}
        history.add({"env": "prod", "at": at, "scopes": {"prod/ssoe": counts}})
    traffic = Traffic(4_000, 1).slow("ssoe", 0, 4_000, 0.07)
    found = judge(traffic, history, 3_700)
    assert found.state[-1, SSOE] == FIRING
    assert found.explain(299, SSOE).numbers["long_ms"] == 3 * DAY
    assert judge(traffic, first=3_700).state[-1, SSOE] != FIRING, "an hour alone is not sure of 7 %"


def test_nobody_who_waits_is_no_news_of_slowness() -> None:
    traffic = Traffic(5_400, 1).slow("ssoe", 3_600, 5_400, 0.9)
    traffic.silence("ssoe", 4_500, 5_400)
    verdicts = judge(traffic)
    last = fires(verdicts, "ssoe")[-1]
    assert 4_499 <= last <= 4_500 + MINUTE // SECOND


def test_thin_traffic_is_unknowing_and_keeps_nothing_waiting() -> None:
    verdicts = judge(Traffic(2_000, 1, level=0.005).slow("ssoe", 0, 2_000, 0.0))
    assert verdicts.unknowing is not None
    assert verdicts.unknowing[-1].all()
    assert not (verdicts.state == FIRING).any()


def test_between_slow_and_well_it_is_neither_firing_nor_quiet() -> None:
    traffic = Traffic(3_600, 1).slow("ssoe", 0, 3_600, 0.13)
    verdicts = judge(traffic, first=3_000)
    assert verdicts.unknowing is not None
    assert not (verdicts.state[:, SSOE] == FIRING).any()
    assert (verdicts.state[:, SSOE] != QUIET).mean() > 0.9
    assert not verdicts.unknowing[:, SSOE].any()


def test_a_finding_says_how_many_took_how_long_and_what_was_promised() -> None:
    traffic = Traffic(4_200, 1).slow("ssoe", 3_600, 4_200, 0.8)
    cause = judge(traffic).explain(4_100, SSOE)
    assert cause.state == "firing"
    assert "ssoe requests took 2.43 s or longer in 5m" in cause.sentence
    assert cause.sentence.endswith("5.0% may")
    assert cause.failing_ratio == 0, "what is slow does not fail"
    assert float(cause.numbers["surely_above"] or 0) > float(cause.numbers["threshold"] or 1) == 0.25
    assert cause.first_bad is not None
    assert START < cause.first_bad < START + 4_100 * SECOND
    assert "2.43 s (ssoe), 1.2 s (sis)" in judge(traffic).explain(4_100, ALL).sentence


def test_the_whole_gains_what_its_parts_gain_together() -> None:
    traffic = Traffic(4_200, 1).slow("ssoe", 3_600, 4_200, 0.8)
    gain = judge(traffic).gain(4_100)
    assert gain[SSOE] == pytest.approx(sum(gain[scope(f"ssoe/{csp}")] for csp in CSPS), rel=0.05)
    assert gain[SSOE] > gain[ALL] > gain[SIS] == 0


@pytest.mark.parametrize("cut", [1, 11, 300])
def test_verdicts_do_not_depend_on_how_steps_are_cut_into_frames(cut: int) -> None:
    traffic = Traffic(4_200, 2).slow("sis", 3_700, 4_000, 0.6)
    history = History("prod")
    whole = LatencyDetector(POLICY, history).judge(traffic.frame(3_690, 4_200))
    for first in range(3_690, 4_200, cut)[:: max(1, 60 // cut)]:
        last = min(first + cut, 4_200)
        part = LatencyDetector(POLICY, history).judge(traffic.frame(first, last))
        assert (part.state == whole.state[first - 3_690 : last - 3_690]).all()
        assert part.explain(0, SIS) == whole.explain(first - 3_690, SIS)
        assert (part.gain(0) == whole.gain(first - 3_690)).all()


def test_the_promise_of_each_method_is_its_own() -> None:
    lenient = read_policy("objectives: {ssoe: {latency_target: 0.3}}", "lenient.yaml")
    traffic = Traffic(4_500, 1).slow("", 3_600, 4_500, 0.65)
    assert traffic.counts[..., TIMED].any()
    verdicts = LatencyDetector(lenient, History("prod")).judge(traffic.frame(4_000))
    assert not (verdicts.state[:, SSOE] == FIRING).any()
    assert (verdicts.state[:, SIS] == FIRING).all()
