"""Which counter a row of facts belongs to under the policy, and how much it adds there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from detectors.arrays import Bools, Ints
from detectors.scopes import OUTCOMES, SIGN_IN_STEPS, STEPS
from detectors.windows.fact_columns import FactColumns

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

#: The counter axis. The first six are of the steps of ``sign_in``, the last two of ``session``.
COUNTERS = ("good", "bad", "excluded", "started", "slow", "timed", "session_good", "session_bad")
GOOD, BAD, EXCLUDED, STARTED, SLOW, TIMED, SESSION_GOOD, SESSION_BAD = range(len(COUNTERS))
_FAILURE = OUTCOMES.index("failure")
#: The counter of a row by step, outcome and whether its code is excluded; -1 of none.
_COUNTER_OF: Ints = np.array(
    [
        ((STARTED, STARTED), (GOOD, GOOD), (BAD, EXCLUDED))
        if step in SIGN_IN_STEPS
        else ((-1, -1), (SESSION_GOOD, SESSION_GOOD), (SESSION_BAD, -1))
        for step in STEPS
    ]
)


class Amounts(NamedTuple):
    """What rows are counted as: for each entry the position of the row, the counter, and the amount to add."""

    row: Ints
    counter: Ints
    amount: Ints


class Columns(Protocol):
    """Says what rows of facts are counted as."""

    def amounts(self, facts: FactColumns) -> Amounts:
        """The entries of some rows."""
        ...


@dataclass(frozen=True)
class Classify:
    """The part of a policy that turns facts into classes.

    Attributes:
        excluded: error codes that do not count against the service.
        slow_at: for each leaf, the position among a segment's thresholds of its method's latency threshold.
    """

    excluded: frozenset[str]
    slow_at: tuple[int, ...]

    def is_bad(self, facts: FactColumns) -> Bools:
        """(N,) whether the rows are of failures that count."""
        return np.asarray((facts.outcome == _FAILURE) & ~facts.has_code(self.excluded))

    def is_timed(self, facts: FactColumns) -> Bools:
        """(N,) whether ``TIMED`` is among what the rows are counted as."""
        return _is_timed(facts, self._counters(facts))

    def amounts(self, facts: FactColumns) -> Amounts:
        """The entries of some rows: of each at most one counter of its kind, and of durations two more."""
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

    def _counters(self, facts: FactColumns) -> Ints:
        """(N,) the counter of all events of each row; -1 of none."""
        excluded = facts.has_code(self.excluded).astype(np.int64)
        return _COUNTER_OF[facts.step_index, facts.outcome, excluded]


def _is_timed(facts: FactColumns, counters: Ints) -> Bools:
    return np.asarray((facts.timed > 0) & ((counters == GOOD) | (counters == BAD)))
