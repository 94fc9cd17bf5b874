"""The first failing event of an interval, found in running sums and late facts, is the one that a search finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import HOUR, SECOND
from detectors.scopes import LEAVES, MEMBERS, SCOPES
from detectors.windows.counters import BAD, SESSION_BAD, Classify
from detectors.windows.facts import ON_TIME, FactRow
from detectors.windows.fixed_scopes import fixed_scopes
from detectors.windows.sliding import Windows
from streams.settings.policy_file import default_policy
from tests.support.facts import columns_of, leaf_at, leaf_position

START = 1_795_435_200_000
LASTS = 90  # steps
WINDOWS = (15 * SECOND, 60 * SECOND)
CLASSIFY = Classify(default_policy().event_classes, {})


@st.composite
def rows(draw: st.DrawFn) -> list[FactRow]:
    """Draw failures and successes, a few of them late, over a minute and a half."""
    found = []
    for _ in range(draw(st.integers(0, 25))):
        pane = draw(st.integers(0, LASTS - 2))
        late = draw(st.integers(2, 20)) if draw(st.booleans()) else 0
        found.append(
            FactRow(
                START + pane * SECOND,
                START + (pane + late) * SECOND if late else ON_TIME,
                leaf_at(draw(st.integers(0, len(LEAVES) - 1))),
                draw(st.sampled_from(("callback", "refresh"))),
                draw(st.sampled_from(("success", "failure"))),
                draw(st.sampled_from(("007", "001"))),
                count=1,
            )
        )
    return found


@given(rows(), st.data())
def test_it_is_the_first_that_a_search_finds(some: list[FactRow], data: st.DataObject) -> None:
    windows = Windows(fixed_scopes("prod"), SECOND, WINDOWS, CLASSIFY)
    cuts = sorted(data.draw(st.sets(st.integers(1, LASTS - 1), max_size=4)) | {LASTS})
    begun = 0
    for cut in cuts:
        at = [START + n * SECOND for n in range(begun + 1, cut + 1)]
        due = [row for row in some if at[0] <= row.counts_from(SECOND) <= at[-1]]
        windows.advance(at[0], len(at), columns_of(due, SECOND))
        asked = data.draw(st.sampled_from(at))
        scope = data.draw(st.integers(0, len(SCOPES) - 1))
        since = asked - data.draw(st.integers(0, WINDOWS[-1] // SECOND)) * SECOND
        there = [
            row.pane
            for row in some
            if since <= row.pane < asked
            and row.counts_from(SECOND) <= asked
            and MEMBERS[scope, leaf_position(row.leaf)]
            and CLASSIFY.is_bad(columns_of([row], SECOND)).all()
        ]
        assert windows.first(scope, (BAD, SESSION_BAD), since, asked) == min(there, default=None)
        begun = cut


def test_before_the_first_event_there_is_none() -> None:
    windows = Windows(fixed_scopes("prod"), SECOND, (HOUR,), CLASSIFY)
    windows.advance(START, 1, columns_of([], SECOND))
    assert windows.first(0, (BAD,), START - HOUR, START) is None
