"""Which scopes did an incident or maintenance cover, and when, so that what is usual is not learnt from then?

The field ``excluded`` of a record of the history names the scopes that were covered in its five minutes: those of
incidents that stood open or acknowledged at one of their T, and those in maintenance. Baselines leave out the leaves
within these scopes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

import msgspec
import numpy as np

from detectors.arrays import Bools, Ints
from detectors.axes import contains
from detectors.incidents import Incident
from detectors.policy.policy import Policy

__all__ = ["Disturbance", "Disturbances", "PastDisturbances"]

#: The most scopes that a record names; the first in the order of their paths.
_MOST = 100
_COVERS = frozenset({"open", "acknowledged"})


class Disturbance(msgspec.Struct, frozen=True):
    """Incidents covered a scope in each five minutes of ``[start, end)``, ms."""

    scope: str
    start: int
    end: int


class Disturbances:
    """The scopes that were covered lately in one environment.

    Args:
        env: the environment.
        policy: the policy, with the windows of maintenance.
        span: the length of a record of the history, ms.
        known: what an earlier run has noted.
    """

    def __init__(self, env: str, policy: Policy, span: int, known: Iterable[Disturbance] = ()) -> None:
        self._span = span
        self._planned = [one for one in policy.maintenance if one.scope.partition("/")[0] == env]
        self._noted: dict[str, list[Disturbance]] = {}
        for one in known:
            self._noted.setdefault(one.scope, []).append(one)

    def note(self, at: int, incidents: Iterable[Incident], maintained: Iterable[str] = ()) -> None:
        """Note which scopes incidents, and maintenance announced at run time, cover at a T (ms).

        T must not be before the last one.
        """
        start = (at - 1) // self._span * self._span
        for scope in {*maintained, *(one.scope for one in incidents if one.state in _COVERS)}:
            noted = self._noted.setdefault(scope, [])
            if noted and noted[-1].end > start:
                continue
            joins = bool(noted) and noted[-1].end == start
            begin = noted.pop().start if joins else start
            noted.append(Disturbance(scope, begin, start + self._span))

    def memory(self) -> tuple[Disturbance, ...]:
        """Return what has been noted and not been forgotten."""
        return tuple(one for scope in sorted(self._noted) for one in self._noted[scope])

    def forget(self, before: int) -> None:
        """Forget what had ended at an instant (ms)."""
        kept = {scope: [one for one in of if one.end > before] for scope, of in self._noted.items()}
        self._noted = {scope: of for scope, of in kept.items() if of}

    def excluded(self, start: int, known: Iterable[str] = ()) -> list[str]:
        """Return the scopes that were covered in the five minutes from ``start`` (ms), without those within others.

        Args:
            known: scopes that were covered according to an earlier record.
        """
        end = start + self._span
        planned = {one.scope for one in self._planned if one.start < end and start < one.end}
        noted = {one.scope for of in self._noted.values() for one in of if one.start <= start < one.end}
        found = {*planned, *noted, *known}
        widest = [one for one in found if not any(other != one and contains(other, one) for other in found)]
        return sorted(widest)[:_MOST]


class PastDisturbances:
    """The scopes that were covered, by the slots of the history, as its records name them.

    Args:
        span: the length of a slot, ms.
    """

    def __init__(self, span: int) -> None:
        self._span = span
        self._by_slot: dict[int, tuple[str, ...]] = {}
        self._slots: list[int] | None = None  # in order; None where they must be sorted anew

    def __bool__(self) -> bool:
        """Whether any scope was covered at any time."""
        return bool(self._by_slot)

    def put(self, slot: int, scopes: Sequence[str]) -> None:
        """Set the scopes that were covered in a slot."""
        if scopes:
            self._by_slot[slot] = tuple(scopes)
            self._slots = None
        elif self._by_slot.pop(slot, None) is not None:
            self._slots = None

    def at(self, slot: int) -> tuple[str, ...]:
        """Return the scopes that were covered in a slot."""
        return self._by_slot.get(slot, ())

    def drop(self, slot: int) -> None:
        """Drop what was before a slot."""
        self._by_slot = {known: scopes for known, scopes in self._by_slot.items() if known >= slot}
        self._slots = None

    def runs(self, start: int, end: int) -> Iterator[tuple[tuple[str, ...], int, int]]:
        """Yield scopes that were covered, and from when until when (ms): in whole slots that touch ``[start, end)``."""
        if self._slots is None:
            self._slots = sorted(self._by_slot)
        first = bisect_left(self._slots, start // self._span)
        last = bisect_right(self._slots, (end - 1) // self._span)
        within = self._slots[first:last]
        # Consecutive slots differ from their places in the list by the same number.
        for (_, scopes), run in groupby(
            enumerate(within), lambda pair: (pair[1] - pair[0], self._by_slot[pair[1]])
        ):
            slots = [slot for _, slot in run]
            yield scopes, slots[0] * self._span, (slots[-1] + 1) * self._span

    def covered(self, starts: Ints, ends: Ints, holds: Callable[[str], Bools], share: float) -> Bools | None:
        """Return (N, entry) whether more than a share of each ``[start, end)`` (ms) was covered; None if nothing was.

        Args:
            holds: returns (entry,) which entries a scope holds.
            share: 0-1.
        """
        covered = None
        for scopes, begin, end in self.runs(int(starts.min()), int(ends.max())):
            overlap = np.clip(np.minimum(ends, end) - np.maximum(starts, begin), 0, None)
            if overlap.any():
                held = np.any([holds(scope) for scope in scopes], axis=0)
                covered = np.zeros((len(ends), len(held))) if covered is None else covered
                covered += overlap[:, None] * held
        return None if covered is None else covered > share * (ends - starts)[:, None]
