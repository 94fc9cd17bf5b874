"""Which counter a row of facts belongs to under the policy, and how much it adds there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.scopes import SIGN_IN_STEPS, STEPS
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
#: The counter of a row that is no failure, by whether its step is one of ``sign_in`` and by outcome.
_OF_OUTCOME = {
    (True, "started"): STARTED,
    (True, "success"): GOOD,
    (False, "success"): SESSION_GOOD,
}


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
        excluded: error codes that do not count against the service.
        slow_at: for each leaf, the position of its method's latency threshold among a segment's thresholds.
    """

    excluded: frozenset[str]
    slow_at: tuple[int, ...]

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
        slow = [
            facts.rows[n].over[self.slow_at[leaf]]
            for n, leaf in zip(timed.tolist(), facts.leaf[timed].tolist(), strict=True)
        ]
        return Amounts(
            np.concatenate([counted, timed, timed]),
            np.concatenate([counters[counted], np.full(len(timed), TIMED), np.full(len(timed), SLOW)]),
            np.concatenate([facts.count[counted], facts.timed[timed], np.array(slow, dtype=np.int64)]),
        )

    def _is_bad(self, kind: Kind) -> bool:
        return kind.outcome == "failure" and kind.code not in self.excluded and kind.step in STEPS

    def _counters(self, facts: FactColumns) -> Ints:
        """Return (N,) the counter that each row's events add to; -1 for none."""
        return facts.by_kind(self._counter)

    def _counter(self, kind: Kind) -> int:
        if kind.step not in STEPS:
            return -1
        sign_in = kind.step in SIGN_IN_STEPS
        if kind.outcome != "failure":
            return _OF_OUTCOME.get((sign_in, kind.outcome), -1)
        if self._is_bad(kind):
            return BAD if sign_in else SESSION_BAD
        return EXCLUDED if sign_in else -1


def _is_timed(facts: FactColumns, counters: Ints) -> Bools:
    return np.asarray((facts.timed > 0) & ((counters == GOOD) | (counters == BAD)))
