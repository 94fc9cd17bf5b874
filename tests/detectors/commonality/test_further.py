"""Further fields of events are recorded by sample; a value that stands out among failing people is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.axes import AXES, Scopes
from detectors.commonality import further
from detectors.commonality.commonality import in_common
from detectors.commonality.completed import Completed
from detectors.incidents import Common
from detectors.instants import MINUTE, SECOND
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.people import sampling
from tests.detectors.commonality.test_commonality import (
    BREAKDOWNS,
    CLASSIFY,
    NOW,
    completed,
    fail,
    succeed,
    told,
)
from tests.support.facts import columns_of

FURTHER = ("acr", "login_type", *BREAKDOWNS)


def with_values(row: FactRow, *values: tuple[str | None, ...], first: int = 0) -> FactRow:
    """Return a row of which the values of further fields are recorded, of so many events as there are values."""
    row.values = list(values)
    row.sampled = row.people[: len(values)] or [
        (first + n) * 2_654_435_761 % 2**32 for n in range(len(values))
    ]
    return row


def of_acr(good: dict[str, int], failing: dict[str, int]) -> list[FactRow]:
    """Return successes and failing people by the value of ``acr``, in the panes of the last minute but one."""
    rows, person, number = [], 0, 0
    for acr, count in good.items():
        rows.append(with_values(succeed(count), *[(acr, None)] * count, first=number))
        number += count
    for acr, count in failing.items():
        rows.append(with_values(fail(range(person, person + count)), *[(acr, None)] * count))
        person += count
    return rows


def test_a_value_of_a_further_field_that_81_of_82_have_is_told() -> None:
    rows = [*of_acr({"loa1": 12, "loa3": 48}, {"loa1": 59, "loa3": 1})]
    (one,) = told(rows, breakdowns=FURTHER) or ()
    assert one == Common(field="acr", value="loa1", failing=59, failing_of=60, usual_share=0.5917)
    assert told(rows) == ()


def test_failures_that_are_spread_over_a_further_field_as_everything_is_are_not_told() -> None:
    assert told(of_acr({"loa1": 30, "loa3": 30}, {"loa1": 29, "loa3": 31}), breakdowns=FURTHER) == ()


def test_of_requests_whose_further_fields_nobody_recorded_nothing_is_told() -> None:
    assert told([succeed(60), fail(range(60))], breakdowns=FURTHER) == ()
    # Of half of those who fail they were recorded, by the blocks of a newer build.
    recorded = of_acr({"loa1": 12, "loa3": 48}, {"loa1": 29, "loa3": 1})
    assert told([*recorded, fail(range(1_000, 1_030))], breakdowns=FURTHER) == ()
    # Of those who succeed they were recorded, and of nobody who fails.
    assert told([*of_acr({"loa1": 60}, {}), fail(range(60))], breakdowns=FURTHER) == ()
    beside = told([*of_acr({"loa1": 60}, {}), fail(range(60), step="token")], breakdowns=FURTHER) or ()
    assert [one.field for one in beside] == ["step"]


def test_of_a_sample_the_people_are_told_as_if_all_had_been_looked_at() -> None:
    few = sampling.SAMPLED
    rows = of_acr({"loa1": 300, "loa3": 700}, {"loa1": 950, "loa3": 50})
    assert len(rows[2].sampled) > few
    (one,) = told(rows, breakdowns=FURTHER) or ()
    assert (one.field, one.value, one.failing_of) == ("acr", "loa1", 1_000)
    assert one.failing_share == pytest.approx(0.95, abs=0.08)
    assert one.usual_share == pytest.approx((300 + 950) / 2_000, abs=0.12)


_further = st.lists(
    st.builds(
        lambda before, late, acr, people, good, stated: with_values(
            FactRow(
                NOW - before * SECOND,
                NOW - before * SECOND + late * SECOND if late else ON_TIME,
                ("sis", "idme", "vaweb"),
                "callback",
                "success" if good else "failure",
                count=3 if good else len(people),
                people=[] if good else sorted(people),
            ),
            *[(acr, None)] * ((3 if good else len(people)) if stated else 0),
            first=before,
        ),
        st.integers(1, 600),
        st.sampled_from([0, 0, 2, 300]),
        st.sampled_from(["loa1", "loa3", None]),
        st.sets(st.integers(0, 5_000) | st.integers(0, 20), min_size=1, max_size=60),
        st.booleans(),
        st.sampled_from([True, True, False]),
    ),
    max_size=40,
)


@given(_further, st.lists(st.integers(0, 600), max_size=6), st.integers(1, 40))
def test_any_division_into_calls_gives_the_same_sample(
    rows: list[FactRow], cuts: list[int], most: int
) -> None:
    rows = [row for row in rows if row.counts_from(SECOND) <= NOW]
    scopes = Scopes("prod")
    scopes.admit([row.leaf for row in rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling.limit_of, "__defaults__", (most,))
        patch.setattr(further, "_WAITING", 3)
        divided = Completed(CLASSIFY, scopes)
        after = 0
        for end in [*sorted(NOW - cut * SECOND for cut in cuts), NOW]:
            due = [row for row in rows if after < row.counts_from(SECOND) <= end]
            divided.add(columns_of(due, SECOND, lambda leaf: 0))
            divided.move_to(end)
            divided.population("prod", NOW - 10 * MINUTE, end)
            after = max(after, end)
        whole = completed(rows)
        populations = [kept.population("prod", NOW - 10 * MINUTE, NOW) for kept in (whole, divided)]
        each = [one.further for one in populations]
        found = [in_common(one, "prod", AXES, FURTHER, {}) for one in populations]
    assert found[0] == found[1]
    first, second = (
        (
            one.people,
            one.weight,
            one.good_weight,
            sorted(zip(map(str, one.kinds), one.good.tolist(), strict=True)),
        )
        for one in each
        if one is not None
    )
    assert first == second
