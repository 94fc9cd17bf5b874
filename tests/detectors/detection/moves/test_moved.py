"""Sign-ins that have moved to another value of an axis are no silence; those that have not are one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.detection.silence import SilenceDetector
from detectors.detection.verdicts import FIRING, Verdicts
from detectors.history.history import History
from detectors.instants import DAY, HOUR, parse_instant
from detectors.scopes import CSPS, METHODS, leaf_index
from detectors.windows.counters import BAD, GOOD
from tests.detectors.detection.simulated.traffic import START, Traffic, scope
from tests.detectors.detection.test_silence import POLICY, full
from tests.support.depth import examples

#: The second at which sign-ins move, and the last one.
AT, END = 4_000, 6_400


def judge(traffic: Traffic) -> Verdicts:
    return SilenceDetector(POLICY, full()).judge(replace(traffic.frame(), covered_from=START))


def moving(
    seed: int, of: tuple[str, ...], to: tuple[str, ...], share: float = 1.0, lasts: int = 60
) -> Traffic:
    """Return traffic in which all sign-ins of leaves end within ``lasts`` seconds, and a share goes on by others."""
    traffic = Traffic(END, seed)
    rng = np.random.default_rng(seed)
    gone = np.clip((np.arange(END) - AT) / lasts, 0.0, 1.0)
    for one, other in zip(of, to, strict=True):
        begin, end = (leaf_index(*path.split("/")) for path in (one, other))
        left = rng.binomial(traffic.counts[:, begin], gone[:, None])
        traffic.counts[:, begin] -= left
        traffic.counts[:, end] += rng.binomial(left, share)
    return traffic


def leaves(method: str | None = None, csp: str | None = None) -> tuple[str, ...]:
    return tuple(f"{m}/{c}" for m in METHODS for c in CSPS if method in (None, m) and csp in (None, c))


@pytest.mark.parametrize(
    ("of", "to", "path"),
    [
        (leaves("ssoe"), leaves("sis"), "ssoe"),
        (leaves(csp="logingov"), leaves(csp="idme"), "*/logingov"),
        (("ssoe/logingov",), ("ssoe/idme",), "ssoe/logingov"),
    ],
)
@pytest.mark.parametrize("lasts", [60, 1_200])
def test_all_sign_ins_of_a_method_or_provider_may_move(
    of: tuple[str, ...], to: tuple[str, ...], path: str, lasts: int
) -> None:
    verdicts = judge(moving(1, of, to, lasts=lasts))
    assert not (verdicts.state == FIRING).any()
    assert verdicts.moved is not None
    assert (verdicts.moved[AT + lasts + 1_000 :, scope(path)] > 0).all()
    assert not verdicts.moved[:AT].any()


@settings(max_examples=examples(40))
@given(st.integers(0, 1_000), st.sampled_from(["logingov", "idme"]), st.floats(0, 0.15))
def test_what_has_not_moved_is_a_silence_as_soon_as_before(seed: int, csp: str, share: float) -> None:
    other = {"logingov": "idme", "idme": "logingov"}[csp]
    traffic = moving(seed % 5, leaves(csp=csp), leaves(csp=other), share, lasts=1)
    found = np.flatnonzero(judge(traffic).state[:, scope(f"*/{csp}")] == FIRING)
    assert AT + 30 < found[0] < AT + 120


def test_sign_ins_that_arrive_elsewhere_and_are_never_completed_have_not_moved() -> None:
    traffic = moving(1, leaves(csp="logingov"), leaves(csp="idme"), lasts=1)
    traffic.counts[AT:, :, (GOOD, BAD)] = 0
    found = judge(traffic)
    assert found.moved is not None
    assert not found.moved[AT + 1_200 : AT + 1_700].any()


def test_what_another_provider_has_had_all_day_is_no_part_of_what_is_missing() -> None:
    history = History("prod")
    for record in full().records():
        if parse_instant(record["at"]) >= START - DAY:
            for path in ("prod/ssoe/idme", "prod/sis/idme", "prod/*/idme"):
                counts = record["scopes"].get(path, {})
                counts.update({name: round(1.7 * count) for name, count in counts.items()})
        history.add(record)
    traffic = Traffic(END, 3)
    rng = np.random.default_rng(3)
    for method in METHODS:
        grown = leaf_index(method, "idme")
        traffic.counts[:, grown] += rng.binomial(traffic.counts[:, grown], 0.7)
        traffic.counts[AT:, leaf_index(method, "logingov")] = 0
    verdicts = SilenceDetector(POLICY, history).judge(replace(traffic.frame(), covered_from=START))
    assert (verdicts.state[AT + 1_000 :, scope("*/logingov")] == FIRING).all()


def scaled(of: dict[str, float], since: int) -> History:
    """Return the history of ``full`` in which counts of providers are multiplied from an instant (ms) on."""
    history = History("prod")
    for record in full().records():
        if parse_instant(record["at"]) >= since:
            for csp, factor in of.items():
                for path in (f"prod/ssoe/{csp}", f"prod/sis/{csp}", f"prod/*/{csp}"):
                    counts = record["scopes"].get(path, {})
                    counts.update({name: round(factor * count) for name, count in counts.items()})
        history.add(record)
    return history


def test_a_provider_that_has_faded_over_days_may_end() -> None:
    traffic = Traffic(END, 4)
    rng = np.random.default_rng(4)
    for method in METHODS:
        faded, grown = (leaf_index(method, csp) for csp in ("logingov", "idme"))
        left = rng.binomial(traffic.counts[:, faded], 0.995)
        traffic.counts[:, faded] -= left
        traffic.counts[:, grown] += left
        traffic.counts[AT:, faded] = 0
    history = scaled({"logingov": 0.05, "idme": 1.9}, START - DAY - HOUR)
    verdicts = SilenceDetector(POLICY, history).judge(replace(traffic.frame(), covered_from=START))
    assert not (verdicts.state[:, scope("*/logingov")] == FIRING).any()


def test_seconds_with_few_people_are_no_evidence_against_a_move_that_is_hours_old() -> None:
    traffic = moving(6, leaves(csp="logingov"), leaves(csp="idme"), lasts=1)
    traffic.counts[:100] = traffic.counts[AT + 200 : AT + 300]
    for csp in CSPS:
        few = [leaf_index(method, csp) for method in METHODS]
        traffic.counts[:100, few] = np.random.default_rng(6).binomial(traffic.counts[:100, few], 0.4)
    history = scaled({"logingov": 0.0, "idme": 1.9}, START - 8 * HOUR)
    verdicts = SilenceDetector(POLICY, history).judge(replace(traffic.frame(), covered_from=START))
    assert not (verdicts.state[:100, scope("*/logingov")] == FIRING).any()


@pytest.mark.parametrize("seed", range(4))
def test_an_hour_that_holds_half_of_the_time_before_a_move_does_not_deny_it(seed: int) -> None:
    verdicts = judge(moving(seed, leaves("ssoe"), leaves("sis"), lasts=60))
    assert not (verdicts.state == FIRING).any()


def test_sign_ins_that_name_no_provider_any_more_are_no_silence_of_the_providers() -> None:
    traffic = moving(2, leaves("ssoe"), leaves("ssoe"), share=0.0, lasts=1)
    healthy = Traffic(END, 2)
    places = [leaf_index("ssoe", csp) for csp in CSPS]
    traffic.counts[AT:, leaf_index("ssoe", None)] = healthy.counts[AT:, places].sum(axis=1)
    verdicts = judge(traffic)
    assert not (verdicts.state == FIRING).any()
    assert verdicts.moved is not None
    assert (verdicts.moved[AT + 1_000 :, scope("ssoe/idme")] > 0).all()
