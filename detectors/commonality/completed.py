"""Who has completed a request in the last hour, and of which kind? Kept by the minute, as a function of the log alone.

Of successes the events are counted, of failures the distinct people. Of a minute with very many failures a uniform
sample of people is kept: those with the least mixed ids (bottom-k sampling, Cohen and Kaplan 2007). A minute's sample
depends on who failed in the minute and not on the order in which facts came, so a sum over minutes does not either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from detectors.arrays import Ids, Ints
from detectors.axes import ANY, Leaf, Scopes, named
from detectors.commonality.further import MinuteSample, Request, sampled_in, together
from detectors.instants import HOUR, MINUTE
from detectors.windows.counters import BAD, GOOD, SESSION_BAD, SESSION_GOOD, Classify
from detectors.windows.fact_columns import FactColumns
from detectors.windows.facts import Kind
from detectors.windows.people.failed import Failed
from detectors.windows.people.person_table import mixed

__all__ = ["Completed", "Population"]

#: The most pairs of a person and a kind of failure that are kept of a minute: shares are then within 3 % (two standard
#: errors), and an hour takes at most 2 MB.
_PAIRS = 2_048
#: The most pairs of a population; of more, those of the least mixed ids are taken, so that it takes milliseconds.
_COMPARED = 8_192
#: The most kinds of which the class is remembered.
_KINDS_KNOWN = 20_000
#: The SLIs whose requests are compared with each other, as counters of successes and failures.
_SLIS = ((GOOD, BAD), (SESSION_GOOD, SESSION_BAD))
_IDS = 2.0**64
_FAILURE = "failure"
_NOBODY: Ids = np.empty(0, dtype=np.uint64)
_NONE: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Population:
    """The completed requests of a scope in a span of time, of one SLI.

    Attributes:
        kinds: the kinds of the requests, with the values of their further fields where these were recorded, else none;
            leaves have the values that scopes count them under.
        good: (kind,) successes.
        person, kind: (pair,) the distinct pairs of a person who failed, as a number from 0 on, and a kind.
        people: the people in the sample of those who failed.
        weight: how many people who failed each person of the sample stands for, at least 1.
        good_weight: how many successes each of ``good`` stands for, at least 1.
        further: a sample of the same requests with the values of their further fields; None in such a sample.
    """

    kinds: Sequence[Request]
    good: Ints
    person: Ints
    kind: Ints
    people: int
    weight: float
    good_weight: float = 1.0
    further: Population | None = None


class _Minute:
    """What one minute holds: successes by kind, and a sample of the pairs of people and kinds of failure."""

    __slots__ = ("good", "kind", "kinds", "limit", "people", "samples")

    def __init__(self) -> None:
        # Of successes and of failures, with the values of further fields.
        self.samples = (MinuteSample(), MinuteSample())
        self.good: dict[Kind, int] = {}
        self.kinds: dict[Kind, int] = {}
        # Sorted pairs of mixed id and kind. All people with mixed ids below ``limit`` are there; None: all people.
        self.people = _NOBODY
        self.kind = _NONE
        self.limit: np.uint64 | None = None

    def add(self, people: Ids, kind: Ints, kinds: Sequence[Kind]) -> None:
        """Add pairs of people (mixed ids) and kinds (positions in ``kinds``) of failures."""
        places = np.zeros(len(kinds), dtype=np.int64)
        for n in np.unique(kind).tolist():
            places[n] = self.kinds.setdefault(kinds[n], len(self.kinds))
        people, kind = np.concatenate([self.people, people]), np.concatenate([self.kind, places[kind]])
        order = np.lexsort((kind, people))
        people, kind = people[order], kind[order]
        kept = np.ones(len(people), dtype=bool)
        kept[1:] = (people[1:] != people[:-1]) | (kind[1:] != kind[:-1])
        if self.limit is not None:
            kept &= people < self.limit
        people, kind = people[kept], kind[kept]
        if len(people) > _PAIRS:
            self.limit = people[_PAIRS]
            below = int(np.searchsorted(people, self.limit))
            people, kind = people[:below].copy(), kind[:below].copy()
        self.people, self.kind = people, kind


@dataclass
class _Sum:
    """Minutes put together: successes by SLI and kind, and the pairs of people and kinds of failure."""

    good: dict[Kind, int] = field(default_factory=dict)
    kinds: dict[Kind, int] = field(default_factory=dict)
    people: list[Ids] = field(default_factory=list)
    kind: list[Ints] = field(default_factory=list)


class Completed:
    """The completed requests of one environment in the last hour. Time never goes back.

    Args:
        classify: assigns kinds to counters.
        scopes: give the values under which a leaf is counted.
    """

    def __init__(self, classify: Classify, scopes: Scopes) -> None:
        self._classify = classify
        self._scopes = scopes
        self._minutes: dict[int, _Minute] = {}
        # Facts of the last frame that do not count yet, with their kinds as placed when the frame came.
        self._waiting: list[tuple[FactColumns, list[Kind]]] = []
        self._places: dict[Kind, Kind] = {}
        self._placed_at = -1  # the version of the scopes that ``_places`` is of

    def add(self, facts: FactColumns) -> None:
        """Take the facts of a frame, ordered by the first T at which they count; earlier ones count by now."""
        for waiting, kinds in self._waiting:
            self._fold(waiting, kinds)
        self._waiting = [(facts, self._placed(facts.kinds))] if len(facts) else []

    def move_to(self, at: int) -> None:
        """Count the facts that count at T = ``at`` (ms), and forget minutes that lie wholly an hour before it."""
        waiting, self._waiting = self._waiting, []
        for facts, kinds in waiting:
            due = facts.up_to(at)
            self._fold(facts[:due], kinds)
            if due < len(facts):
                self._waiting.append((facts[due:], kinds))
        self._forget(at)

    def population(self, scope: str, since: int, until: int) -> Population:
        """Return the completed requests of a scope in the minutes that begin in ``[since, until)``, ms.

        They are those of the SLI of which more people failed; the last hour before T is kept.
        """
        minutes = [one for at, one in self._minutes.items() if since <= at * MINUTE < until]
        within = _within(scope)
        limits = [one.limit for one in minutes if one.limit is not None]
        limit = min(limits, default=None)
        sums = [_Sum() for _ in _SLIS]
        for minute in minutes:
            for kind, count in minute.good.items():
                if within(kind):
                    good = sums[self._sli(kind)].good
                    good[kind] = good.get(kind, 0) + count
            of = len(minute.people) if limit is None else int(np.searchsorted(minute.people, limit))
            if of:
                self._add_people(sums, minute, of, within)
        weight = _weight(limit)
        each = [_population(one, weight) for one in sums]
        most = max(range(len(each)), key=lambda n: each[n].people * each[n].weight)
        further = _further(minutes, each[most], lambda kind: within(kind) and self._sli(kind) == most)
        return replace(each[most], further=further)

    def _add_people(
        self, sums: Sequence[_Sum], minute: _Minute, of: int, within: Callable[[Kind], bool]
    ) -> None:
        """Add the first ``of`` pairs of a minute to the sums of their SLIs."""
        sli = np.full(len(minute.kinds), -1, dtype=np.int64)
        places = np.zeros(len(minute.kinds), dtype=np.int64)
        for kind, n in minute.kinds.items():
            if within(kind):
                sli[n] = self._sli(kind)
                known = sums[sli[n]].kinds
                places[n] = known.setdefault(kind, len(known))
        people, kind_of = minute.people[:of], minute.kind[:of]
        for n, one in enumerate(sums):
            mine = sli[kind_of] == n
            if mine.any():
                one.people.append(people[mine])
                one.kind.append(places[kind_of[mine]])

    def _sli(self, kind: Kind) -> int:
        """Return the position in ``_SLIS`` of the SLI in which a kind counts; -1 for none."""
        counter = self._classify.counter(kind)
        return next((n for n, counters in enumerate(_SLIS) if counter in counters), -1)

    def _placed(self, kinds: Sequence[Kind]) -> list[Kind]:
        """Return the kinds with the values that scopes count them under; raw ones where scopes do not know them."""
        if self._placed_at != self._scopes.version or len(self._places) >= _KINDS_KNOWN:
            self._placed_at = self._scopes.version
            self._places = {}
        for kind in kinds:
            if kind not in self._places:
                self._places[kind] = kind._replace(leaf=self._leaf(kind.leaf))
        return [self._places[kind] for kind in kinds]

    def _leaf(self, leaf: Leaf) -> Leaf:
        if len(leaf) != len(self._scopes.axes):
            return leaf
        try:
            return self._scopes.leaves[self._scopes.position(leaf)] or leaf
        except KeyError:
            return self._scopes.aliased(leaf)

    def _fold(self, facts: FactColumns, kinds: Sequence[Kind]) -> None:
        """Add facts that count to their minutes; ``kinds`` are those of the facts, placed."""
        if not len(facts):
            return
        counter = facts.by_kind(self._classify.counter)
        minutes = facts.pane // MINUTE
        succeeded = np.isin(counter, (GOOD, SESSION_GOOD))
        cells = minutes[succeeded] * len(facts.kinds) + facts.kind[succeeded]
        which, place = np.unique(cells, return_inverse=True)
        sums = np.zeros(len(which), dtype=np.int64)
        np.add.at(sums, place, facts.count[succeeded])
        for cell, count in zip(which.tolist(), sums.tolist(), strict=True):
            minute, kind = divmod(cell, len(facts.kinds))
            good = self._minute(minute).good
            good[kinds[kind]] = good.get(kinds[kind], 0) + count
        bad = np.flatnonzero(np.isin(counter, (BAD, SESSION_BAD)))
        if len(bad):
            failed = Failed.of(facts[bad])
            minute_of, kind_of = (np.repeat(of[bad], failed.sizes) for of in (minutes, facts.kind))
            people = mixed(failed.people)
            for minute in np.unique(minute_of).tolist():
                mine = minute_of == minute
                self._minute(minute).add(people[mine], kind_of[mine], kinds)
        self._fold_sampled(facts, kinds, minutes)
        self._forget(int(facts.counts_from[-1]))

    def _fold_sampled(self, facts: FactColumns, kinds: Sequence[Kind], minutes: Ints) -> None:
        """Add the sampled events of facts to their minutes.

        Args:
            facts: the rows.
            kinds: the kinds of ``facts.kinds``, placed.
            minutes: (row,) the minute of each row.
        """
        failed = facts.by_kind(lambda kind: kind.outcome == _FAILURE) > 0
        found = sampled_in(facts, kinds, failed)
        if found is None:
            return
        # Events that the policy does not count are in the sample too: it is drawn before a policy is applied.
        group = minutes[found.row] * 2 + failed[found.row]
        for one in np.unique(group).tolist():
            minute, of_failures = divmod(one, 2)
            self._minute(minute).samples[of_failures].add(found, np.flatnonzero(group == one))

    def _minute(self, minute: int) -> _Minute:
        return self._minutes.setdefault(minute, _Minute())

    def _forget(self, at: int) -> None:
        """Drop the minutes that end an hour or more before ``at`` (ms)."""
        first = (at - HOUR) // MINUTE
        for minute in [minute for minute in self._minutes if minute < first]:
            del self._minutes[minute]


def _within(scope: str) -> Callable[[Kind], bool]:
    """Return whether a kind is within a scope, as a function of the kind."""
    wanted = named(scope)

    def within(kind: Kind) -> bool:
        values = (*kind.leaf, *(None,) * len(wanted))
        return all(value in (ANY, own) for value, own in zip(wanted, values, strict=False))

    return within


def _weight(limit: np.uint64 | None) -> float:
    """Return how many each of a sample stands for whose keys lie below a limit; None for no limit."""
    return 1.0 if limit is None else _IDS / max(float(limit), 1.0)


def _further(minutes: Sequence[_Minute], whole: Population, within: Callable[[Kind], bool]) -> Population:
    """Return the sample of a population, with the values of the requests' further fields.

    Args:
        minutes: those of the population.
        whole: the population.
        within: whether requests of a kind are in the population.
    """
    succeeded, failed = (
        together([one.samples[n] for one in minutes], lambda request: within(request.kind)) for n in (0, 1)
    )
    _, request, requests, good_limit = succeeded
    key, kind, of_failures, limit = failed
    kinds = list(dict.fromkeys([*requests, *of_failures]))
    places = {one: n for n, one in enumerate(kinds)}
    good = np.bincount(
        np.array([places[one] for one in requests], dtype=np.int64)[request], minlength=len(kinds)
    )
    people, person = np.unique(key, return_inverse=True)
    of = np.array([places[one] for one in of_failures], dtype=np.int64)[kind]
    pairs = np.unique(person * max(len(kinds), 1) + of)
    person, of = np.divmod(pairs, max(len(kinds), 1))
    if limit is None:
        # All people are there whose values were recorded at all; the others have none.
        return Population(kinds, good, person, of, whole.people, whole.weight, _weight(good_limit))
    weight = whole.people * whole.weight / max(len(people), 1)
    return Population(kinds, good, person, of, len(people), weight, _weight(good_limit))


def _population(one: _Sum, weight: float) -> Population:
    known = list(dict.fromkeys([*one.kinds, *one.good]))
    good = np.array([one.good.get(kind, 0) for kind in known], dtype=np.int64)
    kinds = [Request(kind, ()) for kind in known]
    if not one.people:
        return Population(kinds, good, _NONE, _NONE, 0, weight)
    ids, kind = np.concatenate(one.people), np.concatenate(one.kind)
    if len(ids) > _COMPARED:
        limit = np.partition(ids, _COMPARED)[_COMPARED]
        ids, kind = ids[ids < limit], kind[ids < limit]
        weight = _IDS / max(float(limit), 1.0)
    people, person = np.unique(ids, return_inverse=True)
    pairs = np.unique(person * len(kinds) + kind)
    return Population(kinds, good, pairs // len(kinds), pairs % len(kinds), len(people), weight)
