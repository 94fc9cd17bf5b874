"""The scopes that explain failures: planted causes are found, by their shortest names, and nothing else is."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.attribution.leaves import LeafCounts, Scope, excess_gain
from benchmarks.attribution.search import search
from benchmarks.attribution.settings import SearchSettings
from detectors.arrays import Bools, Floats, Ints
from tests.support.depth import examples

#: As for people who sign in: independent, and parts of a cause fail alike. One false scope in 2 · 10⁷.
SIGN_IN = SearchSettings(clustering=0.0, scope_cost=17.0, further_cost=17.0)
METHODS, PROVIDERS, CLIENTS = ("ssoe", "sis"), ("idme", "logingov", "dslogon", "mhv"), ("vaweb", "vamobile")
AXES = ("auth_method", "csp", "client_id")
NAMES = (METHODS, PROVIDERS, CLIENTS)
USUAL = 0.01

Leaf = tuple[str, str, str]


def holds(codes: Ints, scope: Scope) -> Bools:
    held = np.ones(len(codes), bool)
    for axis, value in enumerate(scope):
        held &= (codes[:, axis] == value) | (value is None)
    return held


def lattice(sizes: Iterable[int]) -> Ints:
    """All combinations of so many values on each axis."""
    return np.array(list(itertools.product(*(range(size) for size in sizes))), np.int64)


def counted(codes: Ints, trials: Floats, causes: Iterable[Scope], share: float = 0.6) -> LeafCounts:
    """The share fails in each cause, and as many as usual elsewhere."""
    held = np.any([np.zeros(len(codes), bool), *(holds(codes, cause) for cause in causes)], axis=0)
    axes = tuple(f"axis {n}" for n in range(codes.shape[1]))
    usual = np.full(len(codes), USUAL)
    return LeafCounts(axes, codes, trials * np.where(held, share, USUAL), trials, usual)


def scopes(counts: LeafCounts, given: SearchSettings = SIGN_IN) -> set[Scope]:
    return {one.scope for one in search(counts, given).found}


def sign_ins(
    failing: Callable[[Leaf], float], without: Callable[[Leaf], bool] = lambda leaf: False
) -> LeafCounts:
    """A hundred trials of each combination, of which a share fails, but for those without traffic."""
    leaves = [leaf for leaf in itertools.product(*NAMES) if not without(leaf)]
    codes = [[NAMES[axis].index(value) for axis, value in enumerate(leaf)] for leaf in leaves]
    failures = np.array([100.0 * failing(leaf) for leaf in leaves])
    size = len(leaves)
    return LeafCounts(AXES, np.array(codes, np.int64), failures, np.full(size, 100.0), np.full(size, USUAL))


def told(counts: LeafCounts, given: SearchSettings = SIGN_IN) -> set[str]:
    return {
        "/".join("*" if value is None else NAMES[axis][value] for axis, value in enumerate(one.scope))
        for one in search(counts, given).found
    }


def among(*values: str) -> Callable[[Leaf], float]:
    """All of them fail in each leaf that has one of the values, none elsewhere."""
    return lambda leaf: float(bool(set(values) & set(leaf)))


@st.composite
def lattices(draw: st.DrawFn, least: int = 2) -> tuple[Ints, Floats]:
    """Two to four axes, each combination with 50 to 300 trials, no two alike."""
    sizes = draw(st.lists(st.integers(least, 5), min_size=2, max_size=4))
    assume(np.prod(sizes) <= 200)
    codes = lattice(sizes)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return codes, random.uniform(50.0, 300.0, len(codes))


@st.composite
def causes(draw: st.DrawFn, codes: Ints) -> Scope:
    """A scope that names at least one value."""
    names = draw(st.lists(st.booleans(), min_size=codes.shape[1], max_size=codes.shape[1]).filter(any))
    leaf = codes[draw(st.integers(0, len(codes) - 1))]
    return tuple(int(value) if name else None for value, name in zip(leaf, names, strict=True))


@given(st.data())
@settings(max_examples=examples(60, at_least=20))
def test_a_planted_cause_is_found(data: st.DataObject) -> None:
    codes, trials = data.draw(lattices())
    cause = data.draw(causes(codes))
    explanation = search(
        counted(codes, trials, [cause], data.draw(st.sampled_from((0.2, 0.6, 1.0)))), SIGN_IN
    )
    assert [one.scope for one in explanation.found] == [cause]
    assert explanation.exact
    assert np.array_equal(explanation.cause == 0, holds(codes, cause))


@given(st.data())
@settings(max_examples=examples(60, at_least=20))
def test_two_unrelated_causes_are_two(data: st.DataObject) -> None:
    codes, trials = data.draw(lattices(least=4))
    first, second = data.draw(st.permutations(range(codes.shape[1])))[:2]
    value, other = (int(codes[data.draw(st.integers(0, len(codes) - 1)), axis]) for axis in (first, second))
    planted = {
        tuple(value if axis == first else None for axis in range(codes.shape[1])),
        tuple(other if axis == second else None for axis in range(codes.shape[1])),
    }
    assert scopes(counted(codes, trials, planted)) == planted


@given(st.data())
@settings(max_examples=examples(60, at_least=20))
def test_neither_the_order_of_leaves_nor_the_names_of_values_matter(data: st.DataObject) -> None:
    codes, trials = data.draw(lattices())
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    usual = random.uniform(0.001, 0.05, len(codes))
    failing = np.where(random.random(len(codes)) < 0.2, random.random(len(codes)), usual)
    counts = LeafCounts(tuple("abcd"[: codes.shape[1]]), codes, trials * failing, trials, usual)
    given_settings = data.draw(
        st.sampled_from((SIGN_IN, dataclasses.replace(SIGN_IN, well_part=float("inf"))))
    )
    explanation = search(counts, given_settings)

    order = random.permutation(len(codes))
    shuffled = LeafCounts(counts.axes, codes[order], counts.failures[order], trials[order], usual[order])
    again = search(shuffled, given_settings)
    assert again.found == explanation.found
    assert np.array_equal(again.cause, explanation.cause[order])

    renamed = [random.permutation(int(column.max()) + 1) for column in codes.T]
    other = np.column_stack([names[column] for names, column in zip(renamed, codes.T, strict=True)])
    found = scopes(dataclasses.replace(counts, codes=other), given_settings)
    assert found == {
        tuple(None if value is None else int(renamed[axis][value]) for axis, value in enumerate(one.scope))
        for one in explanation.found
    }


@given(st.data())
@settings(max_examples=examples(40, at_least=20))
def test_nothing_is_found_where_no_more_than_usual_fails(data: st.DataObject) -> None:
    codes, trials = data.draw(lattices())
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    counts = counted(codes, trials, [])
    fewer = dataclasses.replace(counts, failures=counts.failures * random.random(len(codes)))
    for one in (counts, fewer):
        explanation = search(one, SIGN_IN)
        assert explanation.found == ()
        assert explanation.exact
        assert np.all(explanation.cause == -1)


@given(st.data())
@settings(max_examples=examples(40, at_least=20))
def test_scopes_of_the_same_leaves_are_one_by_the_shortest_name_on_the_earliest_axis(
    data: st.DataObject,
) -> None:
    codes, trials = data.draw(lattices())
    twin = np.column_stack([codes, codes[:, 0]])
    value = int(codes[data.draw(st.integers(0, len(codes) - 1)), 0])
    free = (None,) * (codes.shape[1] - 1)
    (found,) = search(counted(twin, trials, [(value, *free, None)]), SIGN_IN).found
    assert found.scope == (value, *free, None)
    assert found.same == ((None, *free, value), (value, *free, value))


@pytest.mark.parametrize(
    ("failing", "wanted"),
    [
        (among("idme"), {"*/idme/*"}),
        (lambda leaf: float(leaf[:2] == ("ssoe", "idme")), {"ssoe/idme/*"}),
        (among("vamobile"), {"*/*/vamobile"}),
        (among("ssoe"), {"ssoe/*/*"}),
        (among(*METHODS), {"*/*/*"}),
        (among("idme", "mhv"), {"*/idme/*", "*/mhv/*"}),
        (lambda leaf: float(leaf[:2] in (("ssoe", "idme"), ("sis", "mhv"))), {"ssoe/idme/*", "sis/mhv/*"}),
        (lambda leaf: float(leaf[0] == "ssoe" and leaf[1] != "mhv"), {"ssoe/*/*"}),
        (lambda leaf: 1.0 if leaf[0] == "ssoe" else 0.01 * (leaf == ("sis", "idme", "vaweb")), {"ssoe/*/*"}),
        (lambda leaf: {"ssoe": 0.9, "sis": 0.05}[leaf[0]], {"*/*/*"}),
    ],
    ids=[
        "a provider on both methods",
        "a provider on one method",
        "a client",
        "a method",
        "both methods",
        "two providers of four",
        "two providers, each on a method of its own",
        "three providers of a method",
        "one stray failure on the other method",
        "both methods, one far worse",
    ],
)
def test_the_smallest_set_of_scopes_is_told(failing: Callable[[Leaf], float], wanted: set[str]) -> None:
    assert told(sign_ins(failing)) == wanted


def test_a_provider_seen_on_one_method_alone_is_told_without_it() -> None:
    assert told(sign_ins(among("mhv"), without=lambda leaf: leaf[:2] == ("ssoe", "mhv"))) == {"*/mhv/*"}


def test_two_providers_that_have_all_the_traffic_of_a_method_are_the_method() -> None:
    quiet = sign_ins(
        lambda leaf: float(leaf[0] == "ssoe"),
        without=lambda leaf: leaf[0] == "ssoe" and leaf[1] in ("mhv", "dslogon"),
    )
    assert told(quiet) == {"ssoe/*/*"}


def test_siblings_are_merged_only_when_asked_for() -> None:
    three = sign_ins(lambda leaf: float(leaf[0] == "ssoe" and leaf[1] != "mhv"))
    apart = told(three, dataclasses.replace(SIGN_IN, merge_from=0))
    assert apart == {"ssoe/idme/*", "ssoe/logingov/*", "ssoe/dslogon/*"}


def test_what_a_known_cause_explains_is_taken_off() -> None:
    both = sign_ins(lambda leaf: 0.9 if leaf[0] == "ssoe" else float(leaf[1] == "mhv"))
    known = np.where(both.codes[:, 0] == METHODS.index("ssoe"), 0.9, both.usual)
    assert told(both) == {"ssoe/*/*", "*/mhv/*"}
    assert told(dataclasses.replace(both, usual=known)) == {"sis/mhv/*"}


def test_leaves_without_a_value_lie_in_the_scopes_that_do_not_name_it() -> None:
    codes = np.array([[0, -1], [0, 0], [1, -1], [1, 0]], np.int64)
    counts = counted(codes, np.full(4, 100.0), [(0, None)])
    assert scopes(counts) == {(0, None)}
    alone = dataclasses.replace(counts, failures=np.array([60.0, 1.0, 1.0, 1.0]))
    assert scopes(alone) == {(0, None)}
    named = dataclasses.replace(counts, failures=np.array([1.0, 60.0, 1.0, 1.0]))
    assert scopes(named) == {(0, 0)}


def test_clustered_failures_weigh_less() -> None:
    counts = counted(lattice((3, 3)), np.full(9, 1_000.0), [(0, None)], share=0.05)
    (alone,) = search(counts, SIGN_IN).found
    (clustered,) = search(counts, dataclasses.replace(SIGN_IN, clustering=0.005)).found
    assert clustered.effective == pytest.approx(3 * 1_000 / (1 + 0.005 * 999))
    assert clustered.gain < alone.gain
    assert scopes(counts, dataclasses.replace(SIGN_IN, clustering=1.0)) == set()


def test_a_finding_brings_its_evidence() -> None:
    counts = counted(lattice((2, 3)), np.full(6, 100.0), [(1, 2)], share=0.5)
    (found,) = search(counts, SIGN_IN).found
    assert (found.scope, found.failures, found.trials) == ((1, 2), 50.0, 100.0)
    assert found.expected == pytest.approx(1.0)
    assert found.gain == found.alone == pytest.approx(100 * (0.5 * np.log(50) + 0.5 * np.log(0.5 / 0.99)))
    assert found.rival == (None, 2)
    assert 0 < found.rival_gain < found.gain


def test_a_gain_is_the_divergence_of_what_failed_from_what_usually_does() -> None:
    assert excess_gain([1, 0, 5, 0], [10, 10, 5, 0], [1, 2, 1, 0]) == pytest.approx([0, 0, 5 * np.log(5), 0])


@given(st.data())
@settings(max_examples=examples(60, at_least=20))
def test_parts_gain_no_less_than_the_whole(data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    trials = random.uniform(1, 100, 8)
    failures, expected = trials * random.random(8), trials * random.uniform(0.001, 0.999, 8)
    whole = excess_gain(failures.sum(), trials.sum(), expected.sum())
    assert excess_gain(failures, trials, expected).sum() >= whole - 1e-9


def test_more_axes_than_can_be_searched_are_searched_by_fewer_values() -> None:
    random = np.random.default_rng(1)
    codes = np.unique(random.integers(0, 4, (1_500, 10)), axis=0)
    cause = (None, 2, *(None,) * 7, 1)
    explanation = search(counted(codes, np.full(len(codes), 50.0), [cause]), SIGN_IN)
    assert [one.scope for one in explanation.found] == [cause]
    assert not explanation.exact


def test_nothing_at_all_is_explained_by_nothing() -> None:
    empty = LeafCounts(AXES, np.empty((0, 3), np.int64), *(np.empty(0) for _ in range(3)))
    assert search(empty, SIGN_IN).found == ()
    silent = LeafCounts(AXES, np.zeros((1, 3), np.int64), np.zeros(1), np.zeros(1), np.zeros(1))
    assert search(silent, SIGN_IN).found == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"codes": np.full((2, 2), -2)},
        {"codes": np.zeros((2, 3), np.int64)},
        {"failures": np.array([11.0, 0.0])},
        {"failures": np.array([-1.0, 0.0])},
        {"usual": np.array([1.5, 0.0])},
        {"usual": np.array([np.nan, 0.0])},
    ],
)
def test_counts_that_cannot_be_are_refused(wrong: dict[str, Ints | Floats]) -> None:
    right = LeafCounts(("a", "b"), lattice((1, 2)), np.zeros(2), np.full(2, 10.0), np.zeros(2))
    with pytest.raises(ValueError, match=r"\w"):
        dataclasses.replace(right, **wrong)  # type: ignore[arg-type]
