"""A sample of events keeps the values of further fields, the same however the log is cut into batches and blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.windows.facts import ON_TIME, TOO_LATE, FactRow
from detectors.windows.people import sampling
from detectors.windows.people.person_table import mixed
from detectors.windows.people.sampling import key_of_number, limit_of, numbers_of
from streams.aggregate import sample
from streams.aggregate.bounds import Bounds
from streams.aggregate.fact_accumulator import FactAccumulator
from streams.events.columns import columns_of
from streams.events.kinds import Fields
from tests.streams.events.strategies import event_bytes

FIELDS = Fields(further=("acr", "operation", "tenant", "duration_ms"))
PANE = 1_800_000_000_000
ONE = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from(["success", "failure", "started"]),
        "acr": st.sampled_from(["loa1", "LOA3", None]),
        "operation": st.sampled_from(["authorize", "a word that cannot be spelt", None]),
        "tenant": st.sampled_from(["va", 7, None]),
        "duration_ms": st.sampled_from([1.5, 2.5, None]),
        "user_hash": st.sampled_from(["p", "q", "r", None]),
        "at": st.integers(0, 3),
    }
)


def folded(
    events: Sequence[dict[str, object]], sizes: Sequence[int] = (), *, bounded: bool = True, first: int = 0
) -> list[FactRow]:
    """Return the rows of events of the panes that ``at`` counts, taken in cuts of the sizes and one with the rest.

    The id of the first event has the number ``first``.
    """
    cells = FactAccumulator(1_000, (), (lambda: Bounds(("prod",), 1)) if bounded else None)
    begin = 0
    for size in (*sizes, len(events)):
        some = events[begin : begin + size]
        values = [
            event_bytes(event_id=f"e{n}", **{name: value for name, value in one.items() if name != "at"})
            for n, one in enumerate(some, first + begin)
        ]
        _, found, refused = columns_of(values, FIELDS)
        assert not refused
        panes = np.array([PANE + 30_000 * int(str(one["at"])) for one in some], dtype=np.int64)
        cells.add_many(found, panes, np.full(len(found), ON_TIME))
        begin += size
        cells.rows()
    return cells.rows().get("prod", [])


def all_values(rows: Sequence[FactRow]) -> Counter[tuple[str | None, ...]]:
    return Counter(values for row in rows for values in row.values)


@given(st.lists(ONE, max_size=25), st.lists(st.integers(0, 9), max_size=6), st.integers(1, 6), st.booleans())
def test_the_sample_of_a_block_is_the_same_whatever_the_cuts(
    events: list[dict[str, object]], sizes: list[int], most: int, bounded: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "_KEYS", most)
        patch.setattr(sample, "_MOST_VALUES", 4 * len(FIELDS.further))
        patch.setattr(sample, "_MOST_STATED", 40)
        assert folded(events, sizes, bounded=bounded) == folded(events, bounded=bounded)


@given(st.lists(ONE, max_size=25))
def test_of_few_events_the_values_of_all_that_are_completed_are_kept(events: list[dict[str, object]]) -> None:
    rows = folded(events)
    spelt = {"LOA3": "loa3", "a word that cannot be spelt": "other", 7: None}
    for row in rows:
        assert len(row.sampled) == len(row.values)
        if row.outcome == "failure":
            assert set(row.sampled) == set(row.people)
        else:
            assert len(row.sampled) == (row.count if row.outcome == "success" else 0)
    succeeded = [one for one in events if one["outcome"] == "success"]
    wanted = Counter(
        (*(spelt.get(one[name], one[name]) for name in ("acr", "operation", "tenant")), None)
        for one in succeeded
    )
    assert all_values([row for row in rows if row.outcome == "success"]) == wanted


@given(st.lists(ONE, max_size=25), st.integers(0, 25), st.integers(1, 4))
def test_the_sample_of_all_events_is_among_the_samples_of_two_blocks(
    events: list[dict[str, object]], cut: int, most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "_KEYS", most)
        whole = folded(events)
        parts = [folded(events[:cut]), folded(events[cut:], first=cut)]
    held = {
        (row.pane, row.outcome, number, values)
        for rows in parts
        for row in rows
        for number, values in zip(row.sampled, row.values, strict=True)
    }
    for row in whole:
        for number, values in zip(row.sampled, row.values, strict=True):
            assert (row.pane, row.outcome, number, values) in held


def test_of_many_values_the_most_frequent_are_kept_and_the_others_are_other() -> None:
    events: list[dict[str, object]] = [
        {"outcome": "success", "acr": f"v{n % 40 if n < 80 else n}", "duration_ms": float(n), "at": 0}
        for n in range(200)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "_KEYS", 200)
        patch.setattr(sample, "_MOST_VALUES", 40 * len(FIELDS.further))
        found = all_values(folded(events))
    assert len(found) == 41
    assert found["other", None, None, None] == 120


def test_what_counts_in_no_window_is_not_in_the_sample() -> None:
    cells = FactAccumulator(1_000, ())
    _, found, _ = columns_of([event_bytes(event_id="e", outcome="success", acr="loa1")], FIELDS)
    cells.add_many(found, np.array([PANE]), np.array([TOO_LATE]))
    assert [tuple(row.sampled) for row in cells.rows()["prod"]] == [()]


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 10))
def test_a_limit_is_the_first_key_beyond_so_many_distinct_ones(keys: list[int], most: int) -> None:
    distinct = sorted(set(keys))
    found = limit_of(np.array(keys, dtype=np.uint64), most)
    assert found == (distinct[most] if len(distinct) > most else None)


def test_events_spread_evenly_over_the_keys() -> None:
    occurred = PANE + np.arange(100_000)
    keys = key_of_number(numbers_of(occurred, np.full(len(occurred), np.nan)))
    shares = np.bincount((keys >> np.uint64(60)).astype(np.int64), minlength=16) / len(keys)
    assert np.abs(shares - 1 / 16).max() < 0.004
    people = mixed(np.arange(100_000, dtype=np.uint64))
    limit = limit_of(people)
    assert limit is not None
    assert np.count_nonzero(people < limit) == sampling.SAMPLED
