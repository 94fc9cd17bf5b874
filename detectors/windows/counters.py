"""Which counter a row of facts belongs to under the policy, and how much it adds there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.axes import AXES
from detectors.policy.classes import Classes, EventClass, Sli
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import Kind

__all__ = [
    "BAD",
    "COUNTERS",
    "EXCLUDED",
    "GOOD",
    "SESSION_BAD",
    "SESSION_GOOD",
    "SLOW",
    "STARTED",
    "TIMED",
    "Amounts",
    "Classify",
    "Columns",
]

#: The counter axis. The first six count steps of ``sign_in``, the last two steps of ``session``.
COUNTERS = ("good", "bad", "excluded", "started", "slow", "timed", "session_good", "session_bad")
GOOD, BAD, EXCLUDED, STARTED, SLOW, TIMED, SESSION_GOOD, SESSION_BAD = range(len(COUNTERS))
#: The counter of a row by the SLIs that its step counts in and by its class; a row of none of these counts nowhere.
_COUNTERS: dict[tuple[Sli | None, EventClass | None], int] = {
    ("sign_in", "started"): STARTED,
    ("sign_in", "good"): GOOD,
    ("sign_in", "bad"): BAD,
    ("sign_in", "excluded"): EXCLUDED,
    ("session", "good"): SESSION_GOOD,
    ("session", "bad"): SESSION_BAD,
}
#: The counters of so many kinds are remembered at most.
_KINDS_KNOWN = 4096


class Amounts(NamedTuple):
    """Amounts to add to counters: for each entry the position of the row, the counter, and the amount."""

    row: Ints
    counter: Ints
    amount: Ints


class Columns(Protocol):
    """Assigns rows of facts to counters."""

    def amounts(self, facts: FactColumns) -> Amounts:
        """Return what rows of facts add to which counters."""
        ...


@dataclass(frozen=True)
class Classify:
    """The part of a policy that assigns facts to classes.

    Attributes:
        classes: gives events their class.
        slow_at: auth method -> the position of its latency threshold among those of a segment, which ascend; that of
            any other method is the strictest.
        axes: the names of the axes of leaves. Whether an event has a provider or client is known where it is an axis.
    """

    classes: Classes
    slow_at: Mapping[str, int]
    axes: tuple[str, ...] = AXES
    _known: dict[Kind, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def is_bad(self, facts: FactColumns) -> Bools:
        """Return (N,) whether each row holds failures that count against the service."""
        return facts.by_kind(self._is_bad) > 0

    def is_timed(self, facts: FactColumns) -> Bools:
        """Return (N,) whether each row adds to the counter ``TIMED``."""
        return _is_timed(facts, self._counters(facts))

    def amounts(self, facts: FactColumns) -> Amounts:
        """Return what rows of facts add: each to at most one counter of events, and to two more if it has durations."""
        counters = self._counters(facts)
        counted = np.flatnonzero(counters >= 0)
        timed = np.flatnonzero(_is_timed(facts, counters))
        slow_at = facts.by_kind(self._slow_at)[timed].tolist()
        slow = [facts.rows[n].over[place] for n, place in zip(timed.tolist(), slow_at, strict=True)]
        return Amounts(
            np.concatenate([counted, timed, timed]),
            np.concatenate([counters[counted], np.full(len(timed), TIMED), np.full(len(timed), SLOW)]),
            np.concatenate([facts.count[counted], facts.timed[timed], np.array(slow, dtype=np.int64)]),
        )

    def _slow_at(self, kind: Kind) -> int:
        method = kind.leaf[self.axes.index("auth_method")] if "auth_method" in self.axes else None
        return self.slow_at.get(method or "", 0)

    def _is_bad(self, kind: Kind) -> bool:
        return self.counter(kind) in (BAD, SESSION_BAD)

    def _counters(self, facts: FactColumns) -> Ints:
        """Return (N,) the counter that each row's events add to; -1 for none."""
        return facts.by_kind(self.counter)

    def counter(self, kind: Kind) -> int:
        """Return the counter that the events of a kind add to; -1 for none."""
        known = self._known.get(kind)
        if known is None:
            if len(self._known) >= _KINDS_KNOWN:
                self._known.clear()
            known = self._known[kind] = self._counter_of(kind)
        return known

    def _counter_of(self, kind: Kind) -> int:
        event_class = self.classes.of(
            kind.step,
            kind.outcome,
            kind.code,
            kind.error_class,
            missing_csp=self._lacks(kind, "csp"),
            missing_client=self._lacks(kind, "client_id"),
        )
        return _COUNTERS.get((self.classes.sli(kind.step), event_class), -1)

    def _lacks(self, kind: Kind, axis: str) -> bool:
        return axis in self.axes and kind.leaf[self.axes.index(axis)] is None


def _is_timed(facts: FactColumns, counters: Ints) -> Bools:
    return np.asarray((facts.timed > 0) & ((counters == GOOD) | (counters == BAD)))
