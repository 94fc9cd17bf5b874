"""What a step finds depends on no leaf that comes later, wherever one frame ends and the next begins."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.axes import Leaf
from detectors.engine.engine import Engine
from detectors.history.history import History
from detectors.incidents import Transition
from detectors.windows.facts import ON_TIME, FactRow
from tests.detectors.engine.episodes import ENV, POLICY, STEP
from tests.support.depth import examples
from tests.support.oracle import NOON

LASTS = 30  # steps
LEAVES: list[Leaf] = [
    ("ssoe", "idme", None),
    ("ssoe", "idme", "vaweb"),
    ("sis", "idme", "vaweb"),
    ("sis", "idme", "vamobile"),
    ("sis", None, "vamobile"),
    ("sis", "clear", "vamobile"),
]


def rows_of(begins: list[int], fails: list[bool]) -> list[FactRow]:
    """One sign-in a step by each leaf from a step on; it fails or succeeds."""
    rows = []
    for n, (leaf, begin, failing) in enumerate(zip(LEAVES, begins, fails, strict=True)):
        outcome, code = ("failure", "007") if failing else ("success", "")
        for step in range(begin, LASTS):
            people = [step * len(LEAVES) + n] if failing else []
            at = NOON + step * STEP
            rows.append(FactRow(at, ON_TIME, leaf, "callback", outcome, code, "", 1, 0, people=people))
    return sorted(rows, key=lambda row: row.pane)


def transitions(rows: list[FactRow], stride: int) -> list[Transition]:
    """The transitions of an engine that is called every ``stride`` steps."""
    engine = Engine(ENV, POLICY, History.of(ENV, POLICY))
    found = []
    for number in range(stride, LASTS + stride, stride):
        to = NOON + number * STEP
        due = [row for row in rows if to - stride * STEP < row.counts_from(STEP) <= to]
        found += [one for brought in engine.advance(to, due) for one in brought.transitions]
    return found


@settings(max_examples=examples(20))
@given(
    begins=st.lists(st.integers(0, LASTS - 1), min_size=len(LEAVES), max_size=len(LEAVES)),
    fails=st.lists(st.booleans(), min_size=len(LEAVES), max_size=len(LEAVES)),
)
def test_one_call_finds_what_a_call_at_each_step_finds(begins: list[int], fails: list[bool]) -> None:
    rows = rows_of(begins, fails)
    assert transitions(rows, LASTS) == transitions(rows, 1)
