"""What has counted so far in each five minutes, and when is the record of five minutes written to the history?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from detectors.axes import OTHER, Leaf
from detectors.history.disturbances import Disturbance, Disturbances
from detectors.history.entries import record_of
from detectors.history.history import BUCKET, History
from detectors.policy.policy import Policy
from detectors.windows.counters import COUNTERS, Columns
from detectors.windows.fact_columns import FactColumns

__all__ = ["HISTORY_SPAN", "FiveMinutes"]

#: Frames end at multiples of the length of a history record, so that a record's sums take effect at a fixed T.
HISTORY_SPAN = BUCKET
#: The most leaves of a record; those with the fewest events count together as ``other``.
_MOST_LEAVES = 1_000


class FiveMinutes:
    """Counts of one environment by five minutes, leaf and counter, as far back as facts may still arrive.

    Args:
        env: the environment.
        policy: the policy, with all axes and which values stand for others.
        classify: assigns rows of facts to counters.
        disturbed: which scopes incidents covered, as an earlier run has noted.

    Attributes:
        disturbances: which scopes incidents and maintenance cover.
    """

    def __init__(
        self, env: str, policy: Policy, classify: Columns, disturbed: Iterable[Disturbance] = ()
    ) -> None:
        self._env = env
        self._policy = policy
        self._codes = policy.codes.root
        self._retention = policy.retention
        self._classify = classify
        # five minutes (ms) -> leaf -> counts (counter,)
        self._buckets: dict[int, dict[Leaf, list[int]]] = {}
        self._by_code: dict[int, Counter[tuple[Leaf, str]]] = {}  # five minutes -> (leaf, code) -> failures
        self._dirty: set[int] = set()
        self.disturbances = Disturbances(env, policy, HISTORY_SPAN, disturbed)

    def add(self, facts: FactColumns) -> None:
        """Count rows of facts; each row must be passed once only."""
        row, counter, amount = self._classify.amounts(facts)
        if not row.size:
            return
        cells = (facts.pane[row] // HISTORY_SPAN * len(facts.kinds) + facts.kind[row]) * len(
            COUNTERS
        ) + counter
        cells, which = np.unique(cells, return_inverse=True)
        added = np.zeros(len(cells), dtype=np.int64)
        np.add.at(added, which, amount)
        leaves = [self._aliased(kind.leaf) for kind in facts.kinds]
        for cell, more in zip(cells.tolist(), added.tolist(), strict=True):
            rest, counter_of = divmod(cell, len(COUNTERS))
            span, kind = divmod(rest, len(facts.kinds))
            bucket = self._buckets.setdefault(span * HISTORY_SPAN, {})
            bucket.setdefault(leaves[kind], [0] * len(COUNTERS))[counter_of] += more
            self._dirty.add(span * HISTORY_SPAN)
        counted = np.zeros(len(facts), dtype=bool)
        counted[row[counter < len(COUNTERS) - 2]] = True
        self._add_codes(facts[counted & facts.has_code(self._codes)])

    def _aliased(self, leaf: Leaf) -> Leaf:
        """The leaf with the values that those of its events stand for; None on axes that were not recorded."""
        axes = self._policy.axes
        values = (*leaf, *(None,) * (len(axes) - len(leaf)))
        return tuple(
            value and self._policy.canonical_value(axis, value)
            for axis, value in zip(axes, values, strict=False)
        )

    def _add_codes(self, failed: FactColumns) -> None:
        """Count failures by error code."""
        place = failed.pane // HISTORY_SPAN * len(failed.kinds) + failed.kind
        places, which = np.unique(place, return_inverse=True)
        counts = np.zeros(len(places), dtype=np.int64)
        np.add.at(counts, which, failed.count)
        for place_of, count in zip(places.tolist(), counts.tolist(), strict=True):
            span, number = divmod(place_of, len(failed.kinds))
            kind = failed.kinds[number]
            by_code = self._by_code.setdefault(span * HISTORY_SPAN, Counter())
            by_code[self._aliased(kind.leaf), kind.code] += count

    def written(self, before: int, covered_from: int, history: History) -> list[dict[str, object]]:
        """Return the new or revised records that begin in ``[covered_from, before)`` (ms); mark all as written.

        Args:
            history: what was covered by incidents before those that are remembered.
        """
        starts = [start for start in sorted(self._dirty) if covered_from <= start < before]
        self._dirty.clear()
        return [self.record(start, history.excluded(start)) for start in starts]

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
        self.disturbances.forget(horizon)
        return out

    def record(self, start: int, excluded: Iterable[str] = ()) -> dict[str, object]:
        """Return the record of the five minutes from ``start`` (ms), with all that has counted so far.

        Args:
            excluded: scopes that were covered according to an earlier record.
        """
        bucket = {leaf: counts for leaf, counts in self._buckets.get(start, {}).items() if any(counts)}
        by_code = self._by_code.get(start, Counter())
        most = sorted(bucket, key=lambda leaf: (-sum(bucket[leaf]), _in_order(leaf)))[:_MOST_LEAVES]
        kept = {leaf: leaf for leaf in most}
        counts: dict[Leaf, list[int]] = {}
        codes: dict[Leaf, dict[str, int]] = {}
        for leaf in sorted(bucket, key=_in_order):
            place = kept.get(leaf) or tuple(None if value is None else OTHER for value in leaf)
            counts[place] = [
                a + b for a, b in zip(counts.get(place, [0] * len(COUNTERS)), bucket[leaf], strict=True)
            ]
            kept[leaf] = place
        for leaf, code in sorted(by_code, key=lambda one: (_in_order(one[0]), one[1])):
            of_leaf = codes.setdefault(kept[leaf], {})
            of_leaf[code] = of_leaf.get(code, 0) + by_code[leaf, code]
        left_out = self.disturbances.excluded(start, excluded)
        return record_of(self._env, start, list(counts.items()), codes, self._policy.axes, left_out)


def _in_order(leaf: Leaf) -> list[tuple[bool, str]]:
    return [(value is not None, value or "") for value in leaf]
