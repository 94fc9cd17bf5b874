"""Columns hold the numbers of each row, in the order of the first T at which rows count."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.arrays import Bools
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import TOO_LATE, FactRow
from detectors.windows.people.failed import Failed
from tests.support.facts import STEP, columns_of, fact_rows, leaf_position

START = 1_795_435_200_000
ROWS = fact_rows(start=START, steps=9, latest=4)


def said(facts: FactColumns) -> list[tuple[object, ...]]:
    """Return the numbers of each row in the columns."""
    assert len(facts) == len(facts.rows)
    names = ("pane", "counts_from", "leaf", "count", "timed", "late")
    columns = [getattr(facts, name).tolist() for name in names]
    return list(zip(*columns, [facts.kinds[kind] for kind in facts.kind], facts.rows, strict=True))


def of_row(row: FactRow) -> tuple[object, ...]:
    at = row.counts_from(STEP)
    numbers = (row.pane, at, leaf_position(row.leaf), row.count, row.timed, row.first_t != 0)
    return (*numbers, (row.leaf, row.step, row.outcome, row.code, row.error_class), row)


@given(rows=ROWS, too_late=st.sets(st.integers(0, 8)))
def test_every_row_that_counts_is_there_in_the_order_in_which_they_do(
    rows: list[FactRow], too_late: set[int]
) -> None:
    for n, row in enumerate(rows):
        row.first_t = TOO_LATE if n in too_late else row.first_t
    facts = columns_of(rows, STEP)
    counting = [row for row in rows if row.first_t != TOO_LATE]
    assert said(facts) == [of_row(row) for row in sorted(counting, key=lambda row: row.counts_from(STEP))]
    for at in range(START, START + 12 * STEP, STEP):
        assert facts.up_to(at) == sum(row.counts_from(STEP) <= at for row in counting)


@given(rows=ROWS, data=st.data())
def test_a_choice_of_rows_says_what_they_say(rows: list[FactRow], data: st.DataObject) -> None:
    facts = columns_of(rows, STEP)
    some = st.lists(st.booleans(), min_size=len(facts), max_size=len(facts))
    mask: Bools = np.array(data.draw(some), dtype=bool)
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(facts))] * 2)))
    everything = said(facts)
    assert said(facts[begin:end]) == everything[begin:end]
    assert said(facts[mask]) == [one for one, chosen in zip(everything, mask, strict=True) if chosen]
    codes = {"", "007"}
    assert facts[mask].has_code(codes).tolist() == [row.code in codes for row in facts[mask].rows]


@given(rows=ROWS, data=st.data())
def test_who_failed_is_chosen_with_the_row(rows: list[FactRow], data: st.DataObject) -> None:
    facts = columns_of(rows, STEP)
    some = st.lists(st.booleans(), min_size=len(facts), max_size=len(facts))
    mask: Bools = np.array(data.draw(some), dtype=bool)
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(facts))] * 2)))
    failed = Failed.of(facts)
    for chosen, of in ((failed[mask], facts[mask]), (failed[begin:end], facts[begin:end])):
        assert chosen.people.tolist() == [person for row in of.rows for person in row.people]
        assert chosen.sizes.tolist() == [len(row.people) for row in of.rows]
        assert chosen.leaf.tolist() == of.leaf.tolist()
    both = Failed.together([failed[:begin], failed[begin:]])
    assert both.people.tolist() == failed.people.tolist()
    assert both.pane.tolist() == failed.pane.tolist()
