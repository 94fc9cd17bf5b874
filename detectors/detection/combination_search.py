"""Which few combinations of attribute values explain the failures? A search by clustered likelihood ratios.

A *leaf* is one combination of values that had traffic, a *scope* a value or ``*`` on each axis. ``search`` names the
scopes that explain what failed, one after another: the best of all scopes, then the best of what that one leaves, until
no scope is worth naming. The gain of leaves taken together is

    N · KL(K/N ‖ E/N),  0 unless K > E   (nats)

with N their effective trials, K the failures and E the usual failures among those. A leaf of n trials counts as
n / (1 + ρ (n − 1)), as trials of one leaf fail together (ρ is ``SearchSettings.clustering``). By chance alone a
gain of g or more has a probability of at most e^−g, if a leaf's trials are as much alike as ρ says.

Sources: the scan statistic of M. Kulldorff 1997 (Bernoulli); the bound of H. Chernoff 1952; effective trials: the
design effect of L. Kish 1965. docs/detection/attribution.md explains the search on one page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats, Ints

__all__ = ["Explanation", "Found", "LeafCounts", "Scope", "SearchSettings", "excess_gain", "search"]

#: For each axis the code of a value, or None for ``*``.
Scope = tuple[int | None, ...]

#: Usual shares are kept this far from 0 and from 1, where a single failure (or success) would prove everything.
_LEAST_SHARE = 1e-6
#: Gains (nats) are compared to so many decimals, as sums in another order differ by rounding.
_DECIMALS = 9
#: At most so many scopes are named before merging, and so many of the best are tried for each.
_MOST_SCOPES, _MOST_TRIED = 8, 256
#: Leaves times combinations of axes that are looked at: all combinations of seven axes over 2,000 leaves.
_MOST_WORK = 2_000 * 2**7


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
class SearchSettings:
    """What evidence is asked for.

    Attributes:
        clustering: ρ, how much two trials of one leaf fail alike, 0 (independent) to 1 (all as one).
        scope_cost: nats that the first scope must gain more than. Chance gains them in one given scope with a
            probability of at most e^−scope_cost.
        further_cost: nats that each scope after the first must gain more than, in what those before it have left.
        value_cost: nats that a scope must gain for each value that it names.
        own_excess: nats that a scope must gain in what it adds to each scope within it that names one value more;
            4.6 is a chance of 1 %, 0 asks for nothing.
        well_part: nats by which one value within a scope may speak against it, that is fit what is usual better than
            what the scope fails; ``inf`` where the parts of a cause do not fail alike.
        traffic: trials from which on a value has traffic: speaks against a scope, or is missed among siblings.
        merge_from: from how many siblings on (scopes that differ in the value of one axis) the wider scope around them
            is told; two are enough where no other value has traffic. 0 for never.
        least_values: that a scope names; 1 leaves out the scope that is ``*`` on all axes.
    """

    clustering: float
    scope_cost: float
    further_cost: float
    value_cost: float = 0.0
    own_excess: float = 4.6
    well_part: float = 4.6
    traffic: float = 5.0
    merge_from: int = 3
    least_values: int = 0


@dataclass(frozen=True)
class Found:
    """One scope of the explanation, with its evidence.

    Attributes:
        scope: by axis.
        gain: nats, in the leaves that the scopes before it have left.
        alone: nats, in all of its leaves.
        failures, trials: of the leaves that the scopes before it have left.
        expected: failures that would be usual in those leaves.
        effective: trials of those leaves as they weigh.
        same: other names of the same leaves, none for a scope that stands for merged siblings.
        rival: the next best scope that shares leaves with this one; None where none comes near.
        rival_gain: nats, in the leaves that were left; 0 without a rival.
    """

    scope: Scope
    gain: float
    alone: float
    failures: float
    trials: float
    expected: float
    effective: float
    same: tuple[Scope, ...]
    rival: Scope | None
    rival_gain: float


@dataclass(frozen=True)
class Explanation:
    """The scopes that explain the failures, in the order in which they take leaves.

    Attributes:
        found: () where nothing fails beyond chance.
        cause: int (leaf,), which of ``found`` explains a leaf; −1 for none.
        exact: whether each scope is the best of all there are; False where the search had to stop at a bound.
    """

    found: tuple[Found, ...]
    cause: Ints
    exact: bool


def excess_gain(failures: npt.ArrayLike, trials: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
    """N · KL(K/N ‖ E/N) in nats, elementwise; 0 where no more than expected fail or nothing was tried."""
    k, n, e = (np.asarray(one, dtype=np.float64) for one in (failures, trials, expected))
    with np.errstate(divide="ignore", invalid="ignore"):
        good = np.where(n > k, (n - k) * np.log((n - k) / (n - e)), 0.0)
        return np.where(k > e, np.maximum(k * np.log(k / e) + good, 0.0), 0.0)


@dataclass(frozen=True)
class _Leaves:
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

    def take(self, held: Bools) -> _Leaves:
        """Some of the leaves."""
        return _Leaves(self.codes[held], self.trials[held], self.weights[held])

    def gain(self, held: Bools) -> float:
        """The gain of some leaves taken together."""
        return float(_gains(self.weights[held].sum(axis=0)))


@dataclass(frozen=True)
class _Pick:
    """The scope that was picked, its other names, and the next best that shares leaves, with its gain."""

    scope: Scope
    same: tuple[Scope, ...] = ()
    rival: Scope | None = None
    rival_gain: float = 0.0


def search(counts: LeafCounts, settings: SearchSettings) -> Explanation:
    """The scopes that explain the failures.

    Each is the best of all scopes on the leaves that those before it have left: it gains most, of equals it names the
    fewest values, then those on the earlier axes. It neither holds nor lies within one before it. Siblings are merged
    at the end.
    """
    order = np.lexsort(counts.codes.T[::-1]) if counts.axes else np.arange(len(counts.trials))
    order = order[counts.trials[order] > 0]
    leaves = _leaves(counts, order, settings.clustering)
    most_values, exact = _most_values(*leaves.codes.shape)
    picks: list[_Pick] = []
    free = np.ones(len(order), bool)
    cost = settings.scope_cost
    while len(picks) < _MOST_SCOPES:
        pick, complete = _pick(leaves.take(free), [one.scope for one in picks], cost, most_values, settings)
        exact &= complete
        if pick is None:
            break
        picks.append(pick)
        free &= ~_holds(leaves.codes, pick.scope)
        cost = settings.further_cost
    scopes = _merged(leaves, [one.scope for one in picks], settings)
    by_scope = {one.scope: one for one in picks}
    cause = np.full(len(counts.trials), -1)
    found: list[Found] = []
    free = np.ones(len(order), bool)
    for scope in scopes:
        held = _holds(leaves.codes, scope)
        places = order[held & free]
        cause[places] = len(found)
        found.append(_found(counts, places, leaves, by_scope.get(scope, _Pick(scope)), free))
        free &= ~held
    return Explanation(tuple(found), cause, exact)


def _found(counts: LeafCounts, places: Ints, leaves: _Leaves, pick: _Pick, free: Bools) -> Found:
    """The evidence for a scope, given the leaves that are left to it."""
    held = _holds(leaves.codes, pick.scope)
    return Found(
        scope=pick.scope,
        gain=leaves.gain(held & free),
        alone=leaves.gain(held),
        failures=float(counts.failures[places].sum()),
        trials=float(counts.trials[places].sum()),
        expected=float((counts.trials[places] * counts.usual[places]).sum()),
        effective=float(leaves.weights[held & free, 1].sum()),
        same=pick.same,
        rival=pick.rival,
        rival_gain=pick.rival_gain,
    )


def _leaves(counts: LeafCounts, order: Ints, clustering: float) -> _Leaves:
    trials, usual = counts.trials[order], np.clip(counts.usual[order], _LEAST_SHARE, 1 - _LEAST_SHARE)
    weight = 1 / (1 + clustering * np.maximum(trials - 1, 0))
    k, n = counts.failures[order] * weight, trials * weight
    each = excess_gain(k, n, n * usual)
    return _Leaves(counts.codes[order], trials, np.column_stack([k, n, n * usual, each]))


def _gains(sums: Floats) -> Floats:
    return excess_gain(sums[..., 0], sums[..., 1], sums[..., 2])


def _most_values(leaves: int, axes: int) -> tuple[int, bool]:
    """How many values a scope may name so that the search ends in time, at least one; whether that is all."""
    work = 0
    for values in range(axes + 1):
        work += comb(axes, values) * leaves
        if work > _MOST_WORK and values > 1:
            return values - 1, False
    return axes, True


def _pick(
    leaves: _Leaves, before: Sequence[Scope], cost: float, most_values: int, settings: SearchSettings
) -> tuple[_Pick | None, bool]:
    """The best scope that gains what it costs and fails in all of its parts; whether no better one was passed by."""
    gains = _Ranked(leaves, cost, min(most_values, 1), settings).net
    for least in (max(cost, gains.max(initial=0.0) / 2), cost):  # what gains much is found with less work
        ranked = _Ranked(leaves, least, most_values, settings)
        for tried, place in enumerate(ranked.order[:_MOST_TRIED]):
            held, scope = ranked.held(place), ranked.name(place)
            nested = any(_lies_within(scope, one) or _lies_within(one, scope) for one in before)
            if not nested and _fails_throughout(leaves.take(held), settings):
                return ranked.pick(leaves, scope, held, ranked.order[tried + 1 : tried + _MOST_TRIED]), True
        if len(ranked.order) > _MOST_TRIED:
            return None, False
    return None, True


class _Ranked:
    """Scopes that gain more than ``least``, the best first.

    All scopes are gone through by the number of values they name, then by the earlier axis. What lies within a scope
    whose leaves could not gain it in any selection (the sum of their own gains) is passed by.

    Attributes:
        net: float (scope,), the gain less the costs of the values, in the order of going through.
        order: the places of the scopes, of equals the first first.
    """

    def __init__(self, leaves: _Leaves, least: float, most_values: int, settings: SearchSettings) -> None:
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
        self.net: Floats = np.round(_gains(sums) - costs, _DECIMALS)
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

    def pick(self, leaves: _Leaves, scope: Scope, held: Bools, others: Sequence[int]) -> _Pick:
        """A scope with its other names and its rival, of the scopes behind it."""
        same: list[Scope] = []
        for place in others:
            other = self.held(place)
            if np.array_equal(other, held):
                same.append(self.name(place))
            elif np.any(other & held):
                return _Pick(scope, tuple(same), self.name(place), leaves.gain(other))
        return _Pick(scope, tuple(same))


def _families(
    leaves: _Leaves, least: float, most_values: int, value_cost: float
) -> Iterator[tuple[tuple[int, ...], Ints, Floats]]:
    """Scopes that name values of the same axes: those axes; int (leaf,), which of the scopes holds a leaf, −1 for none;
    failures, trials and expected failures (scope, 3) as they weigh.
    """
    size, axes = leaves.codes.shape
    groups: dict[tuple[int, ...], Ints] = {}
    for named in (named for length in range(most_values + 1) for named in combinations(range(axes), length)):
        if not named:
            held, key = np.arange(size), np.zeros(size, np.int64)
        elif (group := groups.get(named[:-1])) is not None:
            codes = leaves.codes[:, named[-1]]
            held = np.flatnonzero((group >= 0) & (codes >= 0))
            key = np.unique(group[held] * (codes.max(initial=0) + 1) + codes[held], return_inverse=True)[1]
        else:
            continue
        count = int(key.max(initial=-1)) + 1
        bound = np.bincount(key, leaves.weights[held, 3], count)
        alive = bound - value_cost * len(named) > least
        if alive.any():
            group = groups[named] = np.full(size, -1)
            group[held] = np.where(alive, np.cumsum(alive) - 1, -1)[key]
            sums = [np.bincount(key, leaves.weights[held, j], count)[alive] for j in range(3)]
            yield named, group, np.column_stack(sums)


def _fails_throughout(leaves: _Leaves, settings: SearchSettings) -> bool:
    """Whether a scope, given its leaves, fails in what it adds to narrower ones, and no part of it is well."""
    whole = leaves.weights.sum(axis=0)
    for column in leaves.codes.T:
        columns = (*leaves.weights[:, :3].T, leaves.trials, np.ones(len(column)))
        parts: Floats = np.column_stack([np.bincount(column + 1, one) for one in columns])[1:].astype(
            np.float64
        )
        parts = parts[(parts[:, 4] > 0) & (parts[:, 4] < len(column))]
        if np.any(_gains(whole[:3] - parts[:, :3]) < settings.own_excess):
            return False
        busy = parts[parts[:, 3] >= settings.traffic]
        if np.any(_against(busy, whole[0] / whole[2]) > settings.well_part):
            return False
    return True


def _against(parts: Floats, times: float) -> Floats:
    """Nats by which what is usual fits parts (part, failures, trials and expected) better than so many times that."""
    k, n, usual = parts[:, :3].T
    raised = np.minimum(usual * times, n * (1 - _LEAST_SHARE))
    against: Floats = k * np.log(usual / raised) + (n - k) * np.log((n - usual) / (n - raised))
    return against


def _merged(leaves: _Leaves, scopes: Sequence[Scope], settings: SearchSettings) -> list[Scope]:
    """The scopes with siblings told as the wider scope around them; what lies within another is left out."""
    out = list(scopes)
    while settings.merge_from and (wider := _around_siblings(leaves, out, settings)) is not None:
        out = [wider, *(scope for scope in out if not _lies_within(scope, wider))]
    return out


def _around_siblings(leaves: _Leaves, scopes: Sequence[Scope], settings: SearchSettings) -> Scope | None:
    """The first scope around siblings that are enough of them, or all that have traffic."""
    for scope in scopes:
        for axis in (a for a, value in enumerate(scope) if value is not None):
            around = (*scope[:axis], None, *scope[axis + 1 :])
            siblings = {one[axis] for one in scopes if (*one[:axis], None, *one[axis + 1 :]) == around} - {
                None
            }
            if len(siblings) < 2 or sum(v is not None for v in around) < settings.least_values:
                continue
            held = _holds(leaves.codes, around) & (leaves.codes[:, axis] >= 0)
            traffic = np.bincount(leaves.codes[held, axis], leaves.trials[held])
            busy = set(np.flatnonzero(traffic >= settings.traffic).tolist())
            if len(siblings) >= settings.merge_from or busy <= siblings:
                return around
    return None


def _holds(codes: Ints, scope: Scope) -> Bools:
    """Which leaves lie in a scope."""
    held = np.ones(len(codes), bool)
    for axis, value in enumerate(scope):
        if value is not None:
            held &= codes[:, axis] == value
    return held


def _lies_within(inner: Scope, outer: Scope) -> bool:
    return all(value is None or value == inner[axis] for axis, value in enumerate(outer))
