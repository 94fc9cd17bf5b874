"""What truly happened, as somebody labelled it, and which incidents count as an answer to a label?

A label says that from ``start`` to ``end`` something was wrong on a scope. An incident *answers* a label if it

* is of the same environment, and has or had a scope that overlaps the label's scope, and
* opened no earlier than ``EARLY`` before the start (labels are written to the minute) and no later than
  ``late`` after the end, and had not resolved by the start.

An incident on a narrower, a wider or an overlapping scope is thus an answer, though not one on the right scope.

A label of the kind ``notice`` calls for no incident; an incident that answers it must wake nobody.
"""

from __future__ import annotations

import msgspec

from detectors.axes import contains, overlaps
from detectors.backtest.outcomes import Outcome
from detectors.instants import MINUTE

__all__ = ["EARLY", "NOTICE", "Label", "closeness"]

#: The kind of a label that calls for no incident, but for a notice at most.
NOTICE = "notice"

#: An incident that opened at most this long before the start of a label may answer the label, ms.
EARLY = MINUTE
#: Kinds that show only in people who do not come back: they are seen once people are overdue, after 10 to 25 min
#: (``return_ratio``).
_BY_LATE_RETURNS = frozenset({"funnel"})
#: Kinds whose incidents resolve only once people have come back: lost returns and surges.
_SLOW_TO_END = frozenset({"funnel", "surge"})


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled episode.

    Attributes:
        kind: outage, silence, funnel, surge, latency, notice, or another word that the labeller chose.
        scope: path with its environment.
        start, end: ms since the epoch.
        severity: 1-3, by the SLA; None if the label does not state it.
        users: people impacted per hour; None if the label does not state it.
        page: True if an incident must wake somebody, False if an incident must open and wake nobody, None for either.
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
        """How long after the label's end an incident may open, or wake somebody, and still answer the label, ms."""
        return 15 * MINUTE if self.kind in _BY_LATE_RETURNS else 5 * MINUTE

    @property
    def recovery(self) -> int:
        """How long after the label's end its incident may take to resolve, ms."""
        return 45 * MINUTE if self.kind in _SLOW_TO_END else 20 * MINUTE

    def may_be_answered_by(self, outcome: Outcome) -> bool:
        """Whether an incident answers the label, by the rules in the module's docstring."""
        if not self.start - EARLY <= outcome.opened_at <= self.end + self.late:
            return False
        return self.concerns(outcome) and (outcome.resolved_at is None or outcome.resolved_at > self.start)

    def concerns(self, outcome: Outcome) -> bool:
        """Whether an incident ever had a scope that overlaps the label's scope."""
        return any(closeness(self.scope, scope) for _, scope in outcome.scopes)


def closeness(one: str, other: str) -> int:
    """Return 3 for equal scopes, 2 if one holds the other, 1 if an event can be in both, 0 otherwise.

    Scopes of different environments share nothing.
    """
    if one == other:
        return 3
    if contains(one, other) or contains(other, one):
        return 2
    return int(overlaps(one, other))
