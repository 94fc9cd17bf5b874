"""What would another policy have done with the same events: which incidents and pages appear, vanish or move?

Incidents of the two runs are paired by the rules that pair labels with incidents in ``score``: their scopes share a
leaf and they were open at a common time; of several candidates, the closest scope wins, then the longest overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from detectors.backtest.assignment import assign
from detectors.backtest.labels import closeness
from detectors.backtest.outcomes import Outcome
from detectors.instants import FAR_FUTURE

__all__ = ["Change", "compare"]


@dataclass(frozen=True)
class Change:
    """An incident of one run, and its counterpart in the other run.

    Attributes:
        before, after: the outcome by the first policy and by the other policy; one of them may be None.
        moved: what differs if both exist: name -> (before, after). Instants are T, ms.
    """

    before: Outcome | None
    after: Outcome | None
    moved: dict[str, tuple[object, object]] = field(default_factory=dict)

    @property
    def what(self) -> Literal["appears", "vanishes", "moves", "stays"]:
        """How the incident changes from the first policy to the other."""
        if self.before is None:
            return "appears"
        if self.after is None:
            return "vanishes"
        return "moves" if self.moved else "stays"

    @property
    def page(self) -> Literal["appears", "vanishes", "moves", "stays", "none"]:
        """How the incident's first page changes; "none" if neither policy woke anybody."""
        before = self.before.paged_at if self.before else None
        after = self.after.paged_at if self.after else None
        if before is None:
            return "none" if after is None else "appears"
        if after is None:
            return "vanishes"
        return "stays" if before == after else "moves"

    @property
    def at(self) -> int:
        """The earlier opening of the two incidents, ms."""
        return min(one.opened_at for one in (self.before, self.after) if one)


def compare(before: Sequence[Outcome], after: Sequence[Outcome]) -> list[Change]:
    """Return all incidents of both runs, paired where they correspond, in order of opening."""
    pairs = _pair(before, after)
    changes = [
        Change(b, after[pairs[n]], _moved(b, after[pairs[n]])) for n, b in enumerate(before) if n in pairs
    ]
    changes += [Change(b, None) for n, b in enumerate(before) if n not in pairs]
    taken = set(pairs.values())
    changes += [Change(None, a) for n, a in enumerate(after) if n not in taken]
    return sorted(changes, key=lambda change: change.at)


def _pair(before: Sequence[Outcome], after: Sequence[Outcome]) -> dict[int, int]:
    if not before or not after:
        return {}
    base = 5.0 * len(before)
    weights = np.zeros((len(before), len(after)))
    for n, b in enumerate(before):
        for m, a in enumerate(after):
            close, common, either = _closest(b, a), *_overlap(b, a)
            if close and common > 0:
                weights[n, m] = base + close + common / either
    return assign(weights)


def _closest(one: Outcome, other: Outcome) -> int:
    return max(closeness(a, b) for _, a in one.scopes for _, b in other.scopes)


def _overlap(one: Outcome, other: Outcome) -> tuple[int, int]:
    """Return how long both incidents were open at once, and how long at least one was open, ms."""
    ends = [FAR_FUTURE if o.resolved_at is None else o.resolved_at for o in (one, other)]
    starts = [one.opened_at, other.opened_at]
    return min(ends) - max(starts), max(ends) - min(starts)


def _moved(before: Outcome, after: Outcome) -> dict[str, tuple[object, object]]:
    def look(outcome: Outcome) -> dict[str, object]:
        return {
            "opened_at": outcome.opened_at,
            "paged_at": outcome.paged_at,
            "pages": len(outcome.pages),
            "resolved_at": outcome.resolved_at,
            "scope": outcome.scope_within(outcome.opened_at, outcome.resolved_at or FAR_FUTURE),
            "peak_severity": outcome.peak_severity,
            "causes": "+".join(outcome.causes),
        }

    one, other = look(before), look(after)
    return {name: (value, other[name]) for name, value in one.items() if value != other[name]}
