"""Attribution finds the smallest set of scopes that explains the failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.detection.attribution import attribute
from detectors.detection.burn_rate import BurnRateDetector
from detectors.detection.outage import OutageDetector
from detectors.detection.silence import SilenceDetector
from detectors.detection.verdicts import FIRING, NOT_ENOUGH_EVIDENCE, QUIET, Verdicts, finding
from detectors.history.history import History
from detectors.incidents import Cause
from detectors.instants import DAY
from detectors.policy.policy import Policy
from detectors.policy.sections import MaintenanceWindow
from detectors.scopes import CSPS, LEAVES, SCOPES, contains, scope_path
from detectors.windows.counters import BAD, GOOD
from detectors.windows.frame import Frame
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.traffic import START, Traffic, scope
from tests.detectors.detection.test_silence import full

POLICY = default_policy()
NOTHING = History("prod")


def causes(
    traffic: Traffic,
    first: int,
    last: int | None = None,
    history: History = NOTHING,
    policy: Policy = POLICY,
    known: Sequence[str] = (),
) -> list[list[Cause]]:
    """Return the causes after each second."""
    frame = traffic.frame(first, last)
    verdicts = [
        OutageDetector(POLICY, history).judge(frame),
        BurnRateDetector(POLICY, history).judge(frame),
        SilenceDetector(POLICY, history).judge(replace(frame, covered_from=traffic.start)),
    ]
    return [attribute(verdicts, frame, n, policy, known) for n in range(len(frame.ends))]


def scopes(found: list[Cause]) -> list[str]:
    return list(dict.fromkeys(cause.scope for cause in found))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "path", ["", "ssoe", "sis", "*/idme", "*/logingov", "ssoe/idme", "sis/idme", "ssoe/mhv", "ssoe/dslogon"]
)
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_one_outage_has_one_cause_on_its_scope(path: str, share: float, seed: int) -> None:
    traffic = Traffic(2_700, seed).fail(path, 1_800, 2_700, share)
    name = scope_path("prod", scope(path))
    for found in causes(traffic, 2_400):
        assert scopes(found) == [name]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("path", ["", "ssoe", "*/idme", "ssoe/idme"])
def test_early_on_no_wider_scope_is_named_than_the_one_that_fails(path: str, seed: int) -> None:
    traffic = Traffic(1_860, seed).fail(path, 1_800, 1_860)
    name = scope_path("prod", scope(path))
    early = causes(traffic, 1_800)
    assert any(early)
    for found in early:
        assert all(contains(name, cause.scope) for cause in found)
    right = [scopes(found) == [name] for found in early if found]
    assert np.mean(right) > 0.7


@pytest.mark.parametrize("before", [1, 5, 9, 13])
@pytest.mark.parametrize("seed", range(6))
def test_a_stray_failure_on_the_other_method_widens_nothing(before: int, seed: int) -> None:
    traffic = Traffic(1_830, seed, normal=0.0).fail("ssoe", 1_800, 1_830)
    leaf = LEAVES.index(("sis", "idme"))
    traffic.counts[1_800 - before, leaf, [GOOD, BAD]] += [-1, 1]
    traffic.people[1_800 - before, leaf] += 1
    named = {name for found in causes(traffic, 1_800, history=full()) for name in scopes(found)}
    assert all(contains("prod/ssoe", name) for name in named)
    assert "prod/ssoe" in named


def test_what_fails_as_announced_is_no_evidence_for_a_wider_scope() -> None:
    traffic = Traffic(2_700, 1).fail("sis", 1_200, 2_700).fail("ssoe", 2_000, 2_700)
    window = MaintenanceWindow.model_construct(scope="prod/sis", start=0, end=START + DAY, description="x")
    planned = POLICY.model_copy(update={"maintenance": (window,)})
    assert scopes(causes(traffic, 2_699)[0]) == ["prod"]
    for found in causes(traffic, 2_030, policy=planned):
        assert scopes(found) == ["prod/ssoe", "prod/sis"]


def test_providers_under_maintenance_on_one_method_fail_on_the_other_alone() -> None:
    traffic = Traffic(2_700, 1).fail("sis", 1_200, 2_700).fail("ssoe/idme", 2_000, 2_700)
    window = MaintenanceWindow.model_construct(scope="prod/sis", start=0, end=START + DAY, description="x")
    planned = POLICY.model_copy(update={"maintenance": (window,)})
    assert set(scopes(causes(traffic, 2_699, policy=planned)[0])) == {"prod/ssoe/idme", "prod/sis"}


@pytest.mark.parametrize("seed", range(3))
def test_what_a_known_incident_explains_is_no_cause_of_a_scope_that_overlaps_it(seed: int) -> None:
    traffic = Traffic(2_700, seed).fail("ssoe/idme", 1_800, 2_700)
    for found in causes(traffic, 2_400, 2_500, known=["prod/ssoe"]):
        assert all(contains("prod/ssoe", name) for name in scopes(found))


def test_a_second_cause_that_overlaps_a_known_one_begins_when_its_own_part_does() -> None:
    traffic = Traffic(3_600, 1).fail("*/idme", 1_200, 3_600).fail("sis", 3_000, 3_600)
    found = causes(traffic, 3_000, known=["prod/*/idme"])
    seconds = [
        next((c for c in one if c.scope.startswith("prod/sis") and c.detector == "outage"), None)
        for one in found
    ]
    assert any(seconds[:30])
    assert seconds[200] is not None
    assert seconds[200].scope == "prod/sis"
    for second in seconds[30:]:
        assert second is not None
        assert second.first_bad is not None
        assert second.first_bad > START + 2_400_000, "and not when the known one began"


def test_two_unrelated_outages_have_two_causes() -> None:
    traffic = Traffic(2_700, 1).fail("ssoe/idme", 1_800, 2_700).fail("sis/logingov", 2_000, 2_700)
    assert scopes(causes(traffic, 2_699)[0]) == ["prod/ssoe/idme", "prod/sis/logingov"]


def test_two_providers_have_a_cause_each_on_both_methods() -> None:
    traffic = Traffic(2_700, 1).fail("*/idme", 1_800, 2_700).fail("*/mhv", 1_800, 2_700)
    assert scopes(causes(traffic, 2_699)[0]) == ["prod/*/idme", "prod/*/mhv"]


def test_three_providers_of_a_method_are_the_method_though_the_fourth_is_well() -> None:
    traffic = Traffic(2_700, 1)
    for csp in ("idme", "logingov", "mhv"):
        traffic.fail(f"ssoe/{csp}", 1_800, 2_700)
    assert scopes(causes(traffic, 2_699)[0]) == ["prod/ssoe"]


def test_three_providers_on_both_methods_are_everything() -> None:
    traffic = Traffic(2_700, 1)
    for csp in ("idme", "logingov", "mhv"):
        traffic.fail(f"*/{csp}", 1_800, 2_700)
    assert scopes(causes(traffic, 2_699)[0]) == ["prod"]


@pytest.mark.parametrize("which", ["ssoe", "sis"])
def test_all_providers_with_traffic_are_the_method(which: str) -> None:
    traffic = Traffic(2_700, 1)
    for csp in ("mhv", "dslogon"):
        traffic.silence(f"{which}/{csp}", 0, 2_700)
    for csp in ("idme", "logingov"):
        traffic.fail(f"{which}/{csp}", 1_800, 2_700)
    assert scopes(causes(traffic, 2_699)[0]) == [f"prod/{which}"]


def test_two_providers_of_four_that_have_traffic_are_two_causes() -> None:
    traffic = Traffic(2_700, 1).fail("ssoe/idme", 1_800, 2_700).fail("ssoe/logingov", 1_800, 2_700)
    assert scopes(causes(traffic, 2_699)[0]) == ["prod/ssoe/idme", "prod/ssoe/logingov"]


def test_a_provider_without_traffic_on_the_other_method_fails_on_one_only() -> None:
    traffic = Traffic(2_700, 1).silence("sis/mhv", 0, 2_700).fail("*/mhv", 1_800, 2_700)
    assert scopes(causes(traffic, 2_699)[0]) == ["prod/ssoe/mhv"]


def test_a_second_outage_inside_the_first_is_a_cause_of_its_own_and_ends_by_itself() -> None:
    traffic = Traffic(3_600, 1).fail("ssoe/idme", 1_200, 3_600).fail("sis", 2_000, 2_600)
    found = causes(traffic, 1_200)
    assert scopes(found[700]) == ["prod/ssoe/idme"]
    assert scopes(found[1_390]) == ["prod/sis", "prod/ssoe/idme"]
    for after in found[1_500:]:
        assert scopes(after) == ["prod/ssoe/idme"]


def test_failing_sessions_are_the_methods() -> None:
    traffic = Traffic(2_700, 1).fail("sis", 1_800, 2_700, session=True)
    for found in causes(traffic, 2_000, 2_100):
        assert scopes(found) == ["prod/sis"]


def test_failing_tokens_are_the_methods_though_every_provider_is_well() -> None:
    traffic = Traffic(2_700, 1)
    tokens = traffic.counts[1_800:, 5]
    tokens[:, 1] += tokens[:, 0]
    traffic.people[1_800:, 5] += tokens[:, 0]
    tokens[:, 0] = 0
    for found in causes(traffic, 2_000, 2_100):
        assert scopes(found) == ["prod/sis"]


@pytest.mark.parametrize("path", ["", "ssoe", "sis", "*/idme", "ssoe/logingov"])
def test_silence_is_attributed_alike(path: str) -> None:
    traffic = Traffic(5_400, 1).silence(path, 4_000, 5_400)
    for found in causes(traffic, 4_150, 4_250, full()):
        assert scopes(found) == [scope_path("prod", scope(path))]
        assert found[0].detector == "silence"
        assert found[0].estimated_users


def test_silence_of_one_and_failure_of_another_are_two_causes() -> None:
    traffic = Traffic(5_400, 1).silence("sis", 4_000, 5_400).fail("ssoe/idme", 4_000, 5_400)
    found = causes(traffic, 4_300, 4_301, full())[0]
    assert [(c.scope, c.detector) for c in found if c.detector != "burn_rate"] == [
        ("prod/sis", "silence"),
        ("prod/ssoe/idme", "outage"),
    ]


def test_all_that_fires_on_a_cause_is_told_with_it_the_leading_finding_first() -> None:
    traffic = Traffic(2_700, 1).fail("ssoe", 1_800, 2_700)
    found = causes(traffic, 2_699)[0]
    assert [(c.scope, c.detector, c.state) for c in found] == [
        ("prod/ssoe", "outage", "firing"),
        ("prod/ssoe", "burn_rate", "firing"),
    ]
    explained = str(found[0].numbers["explains"]).split(",")
    assert {"prod", *(f"prod/ssoe/{csp}" for csp in CSPS)} <= set(explained)
    assert float(found[0].numbers["gain"] or 0) > 1_000


def test_nothing_that_fires_nothing_has_a_cause() -> None:
    assert causes(Traffic(1_200, 1), 1_199) == [[]]


# -- on made-up findings -------------------------------------------------------------------------------------


def made_up(firing: Mapping[str, float], detector: str = "outage", others: int = QUIET) -> Verdicts:
    """Return findings that fire on the given scopes, with their gains."""
    state = np.full((1, len(SCOPES)), others, dtype=np.int8)
    gain = np.zeros(len(SCOPES))
    for path, worth in firing.items():
        state[0, scope(path)] = FIRING
        gain[scope(path)] = worth

    def explain(n: int, s: int) -> Cause:
        return Cause(detector=detector, scope=scope_path("prod", s), state="quiet", sentence="made up")  # type: ignore[arg-type]

    return Verdicts(detector, state, explain, lambda n: gain)


def busy() -> Frame:
    return Traffic(3_600, 1).frame(3_599)


BUSY = busy()


def test_what_fires_without_any_gain_still_has_a_cause() -> None:
    found = attribute([made_up({"ssoe/idme": 0.0, "ssoe": 0.0, "": 0.0})], BUSY, 0, POLICY)
    assert scopes(found) == ["prod/ssoe/idme"]
    assert found[0].state == "firing"


def test_detectors_that_are_not_known_here_are_attributed_by_themselves() -> None:
    verdicts = [made_up({"ssoe": 100.0}), made_up({"sis/idme": 30.0}, "funnel")]
    assert [(c.scope, c.detector) for c in attribute(verdicts, BUSY, 0, POLICY)] == [
        ("prod/ssoe", "outage"),
        ("prod/sis/idme", "funnel"),
    ]


def test_a_symptom_of_another_detector_within_a_cause_is_no_cause() -> None:
    verdicts = [made_up({"ssoe": 100.0}), made_up({"ssoe/idme": 30.0}, "silence")]
    assert [(c.scope, c.detector) for c in attribute(verdicts, BUSY, 0, POLICY)] == [("prod/ssoe", "outage")]


def test_a_provider_that_hardly_fails_on_one_method_is_not_the_environment_where_all_others_are_well() -> (
    None
):
    gains = {"*/idme": 90.0, "": 56.0, "sis/idme": 35.0, "sis": 17.0, "ssoe": 10.8, "ssoe/idme": 7.6}
    found = attribute([made_up(gains)], BUSY, 0, POLICY, ("prod/*/idme",))
    assert scopes(found) == ["prod/ssoe/idme", "prod/sis/idme"]  # both within the known incident, which stays
    others = {"*/logingov": 20.0, "ssoe/logingov": 10.0, "sis/logingov": 10.0}
    assert scopes(attribute([made_up({**gains, **others, "": 110.0})], BUSY, 0, POLICY)) == ["prod"]


FIRING_SCOPES = st.dictionaries(st.sampled_from(SCOPES), st.floats(0, 500), min_size=1, max_size=len(SCOPES))


@given(FIRING_SCOPES, st.sampled_from([QUIET, NOT_ENOUGH_EVIDENCE]))
def test_causes_are_disjoint_or_overlap_without_holding_each_other_and_explain_all(
    firing: dict[str, float], others: int
) -> None:
    found = scopes(attribute([made_up(firing, others=others)], BUSY, 0, POLICY))
    assert found
    assert found == sorted(found, key=lambda name: SCOPES.index(name.removeprefix("prod").lstrip("/")))
    for name in found:
        assert not any(other != name and contains(other, name) for other in found)
    for path in firing:
        name = scope_path("prod", scope(path))
        leaves = {s for s in SCOPES if contains(name, scope_path("prod", scope(s)))}
        explained = {s for c in found for s in SCOPES if contains(c, scope_path("prod", scope(s)))}
        assert leaves & explained


@given(FIRING_SCOPES)
def test_the_same_findings_have_the_same_causes_whatever_the_order_of_the_detectors(
    firing: dict[str, float],
) -> None:
    one, two = made_up(firing), made_up({"ssoe": 50.0}, "silence")
    assert attribute([one, two], BUSY, 0, POLICY) == attribute([two, one], BUSY, 0, POLICY)


# -- findings together ---------------------------------------------------------------------------------------


def states(**by_detector: int) -> list[Verdicts]:
    out = []
    for detector, state in by_detector.items():
        verdicts = made_up({}, detector, others=state)
        out.append(verdicts)
    return out


def test_a_finding_fires_if_any_detector_does() -> None:
    assert finding(states(outage=QUIET, silence=FIRING), 0, 0) == "firing"
    assert finding(states(outage=NOT_ENOUGH_EVIDENCE, silence=FIRING), 0, 0) == "firing"


def test_a_finding_is_quiet_only_if_all_are_that_know_what_to_expect() -> None:
    assert finding(states(outage=QUIET, silence=QUIET), 0, 0) == "quiet"
    assert finding(states(outage=QUIET, silence=NOT_ENOUGH_EVIDENCE), 0, 0) == "not_enough_evidence"
    quiet, mute = states(outage=QUIET, silence=NOT_ENOUGH_EVIDENCE)
    unknowing = Verdicts(mute.detector, mute.state, mute.explain, mute.gain, np.ones((1, len(SCOPES)), bool))
    assert finding([quiet, unknowing], 0, 0) == "quiet"
    assert finding([unknowing], 0, 0) == "not_enough_evidence"
    assert finding([], 0, 0) == "not_enough_evidence"


def test_a_finding_can_be_asked_of_some_detectors_only() -> None:
    verdicts = states(outage=QUIET, silence=FIRING)
    assert finding(verdicts, 0, 0, ("outage",)) == "quiet"
    assert finding(verdicts, 0, 0, ("silence", "outage")) == "firing"
