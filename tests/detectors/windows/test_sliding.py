"""Sliding windows equal those of brute force, which reads every row for each T, window, scope and counter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.arrays import Ints
from detectors.scopes import MEMBERS, SCOPES, SIGN_IN_STEPS
from detectors.windows.counters import COUNTERS, TIMED, Classify
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.fixed_scopes import fixed_scopes
from detectors.windows.sliding import Windows
from streams.settings.policy_file import default_policy
from tests.support.facts import STEP, columns_of, cuts, fact_rows, leaf_at, leaf_position

START = 1_795_435_200_000
WINDOWS = (3 * STEP, 7 * STEP, 20 * STEP)
STEPS_IN_ALL = 60
CLASSIFY = Classify(default_policy().event_classes, {"ssoe": 0, "sis": 1})


def amounts(row: FactRow) -> dict[str, int]:
    """Return what a row adds to each counter, by the definitions."""
    bad = row.outcome == "failure" and row.code != "001"
    if row.step not in SIGN_IN_STEPS:
        return {"session_good": row.count * (row.outcome == "success"), "session_bad": row.count * bad}
    completed = row.outcome == "success" or bad
    return {
        "good": row.count * (row.outcome == "success"),
        "bad": row.count * bad,
        "excluded": row.count * (row.outcome == "failure" and not bad),
        "started": row.count * (row.outcome == "started"),
        "timed": row.timed * completed,
        "slow": row.over[0 if row.leaf[0] == "ssoe" else 1] * completed,
    }


def brute(rows: Sequence[FactRow], at: int, window: int) -> Ints:
    """Return the counts (scope, counter) at one T."""
    out = np.zeros((len(SCOPES), len(COUNTERS)), dtype=np.int64)
    for row in rows:
        if at - window <= row.pane < at and row.counts_from(STEP) <= at:
            for name, amount in amounts(row).items():
                out[MEMBERS[:, leaf_position(row.leaf)], COUNTERS.index(name)] += amount
    return out


def run(
    windows: Windows, rows: Sequence[FactRow], lengths: Sequence[int], start: int = START
) -> dict[int, Ints]:
    """Advance over all T in calls of these lengths; return window -> (T, scope, counter)."""
    parts: dict[int, list[Ints]] = {window: [] for window in WINDOWS}
    at = start
    for length in lengths:
        end = at + (length - 1) * STEP
        due = [row for row in rows if at <= row.counts_from(STEP) <= end]
        for window, counts in windows.advance(at, length, columns_of(due, STEP)).items():
            parts[window].append(counts)
        at = end + STEP
    return {window: np.concatenate(some) for window, some in parts.items()}


ROWS = fact_rows(start=START - STEP, steps=STEPS_IN_ALL, latest=25)


@given(rows=ROWS, lengths=cuts(STEPS_IN_ALL))
@example(  # late by more than the longest window: it never counts
    rows=[FactRow(START - STEP, START + 25 * STEP, leaf_at(0), "new", "success", "", "", 1, 0, [0, 0])],
    lengths=[60],
)
@example(  # late by just the longest window: it counts at one T
    rows=[FactRow(START - STEP, START + 19 * STEP, leaf_at(0), "new", "success", "", "", 1, 0, [0, 0])],
    lengths=[20, 40],
)
def test_any_cut_into_calls_counts_what_lies_in_each_window(rows: list[FactRow], lengths: list[int]) -> None:
    counted = run(Windows(fixed_scopes("prod"), STEP, WINDOWS, CLASSIFY), rows, lengths)
    for window in WINDOWS:
        for n in range(STEPS_IN_ALL):
            expected = brute(rows, START + n * STEP, window)
            assert (counted[window][n] == expected).all(), f"window {window} at step {n}"


@given(
    before=fact_rows(start=START - STEP, steps=20, latest=5),
    gap=st.integers(0, 100_000),
    after=fact_rows(start=START, steps=20, latest=25),
    lengths=cuts(STEPS_IN_ALL),
)
def test_a_gap_in_which_every_window_is_empty_can_be_jumped_over(
    before: list[FactRow], gap: int, after: list[FactRow], lengths: list[int]
) -> None:
    windows = Windows(fixed_scopes("prod"), STEP, WINDOWS, CLASSIFY)
    run(windows, before, [20 + 5 + 20])  # until the last window is empty
    windows.skip()
    resumed = START + (45 + gap) * STEP
    moved = [
        FactRow(
            row.pane + resumed - START,
            row.first_t if row.first_t == ON_TIME else row.first_t + resumed - START,
            row.leaf,
            row.step,
            row.outcome,
            row.code,
            row.error_class,
            row.count,
            row.timed,
            row.over,
        )
        for row in after
    ]
    counted = run(windows, moved, lengths, resumed)
    for window in WINDOWS:
        for n in range(STEPS_IN_ALL):
            assert (counted[window][n] == brute(moved, resumed + n * STEP, window)).all()


@given(rows=ROWS)
def test_durations_are_of_what_is_counted_as_timed(rows: list[FactRow]) -> None:
    facts = columns_of(rows, STEP)
    row, counter, _ = CLASSIFY.amounts(facts)
    assert np.flatnonzero(CLASSIFY.is_timed(facts)).tolist() == row[counter == TIMED].tolist()


def test_the_sums_go_on_when_their_room_is_used_up() -> None:
    # more steps than are kept at once, in calls that end anywhere
    rows = [
        FactRow(START + n * 7 * STEP, ON_TIME, leaf_at(0), "new", "success", "", "", 1, 0, [0, 0])
        for n in range(1_500)
    ]
    windows = Windows(fixed_scopes("prod"), STEP, WINDOWS, CLASSIFY)
    counted = run(windows, rows, [300] * 35)
    good = COUNTERS.index("good")
    for n in range(0, 35 * 300, 101):
        at = START + n * STEP
        expected = sum(at - 20 * STEP <= row.pane < at for row in rows)
        assert counted[20 * STEP][n, 0, good] == expected
