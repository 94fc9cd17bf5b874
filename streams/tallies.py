"""Totals for Prometheus, from contributions that are replaced: a block that is read again counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from detectors.facts import FactRow
from detectors.policy import Policy
from detectors.scopes import LEAVES, OUTCOMES
from streams.segments import Tally

__all__ = ["Totals"]

_STARTED, _SUCCESS, _FAILURE = (OUTCOMES.index(o) for o in ("started", "success", "failure"))
#: Contributions are kept for so many blocks of an input partition; older blocks are not written any more.
_KEPT = 512

_Place = tuple[int, int, str]
_Label = tuple[str, str, str]


class Totals:
    """Counts of events and of rejections of a worker's environments."""

    def __init__(self, envs: Iterable[str]) -> None:
        self.events: dict[str, Counter[_Label]] = {env: Counter() for env in envs}
        self.rejected: Counter[str] = Counter()
        self.duplicates = 0
        self._events_of: dict[_Place, Counter[_Label]] = {}
        self._tallies: dict[tuple[int, int], Tally] = {}

    def replace(self, place: _Place, rows: Sequence[FactRow], policy: Policy) -> None:
        """Put the rows of a (partition, block, env) in the place of what it contributed before."""
        counts: Counter[_Label] = Counter()
        for row in rows:
            method, csp = LEAVES[row.leaf]
            counts[method, csp or "none", _result(row, policy)] += row.count
        total = self.events[place[2]]
        total.subtract(self._events_of.get(place, Counter()))
        total.update(counts)
        self._events_of[place] = counts
        if len(self._events_of) > 2 * _KEPT:
            for old in sorted(self._events_of, key=lambda p: p[1])[:_KEPT]:
                if old != place:
                    del self._events_of[old]

    def note(self, partition: int, tallies: Iterable[Tally]) -> None:
        """Put the tallies of a partition's blocks in the place of what they were before."""
        for tally in tallies:
            before = self._tallies.get((partition, tally.block))
            if before is not None:
                if tally.last <= before.last or tally.first > before.first:
                    continue
                self.rejected.subtract(before.rejected)
                self.duplicates -= before.duplicates
            self.rejected.update(tally.rejected)
            self.duplicates += tally.duplicates
            self._tallies[partition, tally.block] = tally
        if len(self._tallies) > 2 * _KEPT:
            newest = sorted(self._tallies, key=lambda p: p[1])[-_KEPT:]
            self._tallies = {key: self._tallies[key] for key in newest}


def _result(row: FactRow, policy: Policy) -> str:
    if row.outcome == _STARTED:
        return "started"
    if row.outcome == _SUCCESS:
        return "good"
    return "bad" if policy.is_bad(row.code) else "excluded"
