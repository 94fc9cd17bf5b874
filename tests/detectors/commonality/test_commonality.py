"""What those who fail have in common is told where it stands out, and only there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.axes import AXES, Scopes
from detectors.commonality.commonality import MOST_TOLD, in_common, usual_failures
from detectors.commonality.completed import Completed
from detectors.incidents import Common
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.windows.counters import Classify
from detectors.windows.facts import ON_TIME, FactRow
from streams.settings.policy_file import default_policy
from tests.support.facts import columns_of
from tests.support.oracle import NOON

CLASSIFY = Classify(default_policy().event_classes, {})
NOW = NOON + HOUR
BREAKDOWNS = ("error_code", "error_class")


def succeed(count: int, client: str | None = "vaweb", step: str = "callback", csp: str = "idme") -> FactRow:
    """Return successes of a minute ago."""
    return FactRow(NOW - MINUTE, ON_TIME, ("sis", csp, client), step, "success", count=count)


def fail(
    people: Iterable[int],
    client: str | None = "vaweb",
    code: str = "",
    step: str = "callback",
    before: int = MINUTE,
    error_class: str = "",
) -> FactRow:
    """Return failures of some people, some time before now (ms)."""
    some = list(people)
    leaf = ("sis", "idme", client)
    return FactRow(
        NOW - before, ON_TIME, leaf, step, "failure", code, error_class, count=len(some), people=some
    )


def completed(rows: Sequence[FactRow]) -> Completed:
    scopes = Scopes("prod")
    scopes.admit([row.leaf for row in rows])
    out = Completed(CLASSIFY, scopes)
    out.add(columns_of(rows, SECOND, lambda leaf: 0))
    out.move_to(NOW)
    return out


def told(
    rows: Sequence[FactRow], scope: str = "prod/sis", breakdowns: tuple[str, ...] = BREAKDOWNS
) -> tuple[Common, ...] | None:
    """Return what those have in common who failed in the last five minutes; usual is what failed before."""
    kept = completed(rows)
    usual = usual_failures(kept.population(scope, NOW - HOUR, NOW - 5 * MINUTE))
    return in_common(kept.population(scope, NOW - 5 * MINUTE, NOW), scope, AXES, breakdowns, usual)


def names(found: Sequence[Common] | None) -> list[tuple[str, str]]:
    assert found is not None
    return [(one.field, one.value) for one in found]


def test_a_client_that_88_of_90_use_while_31_percent_of_all_use_it_is_told() -> None:
    rows = [
        succeed(690, "vaweb"),
        succeed(222, "vamobile"),
        fail(range(88), "vamobile"),
        fail(range(88, 90), "vaweb"),
    ]
    found = told(rows)
    assert found == (
        Common(field="client_id", value="vamobile", failing=88, failing_of=90, usual_share=0.3094),
    )
    assert found[0].failing_share == 88 / 90


def test_failures_that_are_spread_as_everything_is_have_nothing_in_common() -> None:
    rows = [
        succeed(690, "vaweb"),
        succeed(310, "vamobile"),
        fail(range(62), "vaweb"),
        fail(range(62, 90), "vamobile"),
    ]
    assert told(rows) == ()


def test_the_many_tries_of_one_person_are_those_of_one_person() -> None:
    others = [succeed(690, "vaweb"), succeed(310, "vamobile")]
    spread = [fail(range(1, 15), "vaweb"), fail(range(15, 20), "vamobile")]
    again = [fail([7], "vamobile", before=at) for at in range(SECOND, 4 * MINUTE, SECOND)]
    assert told([*others, *spread, *again]) == ()
    assert told([*others, *again]) is None


def test_a_client_that_most_people_use_is_told_where_nobody_else_fails() -> None:
    found = told([succeed(300, "vaweb"), fail(range(700), "vamobile")])
    assert found == (
        Common(field="client_id", value="vamobile", failing=700, failing_of=700, usual_share=0.7),
    )
    assert told([succeed(300, "vaweb"), succeed(600, "vamobile"), fail(range(90), "vamobile")]) == ()


def test_where_nobody_succeeds_there_are_no_others_to_compare_with() -> None:
    assert told([fail(range(90), "vamobile"), fail(range(90, 100), "vaweb")]) == ()


def test_few_people_are_no_evidence() -> None:
    others = [succeed(690, "vaweb"), succeed(310, "vamobile")]
    assert told([*others, fail(range(9), "vamobile")]) is None
    assert names(told([*others, fail(range(10), "vamobile")])) == [("client_id", "vamobile")]


def test_a_value_that_the_scope_names_is_not_told() -> None:
    rows = [succeed(10, "vamobile"), succeed(600, "vaweb"), fail(range(60), "vamobile")]
    assert told(rows, "prod/sis/*/vamobile") == ()
    assert names(told(rows, "prod")) == [("client_id", "vamobile")]


def test_what_is_beside_the_scope_counts_neither_way() -> None:
    beside = FactRow(NOW - MINUTE, ON_TIME, ("ssoe", "idme", "vaweb"), "callback", "success", count=10_000)
    assert told([succeed(50, "vamobile"), fail(range(60), "vamobile"), beside]) == ()


def test_a_client_that_refreshes_more_often_is_no_more_common_for_that() -> None:
    rows = [
        succeed(500, "vaweb"),
        succeed(500, "vamobile"),
        succeed(20_000, "vaweb", "token"),
        fail(range(50), "vaweb"),
        fail(range(50, 100), "vamobile"),
    ]
    found = told([*rows, succeed(90_000, "vaweb", "refresh")])
    assert names(found) == [("step", "callback")]


def test_a_step_at_which_failures_usually_are_is_not_told() -> None:
    rows = [succeed(500), succeed(5_000, step="token"), fail(range(50))]
    assert names(told(rows)) == [("step", "callback")]
    assert told([*rows, fail(range(100, 110), before=30 * MINUTE)]) == ()
    assert names(told([*rows, fail(range(100, 110), step="token", before=30 * MINUTE)])) == [
        ("step", "callback")
    ]


@pytest.mark.parametrize("field", ["code", "error_class"])
def test_a_code_or_class_of_four_in_five_is_told_unless_it_is_the_usual_one(field: str) -> None:
    def rows(most: int, before: str) -> list[FactRow]:
        return [
            succeed(500),
            fail(range(most), **{field: "007"}),  # type: ignore[arg-type]
            fail(range(most, 100), **{field: "400"}),  # type: ignore[arg-type]
            fail(range(200, 220), before=30 * MINUTE, **{field: before}),
        ]

    name = "error_code" if field == "code" else "error_class"
    common = Common(field=name, value="007", failing=80, failing_of=100)
    assert told(rows(80, "400")) == (common,)
    assert told(rows(79, "400")) == ()
    assert told(rows(80, "007")) == ()
    assert told(rows(80, "400"), breakdowns=tuple({*BREAKDOWNS} - {name})) == ()


def test_at_most_three_values_are_told_and_the_surest_first() -> None:
    leaf = ("sis", "clear", "vamobile")
    people = list(range(200))
    mine = FactRow(
        NOW - MINUTE, ON_TIME, leaf, "callback", "failure", "007", "timeout", count=200, people=people
    )
    others = [
        succeed(2_000),
        succeed(2_000, csp="logingov"),
        succeed(700, "vamobile"),
        succeed(5_000, step="token"),
    ]
    found = told([*others, mine])
    assert names(found) == [("csp", "clear"), ("client_id", "vamobile"), ("step", "callback")]
    assert MOST_TOLD == 3


def test_what_a_step_explains_is_not_told_of_who_uses_it() -> None:
    # All who come to this step use the client, so that the client says no more than the step.
    rows = [succeed(900), succeed(300, "vamobile", "token"), fail(range(60), "vamobile", step="token")]
    assert names(told(rows)) == [("step", "token")]


def test_a_value_that_stands_for_no_value_is_not_told() -> None:
    assert told([succeed(900), fail(range(60), None)]) == ()


def test_late_events_count_from_the_instant_at_which_they_count() -> None:
    scopes = Scopes("prod")
    kept = Completed(CLASSIFY, scopes)
    late = fail(range(20), "vamobile")
    late.first_t = NOW + 5 * SECOND
    kept.add(columns_of([late], SECOND, lambda leaf: 0))
    for at, people in ((NOW + 4 * SECOND, 0), (NOW + 5 * SECOND, 20), (NOW + 6 * SECOND, 20)):
        kept.move_to(at)
        assert kept.population("prod", NOW - HOUR, at).people == people


def test_what_is_more_than_an_hour_old_is_forgotten() -> None:
    kept = completed([fail(range(20)), succeed(20)])
    kept.move_to(NOW + HOUR + MINUTE)
    assert not kept.population("prod", 0, NOW + 2 * HOUR).kinds


def test_of_very_many_people_a_sample_says_the_same() -> None:
    rows = [
        succeed(60_000, "vaweb"),
        succeed(3_000, "vamobile"),
        fail(range(27_000), "vamobile"),
        fail(range(27_000, 30_000), "vaweb"),
    ]
    found = told(rows)
    assert found is not None
    (one,) = found
    assert one.failing_of == pytest.approx(30_000, rel=0.1)
    assert one.failing_share == pytest.approx(0.9, abs=0.03)
    assert one.usual_share == pytest.approx(30_000 / 93_000, abs=0.03)


def test_a_sample_of_many_minutes_is_bounded_and_says_how_many_failed() -> None:
    rows = [fail(range(n * 1_500, (n + 1) * 1_500), before=n * MINUTE + 1_000) for n in range(10)]
    found = completed(rows).population("prod", NOW - HOUR, NOW)
    assert 7_000 < found.people <= 8_192
    assert found.people * found.weight == pytest.approx(15_000, rel=0.05)


_facts = st.lists(
    st.builds(
        lambda before, late, client, step, code, people, good: FactRow(
            NOW - before * SECOND,
            NOW - before * SECOND + late * SECOND if late else ON_TIME,
            ("sis", "idme", client),
            step,
            "success" if good else "failure",
            "" if good else code,
            count=3 if good else len(people),
            people=[] if good else sorted(people),
        ),
        st.integers(1, 900),
        st.sampled_from([0, 0, 2, 400]),
        st.sampled_from(["vaweb", "vamobile", "new", None]),
        st.sampled_from(["callback", "token", "refresh"]),
        st.sampled_from(["007", "400"]),
        st.sets(st.integers(0, 5_000) | st.integers(0, 20), min_size=1, max_size=60),
        st.booleans(),
    ),
    max_size=40,
)


@given(_facts, st.lists(st.integers(0, 900), max_size=6))
def test_any_division_into_calls_and_any_asking_between_them_tells_the_same(
    rows: list[FactRow], cuts: list[int]
) -> None:
    rows = [row for row in rows if row.counts_from(SECOND) <= NOW]
    scopes = Scopes("prod")
    scopes.admit([row.leaf for row in rows])
    divided = Completed(CLASSIFY, scopes)
    after = 0
    for end in [*sorted(NOW - cut * SECOND for cut in cuts), NOW]:
        due = [row for row in rows if after < row.counts_from(SECOND) <= end]
        divided.add(columns_of(due, SECOND, lambda leaf: 0))
        divided.move_to((after + end) // 2)
        divided.move_to(end)
        after = max(after, end)
    whole = completed(rows)
    for scope in ("prod", "prod/*/*/vamobile"):
        each = [kept.population(scope, NOW - 10 * MINUTE, NOW) for kept in (whole, divided)]
        assert len({(one.people, one.weight, int(one.good.sum()), len(one.person)) for one in each}) == 1
        first, second = (in_common(one, scope, AXES, BREAKDOWNS, {}) for one in each)
        assert first == second
        assert first is None or len(first) <= MOST_TOLD
        assert usual_failures(each[0]) == usual_failures(each[1])
        people = {
            person
            for row in rows
            if row.pane >= NOW - 10 * MINUTE and (scope == "prod" or row.leaf[2] == "vamobile")
            for person in row.people
        }
        assert each[0].people <= len(people)


@given(st.lists(st.sets(st.integers(0, 50_000), min_size=1, max_size=3_000), min_size=1, max_size=4))
def test_a_sample_depends_on_who_failed_and_not_on_the_order(parts: list[set[int]]) -> None:
    rows = [fail(part, before=60_000 - n) for n, part in enumerate(parts)]
    one, other = completed(rows), Completed(CLASSIFY, Scopes("prod"))
    for n, row in enumerate(reversed(rows)):
        row.first_t = NOW - 100 + n
        other.add(columns_of([row], SECOND, lambda leaf: 0))
    other.move_to(NOW)
    first, second = (kept.population("prod", NOW - HOUR, NOW) for kept in (one, other))
    assert (first.people, first.weight) == (second.people, second.weight)
    assert first.people == len(set.union(*parts)) or first.weight > 1
