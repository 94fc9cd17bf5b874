"""Which few combinations of attribute values explain the failures? A search by clustered likelihood ratios.

A *leaf* is one combination of values that had traffic, a *scope* a value or ``*`` on each axis. ``search`` names the
scopes that explain what failed, one after another: the best of all scopes, then the best of what that one leaves, until
no scope is worth naming. The gain of leaves taken together is

    N · KL(K/N ‖ E/N),  0 unless K > E   (nats)

with N their effective trials, K the failures and E the usual failures among those. A leaf of n trials counts as
n / (1 + ρ (n − 1)), as trials of one leaf fail together (ρ is ``SearchSettings.clustering``). Independent trials
(ρ = 0) gain g or more in one given scope by chance with a probability of at most e^−g.

Sources: the scan statistic of M. Kulldorff 1997 (Bernoulli); the bound of H. Chernoff 1952, for unlike shares of
W. Hoeffding 1963; effective trials: the design effect of L. Kish 1965. docs/detection/attribution.md explains the
search on one page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.attribution.leaves import LeafCounts, Leaves, Scope, holds, lies_within, weigh
from benchmarks.attribution.parts import fails_throughout, merged
from benchmarks.attribution.ranking import Pick, Ranked, most_values_of
from benchmarks.attribution.settings import SearchSettings
from detectors.arrays import Bools, Ints

__all__ = ["Explanation", "Found", "search"]

#: At most so many scopes are named before merging, and so many of the best are tried for each.
_MOST_SCOPES, _MOST_TRIED = 8, 256


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


def search(counts: LeafCounts, settings: SearchSettings) -> Explanation:
    """The scopes that explain the failures.

    Each is the best of all scopes on the leaves that those before it have left: it gains most, of equals it names the
    fewest values, then those on the earlier axes. It neither holds nor lies within one before it. Siblings are merged
    at the end.
    """
    order = np.lexsort(counts.codes.T[::-1]) if counts.axes else np.arange(len(counts.trials))
    order = order[counts.trials[order] > 0]
    leaves = weigh(counts, order, settings.clustering)
    most_values, exact = most_values_of(*leaves.codes.shape)
    picks: list[Pick] = []
    free = np.ones(len(order), bool)
    cost = settings.scope_cost
    while len(picks) < _MOST_SCOPES:
        pick, complete = _pick(leaves.take(free), [one.scope for one in picks], cost, most_values, settings)
        exact &= complete
        if pick is None:
            break
        picks.append(pick)
        free &= ~holds(leaves.codes, pick.scope)
        cost = settings.further_cost
    else:
        exact = False
    scopes = merged(leaves, [one.scope for one in picks], settings)
    by_scope = {one.scope: one for one in picks}
    cause = np.full(len(counts.trials), -1)
    found: list[Found] = []
    free = np.ones(len(order), bool)
    for scope in scopes:
        held = holds(leaves.codes, scope)
        places = order[held & free]
        cause[places] = len(found)
        found.append(_found(counts, places, leaves, by_scope.get(scope, Pick(scope)), free))
        free &= ~held
    return Explanation(tuple(found), cause, exact)


def _found(counts: LeafCounts, places: Ints, leaves: Leaves, pick: Pick, free: Bools) -> Found:
    """The evidence for a scope, given the leaves that are left to it."""
    held = holds(leaves.codes, pick.scope)
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


def _pick(
    leaves: Leaves, before: Sequence[Scope], cost: float, most_values: int, settings: SearchSettings
) -> tuple[Pick | None, bool]:
    """The best scope that gains what it costs and fails in all of its parts; whether no better one was passed by."""
    gains = Ranked(leaves, cost, min(most_values, 1), settings).net
    much = float(gains.max(initial=0.0)) / 2  # what gains so much is found with less work
    for least in dict.fromkeys((max(cost, much), cost)):
        ranked = Ranked(leaves, least, most_values, settings)
        for tried, place in enumerate(ranked.order[:_MOST_TRIED]):
            held, scope = ranked.held(place), ranked.name(place)
            nested = any(lies_within(scope, one) or lies_within(one, scope) for one in before)
            if not nested and fails_throughout(leaves.take(held), settings):
                return ranked.pick(leaves, scope, held, ranked.order[tried + 1 : tried + _MOST_TRIED]), True
        if len(ranked.order) > _MOST_TRIED:
            return None, False
    return None, True
