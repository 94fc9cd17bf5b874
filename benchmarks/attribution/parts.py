"""Whether a scope fails in all of its parts, and whether parts that fail are told as one scope."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from benchmarks.attribution.leaves import (
    LEAST_SHARE,
    Leaves,
    Scope,
    gains,
    holds,
    joined,
    lies_within,
)
from benchmarks.attribution.settings import SearchSettings
from detectors.arrays import Floats

__all__ = ["fails_throughout", "merged"]


def fails_throughout(leaves: Leaves, settings: SearchSettings) -> bool:
    """Whether a scope, given its leaves, fails in what it adds to narrower ones, and no part of it is well.

    The parts are the leaves, and the scopes within it that name one or two values more. They do not speak against it
    where leaves without those values fail in excess by themselves, as no narrower scope could be told.
    """
    axes = range(leaves.codes.shape[1])
    by_more = [*combinations(axes, 2), tuple(axes)] if np.isfinite(settings.well_part) else []
    whole = leaves.weights[:, :3].sum(axis=0)
    for named in dict.fromkeys([*combinations(axes, 1), *by_more]):
        held = np.all(leaves.codes[:, named] >= 0, axis=1)
        key = np.zeros(int(held.sum()), np.int64)
        for axis in named:
            key = joined(key, leaves.codes[held, axis])
        parts: Floats = np.column_stack([np.bincount(key, one[held]) for one in leaves.weights[:, :3].T])
        if leaves.gain(~held) <= settings.scope_cost:
            busy = np.bincount(key, leaves.trials[held]) >= settings.traffic
            if np.any(_against(parts[busy], whole) > settings.well_part):
                return False
        if len(named) == 1:
            added = whole - parts[np.bincount(key) < len(held)]
            if np.any(gains(added) < settings.own_excess):
                return False
    return True


def _against(parts: Floats, whole: Floats) -> Floats:
    """Nats by which what is usual fits parts (part, 3) better than the whole (3,) does."""
    k, n, usual = parts.T
    raised = np.minimum(usual * whole[0] / whole[2], n * (1 - LEAST_SHARE))
    against: Floats = k * np.log(usual / raised) + (n - k) * np.log((n - usual) / (n - raised))
    return against


def merged(leaves: Leaves, scopes: Sequence[Scope], settings: SearchSettings) -> list[Scope]:
    """The scopes with siblings told as the wider scope around them; what lies within another is left out."""
    out = list(scopes)
    while settings.merge_from and (wider := _around_siblings(leaves, out, settings)) is not None:
        out = [wider, *(scope for scope in out if not lies_within(scope, wider))]
    return out


def _around_siblings(leaves: Leaves, scopes: Sequence[Scope], settings: SearchSettings) -> Scope | None:
    """The first scope around siblings that are enough of them, or all that have traffic."""
    for scope in scopes:
        for axis in (a for a, value in enumerate(scope) if value is not None):
            around = (*scope[:axis], None, *scope[axis + 1 :])
            siblings = {one[axis] for one in scopes if (*one[:axis], None, *one[axis + 1 :]) == around} - {
                None
            }
            if len(siblings) < 2 or sum(v is not None for v in around) < settings.least_values:
                continue
            held = holds(leaves.codes, around) & (leaves.codes[:, axis] >= 0)
            traffic = np.bincount(leaves.codes[held, axis], leaves.trials[held])
            busy = set(np.flatnonzero(traffic >= settings.traffic).tolist())
            if len(siblings) >= settings.merge_from or busy <= siblings:
                return around
    return None
