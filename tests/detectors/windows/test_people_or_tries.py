"""What one person or one machine could have done is no crowd, and a crowd counts in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.arrays import Ints
from detectors.axes import AXES, Scopes
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.windows.error_codes import CodeWindows
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import FactRow
from detectors.windows.people.crowd import CrowdFrame, Crowds, flow_id_of, nobody_id_of
from detectors.windows.people.failed import Failed

BEGIN = 1_795_435_200_000
LEAVES = (
    ("sis", "idme", None),
    ("sis", "logingov", None),
    ("sis", None, None),
    ("ssoe", "idme", None),
    ("ssoe", "logingov", None),
)


def rows(seconds: Sequence[int], leaf: int = 0, first_id: int = 1, kind: str = "flow") -> list[FactRow]:
    """Return one failure of another id in each of the seconds."""
    named: dict[str, Callable[[int], int]] = {"flow": flow_id_of, "nobody": nobody_id_of}
    return [
        FactRow(
            BEGIN + second * SECOND,
            0,
            LEAVES[leaf],
            "callback",
            "failure",
            count=1,
            people=[named.get(kind, int)((first_id + n) << 20)],
        )
        for n, second in enumerate(seconds)
    ]


def judged(facts: list[FactRow], at: int, parts: int = 1) -> tuple[CrowdFrame | None, Scopes]:
    """Return the last frame, which ends ``at`` seconds after the beginning, in equal parts."""
    scopes = Scopes("prod", AXES)
    scopes.admit(LEAVES)
    crowds = Crowds(scopes, SECOND, HOUR)
    found = None
    edges = np.linspace(0, at, parts + 1).astype(int).tolist()
    columns = FactColumns.of(sorted(facts, key=lambda one: one.pane), SECOND, scopes.position)
    for begin, end in pairwise(edges):
        if end > begin:
            low, high = (columns.up_to(BEGIN + one * SECOND) for one in (begin, end))
            ends: Ints = BEGIN + SECOND * np.arange(begin + 1, end + 1, dtype=np.int64)
            found = crowds.move(ends, Failed.of(columns[low:high]))
    return found, scopes


def people(facts: list[FactRow], at: int, window: int, path: str = "prod", parts: int = 1) -> int:
    """Return how many of the ids of a window (ms) are people."""
    frame, scopes = judged(facts, at, parts)
    index = scopes.index(path)
    assert index is not None
    ids = [row for row in facts if BEGIN + at * SECOND - window <= row.pane < BEGIN + at * SECOND]
    return len(ids) - (0 if frame is None else int(frame.excess(window)[-1, index]))


def test_eighty_tries_of_one_after_the_other_are_one_person() -> None:
    retries = rows(range(0, 1_200, 15))
    assert people(retries, 1_201, HOUR) == 1
    assert people(retries, 1_201, 5 * MINUTE) == 1
    assert people(retries, 1_201, HOUR, "prod/sis/idme") == 1


def test_two_who_try_at_once_are_two() -> None:
    assert people(rows(range(0, 1_200, 20)) + rows(range(5, 1_200, 20), first_id=500), 1_201, HOUR) == 2


@pytest.mark.parametrize("seed", range(5))
def test_an_outage_in_which_nobody_is_known_counts_each_flow(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seconds = sorted(rng.integers(0, 1_800, 180).tolist())
    assert people(rows(seconds), 1_801, HOUR) == 180


def test_who_tries_long_afterwards_is_somebody_else() -> None:
    assert people(rows([0, 700, 1_400, 2_100, 2_800]), 2_900, HOUR) == 5
    assert people(rows([0, 300, 600, 900]), 1_000, HOUR) == 1


@pytest.mark.parametrize(("apart", "found"), [(190, 8), (210, 1)])
def test_who_fails_in_four_ways_within_ten_minutes_is_more_than_one(apart: int, found: int) -> None:
    ways = [row for n in range(8) for row in rows([n * apart], (0, 1, 3, 4)[n % 4], 100 * n)]
    assert people(ways, 8 * apart, HOUR) == found
    three = [row for row in ways if row.leaf != LEAVES[4]]
    assert people(three, 8 * apart, HOUR) == 1


def test_people_with_a_hash_are_counted_beside_the_one_without() -> None:
    named = rows([10, 400, 800], kind="person", leaf=1)
    assert people(rows(range(0, 1_200, 15)) + named, 1_201, HOUR) == 4
    assert people(named, 1_201, HOUR) == 3


def test_a_scanner_is_nobody() -> None:
    assert people(rows(range(120), leaf=2, kind="nobody"), 121, 5 * MINUTE) == 0


def test_people_since_an_instant_are_those_of_a_window() -> None:
    frame, scopes = judged(rows(range(0, 1_200, 15)), 1_201)
    assert frame is not None
    index = scopes.index("prod")
    assert index is not None
    at = BEGIN + 1_201 * SECOND
    assert frame.excess_since(index, at, at - 10 * MINUTE) == frame.excess(10 * MINUTE)[-1, index]


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 1), st.booleans()), max_size=60),
    st.integers(1, 40),
    st.sampled_from([MINUTE, 15 * MINUTE, HOUR]),
)
def test_it_is_a_function_of_what_failed_and_never_more_than_the_ids(
    failures: list[tuple[int, int, bool]], parts: int, window: int
) -> None:
    facts = []
    for n, (second, leaf, is_flow) in enumerate(failures):
        facts += rows([second], leaf, 100 * (n + 1), "flow" if is_flow else "nobody")
    at = 3_001
    flows = len(
        {n for n, (second, _, is_flow) in enumerate(failures) if is_flow and second >= at - window / SECOND}
    )
    whole = people(facts, at, window)
    assert people(facts, at, window, parts=parts) == whole
    assert min(flows, 1) <= whole <= flows


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.sampled_from(["flow", "nobody"])), max_size=60),
    st.sets(st.integers(0, 19)),
    st.sampled_from([MINUTE, 15 * MINUTE]),
)
def test_failures_of_any_code_are_told_from_a_crowd_too_whenever_one_asks(
    failures: list[tuple[int, str]], asks: set[int], window: int
) -> None:
    facts = [row for n, (at, kind) in enumerate(failures) for row in rows([at], first_id=100 * n, kind=kind)]
    scopes = judged([], 0)[1]
    columns = FactColumns.of(
        sorted((msgspec.structs.replace(row, code="005") for row in facts), key=lambda one: one.pane),
        SECOND,
        scopes.position,
    )
    codes = CodeWindows(scopes, SECOND, (MINUTE, 15 * MINUTE), ("005",), 1_000)
    for call in range(20):
        begin = call * 150
        part = columns[columns.up_to(BEGIN + begin * SECOND) : columns.up_to(BEGIN + (begin + 150) * SECOND)]
        codes.move(BEGIN + (begin + 1) * SECOND, 150, part)
        if call in asks or call == 19:
            found = int(codes.people(("005",), window)[-1, 0])
            assert found == people(facts, begin + 150, window)
