"""Scopes contain and overlap each other exactly as their leaves do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.scopes import CSPS, ENVS, METHODS, SCOPES, contains, overlaps, scope_path

scopes = st.builds(scope_path, st.sampled_from(ENVS), st.integers(0, len(SCOPES) - 1))


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("prod", "prod/sis/idme", True),
        ("prod/*/idme", "prod/ssoe", True),
        ("prod/*/idme", "prod/sis/idme", True),
        ("prod/*/idme", "prod/*/mhv", False),
        ("prod/*/idme", "prod/ssoe/mhv", False),
        ("prod/ssoe", "prod/sis", False),
        ("prod/ssoe", "staging/ssoe", False),
    ],
)
def test_a_provider_on_both_methods_has_a_part_of_each(one: str, other: str, common: bool) -> None:
    assert overlaps(one, other) is overlaps(other, one) is common


def leaves(scope: str) -> set[tuple[str, str, str | None]]:
    """Return a scope's leaves, computed from its path alone."""
    env, _, rest = scope.partition("/")
    method, _, csp = rest.partition("/")
    return {(env, m, c) for m in METHODS for c in (None, *CSPS) if method in ("", "*", m) and csp in ("", c)}


@given(scopes, scopes)
def test_scopes_hold_and_meet_each_other_as_their_paths_say(one: str, other: str) -> None:
    assert contains(one, other) is (leaves(one) >= leaves(other))
    assert overlaps(one, other) is bool(leaves(one) & leaves(other))
