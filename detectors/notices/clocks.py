"""Is the clock of a producer wrong? Its events then say with one accord that they happened minutes ago.

An event that says that it happened before the step in which it first counts is late by this time. Where the clock of
one producer is behind, all its events are late by the same time, and those of others are not. Where the clock of one is
ahead and no broker says so, it drives the watermark: the events of all others are late, and its own are not. Where the
broker says so, its events arrive before their time, all by the same time, and those of others do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.axes import Leaf
from detectors.instants import MINUTE, SECOND
from detectors.windows.fact_columns import FactColumns

__all__ = ["ClockWatch", "WrongClock"]

#: The minutes over which events are judged.
_MINUTES = 3
#: Events are late from this time on, ms; lateness is counted in bins of this width, and told to this.
_LATE, _BIN, _TOLD = 20 * SECOND, SECOND, 5 * SECOND
#: Nothing is said of fewer events.
_LEAST = 30
#: All, or nearly all.
_MOST = 0.9
#: Late events agree if this share of them is at most this far from the median, ms.
_AGREE, _NEAR = 0.6, 15 * SECOND


class WrongClock(NamedTuple):
    """A clock that is wrong.

    Attributes:
        field, value: whose events tell of it; ``env`` and the environment where all do.
        offset: how far the clock is ahead, ms; below 0, how far it is behind.
        events: how many were late, or ahead of the broker's time, in three minutes.
        by_broker: whether the broker's time says that it is ahead.
    """

    field: str
    value: str
    offset: int
    events: int
    by_broker: bool = False


class _Minute:
    """The events of a minute: of each leaf those on time, and those late, or ahead, by bin of time."""

    def __init__(self) -> None:
        self.on_time: Counter[Leaf] = Counter()
        self.late: dict[Leaf, Counter[int]] = {}
        self.ahead: dict[Leaf, Counter[int]] = {}


class _Off(NamedTuple):
    """Events of three minutes that are off by the same time.

    Attributes:
        leaves: how many, by leaf.
        by: by how much, ms.
        events: how many.
    """

    leaves: Counter[Leaf]
    by: int
    events: int


class ClockWatch:
    """Counts late events of one environment by leaf and minute.

    Args:
        env: the environment.
        axes: the names of the axes of leaves.
        step: length of a pane, ms.
        delay: by how much the watermark is behind the greatest time of an event, ms.
    """

    def __init__(self, env: str, axes: Sequence[str], step: int, delay: int) -> None:
        self._env = env
        self._axes = tuple(axes)
        self._step = step
        self._delay = delay
        # minute (end of it, in minutes since the epoch) -> events that first count in it
        self._minutes: dict[int, _Minute] = {}

    def add(self, facts: FactColumns) -> None:
        """Count the events of rows, each in the minute in which it counts first, but for what is ahead."""
        ahead = facts.ahead
        self._note(facts[~ahead] if ahead.any() else facts)

    def announce(self, ahead: FactColumns) -> None:
        """Count rows that arrive before they count, each at the end of the minute in which it arrives."""
        self._note(ahead)

    def _note(self, facts: FactColumns) -> None:
        """Count rows at the end of the minute in which they arrive."""
        if not len(facts):
            return
        minutes = -(-facts.arrives // MINUTE)
        by = (facts.arrives - self._step - facts.pane) // _BIN  # below 0 for what is ahead
        by = np.where(np.abs(by) * _BIN >= _LATE, by, 0)
        keys = np.stack([minutes, facts.kind, by])
        which, place = np.unique(keys, axis=1, return_inverse=True)
        counts = np.bincount(place.reshape(-1), weights=facts.count).astype(np.int64)
        for minute, kind, late, count in zip(*which.tolist(), counts.tolist(), strict=True):
            leaf = facts.kinds[kind].leaf
            of = self._minutes.setdefault(minute, _Minute())
            if late:
                (of.late if late > 0 else of.ahead).setdefault(leaf, Counter())[abs(late)] += count
            else:
                of.on_time[leaf] += count

    def due(self, at: int, *, leapt: bool = False) -> WrongClock | None:
        """Return the clock that is wrong by the last minutes before T = ``at`` (ms, the end of a minute), if any.

        Args:
            at: T, ms.
            leapt: whether a clock that is ahead is known to have moved time, so that whoever is late is not behind.
        """
        minute = at // MINUTE
        for old in [one for one in self._minutes if one <= minute - _MINUTES]:
            del self._minutes[old]
        some = [self._minutes.get(one) for one in range(minute - _MINUTES + 1, minute + 1)]
        known = [one for one in some if one is not None]
        on_time: Counter[Leaf] = Counter()
        for one in known:
            on_time.update(one.on_time)
        off = self._off([one.ahead for one in known], -self._delay)
        ahead = None if off is None else self._ahead(off, on_time)
        off = self._off([one.late for one in known], self._delay)
        return self._wrong(off, on_time, leapt=leapt) if ahead is None and off is not None else ahead

    def _off(self, minutes: Sequence[Mapping[Leaf, Counter[int]]], delay: int) -> _Off | None:
        """Return the events that are off in each of three minutes, if there are enough, and they are with one accord.

        Args:
            minutes: of each leaf the events by bin of time.
            delay: what to add to the time, ms.
        """
        if sum(map(bool, minutes)) < _MINUTES:
            return None
        leaves: Counter[Leaf] = Counter()
        times: Counter[int] = Counter()
        for one in minutes:
            for leaf, bins in one.items():
                leaves[leaf] += bins.total()
                times.update(bins)
        by = _agreed(times)
        if leaves.total() < _LEAST or by is None:
            return None
        return _Off(leaves, round((by + delay) / _TOLD) * _TOLD, leaves.total())

    def _ahead(self, off: _Off, on_time: Counter[Leaf]) -> WrongClock | None:
        """Return whose events arrive before their time: one value's, or nearly all."""
        if on_time.total() <= (1 - _MOST) * (off.events + on_time.total()):
            return WrongClock("env", self._env, off.by, off.events, by_broker=True)
        alone = self._alone(off.leaves, on_time)
        return None if alone is None else WrongClock(*alone, off.by, off.events, by_broker=True)

    def _wrong(self, off: _Off, on_time: Counter[Leaf], *, leapt: bool) -> WrongClock | None:
        """Return whose clock is behind, or, where all but one value's events are late, whose is ahead."""
        late, by, count = off
        ahead = self._leading(on_time, late)
        if leapt:
            return None if ahead is None else WrongClock(*ahead, by, count)
        if on_time.total() <= (1 - _MOST) * (count + on_time.total()):
            return WrongClock("env", self._env, -by, count)
        behind = self._alone(late, on_time)
        if ahead is not None and (behind is None or count > on_time.total()):
            return WrongClock(*ahead, by, count)
        return None if behind is None else WrongClock(*behind, -by, count)

    def _leading(self, on_time: Counter[Leaf], late: Counter[Leaf]) -> tuple[str, str] | None:
        """Return the axis and the value whose events alone are on time, while nearly all others are late; or None."""
        found = self._alone(on_time, late)
        if found is None:
            return None
        axis, value = found
        place = self._axes.index(axis)
        others = sum(count for leaf, count in on_time.items() if leaf[place : place + 1] != (value,))
        return found if others <= (1 - _MOST) * (late.total() + others) else None

    def _alone(self, mine: Counter[Leaf], others: Counter[Leaf]) -> tuple[str, str] | None:
        """Return the axis and the value that nearly all of ``mine``, and hardly any of ``others``, have; or None."""
        for place, axis in enumerate(self._axes):
            counted: Counter[str] = Counter()
            for leaf, count in sorted(mine.items(), key=lambda one: [value or "" for value in one[0]]):
                value = leaf[place] if place < len(leaf) else None
                if value is not None:
                    counted[value] += count
            for value, count in counted.most_common(1):
                beside = sum(of for leaf, of in others.items() if place < len(leaf) and leaf[place] == value)
                if count >= _MOST * mine.total() and count >= _MOST * (count + beside):
                    return axis, value
        return None


def _agreed(lateness: Counter[int]) -> int | None:
    """Return by how much events are late (ms), from numbers by bin; None where they do not agree."""
    total, passed, median = lateness.total(), 0, 0
    for late in sorted(lateness):
        passed += lateness[late]
        if 2 * passed >= total:
            median = late
            break
    near = sum(count for late, count in lateness.items() if abs(late - median) * _BIN <= _NEAR)
    return median * _BIN if near >= _AGREE * total and total else None
