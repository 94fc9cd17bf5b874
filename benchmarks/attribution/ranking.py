"""Which scopes gain most: all of them, but for those that provably cannot gain enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from benchmarks.attribution.leaves import Leaves, Scope, gains, joined
from benchmarks.attribution.settings import SearchSettings
from detectors.arrays import Bools, Floats, Ints

__all__ = ["Pick", "Ranked", "most_values_of"]

#: Gains (nats) are compared to so many decimals, as sums in another order differ by rounding.
_DECIMALS = 9
#: Leaves times combinations of axes that are looked at: all combinations of seven axes over 2,000 leaves.
_MOST_WORK = 2_000 * 2**7


@dataclass(frozen=True)
class Pick:
    """The scope that was picked, its other names, and the next best that shares leaves, with its gain."""

    scope: Scope
    same: tuple[Scope, ...] = ()
    rival: Scope | None = None
    rival_gain: float = 0.0


class Ranked:
    """Scopes that gain more than ``least``, the best first.

    All scopes are gone through by the number of values they name, then by the earlier axis. What lies within a scope
    whose leaves could not gain it in any selection (the sum of their own gains) is passed by.

    Attributes:
        net: float (scope,), the gain less the costs of the values, in the order of going through.
        order: the places of the scopes, of equals the first first.
    """

    def __init__(self, leaves: Leaves, least: float, most_values: int, settings: SearchSettings) -> None:
        self._codes = leaves.codes
        families = [
            one
            for one in _families(leaves, least, most_values, settings.value_cost)
            if len(one[0]) >= settings.least_values
        ]
        self._families = [(named, group) for named, group, _ in families]
        counts = [len(sums) for *_, sums in families]
        self._family = np.repeat(np.arange(len(families)), counts)
        self._local = np.concatenate([np.arange(0), *(np.arange(count) for count in counts)])
        costs = settings.value_cost * np.repeat([float(len(named)) for named, *_ in families], counts)
        sums = np.concatenate([np.empty((0, 3)), *(sums for *_, sums in families)])
        self.net: Floats = np.round(gains(sums) - costs, _DECIMALS)
        able = np.flatnonzero(self.net > least)
        self.order: list[int] = able[np.argsort(-self.net[able], kind="stable")].tolist()

    def held(self, place: int) -> Bools:
        """The leaves in a scope."""
        held: Bools = self._families[self._family[place]][1] == self._local[place]
        return held

    def name(self, place: int) -> Scope:
        """The values of a scope."""
        named = self._families[self._family[place]][0]
        first = self._codes[int(np.argmax(self.held(place)))]
        return tuple(int(code) if axis in named else None for axis, code in enumerate(first))

    def pick(self, leaves: Leaves, scope: Scope, held: Bools, others: Sequence[int]) -> Pick:
        """A scope with its other names and its rival, of the scopes behind it."""
        same: list[Scope] = []
        for place in others:
            other = self.held(place)
            if np.array_equal(other, held):
                same.append(self.name(place))
            elif np.any(other & held):
                return Pick(scope, tuple(same), self.name(place), leaves.gain(other))
        return Pick(scope, tuple(same))


def _families(
    leaves: Leaves, least: float, most_values: int, value_cost: float
) -> Iterator[tuple[tuple[int, ...], Ints, Floats]]:
    """Scopes that name values of the same axes: those axes; int (leaf,), which of the scopes holds a leaf, −1 for none;
    failures, trials and expected failures (scope, 3) as they weigh.
    """
    size, axes = leaves.codes.shape
    groups: dict[tuple[int, ...], Ints] = {}
    nothing = np.full(size, -1)
    for named in (named for length in range(most_values + 1) for named in combinations(range(axes), length)):
        if not named:
            held, key = np.arange(size), np.zeros(size, np.int64)
        else:
            around = [groups.get((*named[:n], *named[n + 1 :]), nothing) for n in range(len(named))]
            held = np.flatnonzero(np.minimum.reduce([*around, leaves.codes[:, named[-1]]]) >= 0)
            if not len(held):
                continue
            key = joined(around[-1][held], leaves.codes[held, named[-1]])
        count = int(key.max(initial=-1)) + 1
        bound = np.bincount(key, leaves.weights[held, 3], count)
        alive = bound - value_cost * len(named) > least
        if alive.any():
            group = groups[named] = np.full(size, -1)
            group[held] = np.where(alive, np.cumsum(alive) - 1, -1)[key]
            sums = [np.bincount(key, leaves.weights[held, j], count)[alive] for j in range(3)]
            yield named, group, np.column_stack(sums)


def most_values_of(leaves: int, axes: int) -> tuple[int, bool]:
    """How many values a scope may name so that the search ends in time, at least one; whether that is all."""
    work = 0
    for values in range(axes + 1):
        work += comb(axes, values) * leaves
        if work > _MOST_WORK and values > 1:
            return values - 1, False
    return axes, True
