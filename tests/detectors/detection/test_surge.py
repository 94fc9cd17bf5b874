"""The surge detector finds surges of error codes and of users' errors, and nothing that only looks like one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.detection.attribution import attribute
from detectors.detection.surge import SurgeDetector
from detectors.detection.verdicts import FIRING, NOT_ENOUGH_EVIDENCE, QUIET, Verdicts
from detectors.history.history import History
from detectors.scopes import SCOPES
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.journeys import Journeys, weeks
from tests.detectors.detection.simulated.traffic import scope
from tests.support.depth import examples

POLICY = default_policy()


@cache
def coded() -> History:
    return weeks()


@cache
def uncoded() -> History:
    return weeks(codes=False)


@cache
def nothing() -> History:
    return History("prod")


SSOE, ALL = scope("ssoe"), scope("")
HISTORIES = pytest.mark.parametrize("history", [coded, uncoded, nothing], ids=["codes", "uncoded", "fresh"])


def judge(
    journeys: Journeys, history: History | None = None, first: int = 0, last: int | None = None
) -> Verdicts:
    return SurgeDetector(POLICY, coded() if history is None else history).judge(journeys.frame(first, last))


def fires(verdicts: Verdicts, path: str) -> list[int]:
    return np.flatnonzero(verdicts.state[:, scope(path)] == FIRING).tolist()


@HISTORIES
@pytest.mark.parametrize("path", ["ssoe", "sis", "", "*/logingov"])
def test_a_surge_of_one_code_is_found_within_minutes_whatever_the_history_knows(
    path: str, history: Callable[[], History]
) -> None:
    verdicts = judge(Journeys(3_000, 1).fail(path, 1_800, 3_000, 0.3, "005"), history())
    found = fires(verdicts, path)
    assert 1_800 + 15 < found[0] <= 1_800 + 300
    assert found[-900:] == list(range(2_100, 3_000))
    cause = verdicts.explain(2_900, scope(path))
    assert "with 005 (auth_too_late, the user took too long)" in cause.sentence
    assert "people; normal is" in cause.sentence
    assert cause.numbers["counts"] == "excluded"
    assert cause.estimated_users is None


def test_errors_of_users_surge_as_a_class_though_no_code_does() -> None:
    journeys = Journeys(3_000, 1)
    for n, code in enumerate(("001", "101", "102", "106", "107", "108")):
        journeys.fail("", 1_800, 3_000, 0.05 + 0.001 * n, code)
    verdicts = judge(journeys)
    assert fires(verdicts, "")[-600:] == list(range(2_400, 3_000))
    assert "by errors of the users" in verdicts.explain(2_900, ALL).sentence


@HISTORIES
@pytest.mark.parametrize("level", [2.0, 1.0, 0.1])
@pytest.mark.parametrize("seed", range(2))
def test_an_ordinary_day_fires_nothing(history: Callable[[], History], level: float, seed: int) -> None:
    verdicts = judge(Journeys(5_400, seed, level), history())
    assert not (verdicts.state == FIRING).any()
    assert (verdicts.state[1_000:, ALL] == QUIET).all()


@HISTORIES
@pytest.mark.parametrize("code", ["001", "003", "005", "007", "104", "400"])
def test_one_person_who_tries_over_and_over_is_no_surge(code: str, history: Callable[[], History]) -> None:
    journeys = Journeys(3_000, 1).fail("ssoe/idme", 1_800, 3_000, 0.5, code, person=99_999_999)
    assert not (judge(journeys, history()).state == FIRING).any()


def test_three_who_come_too_early_in_five_minutes_are_a_surge_and_two_are_not() -> None:
    for people, fired in ((2, False), (3, True)):
        journeys = Journeys(2_400, 1)
        journeys.code[np.flatnonzero(journeys.returns & (journeys.back // 10 == 190))[:people]] = "003"
        assert bool(fires(judge(journeys), "")) is fired


def test_what_is_always_frequent_is_no_surge() -> None:
    history = weeks()
    for kept in list(history.records()):
        kept["codes"] = {
            path: {"005": (counts["good"] + counts["excluded"]) // 4}
            for path, counts in kept["scopes"].items()
        }
        for counts in kept["scopes"].values():
            counts["excluded"] += counts["good"] // 4
            counts["good"] -= counts["good"] // 4
        history.add(kept)
    journeys = Journeys(3_600, 1, level=3.0).fail("", 0, 3_600, 0.25, "005")
    assert fires(judge(journeys), "ssoe")
    assert not (judge(journeys, history).state == FIRING).any()


def test_it_is_quiet_some_minutes_after_and_not_at_once() -> None:
    verdicts = judge(Journeys(4_800, 1).fail("ssoe", 1_800, 3_000, 0.3, "005"))
    after = verdicts.state[3_000:, SSOE]
    assert (after[:60] == FIRING).all()
    assert (after[400:] == QUIET).all()


def test_between_its_trigger_and_its_end_there_is_not_enough_evidence() -> None:
    found = judge(Journeys(2_400, 1).fail("ssoe", 1_800, 2_400, 0.03, "007")).state[2_100:, SSOE]
    assert not (found == FIRING).any(), "fewer than 25"
    assert (found == NOT_ENOUGH_EVIDENCE).all(), "and no fewer than 5"


def test_where_nothing_completes_there_is_not_enough_evidence() -> None:
    verdicts = judge(Journeys(4_000, 1).silence("", 1_800, 4_000), first=3_900)
    assert (verdicts.state == NOT_ENOUGH_EVIDENCE).all()
    assert verdicts.explain(0, SSOE).sentence == "no error of ssoe sign-ins is frequent"


@pytest.mark.parametrize("path", ["ssoe", "sis", "*/logingov", ""])
def test_one_surge_has_one_cause_on_its_scope(path: str) -> None:
    frame = Journeys(3_000, 3).fail(path, 1_800, 3_000, 0.35, "001").frame(2_600, 2_700)
    causes = attribute([SurgeDetector(POLICY, coded()).judge(frame)], frame, 50, POLICY)
    assert [cause.scope for cause in causes] == [f"prod/{path}" if path else "prod"]


def test_failures_that_count_say_so() -> None:
    verdicts = judge(Journeys(3_000, 1).fail("ssoe", 1_800, 3_000, 0.5, "007"))
    cause = verdicts.explain(fires(verdicts, "ssoe")[0], SSOE)
    assert cause.numbers["counts"] == "bad"
    assert cause.numbers["code"] == "007"
    assert cause.failing_ratio > 0.05


@given(seed=st.integers(0, 50), cuts=st.sets(st.integers(1, 599), max_size=6))
@settings(max_examples=examples(15))
def test_verdicts_do_not_depend_on_how_steps_are_cut_into_frames(seed: int, cuts: set[int]) -> None:
    journeys = (
        Journeys(2_400, seed).fail("ssoe", 1_900, 2_200, 0.3, "005").fail("sis", 1_900, 2_300, 0.4, "001")
    )
    ends = [1_800, *(1_800 + cut for cut in sorted(cuts)), 2_400]
    whole = judge(journeys, first=1_800)
    states = whole.state.copy()
    assert (states == FIRING).any()
    for begin, end in pairwise(ends):
        part = SurgeDetector(POLICY, coded()).judge(journeys.frame(begin, end))
        assert (part.state == states[begin - 1_800 : end - 1_800]).all()
        for n in range(0, end - begin, 20):
            assert (part.gain(n) == whole.gain(begin - 1_800 + n)).all()
            for cell in range(len(SCOPES)):
                assert part.explain(n, cell) == whole.explain(begin - 1_800 + n, cell)


@given(seed=st.integers(0, 50), share=st.floats(0.0, 0.4), more=st.floats(0.0, 0.4))
@settings(max_examples=examples(15))
def test_where_more_fail_it_fires_no_less(seed: int, share: float, more: float) -> None:
    fewer = Journeys(2_200, seed).fail("ssoe", 1_800, 2_200, share, "005")
    worse = Journeys(2_200, seed).fail("ssoe", 1_800, 2_200, share + more, "005")
    assert ((fewer.code == "005") <= (worse.code == "005")).all()
    less, greater = (judge(one, first=2_100).state[:, SSOE] == FIRING for one in (fewer, worse))
    assert (greater >= less).all()
