"""Distinct people equal those of brute force, which builds a set of people for each T, window and scope."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.arrays import Ints
from detectors.instants import DAY, HOUR, MINUTE, SECOND
from detectors.scopes import MEMBERS, SCOPES
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.fixed_scopes import fixed_scopes
from detectors.windows.impact import Distinct, Impact, relative_error
from detectors.windows.people.failed import Failed
from detectors.windows.people.person_table import STRATA, stratum_of
from tests.support.depth import examples
from tests.support.facts import STEP, columns_of, cuts, fact_rows, leaf_at, leaf_position

START = 1_795_435_200_000
WINDOWS = (3 * STEP, 7 * STEP, 20 * STEP)
STEPS_IN_ALL = 60


def brute(rows: Sequence[FactRow], scope: int, at: int, since: int) -> int:
    """Return the people of a scope with a bad event in ``[since, at)`` (ms) that counts at ``at``."""
    return len(
        {
            person
            for row in rows
            if MEMBERS[scope, leaf_position(row.leaf)]
            and since <= row.pane < at
            and row.counts_from(STEP) <= at
            for person in row.people
        }
    )


def failed(rows: Sequence[FactRow], step: int = STEP) -> Failed:
    """Return the people of rows."""
    return Failed.of(columns_of(rows, step))


def of(pane: int, people: list[int], *, late: int = 0, leaf: int = 0) -> FactRow:
    """Return failures in the pane that begins ``pane`` steps after the start, ``late`` steps after the pane's end."""
    begin = START + pane * STEP
    first = ON_TIME if not late else begin + STEP + late * STEP
    return FactRow(begin, first, leaf_at(leaf), "new", "failure", "", "", len(people), 0, [0, 0], people)


ROWS = fact_rows(start=START - STEP, steps=STEPS_IN_ALL, latest=35, longest=12, failing=True)


