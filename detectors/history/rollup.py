"""What has counted so far of each five minutes, and when is the record of five minutes written to the history?"""

from __future__ import annotations

from collections import Counter

import numpy as np

from detectors.arrays import Ints
from detectors.history.history import BUCKET, FIELDS
from detectors.policy.policy import Policy
from detectors.scopes import LEAVES, MEMBERS, SCOPES, scope_path
from detectors.windows.counters import Columns
from detectors.windows.fact_columns import FactColumns

__all__ = ["HISTORY_SPAN", "FiveMinutes"]

#: Frames end at the multiples of a history record's length, so that its sums enter at a fixed T.
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

    def add(self, facts: FactColumns) -> None:
        """Count rows, each once."""
        row, counter, amount = self._classify.amounts(facts)
        kept = counter < len(FIELDS)
        row, counter, amount = row[kept], counter[kept], amount[kept]
        if not row.size:
            return
        starts, which = np.unique(facts.pane[row] // HISTORY_SPAN * HISTORY_SPAN, return_inverse=True)
        added = np.zeros((len(starts), len(LEAVES), len(FIELDS)), dtype=np.int64)
        np.add.at(added, (which, facts.leaf[row], counter), amount)
        for start, more in zip(starts.tolist(), added, strict=True):
            bucket = self._buckets.get(start)
            self._buckets[start] = more if bucket is None else bucket + more
            self._dirty.add(start)
        counted = np.zeros(len(facts), dtype=bool)
        counted[row] = True
        self._add_codes(facts[counted & facts.has_code(self._codes)])

    def _add_codes(self, failed: FactColumns) -> None:
        """Count failures by their codes."""
        place = (failed.pane // HISTORY_SPAN * len(LEAVES) + failed.leaf) * len(failed.codes) + failed.code
        places, which = np.unique(place, return_inverse=True)
        counts = np.zeros(len(places), dtype=np.int64)
        np.add.at(counts, which, failed.count)
        for place_of, count in zip(places.tolist(), counts.tolist(), strict=True):
            rest, code = divmod(place_of, len(failed.codes))
            span, leaf = divmod(rest, len(LEAVES))
            self._by_code.setdefault(span * HISTORY_SPAN, Counter())[leaf, failed.codes[code]] += count

    def written(self, before: int, covered_from: int) -> list[dict[str, object]]:
        """The records of all that was counted and is complete before an instant (ms); then none is new any more."""
        starts = [start for start in sorted(self._dirty) if covered_from <= start < before]
        self._dirty.clear()
        return [self.record(start) for start in starts]

    def due(self, at: int, covered_from: int) -> list[dict[str, object]]:
        """The records of complete five minutes that are new or revised at ``at`` (ms).

        Args:
            covered_from: the instant (ms) from which all facts are at hand; earlier five minutes have no record.
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
