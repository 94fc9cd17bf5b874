"""The best scope is the best of all scopes, though not all are looked at."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.attribution.leaves import LeafCounts, Scope, excess_gain, holds, joined
from benchmarks.attribution.search import search
from benchmarks.attribution.settings import SearchSettings
from tests.support.depth import examples


def best_of_all(counts: LeafCounts, value_cost: float) -> float:
    """The greatest gain less costs of any scope, by trying each."""
    values: list[list[int | None]] = [[None, *range(int(column.max()) + 1)] for column in counts.codes.T]
    best = 0.0
    scope: Scope
    for scope in itertools.product(*values):
        held = holds(counts.codes, scope)
        k, n = counts.failures[held].sum(), counts.trials[held].sum()
        gain = excess_gain(k, n, (counts.trials * counts.usual)[held].sum())
        best = max(best, float(gain) - value_cost * sum(value is not None for value in scope))
    return best


@given(st.integers(0, 2**32 - 1), st.sampled_from((0.0, 0.5, 3.0)), st.floats(0.0, 20.0))
@settings(max_examples=examples(150, at_least=20))
def test_no_scope_is_better_than_the_first_that_is_found(
    seed: int, value_cost: float, scope_cost: float
) -> None:
    random = np.random.default_rng(seed)
    axes = int(random.integers(1, 5))
    codes = np.unique(random.integers(-1, random.integers(1, 5), (int(random.integers(1, 60)), axes)), axis=0)
    trials, usual = random.uniform(1, 50, len(codes)), random.uniform(0.001, 0.2, len(codes))
    failures = trials * np.where(random.random(len(codes)) < 0.3, random.random(len(codes)), usual)
    counts = LeafCounts(tuple("abcd"[:axes]), codes, failures, trials, usual)
    given_settings = SearchSettings(
        clustering=0.0,
        scope_cost=scope_cost,
        further_cost=np.inf,
        value_cost=value_cost,
        own_excess=0.0,
        well_part=np.inf,
    )
    found = search(counts, given_settings).found
    best = best_of_all(counts, value_cost)
    if not found:
        assert best <= scope_cost + 1e-6
    else:
        named = sum(value is not None for value in found[0].scope)
        assert found[0].gain - value_cost * named == pytest.approx(best, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.sampled_from((3, 10_000)))
def test_pairs_are_numbered_in_their_order(seed: int, values: int) -> None:
    random = np.random.default_rng(seed)
    size = int(random.integers(0, 40))
    key, codes = random.integers(0, 5, size), random.integers(0, values, size)
    pairs = sorted(set(zip(key.tolist(), codes.tolist(), strict=True)))
    wanted = [pairs.index(pair) for pair in zip(key.tolist(), codes.tolist(), strict=True)]
    assert joined(key, codes).tolist() == wanted
