"""What truly happened, as somebody labelled it, and what an answer to it may look like.

A label says that from ``start`` to ``end`` something was wrong on a scope. An incident *answers* it if it

* is of the same environment, and has or had a scope that shares a leaf with the label's, and
* opened no earlier than ``EARLY`` before the start (labels are written to the minute) and no later than
  ``late`` after the end, and had not resolved by the start.

A narrower, a wider or an overlapping scope is thus an answer, though not one on the right scope.
"""

from __future__ import annotations

import msgspec

from detectors.backtest.outcomes import Outcome
from detectors.instants import MINUTE
from detectors.scopes import MEMBERS, contains, scope_index

__all__ = ["EARLY", "Label", "closeness"]

#: An incident this much older than the start of a label may still answer it, ms.
EARLY = MINUTE
#: What is found only by people who do not come back is seen when they are overdue: 10 to 25 min (``return_ratio``).
_BY_LATE_RETURNS = frozenset({"funnel"})
#: Over only once people have come back: of lost returns and of surges.
_SLOW_TO_END = frozenset({"funnel", "surge"})


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled episode.

    Attributes:
        kind: outage, silence, funnel, surge, latency, or a word of the labeller's.
        scope: path with its environment.
        start, end: ms.
        severity: 1-3, by the SLA; None if nobody said.
        users: people hurt per hour; None if nobody said.
        page: True if it must wake somebody, False if it must be noticed and wake nobody, None for either.
    """

    kind: str
    scope: str
    start: int
    end: int
    severity: int | None = None
    users: int | None = None
    page: bool | None = None

    @property
    def late(self) -> int:
        """How long after the end an incident may open, or wake somebody, and still be for it, ms."""
        return 15 * MINUTE if self.kind in _BY_LATE_RETURNS else 5 * MINUTE

    @property
    def recovery(self) -> int:
        """How long after the end an incident should have resolved, ms."""
        return 45 * MINUTE if self.kind in _SLOW_TO_END else 20 * MINUTE

    def may_be_answered_by(self, outcome: Outcome) -> bool:
        """Whether an incident answers it, by the rules above."""
        if not self.start - EARLY <= outcome.opened_at <= self.end + self.late:
            return False
        return self.concerns(outcome) and (outcome.resolved_at is None or outcome.resolved_at > self.start)

    def concerns(self, outcome: Outcome) -> bool:
        """Whether an incident had a scope that shares a leaf with the label's."""
        return any(closeness(self.scope, scope) for _, scope in outcome.scopes)


def closeness(one: str, other: str) -> int:
    """3: the same scope; 2: one holds the other; 1: they share a leaf; 0: unrelated, or of two environments."""
    if one == other:
        return 3
    if one.partition("/")[0] != other.partition("/")[0]:
        return 0
    if contains(one, other) or contains(other, one):
        return 2
    return int(bool((MEMBERS[scope_index(one)] & MEMBERS[scope_index(other)]).any()))