@given(rows=ROWS, lengths=cuts(STEPS_IN_ALL), data=st.data())
@example(rows=[of(-1, [1], late=30)], lengths=[30, 10, 20], data=None)  # longer ago than any window reaches
@example(rows=[of(5, [1]), of(2, [1], late=10), of(9, [1], leaf=1)], lengths=[8, 2, 50], data=None)
def test_any_cut_into_calls_counts_each_person_once(
    rows: list[FactRow], lengths: list[int], data: st.DataObject | None
) -> None:
    impact = Impact(fixed_scopes("prod"), STEP, WINDOWS, 1_000)
    at = START
    for length in lengths:
        end = at + (length - 1) * STEP
        due = [row for row in rows if at <= row.counts_from(STEP) <= end]
        counted = impact.advance(at, length, failed(due))
        for window in WINDOWS:
            expected = [
                [brute(rows, scope, t, t - window) for scope in range(len(SCOPES))]
                for t in range(at, end + STEP, STEP)
            ]
            assert counted[window].tolist() == expected
        asked = at if data is None else data.draw(st.integers(at // STEP, end // STEP)) * STEP
        since = asked - (20 * STEP if data is None else data.draw(st.integers(0, 20 * STEP)))
        for scope in range(len(SCOPES)):
            assert impact.distinct_since(scope, asked, since) == (brute(rows, scope, asked, since), 0.0)
        at = end + STEP


@given(before=ROWS, days=st.integers(1, 400), after=st.lists(st.integers(1, 4), unique=True, min_size=1))
def test_after_a_long_silence_nobody_is_left_in_the_windows(
    before: list[FactRow], days: int, after: list[int]
) -> None:
    impact = Impact(fixed_scopes("prod"), STEP, WINDOWS, 1_000)
    impact.advance(START, 110, failed(before))
    resumed = START + days * DAY
    row = FactRow(resumed - STEP, ON_TIME, leaf_at(0), "new", "failure", "", "", len(after), 0, [0, 0], after)
    counted: dict[int, Ints] = impact.advance(resumed, 2, failed([row]))
    for window in WINDOWS:
        assert (counted[window] == np.array(MEMBERS[:, 0] * len(after))).all()


# -- beyond the cap -------------------------------------------------------------------------------------------


def sampled(rows: Sequence[FactRow], scope: int, at: int, since: int, cap: int, step: int) -> tuple[int, int]:
    """Return (people, level) by definition: the least level at which the environment's sample is within the cap."""

    def those(of: int) -> Ints:
        who = {
            person
            for row in rows
            if MEMBERS[of, leaf_position(row.leaf)] and since <= row.pane < at and row.counts_from(step) <= at
            for person in row.people
        }
        return stratum_of(np.array(sorted(who), dtype=np.uint64))

    strata = those(0)
    level = next(
        (n for n in range(STRATA) if np.count_nonzero(strata >= n) <= cap),
        STRATA - 1,
    )
    return int(np.count_nonzero(those(scope) >= level)) << level, level


@st.composite
def crowds(draw: st.DrawFn, step: int) -> list[FactRow]:
    """Draw rows of about forty people within ``STEPS_IN_ALL`` panes, some of them late."""
    rows = []
    for _ in range(draw(st.integers(1, 14))):
        pane = START + draw(st.integers(-1, STEPS_IN_ALL - 2)) * step
        late = draw(st.sampled_from([0, 0, 0, 1, 3, 18, 35]))
        people = draw(st.lists(st.integers(1, 40), unique=True, min_size=1, max_size=14))
        first = ON_TIME if not late else pane + (1 + late) * step
        leaf = draw(st.integers(0, 9))
        rows.append(
            FactRow(pane, first, leaf_at(leaf), "new", "failure", "", "", len(people), 0, [0, 0], people)
        )
    return rows


@settings(max_examples=examples(50))
@given(
    step=st.sampled_from([SECOND, MINUTE]),
    cap=st.integers(1, 12),
    lengths=cuts(STEPS_IN_ALL),
    other=cuts(STEPS_IN_ALL),
    begins=st.integers(0, STEPS_IN_ALL),
    data=st.data(),
)
def test_beyond_the_cap_levels_and_people_are_functions_of_the_window_alone(
    step: int, cap: int, lengths: list[int], other: list[int], begins: int, data: st.DataObject
) -> None:
    rows = data.draw(crowds(step))
    windows = (3 * step, 7 * step, 20 * step)
    for cut in (lengths, other):
        impact = Impact(fixed_scopes("prod"), step, windows, cap)
        at = START
        for length in cut:
            end = at + (length - 1) * step
            due = [row for row in rows if at <= row.counts_from(step) <= end]
            counted = impact.advance(at, length, failed(due, step))
            for window in windows:
                levels = impact.levels.get(window, np.zeros(length, dtype=np.int64))
                for n, t in enumerate(range(at, end + step, step)):
                    for scope in (0, 1, 4, 9):
                        expected = sampled(rows, scope, t, t - window, cap, step)
                        assert (counted[window][n, scope], levels[n]) == expected
            asked = at + (length - 1) // 2 * step
            for since in (asked - 20 * step, asked - begins % 20 * step - 1):
                people, level = sampled(rows, 1, asked, since, cap, step)
                assert impact.distinct_since(1, asked, since) == Distinct(
                    people, relative_error(people, level)
                )
            at = end + step


@settings(max_examples=examples(50))
@given(
    steps=st.lists(
        st.lists(st.tuples(st.integers(1, 16), st.sampled_from([0, 0, 0, 1, 4, 15])), max_size=4),
        min_size=25,
        max_size=50,
    ),
    cap=st.integers(1, 6),
)
def test_who_is_dropped_is_missed_by_no_window(steps: list[list[tuple[int, int]]], cap: int) -> None:
    impact = Impact(fixed_scopes("prod"), STEP, (20 * STEP,), cap)
    latest: dict[int, int] = {}
    for n, failing in enumerate(steps):
        at = START + n * STEP
        panes = [(at - STEP - ago * STEP, person) for person, ago in failing]
        rows = [FactRow(pane, at, leaf_at(3), "new", "failure", "", "", people=[who]) for pane, who in panes]
        impact.advance(at, 1, failed(rows))
        for pane, who in panes:
            latest[who] = max(pane, latest.get(who, pane))
        people = np.array(list(latest), dtype=np.uint64)
        strata, last = stratum_of(people), np.array(list(latest.values()), dtype=np.int64)
        for since in range(at - 20 * STEP, at, STEP):
            sizes = [int(np.count_nonzero((last >= since) & (strata >= level))) for level in range(STRATA)]
            level = next(level for level, size in enumerate(sizes) if size <= cap or level == STRATA - 1)
            expected = Distinct(sizes[level] << level, relative_error(sizes[level] << level, level))
            assert impact.distinct_since(0, at, since) == expected


def crowd(rnd: np.random.Generator, people: int) -> list[int]:
    """Return the ids, which are hashes, of ``people`` people."""
    found: list[int] = np.unique(rnd.integers(0, 1 << 64, people, dtype=np.uint64)).tolist()
    assert len(found) == people
    return found


@given(seed=st.integers(0, 1 << 32), people=st.integers(1, 40_000), cap=st.integers(500, 4_000))
def test_an_estimate_is_as_close_as_it_says(seed: int, people: int, cap: int) -> None:
    impact = Impact(fixed_scopes("prod"), STEP, WINDOWS, cap)
    row = of(-1, crowd(np.random.default_rng(seed), people))
    counted = impact.advance(START, 1, failed([row]))[WINDOWS[0]][0, 0]
    said = impact.distinct_since(0, START, START - STEP)
    assert said.people == counted
    assert (said.error == 0.0) == (people <= cap)
    # half of more than the cap is in the sample, but for five standard errors
    assert people <= cap or said.error <= 2 / np.sqrt(cap / 2 - 2.5 * np.sqrt(cap))
    # what it says is two standard errors; beyond five of them lies one in two million
    assert abs(counted - people) <= 2.5 * said.error * people


def test_once_the_crowd_has_left_the_hour_people_are_counted_exactly_again_and_few_are_kept() -> None:
    rnd, cap = np.random.default_rng(7), 1_000
    windows = (5 * MINUTE, HOUR)
    impact = Impact(fixed_scopes("prod"), MINUTE, windows, cap)
    at, kept = START, []
    for minute in range(180):
        failing = crowd(rnd, 400 if minute < 60 else 10)
        counted = impact.advance(at, 1, failed([of_minute(at - MINUTE, failing)], MINUTE))
        at += MINUTE
        kept.append(len(impact))
    hour, recent = (counted[window][0, 0] for window in reversed(windows))
    assert (hour, recent) == (600, 50)
    assert not impact.levels
    # 24,000 failed: at most the cap of each of six levels, of which half is in the one before
    assert max(kept) < 1.5 * cap * (1 + 6 / 2)
    assert kept[-1] < cap


def of_minute(pane: int, people: list[int]) -> FactRow:
    """Return failures in the pane that begins at ``pane`` (ms)."""
    return FactRow(pane, ON_TIME, leaf_at(1), "new", "failure", "", "", len(people), 0, [0, 0], people)
