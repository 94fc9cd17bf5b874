"""Distinct people against brute force: sets of people, made anew for each T, window and scope."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.facts import ON_TIME, FactRow
from detectors.impact import Impact
from detectors.instants import DAY
from detectors.scopes import MEMBERS, OUTCOMES, SCOPES
from detectors.windows import Ints
from tests.engine.facts import STEP, cuts, fact_rows

START = 1_795_435_200_000
WINDOWS = (3 * STEP, 7 * STEP, 20 * STEP)
STEPS_IN_ALL = 60
FAILURE = OUTCOMES.index("failure")


def brute(rows: Sequence[FactRow], scope: int, at: int, since: int) -> int:
    """People of a scope with a bad event in ``[since, at)`` that counts at ``at``."""
    return len(
        {
            person
            for row in rows
            if MEMBERS[scope, row.leaf] and since <= row.pane < at and row.counts_from(STEP) <= at
            for person in row.people
        }
    )


def of(pane: int, people: list[int], *, late: int = 0, leaf: int = 0) -> FactRow:
    """Failures in the pane that begins ``pane`` steps after the start; ``late``: steps after its end."""
    begin = START + pane * STEP
    first = ON_TIME if not late else begin + STEP + late * STEP
    return FactRow(begin, first, leaf, 0, FAILURE, "", len(people), 0, [0, 0], people)


ROWS = fact_rows(start=START - STEP, steps=STEPS_IN_ALL, latest=35, longest=12, failing=True)


@given(rows=ROWS, lengths=cuts(STEPS_IN_ALL), data=st.data())
@example(rows=[of(-1, [1], late=30)], lengths=[30, 10, 20], data=None)  # longer ago than any window reaches
@example(rows=[of(5, [1]), of(2, [1], late=10), of(9, [1], leaf=1)], lengths=[8, 2, 50], data=None)
def test_any_cut_into_calls_counts_each_person_once(
    rows: list[FactRow], lengths: list[int], data: st.DataObject | None
) -> None:
    impact = Impact(STEP, WINDOWS)
    at = START
    for length in lengths:
        end = at + (length - 1) * STEP
        due = [row for row in rows if at <= row.counts_from(STEP) <= end]
        counted = impact.advance(at, length, due)
        for window in WINDOWS:
            expected = [
                [brute(rows, scope, t, t - window) for scope in range(len(SCOPES))]
                for t in range(at, end + STEP, STEP)
            ]
            assert counted[window].tolist() == expected
        asked = at if data is None else data.draw(st.integers(at // STEP, end // STEP)) * STEP
        since = asked - (20 * STEP if data is None else data.draw(st.integers(0, 20 * STEP)))
        for scope in range(len(SCOPES)):
            assert impact.distinct_since(scope, asked, since) == brute(rows, scope, asked, since)
        at = end + STEP


@given(before=ROWS, days=st.integers(1, 400), after=st.lists(st.integers(1, 4), unique=True, min_size=1))
def test_after_a_long_silence_nobody_is_left_in_the_windows(
    before: list[FactRow], days: int, after: list[int]
) -> None:
    impact = Impact(STEP, WINDOWS)
    impact.advance(START, 110, before)
    resumed = START + days * DAY
    row = FactRow(resumed - STEP, ON_TIME, 0, 0, FAILURE, "", len(after), 0, [0, 0], after)
    counted: dict[int, Ints] = impact.advance(resumed, 2, [row])
    for window in WINDOWS:
        assert (counted[window] == np.array(MEMBERS[:, 0] * len(after))).all()
