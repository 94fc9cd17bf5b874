"""The funnel finds people who start and do not come back, and ignores situations that only look like it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.detection.attribution import attribute
from detectors.detection.funnel import FunnelDetector
from detectors.detection.verdicts import FIRING, NOT_ENOUGH_EVIDENCE, QUIET, Verdicts
from detectors.history.history import History
from detectors.instants import SECOND
from detectors.windows.frame import Frame
from streams.settings.policy_file import default_policy, read_policy
from tests.detectors.detection.failing.test_collapse import built
from tests.detectors.detection.simulated.journeys import Journeys, weeks
from tests.detectors.detection.simulated.traffic import RATE, RETURNS, START, scope
from tests.support.depth import examples

POLICY = default_policy()
NOTHING = History("prod")


@cache
def known() -> History:
    return weeks()


def nothing() -> History:
    return NOTHING


SSOE, SIS, ALL, IDME = scope("ssoe"), scope("sis"), scope(""), scope("*/idme")


def judge(
    journeys: Journeys, history: History | None = None, first: int = 0, last: int | None = None
) -> Verdicts:
    return FunnelDetector(POLICY, known() if history is None else history).judge(journeys.frame(first, last))


def fires(verdicts: Verdicts, path: str) -> list[int]:
    return np.flatnonzero(verdicts.state[:, scope(path)] == FIRING).tolist()


@pytest.mark.parametrize("path", ["ssoe", "sis", "", "*/idme", "ssoe/logingov"])
@pytest.mark.parametrize("seed", range(2))
def test_at_the_peak_it_is_found_within_three_minutes_and_goes_on_while_it_lasts(
    path: str, seed: int
) -> None:
    verdicts = judge(Journeys(4_200, seed).lose(path, 1_800, 4_200))
    found = fires(verdicts, path)
    assert 1_800 + 40 < found[0] <= 1_800 + 180
    assert found[-(4_200 - 1_980) :] == list(range(1_980, 4_200))


@pytest.mark.parametrize("history", [known, nothing], ids=["weeks", "fresh"])
@pytest.mark.parametrize("level", [1.0, 0.3, 0.03])
@pytest.mark.parametrize("seed", range(2))
def test_an_ordinary_day_fires_nothing(history: Callable[[], History], level: float, seed: int) -> None:
    assert not (judge(Journeys(5_400, seed, level), history()).state == FIRING).any()


@pytest.mark.parametrize("path", ["ssoe", ""])
def test_callbacks_that_fail_and_name_no_provider_have_come_back(path: str) -> None:
    journeys = Journeys(4_200, 1).fail(path, 1_800, 3_300, 1.0, "007").hide(path, 1_800, 3_300)
    verdicts = judge(journeys)
    assert not (verdicts.state == FIRING).any()
    assert (verdicts.state[2_400:, IDME] == QUIET).all()


@pytest.mark.parametrize("path", ["", "ssoe"])
@pytest.mark.parametrize("length", [25, 60, 300, 1_200])
def test_neither_a_deploy_nor_a_silence_nor_its_end_looks_like_lost_returns(path: str, length: int) -> None:
    journeys = Journeys(5_400, 3).silence(path, 2_000, 2_000 + length)
    assert not (judge(journeys).state == FIRING).any()


def test_a_fail_over_and_its_end_do_not_either() -> None:
    journeys = Journeys(6_000, 4).move("ssoe", "sis", 2_000).move("sis", "ssoe", 4_000)
    assert not (judge(journeys).state == FIRING).any()


def test_a_wave_of_starts_is_not_lost_while_it_is_away() -> None:
    journeys = Journeys(4_000, 5, level=3.0)
    journeys.silence("", 0, 2_000)  # and then, all at once, three times the usual
    assert not (judge(journeys).state == FIRING).any()


def test_failures_are_returns() -> None:
    journeys = Journeys(4_000, 1).fail("ssoe", 1_800, 4_000, 1.0, "007")
    assert not (judge(journeys).state == FIRING).any()


def test_where_fewer_usually_return_as_few_are_normal() -> None:
    journeys = Journeys(4_000, 1).lose("", 0, 4_000, share=0.6)
    assert fires(judge(journeys), "ssoe")
    assert not (judge(journeys, weeks(returning=RETURNS * 0.4)).state == FIRING).any()


def test_a_fresh_installation_on_which_nobody_ever_returned_has_not_enough_evidence() -> None:
    verdicts = judge(Journeys(4_000, 1).lose("", 0, 4_000), NOTHING)
    assert (verdicts.state == NOT_ENOUGH_EVIDENCE).all()
    assert verdicts.unknowing is not None
    assert verdicts.unknowing.all()
    assert "nothing says how many normally do" in verdicts.explain(3_999, SSOE).sentence
    silent = FunnelDetector(POLICY, NOTHING).judge(Journeys(60, 1, level=0.0).frame())
    assert "no ssoe sign-ins have come back yet" in silent.explain(59, SSOE).sentence


def test_without_weeks_the_hour_before_says_what_is_usual() -> None:
    verdicts = judge(Journeys(4_800, 1).lose("ssoe", 3_000, 4_800), NOTHING)
    found = fires(verdicts, "ssoe")
    assert 3_000 + 60 < found[0] <= 3_000 + 300


def test_it_is_quiet_soon_after_people_come_back_and_knows_so_by_the_short_windows() -> None:
    verdicts = judge(Journeys(4_800, 1).lose("ssoe", 1_800, 3_600))
    assert fires(verdicts, "ssoe")[-1] < 3_600 + 150
    assert (verdicts.state[3_600 + 180 :, SSOE] == QUIET).all()


def test_a_quiet_night_takes_longer_but_is_found() -> None:
    verdicts = judge(Journeys(9_000, 1, level=0.05).lose("", 4_000, 9_000), weeks(level=0.05))
    assert 4_000 + 200 < fires(verdicts, "")[0] < 4_000 + 2_000


@pytest.mark.parametrize(
    ("path", "expected"), [("*/idme", "prod/*/idme"), ("ssoe", "prod/ssoe"), ("", "prod")]
)
def test_one_loss_has_one_cause_on_its_scope(path: str, expected: str) -> None:
    frame = Journeys(2_200, 2).lose(path, 1_800, 2_200).frame(2_100, 2_200)
    verdicts = [FunnelDetector(POLICY, known()).judge(frame)]
    causes = attribute(verdicts, frame, 50, POLICY)
    assert [cause.scope for cause in causes] == [expected]


@pytest.mark.parametrize(("share", "least", "most"), [(1.0, 300, 450), (0.5, 400, 1_200)])
def test_people_are_lost_once_a_longer_delay_is_excluded(share: float, least: int, most: int) -> None:
    verdicts = judge(Journeys(4_200, 1).lose("ssoe", 1_800, 4_200, share))
    lost = [
        step for step in fires(verdicts, "ssoe") if verdicts.explain(step, SSOE).estimated_users is not None
    ]
    assert 1_800 + least < lost[0] < 1_800 + most


@pytest.mark.parametrize("minutes", [2, 4])
def test_people_who_all_take_minutes_longer_are_never_lost(minutes: int) -> None:
    traffic = Journeys(4_200, 1).delay("ssoe", 1_800, 3_600, minutes * 60)
    verdicts = judge(traffic)
    firing = fires(verdicts, "ssoe")
    assert firing
    assert all(verdicts.explain(step, SSOE).estimated_users is None for step in firing)


def test_people_are_estimated_and_the_sentence_has_the_numbers() -> None:
    verdicts = judge(Journeys(3_600, 1).lose("ssoe", 1_800, 3_600))
    cause = verdicts.explain(3_000, SSOE)
    assert cause.estimated_users == pytest.approx(RATE * 0.7 * RETURNS * 3_600, rel=0.15)
    assert cause.failing_ratio > 0.9
    assert "ssoe sign-ins came back in" in cause.sentence
    assert "normal is 7" in cause.sentence
    early = verdicts.explain(fires(verdicts, "ssoe")[0], SSOE)
    assert early.estimated_users is None
    assert early.sentence.endswith("they may be delayed by up to 5m")
    assert early.first_bad is not None
    assert START + 1_700 * SECOND <= early.first_bad <= START + 1_900 * SECOND
    assert verdicts.explain(1_000, SSOE).estimated_users is None


def test_nobody_is_lost_where_starts_double_and_as_many_come_back_as_usual() -> None:
    # each start is told twice: the second of each has a flow of its own and never comes back
    traffic = Journeys(3_600, 1)
    again = traffic.begun >= 1_800
    for name in ("begun", "leaf", "back", "starts", "named", "person", "code"):
        each = getattr(traffic, name)
        setattr(traffic, name, np.concatenate([each, each[again]]))
    traffic.returns = np.concatenate([traffic.returns, np.zeros(again.sum(), dtype=bool)])
    verdicts = judge(traffic)
    firing = [step for step in fires(verdicts, "ssoe") if step > 3_000][::200]
    assert firing
    assert {verdicts.explain(step, SSOE).estimated_users for step in firing} == {0.0}


def test_a_busy_day_on_which_many_are_lost_has_lost_them_though_as_many_come_back_as_by_the_weeks() -> None:
    # two and a half times the usual number start, and 60 % of those who would return do not
    verdicts = judge(Journeys(3_000, 1, level=2.5).lose("ssoe", 1_500, 3_000, 0.6))
    cause = verdicts.explain(fires(verdicts, "ssoe")[-1], SSOE)
    assert 0.3 * RATE * 0.7 * RETURNS * 3_600 < (cause.estimated_users or 0) < RATE * 0.7 * RETURNS * 3_600


def test_a_monitor_holds_a_method_to_its_limit_unless_fewer_usually_return() -> None:
    strict = read_policy(
        "funnel: {monitors: {sis: {window: 15m, below: 0.65, recover_at: 0.68}}, fires_below: 0.3,"
        " fires_below_unlearned: 0.3}",
        "strict",
    )
    frame = Journeys(5_400, 1, level=3.0).lose("sis", 1_800, 5_400, share=0.4).frame(5_000)
    assert (FunnelDetector(strict, known()).judge(frame).state[:, SIS] == FIRING).any()
    assert not (FunnelDetector(strict, weeks(returning=0.6)).judge(frame).state[:, SIS] == FIRING).any()


@given(seed=st.integers(0, 50), cuts=st.sets(st.integers(1, 599), max_size=6))
@settings(max_examples=examples(15))
def test_verdicts_do_not_depend_on_how_steps_are_cut_into_frames(seed: int, cuts: set[int]) -> None:
    journeys = Journeys(2_400, seed).lose("ssoe", 1_900, 2_400)
    ends = [1_800, *(1_800 + cut for cut in sorted(cuts)), 2_400]
    whole = judge(journeys, first=1_800)
    for (begin, end), frame in zip(pairwise(ends), islice(journeys.each_frame(ends), 1, None), strict=True):
        part = FunnelDetector(POLICY, known()).judge(frame)
        assert (part.state == whole.state[begin - 1_800 : end - 1_800]).all()
        assert part.explain(0, SSOE) == whole.explain(begin - 1_800, SSOE)
        assert (part.gain(0) == whole.gain(begin - 1_800)).all()


@given(seed=st.integers(0, 50), share=st.floats(0.3, 0.9), more=st.floats(0.0, 0.1))
@settings(max_examples=examples(15))
def test_where_more_is_lost_it_fires_no_less(seed: int, share: float, more: float) -> None:
    fewer = Journeys(2_400, seed).lose("ssoe", 1_800, 2_400, share)
    more_lost = Journeys(2_400, seed).lose("ssoe", 1_800, 2_400, share + more)
    assert (more_lost.returns <= fewer.returns).all()
    less, worse = (judge(one, first=2_300).state[:, SSOE] == FIRING for one in (fewer, more_lost))
    assert (worse >= less).all()


def of_worker(journeys: Journeys, first: int) -> tuple[Frame, Verdicts]:
    """Return a frame from second ``first`` on, as a worker builds it, and the verdicts on it."""
    frame = built(journeys.rows(), first, journeys.seconds)
    history = History("prod")
    history.follow(frame.scopes)
    return frame, FunnelDetector(POLICY, history).judge(frame)


@pytest.mark.parametrize("seed", range(2))
def test_callbacks_that_no_token_follows_are_found_on_their_method_until_tokens_come_again(seed: int) -> None:
    frame, verdicts = of_worker(Journeys(4_500, seed).tokens(3_000, 4_000, ""), 2_900)
    sis = frame.scopes.paths.index("sis")
    assert np.flatnonzero((verdicts.state == FIRING).any(axis=0)).tolist() == [sis]
    found = np.flatnonzero(verdicts.state[:, sis] == FIRING)
    assert 60 < found[0] - 100 < 200
    assert 1_100 <= found[-1] < 1_100 + 200
    assert len(found) == found[-1] + 1 - found[0]
    assert [(c.scope, c.detector) for c in attribute([verdicts], frame, 800, POLICY)] == [
        ("prod/sis", "funnel")
    ]
    cause = verdicts.explain(800, sis)
    assert cause.sentence.startswith("0 tokens followed")
    per_hour = 3_600 * RATE * 0.3 * RETURNS
    assert 0.75 * per_hour < float(cause.estimated_users or 0) < 1.1 * per_hour
    early = verdicts.explain(int(found[0]), sis)
    assert early.estimated_users is None, "tokens may be told late"


def test_tokens_that_fail_have_followed_and_a_method_that_never_had_any_lacks_none() -> None:
    for journeys in (Journeys(3_600).tokens(3_000, 3_600, "failure"), Journeys(3_600).tokens(0, 3_600, "")):
        assert not (of_worker(journeys, 2_900)[1].state == FIRING).any()
