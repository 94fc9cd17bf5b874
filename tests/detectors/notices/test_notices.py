"""Is each new value told once, whatever the division into calls, and are known values never told?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import DAY, HOUR, MINUTE, SECOND
from detectors.notices.notices import Notice, NoticeWatch
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import FactRow
from streams.settings.policy_file import default_policy

NOON = 1_795_435_200_000
POLICY = default_policy()


def row(
    at: int,
    count: int = 1,
    leaf: tuple[str | None, ...] = ("sis", "idme", "vaweb"),
    step: str = "callback",
    outcome: str = "success",
) -> FactRow:
    """Return facts of events in the second before ``at``, ms."""
    return FactRow(at - SECOND, 0, leaf, step, outcome, count=count)


def told(
    rows: Sequence[FactRow], until: int, watch: NoticeWatch | None = None, parts: int = 1
) -> list[Notice]:
    """Return the notices of all minutes up to ``until``; the rows are handed in in parts."""
    watch = watch or NoticeWatch("prod", POLICY)
    ordered = sorted(rows, key=lambda one: one.pane)
    out: list[Notice] = []
    size = -(-len(ordered) // parts) or 1
    begun = ordered[0].pane - ordered[0].pane % MINUTE if ordered else NOON
    pending = [ordered[n : n + size] for n in range(0, len(ordered), size)]
    minute = begun
    while minute <= until:
        while pending and pending[0][0].pane + SECOND <= minute:
            watch.add(FactColumns.of(pending.pop(0), SECOND))
        out += watch.due(minute)
        minute += MINUTE
    return out


def test_known_values_are_never_told() -> None:
    rows = [row(NOON + n * SECOND, 1_000) for n in range(1, 120)]
    rows += [row(NOON + SECOND, 5, step="authorize_sso", outcome="redirect")]
    assert told(rows, NOON + HOUR) == []


def test_a_new_provider_is_told_once_200_have_come_in_an_hour() -> None:
    clear = ("sis", "clear2", "vaweb")
    rows = [row(NOON + n * 30 * SECOND, 2, clear) for n in range(1, 400)]
    found = told(rows, NOON + 3 * HOUR)
    assert [(one.kind, one.field, one.value, one.count) for one in found] == [
        ("new_value", "csp", "clear2", 200)
    ]
    assert found[0].at == NOON + 50 * MINUTE
    assert "clear2 is a new csp in prod: 200 events in an hour" in found[0].text


def test_few_events_of_a_new_value_are_not_told() -> None:
    rows = [row(NOON + n * MINUTE, 3, ("sis", "typo", None)) for n in range(1, 180)]
    assert told(rows, NOON + 3 * HOUR) == []


@pytest.mark.parametrize(("field", "value"), [("outcome", "offered"), ("step", "webauthn_options")])
def test_an_unlisted_step_or_outcome_is_told_once(field: str, value: str) -> None:
    some = range(1, 120)
    rows = [row(NOON + n * MINUTE, step="webauthn_options", outcome="offered") for n in some]
    found = [one for one in told(rows, NOON + 2 * HOUR) if one.field == field]
    assert [(one.kind, one.value) for one in found] == [("unlisted", value)]
    assert "counts in no indicator of prod" in found[0].text


def test_an_unlisted_environment_is_told() -> None:
    watch = NoticeWatch("perf", POLICY)
    found = told([row(NOON + SECOND)], NOON + MINUTE, watch)
    assert [(one.kind, one.field, one.value) for one in found] == [("unlisted", "env", "perf")]


def test_a_retired_value_is_told_when_it_is_seen_again_and_once_in_seven_days() -> None:
    mhv = ("ssoe", "mhv", None)
    rows = [row(NOON + n * HOUR, 1, mhv) for n in range(1, 10 * 24)]
    found = told(rows, NOON + 10 * DAY)
    assert [one.kind for one in found] == ["retired_value", "retired_value"]
    assert found[1].at - found[0].at == 7 * DAY


def test_a_restart_does_not_tell_again() -> None:
    rows = [row(NOON + MINUTE, 1, step="webauthn_options")]
    watch = NoticeWatch("prod", POLICY)
    assert told(rows, NOON + 2 * MINUTE, watch)
    again = NoticeWatch("prod", POLICY, watch.told)
    assert told(rows, NOON + 2 * MINUTE, again) == []


def test_traffic_that_has_moved_is_told_once_in_seven_days_by_the_value_that_lost_it() -> None:
    watch = NoticeWatch("prod", POLICY)
    moved = {"prod/*/logingov": 120, "prod/ssoe/logingov": 30, "prod": 7, "prod/*/mhv": 9}
    found = [one for n in range(8 * 24 * 60) for one in watch.due(NOON + n * MINUTE, moved)]
    assert [(one.kind, one.field, one.value, one.count) for one in found] == [
        ("moved", "csp", "logingov", 120)
    ] * 2
    assert found[1].at - found[0].at == 7 * DAY
    assert "120 sign-ins fewer than expected, which arrive by others instead" in found[0].text


@given(
    st.lists(
        st.tuples(st.integers(1, 7_000), st.integers(1, 120), st.sampled_from(["a", "b", "idme", "mhv"])),
        max_size=30,
    ),
    st.integers(1, 6),
)
def test_the_division_into_calls_does_not_matter(some: list[tuple[int, int, str]], parts: int) -> None:
    rows = [row(NOON + second * SECOND, count, ("sis", csp, None)) for second, count, csp in some]
    whole = told(rows, NOON + 3 * HOUR)
    watch = NoticeWatch("prod", POLICY)
    watch.add(FactColumns.of(sorted(rows, key=lambda one: one.pane), SECOND))
    divided = [notice for n in range(181) for notice in watch.due(NOON + n * MINUTE)]
    assert divided == told(rows, NOON + 3 * HOUR, parts=parts) == whole
