"""How long, and to whom, does a run show a banner where none should be, and none where one should be?

A *visitor* is a leaf: method, provider and client. A visitor sees a banner while one stands on a key that holds the
leaf. Visitors weigh what they bring: the sign-ins a second that begin in the leaf, over the last hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detectors.arrays import Bools, Floats
from detectors.axes import ANY, contains, named
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.slis import SliValue
from sinks.banner.banner import BannerState
from sinks.banner.keys import MVI

__all__ = ["TAIL", "Due", "Figures", "Outage", "Watched"]

#: The time after the true end of an outage in which its banner is late, and not wrong, ms.
TAIL = 6 * MINUTE
_OUTAGE: tuple[BannerState, ...] = ("warning", "critical")
_AXES = 3


@dataclass(frozen=True)
class Due:
    """An outage for which a banner is due: its scope, from when on the banner is due, and when it truly ends, ms."""

    scope: str
    start: int
    end: int


@dataclass(frozen=True)
class Outage:
    """What became of the banner of an outage.

    Attributes:
        due: the outage.
        late: how long no banner was shown to half of those concerned, ms; None if none was before the end.
        longer: how long a banner was shown to any of them after the end, ms.
    """

    due: Due
    late: int | None
    longer: int


@dataclass
class Figures:
    """What is summed over runs. Person-seconds are seconds times the people who sign in during one.

    Attributes:
        failed: person-seconds of outages for which a banner is due.
        wrong: person-seconds under a banner of which no key fails.
        outages: each outage for which a banner is due.
    """

    failed: float = 0.0
    wrong: float = 0.0
    outages: list[Outage] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Add another run."""
        self.failed += other.failed
        self.wrong += other.wrong
        self.outages += other.outages


class Watched:
    """Notes the banners and the traffic of a run.

    Args:
        delay: how long after its T (ms) a verdict is published, ms.
        env: the environment.
    """

    def __init__(self, delay: int, env: str = "prod") -> None:
        self._delay = delay
        self._env = env
        self._changes: dict[str, list[tuple[int, bool]]] = {}
        self._traffic: dict[str, list[tuple[int, float]]] = {}
        self._from: int | None = None
        self._to = 0

    def take_banner(self, key: str, state: BannerState, at: int) -> None:
        """Note that a key has a state from the verdict of ``at`` (ms) on."""
        self._changes.setdefault(key, []).append((at + self._delay, state in _OUTAGE))

    def take_slis(self, slis: Iterable[SliValue]) -> None:
        """Note how many sign-ins began in each leaf over an hour."""
        for sli in slis:
            if not sli.scope.startswith(f"{self._env}/") or sli.window != HOUR:
                continue
            self._from = sli.at if self._from is None else self._from
            self._to = max(self._to, sli.at)
            values = named(sli.scope)
            if len(values) == _AXES and ANY not in values:
                passed = min(HOUR, sli.at - self._from + MINUTE)
                rate = sli.started / (passed / SECOND)
                self._traffic.setdefault(sli.scope, []).append((sli.at, rate))

    def figures(self, due: Sequence[Due], failing: Sequence[Due]) -> Figures:
        """What the run comes to.

        Args:
            due: the outages for which a banner is due.
            failing: all that truly fails, these among them.
        """
        if self._from is None:
            return Figures()
        at = np.arange(self._from, self._to + 1, SECOND)
        shown = {leaf: self._shown(leaf, at) for leaf in self._traffic}
        people = {leaf: _held(self._traffic[leaf], at) for leaf in self._traffic}
        out = Figures()
        for leaf, traffic in people.items():
            mine = [one for one in failing if contains(one.scope, leaf)]
            excused = _within(at, ((one.start, one.end + TAIL) for one in mine))
            out.wrong += float(traffic[shown[leaf] & ~excused].sum())
            out.failed += float(
                traffic[_within(at, ((o.start, o.end) for o in due if contains(o.scope, leaf)))].sum()
            )
        out.outages = [_outage(one, failing, at, shown, people) for one in due]
        return out

    def _shown(self, leaf: str, at: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Bools:
        """Whether a visitor sees a banner at each instant (ms)."""
        seen = np.zeros(len(at), bool)
        for key, changes in self._changes.items():
            if key == f"{self._env}/{MVI}" or contains(key, leaf):
                seen |= _held([(when, float(up)) for when, up in changes], at) > 0
        return seen


def _outage(
    due: Due,
    failing: Sequence[Due],
    at: np.ndarray[tuple[int], np.dtype[np.int64]],
    shown: Mapping[str, Bools],
    people: Mapping[str, Floats],
) -> Outage:
    leaves = [leaf for leaf in shown if contains(due.scope, leaf)]
    during = (at >= due.start) & (at < due.end)
    concerned = sum((people[leaf] for leaf in leaves), np.zeros(len(at)))
    told = sum((people[leaf] * shown[leaf] for leaf in leaves), np.zeros(len(at)))
    when = at[during & (told > concerned / 2)]
    late = int(when[0]) - due.start if len(when) else None
    longer = 0
    for leaf in leaves:
        others = [(one.start, one.end + TAIL) for one in failing if one != due and contains(one.scope, leaf)]
        if any(start <= due.end + TAIL and end > due.end for start, end in others):
            continue  # another outage of the same people
        gone = at[(at >= due.end) & ~shown[leaf]]
        if shown[leaf][during].any():
            longer = max(longer, (int(gone[0]) if len(gone) else int(at[-1])) - due.end)
    return Outage(due, late, longer)


def _held(points: Sequence[tuple[int, float]], at: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """The last value up to each instant (ms); 0 before the first. ``points``: (ms, value), in the order of time."""
    instants = np.array([when for when, _ in points], np.int64)
    values = np.array([0.0, *(value for _, value in points)])
    held: Floats = values[np.searchsorted(instants, at, side="right")]
    return held


def _within(at: np.ndarray[tuple[int], np.dtype[np.int64]], spans: Iterable[tuple[int, int]]) -> Bools:
    inside = np.zeros(len(at), bool)
    for start, end in spans:
        inside |= (at >= start) & (at < end)
    return inside
