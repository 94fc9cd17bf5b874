"""A comparison finds the incidents and pages that another policy would change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.backtest.comparison import compare
from detectors.backtest.outcomes import Outcome
from tests.detectors.backtest.made import at, outcome


def kinds(before: list[Outcome], after: list[Outcome]) -> list[tuple[str, str]]:
    return [(change.what, change.page) for change in compare(before, after)]


def test_the_same_incident_stays() -> None:
    assert kinds([outcome()], [outcome()]) == [("stays", "stays")]


def test_an_incident_appears_or_vanishes_with_its_page() -> None:
    assert kinds([], [outcome()]) == [("appears", "appears")]
    assert kinds([outcome()], []) == [("vanishes", "vanishes")]
    assert kinds([outcome(pages=())], []) == [("vanishes", "none")]


def test_a_page_may_vanish_from_an_incident_that_stays_open() -> None:
    (change,) = compare([outcome()], [outcome(pages=())])
    assert (change.what, change.page) == ("moves", "vanishes")
    assert change.moved == {"paged_at": (at(10.5), None), "pages": (1, 0)}


def test_what_moves_is_named_with_both_values() -> None:
    later = outcome("prod", 12, 60, severity=2, causes=("burn_rate",))
    (change,) = compare([outcome()], [later])
    assert (change.what, change.page) == ("moves", "moves")
    assert change.moved == {
        "opened_at": (at(10.5), at(12)),
        "paged_at": (at(10.5), at(12)),
        "resolved_at": (at(55), at(60)),
        "scope": ("prod/ssoe", "prod"),
        "peak_severity": (1, 2),
        "causes": ("outage", "burn_rate"),
    }


def test_incidents_on_unrelated_scopes_or_at_other_times_are_not_the_same() -> None:
    assert sorted(kinds([outcome()], [outcome("prod/sis")])) == [
        ("appears", "appears"),
        ("vanishes", "vanishes"),
    ]
    assert kinds([outcome()], [outcome(opened=60, resolved=70)]) == [
        ("vanishes", "vanishes"),
        ("appears", "appears"),
    ]


def test_each_finds_the_one_on_the_closest_scope() -> None:
    before = [outcome("prod/ssoe/idme"), outcome("prod/sis/idme", incident="prod-2")]
    after = [outcome("prod/sis/idme"), outcome("prod/ssoe/idme", incident="prod-2")]
    assert kinds(before, after) == [("stays", "stays")] * 2


def test_one_that_is_still_open_meets_one_that_has_resolved() -> None:
    (change,) = compare([outcome(resolved=None)], [outcome()])
    assert change.moved == {"resolved_at": (None, at(55))}


_outcomes = st.lists(
    st.builds(
        lambda scope, opened, lasts: outcome(scope, opened, opened + lasts),
        st.sampled_from(["prod", "prod/ssoe", "prod/*/idme", "prod/sis/mhv"]),
        st.integers(0, 60),
        st.integers(1, 30),
    ),
    max_size=5,
)


@given(_outcomes, _outcomes)
def test_every_incident_of_both_runs_is_in_one_change(before: list[Outcome], after: list[Outcome]) -> None:
    changes = compare(before, after)
    assert sorted(map(id, (c.before for c in changes if c.before))) == sorted(map(id, before))
    assert sorted(map(id, (c.after for c in changes if c.after))) == sorted(map(id, after))


@given(_outcomes)
def test_a_run_compared_with_itself_changes_nothing(outcomes: list[Outcome]) -> None:
    assert {change.what for change in compare(outcomes, outcomes)} <= {"stays"}
