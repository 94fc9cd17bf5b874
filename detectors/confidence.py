"""How sure counts let us be: bounds of a ratio, chances of so few, and how well explanations fit.

Everything takes arrays (or numbers) that broadcast against each other and returns float64 or bool arrays.
``z`` is the number of standard deviations of a one-sided bound: 1.64 for 95 %, 2.33 for 99 %, 3 for 99.9 %.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from detectors.arrays import Bools, Floats

__all__ = [
    "chance_of_so_few",
    "chance_of_so_few_of",
    "chance_of_so_many",
    "failure_gain",
    "silence_gain",
    "surely_above",
    "surely_below",
    "wilson_lower",
    "wilson_upper",
]


def wilson_lower(k: npt.ArrayLike, n: npt.ArrayLike, z: npt.ArrayLike) -> Floats:
    """Lower bound of the probability of which ``k`` of ``n`` trials came true, 0-1; 0 where n is 0.

    Source: E. B. Wilson 1927, the interval that inverts the score test; sound for few trials and for k = 0 or
    n.
    """
    centre, spread, scale = _wilson(k, n, z)
    return np.clip((centre - spread) / scale, 0.0, 1.0)


def wilson_upper(k: npt.ArrayLike, n: npt.ArrayLike, z: npt.ArrayLike) -> Floats:
    """Upper bound of the probability of which ``k`` of ``n`` trials came true, 0-1; 1 where n is 0."""
    centre, spread, scale = _wilson(k, n, z)
    return np.clip((centre + spread) / scale, 0.0, 1.0)


def _wilson(k: npt.ArrayLike, n: npt.ArrayLike, z: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Centre and half width of the interval, both times the scale n + z^2."""
    hits, trials = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    square = np.square(np.asarray(z, dtype=np.float64))
    missed = trials - hits
    inner = hits * missed / np.maximum(trials, 1.0) + square / 4
    return hits + square / 2, np.sqrt(square * inner), trials + square


def surely_above(k: npt.ArrayLike, n: npt.ArrayLike, ratio: npt.ArrayLike, z: npt.ArrayLike) -> Bools:
    """Whether ``wilson_lower(k, n, z) > ratio``, without the bound: the score test itself; False where n is
    0.
    """
    excess, spread = _score(k, n, ratio, z)
    return excess > spread


def surely_below(k: npt.ArrayLike, n: npt.ArrayLike, ratio: npt.ArrayLike, z: npt.ArrayLike) -> Bools:
    """Whether ``wilson_upper(k, n, z) < ratio``, without the bound: the score test itself; False where n is
    0.
    """
    excess, spread = _score(k, n, ratio, z)
    return -excess > spread


def _score(
    k: npt.ArrayLike, n: npt.ArrayLike, ratio: npt.ArrayLike, z: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Hits beyond what ``ratio`` lets expect, and z standard deviations of them."""
    trials, share = np.asarray(n, dtype=np.float64), np.asarray(ratio, dtype=np.float64)
    expected = trials * share
    spread = np.asarray(z) * np.sqrt(expected * (1.0 - share))
    return np.asarray(k, dtype=np.float64) - expected, spread


def chance_of_so_few(arrived: npt.ArrayLike, expected: npt.ArrayLike, spread: npt.ArrayLike) -> Floats:
    """Probability that at most ``arrived`` come where ``expected`` (>= 0) are expected.

    Arrivals are Poisson around a level that is itself uncertain: a Gamma variable with mean ``expected`` and
    relative standard deviation ``spread``. So their number is negative binomial with ``1 / spread^2`` as its
    shape, and its distribution function a regularised incomplete beta function (DLMF 8.17).
    """
    shape = 1.0 / np.square(np.asarray(spread, dtype=np.float64))
    mean = np.asarray(expected, dtype=np.float64)
    chance: Floats = special.betainc(shape, np.floor(arrived) + 1.0, shape / (shape + mean))
    return chance


def chance_of_so_few_of(k: npt.ArrayLike, n: npt.ArrayLike, share: npt.ArrayLike) -> Floats:
    """Probability that at most ``k`` of ``n`` trials come true, each with probability ``share``."""
    hits, trials = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    chance = special.betainc(np.maximum(trials - hits, 1.0), hits + 1.0, 1.0 - np.asarray(share))
    return np.where(hits < trials, chance, 1.0)


def chance_of_so_many(k: npt.ArrayLike, n: npt.ArrayLike, share: npt.ArrayLike) -> Floats:
    """Probability that at least ``k`` of ``n`` trials come true, each with probability ``share``."""
    hits, trials = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    chance = special.betainc(np.maximum(hits, 1.0), np.maximum(trials - hits, 0.0) + 1.0, share)
    return np.where(hits > 0, chance, 1.0)


def failure_gain(k: npt.ArrayLike, n: npt.ArrayLike, normal: npt.ArrayLike) -> Floats:
    """How much better "they fail at a common ratio of its own" fits ``k`` of ``n`` than ``normal`` does, in
    nats.

    The logarithm of the generalised likelihood ratio; 0 where no more fail than normally.
    """
    hits, trials = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    usual = np.asarray(normal, dtype=np.float64)
    share = hits / np.maximum(trials, 1.0)
    gain = special.xlogy(hits, share / usual) + special.xlogy(trials - hits, (1.0 - share) / (1.0 - usual))
    return np.where(share > usual, gain, 0.0)


def silence_gain(arrived: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
    """How much better "hardly anything comes" fits ``arrived`` than ``expected`` does, in nats.

    The logarithm of the generalised likelihood ratio of two Poisson means; 0 where as many come as expected.
    """
    came, mean = np.asarray(arrived, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    gain = mean - came + special.xlogy(came, came / np.where(mean > 0, mean, 1.0))
    return np.where(came < mean, gain, 0.0)
