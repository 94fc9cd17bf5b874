"""Failures by code and returns equal those of brute force, which reads every row for each T, window and scope."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from detectors.scopes import LEAVES, MEMBERS, SCOPES, SIGN_IN_STEPS
from detectors.windows.error_codes import CodeWindows
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.fixed_scopes import fixed_scopes
from detectors.windows.returns import RETURNED, WENT, ReturnWindows
from tests.support.facts import STEP, columns_of, cuts, fact_rows, leaf_at, leaf_position

START = 1_795_435_200_000
WINDOWS = (3 * STEP, 20 * STEP)
STEPS_IN_ALL = 40
CODES = ("001", "007")
ROWS = fact_rows(start=START - STEP, steps=STEPS_IN_ALL, latest=15)


def within(rows: Sequence[FactRow], at: int, window: int, scope: int) -> list[FactRow]:
    """Return the rows of a scope that count at ``at`` in a window (ms)."""
    return [
        row
        for row in rows
        if at - window <= row.pane < at
        and row.counts_from(STEP) <= at
        and MEMBERS[scope, leaf_position(row.leaf)]
    ]


def failed(rows: Sequence[FactRow], codes: Sequence[str]) -> list[FactRow]:
    """Return the rows of failed sign-in steps with one of the codes."""
    return [
        row for row in rows if row.outcome == "failure" and row.step in SIGN_IN_STEPS and row.code in codes
    ]


@given(rows=ROWS, lengths=cuts(STEPS_IN_ALL), asks=st.sets(st.integers(0, 9)))
def test_any_cut_into_calls_and_any_question_gives_the_counts_and_people_of_each_code(
    rows: list[FactRow], lengths: Sequence[int], asks: set[int]
) -> None:
    windows = CodeWindows(fixed_scopes("prod"), STEP, WINDOWS, CODES, 1_000)
    at = START
    for call, length in enumerate(lengths):
        end = at + (length - 1) * STEP
        due = [row for row in rows if at <= row.counts_from(STEP) <= end]
        windows.move(at, length, columns_of(due, STEP))
        for n in range(length):
            for window in WINDOWS:
                for scope in (0, 1, 4, 9):
                    seen = within(rows, at + n * STEP, window, scope)
                    expected = [sum(row.count for row in failed(seen, [code])) for code in CODES]
                    found = [int(windows.counts(code, window)[n, scope]) for code in CODES]
                    assert found == expected
                    assert all(
                        windows.at_most()[code] >= count for code, count in zip(CODES, found, strict=True)
                    )
                    if call in asks:
                        for codes in (CODES, CODES[:1]):
                            people = {person for row in failed(seen, codes) for person in row.people}
                            assert windows.people(codes, window)[n, scope] == len(people)
        at = end + STEP


@given(rows=ROWS, lengths=cuts(STEPS_IN_ALL))
def test_starts_and_callbacks_are_counted_and_nothing_else(
    rows: list[FactRow], lengths: Sequence[int]
) -> None:
    windows = ReturnWindows(fixed_scopes("prod"), STEP, WINDOWS)
    at = START
    for length in lengths:
        end = at + (length - 1) * STEP
        due = [row for row in rows if at <= row.counts_from(STEP) <= end]
        counted = windows.advance(at, length, columns_of(due, STEP))
        for n in range(length):
            for window in WINDOWS:
                seen = within(rows, at + n * STEP, window, 0)
                went = [r.count for r in seen if r.outcome == "started" and r.step in ("new", "authorize")]
                came = [r.count for r in seen if r.outcome != "started" and r.step == "callback"]
                assert counted[window][n, 0, WENT] == sum(went)
                assert counted[window][n, 0, RETURNED] == sum(came)
        at = end + STEP


def test_after_a_gap_nothing_is_left() -> None:
    row = FactRow(START - STEP, ON_TIME, leaf_at(1), "callback", "failure", "007", "", 2, 0, [0, 0], [1, 2])
    scopes = fixed_scopes("prod")
    codes, returns = CodeWindows(scopes, STEP, WINDOWS, CODES, 1_000), ReturnWindows(scopes, STEP, WINDOWS)
    codes.move(START, 1, columns_of([row], STEP))
    assert codes.people(CODES, STEP * 3)[0, 0] == 2
    returns.advance(START, 1, columns_of([row], STEP))
    for counted in (codes, returns):
        counted.skip()
    later, none = START + 1_000 * STEP, columns_of([], STEP)
    codes.move(later, 1, none)
    assert not codes.people(CODES, STEP * 20).any()
    assert codes.at_most() == dict.fromkeys(CODES, 0)
    assert not returns.advance(later, 1, none)[STEP * 20].any()
    for code in CODES:
        assert codes.counts(code, STEP * 20).tolist() == [[0] * len(SCOPES)]
    assert len(LEAVES) == 10
