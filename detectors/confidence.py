"""How sure counts let us be: bounds of a ratio, chances of so few, and how well explanations fit.

Everything takes arrays (or numbers) that broadcast against each other and returns float64 or bool arrays.
``z`` is the number of standard deviations of a one-sided bound: 1.64 for 95 %, 2.33 for 99 %, 3 for 99.9 %.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

from detectors.arrays import Bools, Floats

__all__ = [
    "chance_of_so_few",
    "chance_of_so_few_of",
    "chance_of_so_many",
    "excess_evidence",
    "failure_gain",
    "nats_for",
    "poisson_lower_bound",
    "silence_gain",
    "surely_above",
    "surely_below",
    "wilson_lower",
    "wilson_upper",
]


@lru_cache(maxsize=65_536)
def poisson_lower_bound(events: int, confidence: float) -> float:
    """The one-sided lower bound of a Poisson mean of which ``events`` were seen; 0 if none was.

    Source: Garwood 1936, exact limits: half the chi-square quantile at ``1 - confidence`` with ``2 * events``
    degrees of freedom, which is the inverse of the regularised incomplete gamma function.
    """
    return float(special.gammaincinv(events, 1.0 - confidence)) if events > 0 else 0.0


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


def excess_evidence(
    k: npt.ArrayLike, n: npt.ArrayLike, usual: npt.ArrayLike, spread: npt.ArrayLike
) -> Floats:
    """How strongly ``k`` of ``n`` speak for a share above the usual one, in nats; 0 where no more fail than usually.

    The logarithm of a generalised likelihood ratio: the likelihood of the share that fits best, divided by that of the
    usual share. The usual share is itself known only to ``spread``, its relative standard deviation: a Beta variable,
    so that the number of failures is beta-binomial (Skellam 1948). The ratio is thus that of a binomial to a
    beta-binomial probability, in which the binomial coefficient cancels. With a spread of 0.15 no number of trials
    makes a rise by less than a factor of 2.2 sure to 22 nats.

    Args:
        k, n: people who failed, and all trials, from 0 on.
        usual: the usual share, greater than 0.
        spread: greater than 0; less than 1 / usual.
    """
    hits, trials = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    share = np.minimum(np.asarray(usual, dtype=np.float64), 0.9)
    # The shape parameters of a Beta variable with this mean and standard deviation.
    weight = (1.0 - share) / (share * np.square(np.asarray(spread, dtype=np.float64)))
    a, b = weight * share, weight * (1.0 - share)
    best = hits / np.maximum(trials, 1.0)
    missed = trials - hits
    fits = special.xlogy(hits, best) + special.xlogy(missed, 1.0 - best)
    usually = special.betaln(a + hits, b + missed) - special.betaln(a, b)
    return np.where(best > share, np.maximum(fits - usually, 0.0), 0.0)


def nats_for(every: float, tests: int) -> float:
    """The evidence that any of ``tests`` tests a step reaches by chance once in ``every`` steps at most, nats.

    By the Chernoff bound the probability that ``excess_evidence`` reaches h where all is as usual is at most e^-h for
    each test, so that h = ln(every x tests) (Bonferroni). Tests that overlap make the true number of alarms smaller.
    """
    return float(np.log(max(every * tests, 1.0)))


def silence_gain(arrived: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
    """How much better "hardly anything comes" fits ``arrived`` than ``expected`` does, in nats.

    The logarithm of the generalised likelihood ratio of two Poisson means; 0 where as many come as expected.
    """
    came, mean = np.asarray(arrived, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    gain = mean - came + special.xlogy(came, came / np.where(mean > 0, mean, 1.0))
    return np.where(came < mean, gain, 0.0)
