"""What is a fact: a count of events before any policy judges it?

A row holds the counts of one (pane, first T, kind), where a kind is a leaf, a step, an outcome, an error code and an
error class. All of these are strings as events state them, so that facts do not depend on any list of known values.
Segments carry rows, and windows are built from rows; the policy decides later what counts as bad and as slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from detectors.axes import Leaf

__all__ = ["ON_TIME", "TOO_LATE", "FactRow", "Kind"]

#: ``first_t`` of a row whose events arrived before their pane was judged: the row counts from the pane's end on.
ON_TIME = 0
#: ``first_t`` of a row whose events arrived so late that no window holds them: the row counts in totals only.
TOO_LATE = -1


class Kind(NamedTuple):
    """What the events of a row have in common but for their time: the fields of these names of ``FactRow``."""

    leaf: Leaf
    step: str
    outcome: str
    code: str
    error_class: str


class FactRow(msgspec.Struct, gc=False):
    """Counts of one (pane, first T, kind). Only failures have ``people``, a ``code`` and an ``error_class``.

    Attributes:
        pane: start of the pane, ms since the epoch.
        first_t: ``ON_TIME``, ``TOO_LATE``, or the first T (ms) by which the row's events have arrived: late ones count
            from it on; those of a clock that is ahead, which arrive before their pane, from the end of the pane on.
        leaf: the value on each axis.
        step, outcome: as the events state them, in lower case.
        code: the error code, "" for none.
        error_class: the class of the exception in lower case, without namespace and the ending ``error``; "" for none.
        count: number of events.
        timed: number of events that carry a duration.
        over: for each threshold of the segment, the number of timed events that took at least so long.
        people: distinct 64-bit ids of the people of a failure (``user_hash``, else ``flow_id``, else ``event_id``).
        durations: logarithmic histogram, bucket -> events (``latency_histogram.bucket``).
        sampled: a number for each event of a sample (``people.sampling``): of a failure the person's id.
        values: for each of ``sampled`` the values of the further fields that are recorded.
    """

    pane: int
    first_t: int
    leaf: Leaf
    step: str
    outcome: str
    code: str = ""
    error_class: str = ""
    count: int = 0
    timed: int = 0
    over: list[int] = []
    people: list[int] = []
    durations: dict[int, int] = {}
    sampled: Sequence[int] = ()
    values: Sequence[Leaf] = ()

    def counts_from(self, step: int) -> int:
        """The first T (ms) at which the row counts, for panes of ``step`` ms; -1 for never."""
        is_on_its_own = self.first_t > self.pane or self.first_t == TOO_LATE
        return self.first_t if is_on_its_own else self.pane + step

    def arrives(self, step: int) -> int:
        """The first T (ms) by which the row has arrived, for panes of ``step`` ms; -1 for never.

        It is earlier than ``counts_from`` where the clock of its producer is ahead.
        """
        return self.pane + step if self.first_t == ON_TIME else self.first_t
