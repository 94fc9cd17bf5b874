"""The outage detector fires soon enough, for the right scopes, and ends when failures have stopped."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.detection.outage import OutageDetector
from detectors.detection.verdicts import FIRING, NOT_ENOUGH_EVIDENCE, QUIET
from detectors.history.history import History
from detectors.instants import DAY, SECOND
from detectors.scopes import SCOPES, leaf_index
from detectors.windows.counters import BAD, EXCLUDED, GOOD, SESSION_GOOD
from streams.settings.policy_file import default_policy, read_policy
from tests.detectors.detection.simulated.traffic import Traffic, leaves_of, scope
from tests.detectors.history.test_history import record
from tests.support.depth import examples

POLICY = default_policy()
NOTHING = History("prod")


def states(traffic: Traffic, path: str, history: History = NOTHING) -> np.ndarray:
    """Return the state of a scope after each second."""
    return OutageDetector(POLICY, history).judge(traffic.frame()).state[:, scope(path)]


def seconds(mask: np.ndarray) -> list[int]:
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("seed", range(examples(3)))
@pytest.mark.parametrize("path", ["ssoe", "sis", "", "*/idme", "ssoe/logingov"])
def test_a_total_outage_at_the_peak_is_found_within_some_people_of_the_third_who_fails(
    path: str, seed: int
) -> None:
    traffic = Traffic(2_700, seed).fail(path, 1_800, 2_700)
    fires = seconds(states(traffic, path) == FIRING)
    failed = np.cumsum(traffic.people[1_800:, leaves_of(path)].sum(axis=1))
    enough, sure = (1_800 + int(np.argmax(failed >= people)) for people in (3, 6))
    assert enough <= fires[0] <= sure
    assert set(range(fires[0] + 15, 2_700)) <= set(fires), "it goes on firing while it lasts"


@pytest.mark.parametrize(
    ("share", "within"), [(0.5, 20), (0.25, 45), (0.10, 150), (0.04, 450), (0.01, 2_000)]
)
@pytest.mark.parametrize("seed", range(examples(3)))
def test_a_partial_outage_is_found_as_soon_as_the_evidence_allows(
    share: float, within: int, seed: int
) -> None:
    traffic = Traffic(4_100, seed).fail("ssoe", 2_000, 4_100, share)
    fires = seconds(states(traffic, "ssoe") == FIRING)
    assert 2_000 < fires[0] < 2_000 + within


@pytest.mark.parametrize("seed", range(examples(4)))
@pytest.mark.parametrize("level", [1.0, 0.2, 0.02])
def test_nothing_fires_while_all_is_well(level: float, seed: int) -> None:
    verdicts = OutageDetector(POLICY, NOTHING).judge(Traffic(7_200, seed, level).frame())
    assert not (verdicts.state == FIRING).any()


def test_a_single_failure_in_a_quiet_night_fires_nothing() -> None:
    traffic = Traffic(7_200, 3, level=0.01, normal=0.0)
    traffic.counts[5_000, 1, BAD] = traffic.people[5_000, 1] = 1
    assert not (OutageDetector(POLICY, NOTHING).judge(traffic.frame()).state == FIRING).any()


@pytest.mark.parametrize("seed", range(examples(3)))
def test_a_quiet_night_on_which_everybody_fails_fires_as_soon_as_some_people_have(seed: int) -> None:
    traffic = Traffic(9_000, seed, level=0.02, normal=0.0).fail("ssoe", 3_600, 9_000)
    failed = np.cumsum(traffic.people.sum(axis=1))
    fires = seconds(states(traffic, "ssoe") == FIRING)
    assert 3 <= failed[fires[0]] <= 6


@pytest.mark.parametrize("seed", range(examples(3)))
def test_one_in_eight_who_fails_in_a_quiet_night_is_found_within_an_hour_or_so(seed: int) -> None:
    traffic = Traffic(9_000, seed, level=0.03).fail("ssoe", 1_800, 9_000, 0.125)
    fires = seconds(states(traffic, "ssoe") == FIRING)
    assert traffic.people[1_800 : fires[0], leaves_of("ssoe")].sum() <= 12
    assert fires[0] <= 1_800 + 4_500


def test_one_person_who_tries_forty_times_is_one_person() -> None:
    traffic = Traffic(3_000, 1, normal=0.0)
    leaf = leaves_of("ssoe/mhv")[0]
    traffic.counts[2_000:2_400:10, leaf, BAD] += 1  # the same person each time
    frame = traffic.frame()
    for people in frame.people.values():
        people[:] = np.minimum(people + (frame.counts[3_600_000][..., BAD] > 0), 1)
    assert not (OutageDetector(POLICY, NOTHING).judge(frame).state == FIRING).any()


def test_user_errors_are_no_outage_and_no_health() -> None:
    traffic = Traffic(3_000, 1)
    for leaf in leaves_of("ssoe"):
        traffic.counts[2_000:, leaf, EXCLUDED] = traffic.counts[2_000:, leaf, GOOD]
        traffic.counts[2_000:, leaf, GOOD] = traffic.counts[2_000:, leaf, BAD] = 0
    found = states(traffic, "ssoe")
    assert not (found == FIRING).any()
    assert found[-1] == NOT_ENOUGH_EVIDENCE


@pytest.mark.parametrize("seed", range(examples(2)))
@pytest.mark.parametrize("lasts", [120, 600, 2_400])
def test_recovery_is_seen_by_the_short_windows(lasts: int, seed: int) -> None:
    end = 1_800 + lasts
    traffic = Traffic(end + 3_900, seed).fail("ssoe", 1_800, end)
    found = states(traffic, "ssoe")
    assert (found[end : end + 90] == QUIET).any()
    late = seconds(found[end + 90 :] == FIRING)
    assert late == [], f"fires again {late[:5]} s later, over what is past"
    assert (found[end + 90 :] == QUIET).mean() > 0.95


@pytest.mark.parametrize("seed", range(examples(6)))
@pytest.mark.parametrize(
    ("path", "share"), [("ssoe/logingov", 0.1), ("ssoe/mhv", 0.3), ("ssoe/dslogon", 1.0)]
)
def test_a_few_minutes_of_successes_end_what_hit_one_person_a_minute(
    path: str, share: float, seed: int
) -> None:
    traffic = Traffic(6_000, seed, level=0.5 + 0.3 * (share < 1)).fail(path, 1_800, 4_800, share)
    found = states(traffic, path)
    assert (found[3_600:4_800] == FIRING).mean() > 0.75
    assert QUIET in found[4_800 : 4_800 + 6 * 60]
    assert (found[4_800 + 11 * 60 :] != FIRING).all()


@pytest.mark.parametrize("seed", range(examples(4)))
def test_a_blip_is_over_within_five_minutes_and_stays_so(seed: int) -> None:
    traffic = Traffic(4_800, seed).fail("ssoe", 2_400, 2_420)
    found = states(traffic, "ssoe")
    assert FIRING in found[2_400:2_440]
    assert (found[2_420 + 5 * 60 :] == QUIET).all()


@pytest.mark.parametrize("seed", range(examples(3)))
def test_an_end_is_not_seen_where_failures_merely_come_now_and_then(seed: int) -> None:
    traffic = Traffic(9_000, seed).fail("ssoe/logingov", 1_800, 9_000, 0.15)
    found = states(traffic, "ssoe/logingov")[4_000:]
    assert (found == FIRING).mean() > 0.95


@pytest.mark.parametrize("seed", range(examples(2)))
def test_what_just_no_longer_fires_is_not_quiet_while_it_goes_on(seed: int) -> None:
    traffic = Traffic(9_000, seed, level=0.25).fail("ssoe", 600, 9_000, 0.025)
    found = states(traffic, "ssoe")
    since = found[seconds(found == FIRING)[0] :]
    assert (since != QUIET).mean() > 0.85
    runs = "".join("q" if state == QUIET else " " for state in since).split()
    assert max(map(len, runs), default=0) < 15 * 60, "it never looks over"


def test_few_sign_ins_do_not_hide_that_sessions_are_well_again() -> None:
    traffic = Traffic(5_400, 1, level=0.01)
    sessions = leaf_index("sis", None)
    traffic.counts[:, sessions, SESSION_GOOD] = np.arange(5_400) % 10 == 0
    traffic.fail("sis", 1_800, 3_600, session=True)
    found = states(traffic, "sis")
    assert (found[2_400:3_600] == FIRING).all()
    assert (found[3_600 + 240 :] == QUIET).mean() > 0.7, "while anybody signs in at all"


def test_an_outage_that_has_become_partial_is_not_taken_for_recovered() -> None:
    traffic = Traffic(6_000, 2).fail("ssoe", 1_800, 3_000).fail("ssoe", 3_000, 6_000, 0.2)
    found = states(traffic, "ssoe")
    assert (found[4_200:] == FIRING).mean() > 0.9


def test_a_silent_scope_is_never_quiet() -> None:
    traffic = Traffic(5_400, 1).silence("ssoe", 1_800, 5_400)
    found = states(traffic, "ssoe")
    assert found[1_799] == QUIET
    assert (found[1_860:] == NOT_ENOUGH_EVIDENCE).all()


def test_an_outage_that_ends_in_silence_is_not_over() -> None:
    traffic = Traffic(6_000, 1).fail("ssoe", 1_800, 2_400).silence("ssoe", 2_400, 6_000)
    assert not (states(traffic, "ssoe")[1_830:] == QUIET).any()


def test_nothing_at_all_is_not_enough_evidence() -> None:
    traffic = Traffic(60, level=0.0).silence("", 0, 60)
    assert (OutageDetector(POLICY, NOTHING).judge(traffic.frame()).state == NOT_ENOUGH_EVIDENCE).all()


def test_sessions_that_fail_fire_for_their_method() -> None:
    traffic = Traffic(2_400, 1).fail("sis", 1_800, 2_400, session=True)
    verdicts = OutageDetector(POLICY, NOTHING).judge(traffic.frame())
    fires = seconds(verdicts.state[:, scope("sis")] == FIRING)
    assert 1_800 <= fires[0] < 1_815
    assert not (verdicts.state[:, [scope("ssoe"), scope("sis/idme")]] == FIRING).any()
    assert "session requests failed" in verdicts.explain(fires[0], scope("sis")).sentence


def test_what_usually_fails_in_a_scope_is_no_outage_of_it() -> None:
    unusual, usual = History("prod"), History("prod")
    for day in range(1, 15):
        at = Traffic(1).start // DAY * DAY - day * DAY
        usual.add(record(at, good=9_600, bad=400, path="prod/ssoe"))
    traffic = Traffic(5_400, 4).fail("ssoe", 0, 5_400, 0.04)
    assert (states(traffic, "ssoe", unusual) == FIRING).any()
    assert not (states(traffic, "ssoe", usual) == FIRING).any()
    traffic.fail("ssoe", 4_800, 5_400, 0.5)
    assert (states(traffic, "ssoe", usual)[4_860:] == FIRING).all()


def test_the_finding_says_what_failed_in_words_and_numbers() -> None:
    traffic = Traffic(2_400, 1).fail("ssoe/idme", 1_800, 2_400)
    frame = traffic.frame()
    verdicts = OutageDetector(POLICY, NOTHING).judge(frame)
    cause = verdicts.explain(1_900, scope("ssoe/idme"))
    assert (cause.detector, cause.scope, cause.state) == ("outage", "prod/ssoe/idme", "firing")
    assert cause.csp_caused
    window = int(cause.numbers["window_ms"] or 0)
    good, bad = frame.counts[window][1_900, scope("ssoe/idme"), [GOOD, BAD]].tolist()
    assert (cause.numbers["good"], cause.numbers["bad"]) == (good, bad)
    assert cause.sentence.startswith(f"{bad} of {good + bad} idme on ssoe sign-ins failed in ")
    assert cause.failing_ratio == pytest.approx(bad / (good + bad))
    assert cause.first_bad is not None
    first = traffic.start + (1_800 + int(np.argmax(traffic.people[1_800:].sum(axis=1) > 0))) * SECOND
    assert first - 60 * SECOND <= cause.first_bad <= first + SECOND
    quiet = verdicts.explain(1_900, scope("sis"))
    assert quiet.state == "quiet"
    assert not quiet.csp_caused


def test_the_normal_ratio_is_told_where_the_history_knows_it() -> None:
    history = History("prod")
    history.add(record(Traffic(1).start // DAY * DAY - DAY, good=9_990, bad=10))
    traffic = Traffic(2_000, 1).fail("ssoe", 1_800, 2_000)
    cause = OutageDetector(POLICY, history).judge(traffic.frame()).explain(1_999, scope("ssoe"))
    assert cause.sentence.endswith("; normal is 0.10%")


@pytest.mark.parametrize("cut", [1, 7, 300])
def test_verdicts_do_not_depend_on_how_steps_are_cut_into_frames(cut: int) -> None:
    traffic = Traffic(2_400, 5).fail("ssoe", 1_800, 2_000).fail("sis/idme", 1_900, 2_200, 0.5)
    whole = OutageDetector(POLICY, NOTHING).judge(traffic.frame(1_780, 2_320))
    for first in range(1_780, 2_320, cut)[:: max(1, 60 // cut)]:
        last = min(first + cut, 2_320)
        part = OutageDetector(POLICY, NOTHING).judge(traffic.frame(first, last))
        assert (part.state == whole.state[first - 1_780 : last - 1_780]).all()
        for n in (0, last - first - 1):
            assert part.gain(n) == pytest.approx(whole.gain(first - 1_780 + n))
            for s in range(len(SCOPES)):
                assert part.explain(n, s) == whole.explain(first - 1_780 + n, s)


def test_the_policy_decides_how_many_people_it_takes() -> None:
    strict = read_policy("outage: {min_people: 1000}", "p.yaml")
    traffic = Traffic(2_400, 1).fail("ssoe", 1_800, 2_400)
    verdicts = OutageDetector(strict, NOTHING).judge(traffic.frame(policy=strict))
    assert not (verdicts.state == FIRING).any()


@pytest.mark.parametrize(("level", "found"), [(1.0, False), (20.0, True)])
def test_a_small_share_is_told_where_it_is_as_many_people_as_severity_2_means(
    level: float, found: bool
) -> None:
    traffic = Traffic(9_000, 2, level).fail("ssoe", 1_800, 9_000, 0.003)
    states_of = OutageDetector(POLICY, NOTHING).judge(traffic.frame(7_200, 9_000)).state
    assert bool((states_of == FIRING).any()) is found


def test_a_share_that_the_history_cannot_tell_from_the_usual_one_never_fires() -> None:
    usual = History("prod")
    for day in range(1, 15):
        usual.add(record(Traffic(1).start // DAY * DAY - day * DAY, good=9_700, bad=300, path="prod/ssoe"))
    traffic = Traffic(7_200, 4, level=20.0).fail("ssoe", 0, 7_200, 0.05)
    fires = states(traffic, "ssoe", usual) == FIRING
    assert not fires.any(), "5 % where 3 % are usual is within what the usual share is known to"
    assert (states(traffic.fail("ssoe", 3_600, 7_200, 0.1), "ssoe", usual)[4_000:] == FIRING).all()


@pytest.mark.parametrize("every", ["1d", "3650d"])
def test_more_evidence_is_asked_for_where_false_alarms_are_to_be_rarer(every: str) -> None:
    policy = read_policy(f"outage: {{false_alarm_every: {every}}}", "p.yaml")
    traffic = Traffic(9_000, 3).fail("ssoe", 1_800, 9_000, 0.04)
    cause = OutageDetector(policy, NOTHING).judge(traffic.frame(1_800, 3_600)).explain(1_700, scope("ssoe"))
    days = {"1d": 1, "3650d": 3_650}[every]
    assert cause.numbers["needed"] == pytest.approx(np.log(days * 86_400 * 8), abs=0.01)
    assert float(cause.numbers["evidence"] or 0) > float(cause.numbers["needed"] or 0)


class _SessionsFail(History):
    """A history in which a share of all sessions fails each day."""

    def __init__(self, share: float) -> None:
        super().__init__("prod")
        self._share = share

    def usual_session_failing_ratio(self, at: int) -> np.ndarray:
        return np.full(len(SCOPES), self._share)


@pytest.mark.parametrize(
    ("usual", "share", "found"), [(0.2, 0.3, False), (0.2, 0.9, True), (np.nan, 0.3, True)]
)
def test_sessions_are_compared_with_the_sessions_that_usually_fail(
    usual: float, share: float, found: bool
) -> None:
    frame = Traffic(2_700, 1).fail("sis", 1_800, 2_700, share, session=True).frame(2_400, 2_700)
    detector = OutageDetector(default_policy(), _SessionsFail(usual))
    assert detector.may_fire(frame) is found
    assert bool((detector.judge(frame).state == FIRING).any()) is found
