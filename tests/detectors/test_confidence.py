"""Bounds, chances and gains, against scipy's reference implementations and against what they must never do."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.confidence import (
    chance_of_so_few,
    chance_of_so_few_of,
    chance_of_so_many,
    failure_gain,
    silence_gain,
    surely_above,
    surely_below,
    wilson_lower,
    wilson_upper,
)

TRIALS = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
Z = st.floats(0.5, 5.0)
RATIO = st.floats(0.001, 0.999)


@pytest.fixture(scope="module")
def stats() -> Any:
    """The reference; to import it takes a second, which those pay who ask it, and not each process that collects."""
    return import_module("scipy.stats")


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 30), (3, 7), (5, 5), (97, 100), (12, 4_000)])
def test_wilson_bounds_are_those_of_scipy(stats: Any, k: int, n: int) -> None:
    for confidence in (0.9, 0.98, 0.999):
        z = stats.norm.ppf(0.5 + confidence / 2)
        expected = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
        assert wilson_lower(k, n, z) == pytest.approx(expected.low, abs=1e-12)
        assert wilson_upper(k, n, z) == pytest.approx(expected.high, abs=1e-12)


@given(TRIALS, Z)
def test_wilson_bounds_lie_around_the_ratio_within_0_and_1(kn: tuple[int, int], z: float) -> None:
    k, n = kn
    lower, upper = float(wilson_lower(k, n, z)), float(wilson_upper(k, n, z))
    assert 0.0 <= lower <= k / n + 1e-12
    assert k / n - 1e-12 <= upper <= 1.0


@given(TRIALS, Z, st.integers(1, 100))
def test_more_trials_at_the_same_ratio_make_wilson_bounds_narrower(
    kn: tuple[int, int], z: float, times: int
) -> None:
    k, n = kn
    assert wilson_lower(k * times, n * times, z) >= wilson_lower(k, n, z) - 1e-12
    assert wilson_upper(k * times, n * times, z) <= wilson_upper(k, n, z) + 1e-12


@given(st.integers(1, 2_000), Z)
def test_wilson_bounds_rise_with_every_failure(n: int, z: float) -> None:
    k = np.arange(n + 1)
    assert (np.diff(wilson_lower(k, n, z)) >= 0).all()
    assert (np.diff(wilson_upper(k, n, z)) >= 0).all()


@given(TRIALS, RATIO, Z)
def test_being_sure_is_the_same_as_a_bound_beyond_the_ratio(
    kn: tuple[int, int], ratio: float, z: float
) -> None:
    k, n = kn
    lower, upper = float(wilson_lower(k, n, z)), float(wilson_upper(k, n, z))
    if abs(lower - ratio) > 1e-9:
        assert bool(surely_above(k, n, ratio, z)) == (lower > ratio)
    if abs(upper - ratio) > 1e-9:
        assert bool(surely_below(k, n, ratio, z)) == (upper < ratio)


@given(RATIO, Z)
def test_without_trials_nothing_is_sure(ratio: float, z: float) -> None:
    assert (float(wilson_lower(0, 0, z)), float(wilson_upper(0, 0, z))) == (0.0, 1.0)
    assert not surely_above(0, 0, ratio, z)
    assert not surely_below(0, 0, ratio, z)


@given(st.integers(0, 400), st.floats(0.01, 500), st.floats(0.05, 1.0))
def test_the_chance_of_so_few_is_that_of_a_negative_binomial(
    stats: Any, arrived: int, expected: float, spread: float
) -> None:
    shape = 1 / spread**2
    reference = stats.nbinom.cdf(arrived, shape, shape / (shape + expected))
    assert float(chance_of_so_few(arrived, expected, spread)) == pytest.approx(reference, rel=1e-6, abs=1e-12)


@given(st.integers(0, 50), st.floats(0, 500), st.floats(0.5, 100))
def test_so_few_are_less_probable_the_more_are_expected(arrived: int, expected: float, more: float) -> None:
    chances = chance_of_so_few(arrived, np.array([expected, expected + more]), 0.2)
    assert 0.0 <= chances[1] <= chances[0] <= 1.0


def test_a_level_that_is_known_less_well_makes_silence_more_probable() -> None:
    chances = [float(chance_of_so_few(0, 40.0, spread)) for spread in (0.05, 0.2, 0.5, 1.0)]
    assert chances == sorted(chances)
    assert chances[0] == pytest.approx(math.exp(-40.0), rel=10)


@given(TRIALS, st.floats(0.001, 0.999))
def test_the_chance_of_so_few_of_is_that_of_a_binomial(stats: Any, kn: tuple[int, int], share: float) -> None:
    k, n = kn
    reference = stats.binom.cdf(k, n, share)
    assert float(chance_of_so_few_of(k, n, share)) == pytest.approx(reference, rel=1e-6, abs=1e-12)


@given(TRIALS, st.floats(0.001, 0.999))
def test_the_chance_of_so_many_is_that_of_a_binomial(stats: Any, kn: tuple[int, int], share: float) -> None:
    k, n = kn
    reference = stats.binom.sf(k - 1, n, share)
    assert float(chance_of_so_many(k, n, share)) == pytest.approx(reference, rel=1e-6, abs=1e-12)


@given(TRIALS, st.floats(0.0001, 0.2))
def test_the_gain_of_failing_is_a_ratio_of_likelihoods(
    stats: Any, kn: tuple[int, int], normal: float
) -> None:
    k, n = kn
    gain = float(failure_gain(k, n, normal))
    if k / n <= normal:
        assert gain == 0.0
    else:
        own = stats.binom.logpmf(k, n, k / n)
        assert gain == pytest.approx(own - stats.binom.logpmf(k, n, normal), rel=1e-6, abs=1e-6)


def test_healthy_parts_take_away_from_the_gain_of_the_whole() -> None:
    assert failure_gain(7, 14, 0.001) > failure_gain(7, 14 + 10, 0.001) > 0
    assert failure_gain(7 + 5, 14 + 10, 0.001) > failure_gain(7, 14, 0.001)


@given(st.integers(0, 500), st.floats(0.01, 500))
def test_the_gain_of_silence_is_a_ratio_of_likelihoods(stats: Any, arrived: int, expected: float) -> None:
    gain = float(silence_gain(arrived, expected))
    if arrived >= expected:
        assert gain == 0.0
    else:
        own = stats.poisson.logpmf(arrived, arrived) if arrived else 0.0
        reference = own - stats.poisson.logpmf(arrived, expected)
        assert gain == pytest.approx(reference, rel=1e-6, abs=1e-6)


def test_nothing_gains_by_nothing() -> None:
    assert float(failure_gain(0, 0, 0.001)) == 0.0
    assert float(silence_gain(0, 0.0)) == 0.0
