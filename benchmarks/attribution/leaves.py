"""What failed, by combination of attribute values, and how much it weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints

__all__ = [
    "LEAST_SHARE",
    "LeafCounts",
    "Leaves",
    "Scope",
    "excess_gain",
    "gains",
    "holds",
    "joined",
    "lies_within",
    "weigh",
]

#: For each axis the code of a value, or None for ``*``.
Scope = tuple[int | None, ...]

#: Usual shares are kept this far from 0 and from 1, where a single failure (or success) would prove everything.
LEAST_SHARE = 1e-6
#: Numbers that could be, for each that is, from which on sorting takes less time than counting.
_SPARSE = 16


@dataclass(frozen=True)
class LeafCounts:
    """What failed, by leaf: one row for each combination of values.

    What a known cause explains is taken off by raising ``usual`` of its leaves to the share that fails through it.

    Attributes:
        axes: their names; of two names for the same leaves, the one on the earlier axis is told.
        codes: int (leaf, axis), the value on each axis from 0 on; −1 for a leaf without a value there, which lies
            in the scopes with ``*`` on that axis alone.
        failures: float (leaf,), 0 to ``trials``.
        trials: float (leaf,); leaves without any are left out.
        usual: float (leaf,), the share of trials that usually fails, 0-1.

    Raises:
        ValueError: shapes or numbers that cannot be.
    """

    axes: tuple[str, ...]
    codes: Ints
    failures: Floats
    trials: Floats
    usual: Floats

    def __post_init__(self) -> None:
        shape = (len(self.trials), len(self.axes))
        if self.codes.shape != shape or not self.failures.shape == self.usual.shape == shape[:1]:
            raise ValueError(f"codes {self.codes.shape} and counts by leaf do not fit {shape}")
        if np.any(self.codes < -1):
            raise ValueError("a code is −1 or more")
        if not (np.all(self.failures >= 0) and np.all(self.failures <= self.trials)):
            raise ValueError("failures are 0 to trials")
        if not (np.all(self.usual >= 0) and np.all(self.usual <= 1)):
            raise ValueError("usual shares are 0 to 1")


@dataclass(frozen=True)
class Leaves:
    """Leaves with traffic, in the order of their codes.

    Attributes:
        codes: int (leaf, axis).
        trials: float (leaf,), as they are.
        weights: float (leaf, 4): failures, trials and expected failures as they weigh, and the gain of the leaf by
            itself. Gains of parts add up to no less than the gain of the whole, as it is convex and homogeneous.
    """

    codes: Ints
    trials: Floats
    weights: Floats

    def take(self, held: Bools) -> Leaves:
        """Some of the leaves."""
        return Leaves(self.codes[held], self.trials[held], self.weights[held])

    def gain(self, held: Bools) -> float:
        """The gain of some leaves taken together."""
        return float(gains(self.weights[held].sum(axis=0)))


def weigh(counts: LeafCounts, order: Ints, clustering: float) -> Leaves:
    trials, usual = counts.trials[order], np.clip(counts.usual[order], LEAST_SHARE, 1 - LEAST_SHARE)
    weight = 1 / (1 + clustering * np.maximum(trials - 1, 0))
    k, n = counts.failures[order] * weight, trials * weight
    each = excess_gain(k, n, n * usual)
    return Leaves(counts.codes[order], trials, np.column_stack([k, n, n * usual, each]))


def excess_gain(failures: npt.ArrayLike, trials: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
    """N · KL(K/N ‖ E/N) in nats, elementwise; 0 where no more than expected fail or nothing was tried."""
    k, n, e = (np.asarray(one, dtype=np.float64) for one in (failures, trials, expected))
    with np.errstate(divide="ignore", invalid="ignore"):
        good = np.where(n > k, (n - k) * np.log((n - k) / (n - e)), 0.0)
        return np.where(k > e, np.maximum(k * np.log(k / e) + good, 0.0), 0.0)


def gains(sums: Floats) -> Floats:
    return excess_gain(sums[..., 0], sums[..., 1], sums[..., 2])


def holds(codes: Ints, scope: Scope) -> Bools:
    """Which leaves lie in a scope."""
    held = np.ones(len(codes), bool)
    for axis, value in enumerate(scope):
        if value is not None:
            held &= codes[:, axis] == value
    return held


def lies_within(inner: Scope, outer: Scope) -> bool:
    return all(value is None or value == inner[axis] for axis, value in enumerate(outer))


def joined(key: Ints, codes: Ints) -> Ints:
    """The pairs of a key and a code, both from 0 on, numbered from 0 on in their order."""
    values = int(codes.max(initial=0)) + 1
    both = key * values + codes
    span = (int(key.max(initial=0)) + 1) * values
    if span > _SPARSE * len(both):
        sorted_out: Ints = np.unique(both, return_inverse=True)[1]
        return sorted_out
    seen = np.zeros(span, np.int64)
    seen[both] = 1
    numbered: Ints = (np.cumsum(seen) - 1)[both]
    return numbered
