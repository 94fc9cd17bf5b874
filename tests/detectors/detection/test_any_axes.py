"""Failures are attributed to the scopes of any axes that the traffic has made."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.axes import Leaf, Scopes, contains, overlaps
from detectors.detection.attribution import explaining
from detectors.detection.lattice.lattice import Lattice
from detectors.detection.lattice.selection import Selection
from detectors.detection.silence import SilenceDetector
from detectors.detection.verdicts import FIRING
from streams.settings.policy_file import default_policy
from tests.detectors.detection.simulated.anywhere import TODAY, Anywhere, Steady
from tests.detectors.detection.simulated.traffic import START

COSTS = default_policy().attribution
BEGIN, END = 1_800, 2_700


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("path", "share"),
    [
        ("sis/*/vaweb", 0.9),
        ("sis", 1.0),
        ("sis/idme", 0.9),
        ("*/idme", 0.9),
        ("*/idme/vaweb", 0.9),
        ("sis/logingov/vaweb", 1.0),
        ("ssoe", 0.9),
        ("", 0.9),
    ],
)
def test_one_outage_has_one_cause_on_its_scope(path: str, share: float, seed: int) -> None:
    traffic = Anywhere(END, TODAY, seed).fail(path, BEGIN, END, share)
    name = f"prod/{path}" if path else "prod"
    assert traffic.causes(END - 60, END) == [[name]] * 60


@pytest.mark.parametrize("seed", range(3))
def test_a_client_that_fails_on_both_methods_is_one_cause(seed: int) -> None:
    rates = {**TODAY, ("ssoe", "idme", "vamobile"): 0.2, ("ssoe", "logingov", "vamobile"): 0.2}
    traffic = Anywhere(END, rates, seed).fail("*/*/vamobile", BEGIN, END, 0.9)
    assert traffic.causes(END - 60, END) == [["prod/*/*/vamobile"]] * 60


@pytest.mark.parametrize("path", ["ssoe", "*/idme", ""])
def test_the_one_client_of_all_people_is_no_cause(path: str) -> None:
    rates: dict[Leaf, float] = {(*leaf[:2], "vaweb"): rate for leaf, rate in TODAY.items()}
    traffic = Anywhere(END, rates, 0).fail(path, BEGIN, END, 0.9)
    assert traffic.causes(END - 60, END) == [[f"prod/{path}" if path else "prod"]] * 60


@pytest.mark.parametrize("seed", range(3))
def test_a_client_of_one_method_is_named_without_the_method(seed: int) -> None:
    traffic = Anywhere(END, TODAY, seed).fail("*/*/vamobile", BEGIN, END, 0.9)
    assert traffic.causes(END - 60, END) == [["prod/*/*/vamobile"]] * 60


@pytest.mark.parametrize("seed", range(3))
def test_a_newcomer_that_fails_is_named_as_soon_as_failures_without_a_provider(seed: int) -> None:
    first = {}
    for leaf in (("sis", "clear", None), ("sis", None, "arp")):
        traffic = Anywhere(END, {**TODAY, leaf: 0.0}, seed)
        place = traffic.scopes.position(leaf)
        traffic.counts[BEGIN : BEGIN + 300, place, 1] += 1
        found = traffic.causes(BEGIN, BEGIN + 300)
        first[leaf] = next(n for n, scopes in enumerate(found) if scopes)
        assert found[-1] == ["prod/*/clear" if leaf[1] else "prod/*/*/arp"]
    assert first[("sis", "clear", None)] <= first[("sis", None, "arp")] <= 20


@pytest.mark.parametrize("seed", range(3))
def test_failures_without_a_provider_end_as_quickly_as_those_with_one(seed: int) -> None:
    ended = {}
    for leaf in (("ssoe", None, None), ("ssoe", "idme", "vaweb")):
        traffic = Anywhere(3_600, {**TODAY, ("ssoe", None, None): 0.0}, seed)
        place = traffic.scopes.position(leaf)
        for other in TODAY:
            if other[0] == "ssoe":  # the failing callbacks take the place of half of those that would succeed
                of = traffic.counts[BEGIN : BEGIN + 600, traffic.scopes.position(other)]
                struck = of[:, 0] - of[:, 0] // 2
                of[:, 0] -= struck
                traffic.counts[BEGIN : BEGIN + 600, place, 1] += struck
        found = traffic.causes(BEGIN + 500, 3_600)
        assert found[0] == ["prod/ssoe"] if leaf[1] is None else found[0]
        ended[leaf] = max(n for n, scopes in enumerate(found) if scopes) - 100
    assert ended[("ssoe", None, None)] <= 180
    assert ended[("ssoe", None, None)] <= ended[("ssoe", "idme", "vaweb")] + 60


def test_all_clients_of_a_method_are_the_method_and_two_of_four_are_two_causes() -> None:
    rates: dict[Leaf, float] = {
        ("sis", csp, client): 0.3 for csp in ("idme", "logingov") for client in "abcd"
    }
    rates |= {("ssoe", csp, client): 0.3 for csp in ("idme", "logingov") for client in "ab"}
    some = Anywhere(END, rates, 1).fail("sis/*/a", BEGIN, END).fail("sis/*/b", BEGIN, END)
    assert sorted(some.causes(END - 1, END)[0]) == ["prod/sis/*/a", "prod/sis/*/b"]
    for client in "cd":
        some.fail(f"sis/*/{client}", BEGIN, END)
    assert some.causes(END - 1, END) == [["prod/sis"]]


@pytest.mark.parametrize("seed", range(3))
def test_clients_that_one_method_alone_has_do_not_show_that_the_environment_fails(seed: int) -> None:
    shares = {"vaweb": 0.6, "mhv": 0.95, "myvahealth": 0.4, "ebenefits": 0.9, "vaoccmobile": 0.5}
    rates = {leaf: rate for leaf, rate in TODAY.items() if leaf[0] == "sis"}
    rates |= {("ssoe", csp, client): 0.3 for csp in ("idme", "logingov") for client in shares}
    traffic = Anywhere(END, rates, seed)
    for client, share in shares.items():
        traffic.fail(f"ssoe/*/{client}", BEGIN, END, share)
    assert traffic.causes(BEGIN + 300, END) == [["prod/ssoe"]] * (END - BEGIN - 300)


@pytest.mark.parametrize("seed", range(6))
def test_an_outage_of_a_method_is_not_told_of_a_client_first(seed: int) -> None:
    traffic = Anywhere(BEGIN + 20, TODAY, seed).fail("ssoe", BEGIN, BEGIN + 20)
    first = next(scopes for scopes in traffic.causes(BEGIN, BEGIN + 20) if scopes)
    assert first in (["prod/ssoe"], ["prod/ssoe/idme"])


@pytest.mark.parametrize("seed", range(4))
def test_a_client_that_fails_is_named_within_15_s(seed: int) -> None:
    traffic = Anywhere(BEGIN + 40, TODAY, seed).fail("sis/*/vaweb", BEGIN, BEGIN + 40, 0.9)
    assert traffic.causes(BEGIN + 14, BEGIN + 40) == [["prod/sis/*/vaweb"]] * 26


@pytest.mark.parametrize("seed", range(3))
def test_tokens_that_fail_within_a_known_outage_are_found_as_soon_as_alone(seed: int) -> None:
    traffic = Anywhere(END, TODAY, seed).fail("*/idme", BEGIN, END)
    tokens = traffic.counts[BEGIN + 600 :, traffic.scopes.position(("sis", None, None))]
    before = traffic.causes(BEGIN + 500, BEGIN + 600, ["prod/*/idme"])
    tokens[:, [0, 1]] = tokens[:, [1, 0]]
    after = traffic.causes(BEGIN + 600, END, ["prod/*/idme"])
    assert before == [["prod/*/idme"]] * 100
    assert all(scopes[0] == "prod/sis" and len(scopes) == 2 for scopes in after[10:])


def test_a_client_that_has_only_a_known_incident_s_method_is_no_cause_beside_it() -> None:
    traffic = Anywhere(END, TODAY, 1).fail("ssoe/*/mhv", BEGIN, END)
    assert traffic.causes(END - 1, END) == [["prod/*/*/mhv"]]
    assert traffic.causes(END - 1, END, ["prod/ssoe"]) == [["prod/ssoe/*/mhv"]]


def test_three_of_five_clients_do_not_show_that_a_provider_fails_which_has_none_of_them() -> None:
    failing = [("ssoe", "idme", "a"), ("sis", "logingov", "b"), ("sis", "idme", "c")]
    well = [("ssoe", csp, "e") for csp in ("idme", "logingov", "clear")]
    well += [("sis", csp, client) for csp in ("idme", "logingov", "clear") for client in "de"]
    traffic = Anywhere(END, dict.fromkeys([*failing, *well], 0.3), 1)
    for client in "abc":
        traffic.fail(f"*/*/{client}", BEGIN, END)
    assert sorted(traffic.causes(END - 1, END)[0]) == [f"prod/*/*/{client}" for client in "abc"]


def test_a_fourth_axis_is_judged_like_the_others() -> None:
    rates: dict[Leaf, float] = {
        (method, csp, "vaweb", acr): 0.3
        for method in ("ssoe", "sis")
        for csp in ("idme", "logingov")
        for acr in "12"
    }
    traffic = Anywhere(END, rates, 1, axes=4).fail("*/*/*/2", BEGIN, END, 0.9)
    assert traffic.causes(END - 1, END) == [["prod/*/*/*/2"]]


# -- silence -------------------------------------------------------------------------------------------------


def silent(traffic: Anywhere, first: int) -> list[set[str]]:
    """Return the scopes that are silent after each second from ``first`` on."""
    frame = replace(traffic.frame(first, len(traffic.counts)), covered_from=START)
    state = SilenceDetector(default_policy(), Steady(traffic, TODAY)).judge(frame).state
    paths = [
        traffic.scopes.path(group) if path is not None else ""
        for group, path in enumerate(traffic.scopes.paths)
    ]
    return [{paths[group] for group in np.flatnonzero(row == FIRING)} for row in state]


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("*/logingov", "sis/idme/vaweb"),
        ("ssoe/logingov/vaweb", "ssoe/idme/vaweb"),
        ("*/*/vamobile", "sis/idme/vaweb"),
        ("sis/idme", "sis/clear/vaweb"),
    ],
)
def test_what_has_moved_to_another_provider_or_client_is_no_silence(path: str, to: str) -> None:
    rates = {**TODAY, ("sis", "clear", "vaweb"): 0.0}
    traffic = Anywhere(6_000, rates, 1).move(path, to, 5_000)
    found = [f"prod/{path}" in scopes for scopes in silent(traffic, 5_000)]
    assert not any(found)


@pytest.mark.parametrize(
    ("path", "wait"),
    [
        ("*/logingov", 200),
        ("*/*/vamobile", 320),
        ("*/*/mhv", 3_500),
        ("sis/idme", 200),
        ("ssoe", 200),
        ("sis", 100),
    ],
)
def test_what_has_moved_nowhere_is_a_silence_once_chance_cannot_hide_where_it_went(
    path: str, wait: int
) -> None:
    traffic = Anywhere(5_000 + wait + 100, TODAY, 1).move(path, None, 5_000)
    found = silent(traffic, 5_000)
    assert not found[10]
    assert all(f"prod/{path}" in scopes for scopes in found[wait:])


# -- explanations of made-up gains ---------------------------------------------------------------------------

_leaves = st.lists(
    st.tuples(
        st.sampled_from(["ssoe", "sis"]),
        st.sampled_from([None, "idme", "clear"]),
        st.sampled_from([None, "a", "b"]),
    ),
    min_size=1,
    max_size=8,
    unique=True,
)


@given(_leaves, st.randoms(use_true_random=False), st.booleans())
def test_an_explanation_is_disjoint_and_no_single_scope_or_pair_is_better(leaves, chance, all_busy) -> None:  # type: ignore[no-untyped-def]
    scopes = Scopes("prod")
    scopes.admit(leaves)
    lattice = Lattice(scopes)
    by_leaves: dict[bytes, float] = {}
    gain = np.array(
        [
            by_leaves.setdefault(members.tobytes(), chance.choice([0.0, 5.0, 20.0, 200.0]))
            for members in scopes.members
        ]
    )
    busy = frozenset(lattice.order if all_busy else ())
    selection = Selection(lattice, gain, busy, COSTS)
    found = selection.cheapest()
    for one in found:
        assert all(one == other or not lattice.meets[one, other] for other in found)
        assert lattice.same[one] == one
    value = sum(selection.worth(one) for one in found)
    singles = {one: selection.worth(one) for one in lattice.order}
    # Of scopes that explain equally well the names decide, at the cost of what a wider one must explain better.
    assert value + COSTS.widening * max(1, len(found)) >= max(singles.values())
    for told in (selection.by_rule(found), selection.by_rule([*found, *lattice.order[1:3]])):
        paths = [lattice.path(one) for one in told]
        assert not any(a != b and contains(a, b) for a in paths for b in paths)


_VALUES = (("ssoe", "sis", "okta"), ("idme", "clear", "logingov"), tuple("abcde"))


@given(
    st.sets(st.tuples(*map(st.sampled_from, _VALUES)), min_size=2, max_size=14),
    st.sampled_from([0, 1]),
    st.integers(1, 2),
    st.randoms(use_true_random=False),
)
def test_no_scope_is_told_that_holds_a_method_or_provider_which_is_well(
    leaves: set[Leaf], axis: int, failing: int, chance: Random
) -> None:
    scopes = Scopes("prod")
    scopes.admit(list(leaves))
    lattice = Lattice(scopes)
    of_axis = [leaf[axis] if leaf is not None else None for leaf in scopes.leaves]
    bad = chance.sample(_VALUES[axis], failing)
    is_well = np.array([value not in bad for value in of_axis])
    nats = [chance.choice([0.0, 20.0, 50.0, 200.0]) for _ in of_axis]
    gain = np.maximum(lattice.members @ np.where(is_well, -200.0, nats), 0.0)
    selection = Selection(lattice, gain, frozenset(lattice.order), COSTS)
    told = explaining(selection, lattice, gain, gain >= 22.0)
    alone = [one for one in lattice.order if gain[one] > 0 and not lattice.members[one] @ is_well]
    some = chance.sample(alone, chance.randint(0, len(alone)))
    for one in (*told, *selection.by_rule(some)):
        assert not lattice.members[one] @ is_well, lattice.path(one)
    assert bool(told) == bool((gain[lattice.is_scope] >= 22.0).any())


@given(_leaves)
def test_a_lattice_agrees_with_paths_and_counts_leaves(leaves: list[Leaf]) -> None:
    scopes = Scopes("prod")
    scopes.admit(leaves)
    lattice = Lattice(scopes)
    counts = np.arange(1, len(leaves) + 1)
    assert (lattice.leaves(scopes.members @ counts) == counts).all()
    for one in lattice.order:
        for other in lattice.order:
            wide, narrow = lattice.path(one), lattice.path(other)
            if contains(wide, narrow):
                assert lattice.holds[one, other]
            if lattice.meets[one, other]:
                assert overlaps(wide, narrow)
    for axis, by_group in enumerate(lattice.parts):
        for group, parts in enumerate(by_group):
            for part in parts:
                assert lattice.holds[group, part]
                assert lattice.value(part, scopes.axes[axis]) is not None
