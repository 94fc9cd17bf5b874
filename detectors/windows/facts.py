"""What is a fact: a count of events before any policy judges it?

A row holds the counts of one (pane, first T, leaf, step, outcome, error code). Segments carry rows, and windows are
built from rows; the policy decides later which error codes count as bad and which durations as slow.
"""

from __future__ import annotations

import msgspec

__all__ = ["ON_TIME", "TOO_LATE", "FactRow"]

#: ``first_t`` of a row whose events arrived before their pane was judged: the row counts from the pane's end on.
ON_TIME = 0
#: ``first_t`` of a row whose events arrived so late that no window holds them: the row counts in totals only.
TOO_LATE = -1


class FactRow(msgspec.Struct, array_like=True, gc=False):
    """Counts of one (pane, first T, leaf, step, outcome, code). Only failures have ``people`` and a ``code``.

    Attributes:
        pane: start of the pane, ms since the epoch.
        first_t: ``ON_TIME``, ``TOO_LATE``, or the first T (ms) at which the row's late events count.
        leaf, step_index, outcome: positions on the axes ``scopes.LEAVES``, ``STEPS``, ``OUTCOMES``.
        code: the error code, "" for none.
        count: number of events.
        timed: number of events that carry a duration.
        over: for each threshold of the segment, the number of timed events that took at least so long.
        people: distinct 64-bit ids of the people of a failure (``user_hash``, else ``flow_id``, else ``event_id``).
        durations: logarithmic histogram, bucket -> events (``latency_histogram.bucket``).
    """

    pane: int
    first_t: int
    leaf: int
    step_index: int
    outcome: int
    code: str
    count: int = 0
    timed: int = 0
    over: list[int] = []
    people: list[int] = []
    durations: dict[int, int] = {}

    def counts_from(self, step: int) -> int:
        """The first T (ms) at which the row counts, for panes of ``step`` ms; -1 for never."""
        return self.pane + step if self.first_t == ON_TIME else self.first_t
