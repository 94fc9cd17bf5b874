"""Burn rates: several windows at once, safe for little traffic, over as soon as the short window shows it."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.detection.burn_rate import BurnRateDetector
from detectors.detection.verdicts import FIRING, NOT_ENOUGH_EVIDENCE, QUIET
from detectors.history.history import BUCKET, History
from detectors.instants import DAY, HOUR, SECOND
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.traffic import START, Traffic, scope
from tests.detectors.history.test_history import record

POLICY = default_policy()
SSOE = scope("ssoe")


def past(ratio: float, span: int, before: int = HOUR, completed: int = 380) -> History:
    """Return a history in which ssoe failed at a ratio for ``span`` ms up to ``before`` ms before ``START`` + 1 h."""
    history = History("prod")
    end = START + HOUR - before
    for at in range(end - end % BUCKET - span, end - end % BUCKET, BUCKET):
        bad = round(completed * ratio)
        history.add(record(at, good=completed - bad, bad=bad))
    return history


def states(traffic: Traffic, history: History, first: int = 0) -> np.ndarray:
    return BurnRateDetector(POLICY, history).judge(traffic.frame(first)).state[:, SSOE]


def test_an_hour_at_twenty_times_the_budget_fires_by_the_fastest_rule() -> None:
    traffic = Traffic(3_600, 1).fail("ssoe", 0, 3_600, 0.03)
    verdicts = BurnRateDetector(POLICY, History("prod")).judge(traffic.frame())
    fires = np.flatnonzero(verdicts.state[:, SSOE] == FIRING)
    assert 120 < fires[0] < 1_200
    cause = verdicts.explain(3_599, SSOE)
    assert (cause.detector, cause.scope, cause.state) == ("burn_rate", "prod/ssoe", "firing")
    assert cause.numbers["factor"] == 14.4
    assert float(cause.numbers["burn_rate_long"] or 0) == pytest.approx(30, rel=0.3)
    assert "times as often in 1h as the month's budget of 0.10% allows" in cause.sentence
    assert cause.sentence.startswith("ssoe sign-ins fail ")


@pytest.mark.parametrize(("ratio", "hours", "factor"), [(0.010, 5, 6), (0.005, 23, 3), (0.0032, 71, 1)])
def test_slow_burns_fire_by_the_windows_beyond_an_hour(ratio: float, hours: int, factor: float) -> None:
    traffic = Traffic(3_600, 2, level=3.0).fail("ssoe", 0, 3_600, ratio)
    history = past(ratio, hours * HOUR, completed=1_140)
    verdicts = BurnRateDetector(POLICY, history).judge(traffic.frame(3_599))
    assert verdicts.state[0, SSOE] == FIRING
    assert float(verdicts.explain(0, SSOE).numbers["factor"] or 0) >= factor


def test_what_is_long_past_does_not_burn_for_hours() -> None:
    history = past(0.9, HOUR, before=2 * HOUR)
    traffic = Traffic(3_600, 3)
    assert (states(traffic, history)[600:] == QUIET).all()


def test_history_that_knows_too_little_of_a_window_says_nothing_about_it() -> None:
    traffic = Traffic(3_600, 2, level=3.0).fail("ssoe", 0, 3_600, 0.0032)
    assert states(traffic, past(0.0032, 71 * HOUR, completed=1_140), 3_599)[0] == FIRING
    assert states(traffic, past(0.0032, 11 * HOUR, completed=1_140), 3_599)[0] == QUIET


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [1.0, 0.05])
def test_a_budget_that_is_kept_does_not_burn(level: float, seed: int) -> None:
    traffic = Traffic(7_200, seed, level)
    verdicts = BurnRateDetector(POLICY, past(0.0005, 3 * DAY)).judge(traffic.frame())
    assert not (verdicts.state == FIRING).any()


def test_one_failure_of_two_in_a_quiet_night_burns_nothing() -> None:
    traffic = Traffic(3_600, 1, level=0.002, normal=0.0)
    traffic.counts[3_000, 1, :2] = 1
    traffic.people[3_000, 1] = 1
    assert not (states(traffic, History("prod")) == FIRING).any()


@pytest.mark.parametrize("seed", range(3))
def test_it_goes_quiet_by_the_short_window(seed: int) -> None:
    traffic = Traffic(7_200, seed).fail("ssoe", 1_800, 3_000, 0.3)
    found = states(traffic, History("prod"))
    assert (found[2_400:3_000] == FIRING).all()
    assert (found[3_120:] == QUIET).all()


def test_without_traffic_there_is_not_enough_evidence() -> None:
    traffic = Traffic(60).silence("", 0, 60)
    verdicts = BurnRateDetector(POLICY, History("prod")).judge(traffic.frame())
    assert (verdicts.state == NOT_ENOUGH_EVIDENCE).all()
    assert verdicts.explain(0, SSOE).state == "not_enough_evidence"


def test_steps_a_minute_apart_are_judged_as_well() -> None:
    frame = Traffic(3_600, 1).fail("ssoe", 0, 3_600, 0.03).frame()
    every = slice(None, None, 60)
    sparse = type(frame)(
        frame.env,
        frame.ends[every],
        {w: c[every] for w, c in frame.counts.items()},
        {w: p[every] for w, p in frame.people.items()},
        frame.windows,
        scopes=frame.scopes,
    )
    assert sparse.ends[1] - sparse.ends[0] == 60 * SECOND
    whole = BurnRateDetector(POLICY, History("prod")).judge(frame)
    assert (BurnRateDetector(POLICY, History("prod")).judge(sparse).state == whole.state[every]).all()
