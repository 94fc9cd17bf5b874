"""Events arrive in a window by the T by which they have come, and on-time events as they happen."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.axes import AXES, Scopes
from detectors.engine.frame_builder import classify_of
from detectors.instants import MINUTE, SECOND
from detectors.windows.counters import COUNTERS, GOOD, STARTED
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.late import LateArrivals
from detectors.windows.sliding import Windows
from streams.settings.policy_file import default_policy

BEGIN = 1_795_435_200_000
LEAVES = (("sis", "idme", None), ("ssoe", "idme", None))
WINDOWS = (5 * SECOND, 20 * SECOND)
CLASSIFY = classify_of(default_policy())

#: (pane, T of arrival in steps after the pane's end, leaf, whether it is a start, events)
_rows = st.lists(
    st.tuples(st.integers(0, 60), st.integers(-40, 40), st.integers(0, 1), st.booleans(), st.integers(1, 9)),
    max_size=30,
)


def fact(pane: int, late: int, leaf: int, is_start: bool, count: int) -> FactRow:
    begin = BEGIN + pane * SECOND
    first = begin + SECOND + late * SECOND if late else ON_TIME
    step, outcome = ("new", "started") if is_start else ("callback", "success")
    return FactRow(begin, first, LEAVES[leaf], step, outcome, count=count)


@given(_rows, st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_what_arrived_is_counted_by_the_step_in_which_it_came(
    rows: list[tuple[int, int, int, bool, int]], cuts: list[int]
) -> None:
    scopes = Scopes("prod", AXES)
    scopes.admit(LEAVES)
    facts = FactColumns.of([fact(*row) for row in rows], SECOND, scopes.position)
    windows = Windows(scopes, SECOND, WINDOWS, CLASSIFY)
    late = LateArrivals(scopes, SECOND, max(WINDOWS), CLASSIFY)
    late.announce(facts[facts.ahead])
    at, taken = BEGIN + SECOND, 0
    for steps in (*cuts, 120 - sum(cuts) if sum(cuts) < 120 else 1):
        until = facts.up_to(at + (steps - 1) * SECOND)
        counts = windows.advance(at, steps, facts[taken:until])
        frame = late.move(at, steps, facts[taken:until])
        for window in WINDOWS:
            beside = None if frame is None else frame.beside(window)
            found = counts[window] if beside is None else counts[window] + beside
            for n in range(steps):
                for leaf, path in ((0, "prod/sis/idme"), (1, "prod/ssoe/idme")):
                    index = scopes.index(path)
                    assert index is not None
                    expected = _brute(rows, at + n * SECOND, window, leaf)
                    assert found[n, index, [STARTED, GOOD]].tolist() == expected
        taken, at = until, at + steps * SECOND
    assert found.shape[-1] == len(COUNTERS)


def _brute(rows: list[tuple[int, int, int, bool, int]], at: int, window: int, leaf: int) -> list[int]:
    """Count the events (starts, successes) that arrived in [at - window, at)."""
    out = [0, 0]
    for pane, late, of, is_start, count in rows:
        begin = BEGIN + pane * SECOND
        first = begin + (1 + late) * SECOND
        if of == leaf and first <= at and first - SECOND >= at - window:
            out[0 if is_start else 1] += count
    return out


def test_what_is_ahead_is_seen_while_its_leaf_has_a_place_and_is_forgotten_with_its_pane() -> None:
    scopes = Scopes("prod", AXES)
    scopes.admit(LEAVES[:1])
    late = LateArrivals(scopes, SECOND, max(WINDOWS), CLASSIFY)
    ahead = FactColumns.of([fact(10, -8, leaf, True, 5) for leaf in (0, 1)], SECOND)
    late.announce(ahead)
    nothing = FactColumns.of([], SECOND, scopes.position)

    def started(at: int) -> int:
        frame = late.move(BEGIN + at * SECOND, 1, nothing)
        beside = None if frame is None else frame.beside(WINDOWS[0])
        return 0 if beside is None else int(beside[0, 0, STARTED])

    assert [started(at) for at in (2, 3)] == [0, 5]
    scopes.admit(LEAVES[1:])
    assert [started(at) for at in (4, 7, 8, 11, 15, 16)] == [10, 10, 0, -10, -10, 0]
    assert late.move(BEGIN + 31 * SECOND, 1, nothing) is None
    assert (np.size(late._ahead), late._leaves) == (0, [])


def test_nothing_is_kept_of_events_that_are_on_time_or_long_gone() -> None:
    scopes = Scopes("prod", AXES)
    scopes.admit(LEAVES)
    late = LateArrivals(scopes, SECOND, max(WINDOWS), CLASSIFY)
    punctual = FactColumns.of([fact(1, 0, 0, True, 5)], SECOND, scopes.position)
    assert late.move(BEGIN + 2 * SECOND, 1, punctual) is None
    delayed = FactColumns.of([fact(1, 3, 0, True, 5)], SECOND, scopes.position)
    assert late.move(BEGIN + 5 * SECOND, 1, delayed) is not None
    nothing = FactColumns.of([], SECOND, scopes.position)
    assert late.move(BEGIN + MINUTE, 1, nothing) is None
    assert np.size(late._rows) == 0
