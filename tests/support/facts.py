"""Which random rows of facts do tests use, and how do they divide an interval of time into calls?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from hypothesis import strategies as st

from detectors.axes import Leaf
from detectors.scopes import LEAVES, OUTCOMES, STEPS, leaf_index
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import ON_TIME, FactRow

__all__ = ["STEP", "columns_of", "cuts", "fact_rows", "leaf_at", "leaf_position"]

STEP = 1_000


def leaf_at(position: int) -> Leaf:
    """Return the leaf, without a client, at a position of ``LEAVES``."""
    return (*LEAVES[position], None)


def leaf_position(leaf: Leaf) -> int:
    """Return the position of a leaf of ``LEAVES``, whatever its values on further axes."""
    method, csp = (*leaf, None)[:2]
    return leaf_index(str(method), csp)


def columns_of(
    rows: Iterable[FactRow], step: int, position: Callable[[Leaf], int] = leaf_position
) -> FactColumns:
    """Return rows as columns, with the positions of ``LEAVES`` if none are given."""
    return FactColumns.of(rows, step, position)


@st.composite
def fact_rows(
    draw: st.DrawFn, *, start: int, steps: int, latest: int, longest: int = 25, failing: bool = False
) -> list[FactRow]:
    """Draw rows in ``steps`` panes from ``start`` (ms) on; late rows arrive up to ``latest`` steps afterwards.

    ``over`` has two thresholds. Several rows may have an equal (pane, first T), like rows of several partitions. With
    ``failing`` all rows are failures.
    """
    rows = []
    for _ in range(draw(st.integers(0, longest))):
        pane = start + draw(st.integers(0, steps - 1)) * STEP
        delay = draw(st.sampled_from([0, 0, 0, 1, 2, latest // 2, latest]))
        first = ON_TIME if not delay else pane + STEP + delay * STEP
        outcome = "failure" if failing else draw(st.sampled_from(OUTCOMES))
        failed = outcome == "failure"
        people = draw(st.lists(st.integers(1, 4), unique=True, min_size=1, max_size=3)) if failed else []
        count = len(people) + draw(st.integers(0, 2)) + (not failed)
        timed = draw(st.integers(0, count))
        slow = draw(st.integers(0, timed))
        rows.append(
            FactRow(
                pane,
                first,
                leaf_at(draw(st.integers(0, len(LEAVES) - 1))),
                draw(st.sampled_from(STEPS)),
                outcome,
                draw(st.sampled_from(["", "001", "007"])) if failed else "",
                draw(st.sampled_from(["", "timeout"])) if failed else "",
                count,
                timed,
                [slow, draw(st.integers(0, slow))],
                sorted(people),
            )
        )
    return rows


@st.composite
def cuts(draw: st.DrawFn, total: int) -> Sequence[int]:
    """Divide ``total`` steps into calls; return the length of each call."""
    lengths = []
    left = total
    while left:
        length = draw(st.sampled_from([1, 1, 2, 3, 7, total // 2 or 1, total]))
        lengths.append(min(length, left))
        left -= lengths[-1]
    return lengths
