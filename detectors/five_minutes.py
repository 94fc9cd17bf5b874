"""The records of the long memory in the making: what of five minutes has counted so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from detectors.facts import FactRow
from detectors.history import BUCKET, FIELDS
from detectors.policy import Policy
from detectors.scopes import LEAVES, MEMBERS, SCOPES, scope_path
from detectors.windows import Columns, Ints

__all__ = ["HISTORY_SPAN", "FiveMinutes"]

#: Stretches end at the multiples of a history record's length, so that its sums enter at a fixed T.
HISTORY_SPAN = BUCKET


class FiveMinutes:
    """Counts of one environment by five minutes, leaf and counter, as far back as facts may still come.

    Args:
        env: the environment.
        policy: the policy.
        classify: what rows are counted as.
    """

    def __init__(self, env: str, policy: Policy, classify: Columns) -> None:
        self._env = env
        self._codes = policy.codes.root
        self._retention = policy.retention
        self._classify = classify
        self._buckets: dict[int, Ints] = {}
        self._by_code: dict[int, Counter[tuple[int, str]]] = {}  # five minutes -> (leaf, code) -> failures
        self._dirty: set[int] = set()

    def add(self, rows: Iterable[FactRow]) -> None:
        """Count rows, each once."""
        columns, codes = self._classify.columns, self._codes
        added: dict[tuple[int, int, int], int] = defaultdict(int)  # (five minutes, leaf, counter)
        for row in rows:
            amounts = columns(row)
            # of a row all counters are of its step's kind
            if not amounts or amounts[0][0] >= len(FIELDS):
                continue
            start = row.pane - row.pane % HISTORY_SPAN
            if row.code in codes:
                by_code = self._by_code.get(start)
                if by_code is None:
                    by_code = self._by_code[start] = Counter()
                by_code[row.leaf, row.code] += row.count
            for counter, amount in amounts:
                added[start, row.leaf, counter] += amount
        for (start, leaf, counter), amount in added.items():
            bucket = self._buckets.get(start)
            if bucket is None:
                bucket = self._buckets[start] = np.zeros((len(LEAVES), len(FIELDS)), dtype=np.int64)
            bucket[leaf, counter] += amount
            self._dirty.add(start)

    def written(self, before: int, covered_from: int) -> list[dict[str, object]]:
        """The records of all that was counted and is complete before an instant (ms); none of it is new after that."""
        starts = [start for start in sorted(self._dirty) if covered_from <= start < before]
        self._dirty.clear()
        return [self.record(start) for start in starts]

    def due(self, at: int, covered_from: int) -> list[dict[str, object]]:
        """The records of complete five minutes that are new or revised at ``at`` (ms).

        Args:
            covered_from: the instant (ms) from which all facts are at hand: of what begins before there are none.
        """
        last = at - HISTORY_SPAN
        due = sorted({start for start in self._dirty if start <= last} | {last})
        self._dirty -= set(due)
        out = [self.record(start) for start in due if start >= covered_from]
        horizon = at - self._retention - 2 * HISTORY_SPAN
        self._buckets = {start: b for start, b in self._buckets.items() if start >= horizon}
        self._by_code = {start: b for start, b in self._by_code.items() if start >= horizon}
        return out

    def record(self, start: int) -> dict[str, object]:
        """The record of five minutes, of what has counted so far."""
        leaves = self._buckets.get(start, np.zeros((len(LEAVES), len(FIELDS)), dtype=np.int64))
        scopes = MEMBERS.astype(np.int64) @ leaves
        codes = self._codes_record(start)
        record: dict[str, object] = {
            "env": self._env,
            "at": start,
            "scopes": {
                scope_path(self._env, i): dict(zip(FIELDS, (int(v) for v in scopes[i]), strict=True))
                for i in range(len(SCOPES))
                if scopes[i].any()
            },
        }
        return record | ({"codes": codes} if codes else {})

    def _codes_record(self, start: int) -> dict[str, dict[str, int]]:
        """Scope -> error code -> failures in five minutes."""
        out: dict[str, dict[str, int]] = {}
        for (leaf, code), count in sorted(self._by_code.get(start, Counter()).items()):
            for scope in np.flatnonzero(MEMBERS[:, leaf]).tolist():
                of_scope = out.setdefault(scope_path(self._env, scope), {})
                of_scope[code] = of_scope.get(code, 0) + count
        return out
