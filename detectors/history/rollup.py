"""What has counted so far in each five minutes, and when is the record of five minutes written to the history?"""

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

#: Frames end at multiples of the length of a history record, so that a record's sums take effect at a fixed T.
HISTORY_SPAN = BUCKET


class FiveMinutes:
    """Counts of one environment by five minutes, leaf and counter, as far back as facts may still arrive.

    Args:
        env: the environment.
        policy: the policy.
        classify: assigns rows of facts to counters.
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
        """Count rows of facts; each row must be passed once only."""
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
        """Count failures by error code."""
        place = failed.pane // HISTORY_SPAN * len(failed.kinds) + failed.kind
        places, first, which = np.unique(place, return_index=True, return_inverse=True)
        counts = np.zeros(len(places), dtype=np.int64)
        np.add.at(counts, which, failed.count)
        leaves = failed.leaf[first].tolist()
        for place_of, leaf, count in zip(places.tolist(), leaves, counts.tolist(), strict=True):
            span, kind = divmod(place_of, len(failed.kinds))
            self._by_code.setdefault(span * HISTORY_SPAN, Counter())[leaf, failed.kinds[kind].code] += count

    def written(self, before: int, covered_from: int) -> list[dict[str, object]]:
        """Return the new or revised records that begin in ``[covered_from, before)`` (ms); mark all as written."""
        starts = [start for start in sorted(self._dirty) if covered_from <= start < before]
        self._dirty.clear()
        return [self.record(start) for start in starts]

    def due(self, at: int, covered_from: int) -> list[dict[str, object]]:
        """Return the records of complete five minutes that are new or revised at ``at`` (ms).

        Args:
            at: the current T, ms.
            covered_from: the instant (ms) from which all facts are known; earlier five minutes have no record.
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
        """Return the record of the five minutes from ``start`` (ms), with all that has counted so far."""
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
        """Return scope -> error code -> failures in the five minutes from ``start`` (ms)."""
        out: dict[str, dict[str, int]] = {}
        for (leaf, code), count in sorted(self._by_code.get(start, Counter()).items()):
            for scope in np.flatnonzero(MEMBERS[:, leaf]).tolist():
                of_scope = out.setdefault(scope_path(self._env, scope), {})
                of_scope[code] = of_scope.get(code, 0) + count
        return out
