"""Do the leaves and scopes of an environment follow from its traffic alone, within their bounds?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.axes import OTHER, Leaf, Scopes, contains, named, overlaps, path_of

_values = st.sampled_from(["idme", "logingov", "clear", "x"])
_leaves = st.tuples(st.sampled_from(["ssoe", "sis", "new"]), st.none() | _values, st.none() | _values)
_some = st.lists(_leaves, max_size=12)


@pytest.mark.parametrize(
    ("wide", "narrow", "held", "met"),
    [
        ("prod", "prod/*/idme", True, True),
        ("prod/*/idme", "prod/ssoe", False, True),
        ("prod/*/idme", "prod/ssoe/idme/vaweb", True, True),
        ("prod/sis/*/vaweb", "prod/sis/idme", False, True),
        ("prod/sis/*/vaweb", "prod/ssoe/idme/vaweb", False, False),
        ("prod", "staging", False, False),
        ("prod/ssoe", "prod/ssoe", True, True),
    ],
)
def test_paths_contain_and_overlap(wide: str, narrow: str, held: bool, met: bool) -> None:
    assert contains(wide, narrow) is held
    assert overlaps(wide, narrow) is met
    assert overlaps(narrow, wide) is met


def test_a_path_ends_with_its_last_value() -> None:
    assert path_of("prod", ("*", "idme", "*")) == "prod/*/idme"
    assert path_of("prod", ("*", "*", "*")) == "prod"
    assert named("prod/*/idme") == ("*", "idme")
    assert named("prod") == ()


def test_a_leaf_makes_all_scopes_around_it() -> None:
    scopes = Scopes("prod")
    assert scopes.admit([("sis", "clear", "vaweb")])
    assert [path for path in scopes.paths if path is not None] == [
        "",
        "sis",
        "*/clear",
        "*/*/vaweb",
        "sis/clear",
        "sis/*/vaweb",
        "*/clear/vaweb",
        "sis/clear/vaweb",
    ]
    assert scopes.members.all()
    assert scopes.path(0) == "prod"
    assert scopes.path(scopes.alone[0]) == "prod/sis/clear/vaweb"
    assert not scopes.admit([("sis", "clear", "vaweb")])


def test_a_leaf_without_a_value_is_a_group_of_its_own() -> None:
    scopes = Scopes("prod")
    scopes.admit([("sis", None, None), ("sis", "idme", "vaweb")])
    rest = scopes.alone[scopes.position(("sis", None, None))]
    assert scopes.paths[rest] is None
    assert scopes.members[rest].sum() == 1
    with pytest.raises(KeyError):
        scopes.path(int(rest))


@given(_some)
def test_members_are_what_the_paths_say(leaves: list[Leaf]) -> None:
    scopes = Scopes("prod")
    scopes.admit(leaves)
    for group, path in enumerate(scopes.paths):
        if path is None:
            continue
        for leaf in set(leaves):
            own = path_of("prod", [value or "?" for value in leaf])
            assert scopes.members[group, scopes.position(leaf)] == contains(scopes.path(group), own)
    for leaf in set(leaves):
        at = scopes.position(leaf)
        assert np.flatnonzero(scopes.members[scopes.alone[at]]).tolist() == [at]


@given(_some, st.randoms())
def test_the_order_within_a_t_does_not_matter(leaves: list[Leaf], random: object) -> None:
    one, other = Scopes("prod", max_values=2, max_scopes=9), Scopes("prod", max_values=2, max_scopes=9)
    one.admit(leaves)
    shuffled = list(leaves)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other.admit(shuffled)
    assert one.memory() == other.memory()


@given(_some)
def test_bounds_hold_and_what_is_beyond_is_other(leaves: list[Leaf]) -> None:
    scopes = Scopes("prod", max_values=1, max_scopes=5)
    scopes.admit(leaves)
    assert sum(path is not None for path in scopes.paths) <= 5
    for axis in range(3):
        found = {leaf[axis] for leaf in scopes.leaves if leaf is not None} - {None, OTHER}
        assert len(found) <= 1
    for leaf in leaves:
        held = scopes.leaves[scopes.position(leaf)]
        assert held is not None
        assert [value is None for value in held] == [value is None for value in leaf]


@given(_some, _some, st.sets(st.integers(0, 30)))
def test_a_restart_goes_on_as_if_there_had_been_none(
    before: list[Leaf], after: list[Leaf], gone: set[int]
) -> None:
    scopes = Scopes("prod", max_values=2, max_scopes=12)
    scopes.admit(before)
    scopes.release([n for n in gone if n < len(scopes.leaves)])
    again = Scopes("prod", max_values=2, max_scopes=12, memory=scopes.memory())
    for one in (scopes, again):
        one.admit(after)
    assert scopes.memory() == again.memory()
    assert np.array_equal(scopes.members, again.members)
    assert np.array_equal(scopes.holds(), again.holds())


def test_a_place_is_free_when_its_leaf_ends() -> None:
    scopes = Scopes("prod", max_values=1)
    scopes.admit([("sis", "junk", None)])
    scopes.admit([("sis", "clear", None)])
    assert scopes.leaves[scopes.position(("sis", "clear", None))] == ("sis", "other", None)
    scopes.release([scopes.position(("sis", "junk", None))], keep=["prod/*/junk"])
    assert scopes.index("prod/*/junk") is not None
    assert scopes.index("prod/sis/junk") is None
    scopes.admit([("sis", "clear", None)])
    assert scopes.leaves[scopes.position(("sis", "clear", None))] == ("sis", "clear", None)


def test_a_scope_is_expected_without_events() -> None:
    scopes = Scopes("prod")
    scopes.expect(["prod/*/idme", "staging/sis"])
    group = scopes.index("prod/*/idme")
    assert group is not None
    assert not scopes.members[group].any()
    scopes.admit([("sis", "idme", None)])
    assert scopes.members[group].any()


def test_an_alias_is_the_value_that_it_stands_for() -> None:
    scopes = Scopes("prod", aliases={"csp": {"login.gov": "logingov"}})
    scopes.admit([("sis", "login.gov", None), ("sis", "logingov", None)])
    assert scopes.position(("sis", "login.gov", None)) == scopes.position(("sis", "logingov", None))
