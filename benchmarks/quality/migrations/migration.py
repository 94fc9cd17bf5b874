"""Which moves are drawn? A world, a value that appears on one axis, and how it takes over all that another had."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.axes import AXES, Leaf
from detectors.instants import DAY, HOUR, MINUTE, parse_instant
from streams.simulate.demand import Demand
from streams.simulate.rows import seeded

__all__ = ["OUTAGE_LASTS", "Migration", "Stretch", "draw"]

_STREAM = 11
#: Moves begin within the year from here on, so that they meet holidays and both changes of the clock.
_FIRST = parse_instant("2026-01-05T00:00:00-05:00")
_METHODS = ("sis", "ssoe")
_PROVIDERS = ("idme", "logingov", "clear")
_CLIENTS = ("vaweb", "vamobile", "arp")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
#: The share that the value that ends has at least: of less nobody would see the end.
_LEAST_SHARE = 0.15
#: Callbacks a second of the newcomer at a weekday's peak, at least and at most.
_CALLBACKS = (0.3, 1.2)
#: Sign-ins a second of the world at most, so that a seed costs seconds.
_MOST = 4.0
#: Judged before a stretch of interest, so that windows of an hour are full.
_BEFORE = 65 * MINUTE
_AFTER = 60 * MINUTE
#: Moves that last no longer are watched from the beginning to the end.
_IN_ONE = 3 * HOUR
OUTAGE_LASTS = 5 * MINUTE
#: An outage comes in the busy hours, from this share of a Monday's peak on, so that a minute holds enough people.
_BUSY = 0.85


@dataclass(frozen=True)
class Stretch:
    """A time that is watched: from, to (ms), and the start of the newcomer's outage, None for none."""

    begin: int
    end: int
    outage: int | None = None


@dataclass(frozen=True)
class Migration:
    """A move.

    Attributes:
        axis: the position of the axis on which the newcomer appears.
        old, new: the value that ends, and the one that takes over.
        begin, end: when the first and the last of the people move, ms.
        steps: the shares to which a switch is turned, one after another; empty if the share grows evenly.
        leaves, shares: the leaves before the move, and what share of the sign-ins each has.
        demand: sign-ins wanted in production.
        stretches: the times that are watched, in order.
    """

    seed: int
    axis: int
    old: str
    new: str
    begin: int
    end: int
    steps: tuple[float, ...]
    leaves: tuple[Leaf, ...]
    shares: Floats
    demand: Demand
    stretches: tuple[Stretch, ...] = ()

    def moved(self, at: Ints) -> Floats:
        """Return the share of those who have moved, at each instant (ms)."""
        gone = np.clip((at - self.begin) / (self.end - self.begin), 0.0, 1.0)
        if not self.steps:
            return gone
        turned = np.array((0.0, *self.steps, 1.0))
        # The first turn is at the beginning, the last, to all, at the end.
        place = np.floor(gone * (len(turned) - 2)).astype(np.int64) + (at >= self.begin)
        return turned[np.minimum(place, len(turned) - 1)]

    def successor(self, leaf: Leaf) -> Leaf | None:
        """Return the leaf to which the people of ``leaf`` move; None if they stay."""
        if leaf[self.axis] != self.old:
            return None
        return (*leaf[: self.axis], self.new, *leaf[self.axis + 1 :])

    @property
    def told(self) -> str:
        """One line for people."""
        lasts = self.end - self.begin
        length = f"{lasts / DAY:.1f} d" if lasts >= DAY else f"{lasts / MINUTE:.0f} min"
        how = f"in {len(self.steps) + 1} turns" if self.steps else "evenly"
        share = sum(
            s for leaf, s in zip(self.leaves, self.shares, strict=True) if leaf[self.axis] == self.old
        )
        return f"{AXES[self.axis]} {self.old} ({share:.0%}) to {self.new} in {length} {how}, {self.demand.rate:.1f}/s"


def draw(seed: int) -> Migration:
    """Return the move of a seed."""
    rng = seeded(seed, _STREAM)
    leaves, shares = _world(rng)
    axis, old, share = _ending(rng, leaves, shares)
    new = "".join(rng.choice(list(_LETTERS), int(rng.integers(3, 12))).tolist())
    rate = min(_MOST, float(np.exp(rng.uniform(*np.log(_CALLBACKS)))) / (0.7 * share))
    lasts = int(np.exp(rng.uniform(np.log(MINUTE), np.log(30 * DAY))))
    begin = _FIRST + int(rng.integers(0, 365 * DAY // MINUTE)) * MINUTE
    steps: tuple[float, ...] = ()
    if rng.random() < 0.4:
        steps = tuple(sorted(rng.uniform(0.01, 0.9, int(rng.integers(1, 5))).tolist()))
    demand = Demand(rate)
    one = Migration(seed, axis, old, new, begin, begin + lasts, steps, leaves, shares, demand)
    return Migration(**{**vars(one), "stretches": _stretches(rng, one)})


def _world(rng: np.random.Generator) -> tuple[tuple[Leaf, ...], Floats]:
    """Draw which leaves there are, and the share of each."""
    sizes = (int(rng.integers(1, 3)), int(rng.integers(2, 4)), int(rng.integers(2, 4)))
    values = [names[:n] for names, n in zip((_METHODS, _PROVIDERS, _CLIENTS), sizes, strict=True)]
    of_axis = [rng.dirichlet(np.full(n, 2.0)) for n in sizes]
    leaves: list[Leaf] = []
    shares = []
    for m, method in enumerate(values[0]):
        for p, provider in enumerate(values[1]):
            for c, client in enumerate(values[2]):
                leaves.append((method, provider, client))
                shares.append(of_axis[0][m] * of_axis[1][p] * of_axis[2][c])
    return tuple(leaves), np.array(shares)


def _ending(rng: np.random.Generator, leaves: tuple[Leaf, ...], shares: Floats) -> tuple[int, str, float]:
    """Draw an axis, and of its values one that has enough people; return it with its share."""
    axis = int(rng.integers(len(AXES)))
    totals: dict[str, float] = {}
    for leaf, share in zip(leaves, shares, strict=True):
        totals[str(leaf[axis])] = totals.get(str(leaf[axis]), 0.0) + float(share)
    enough = [value for value, share in totals.items() if share >= _LEAST_SHARE]
    old = enough[int(rng.integers(len(enough)))]
    return axis, old, totals[old]


def _stretches(rng: np.random.Generator, one: Migration) -> tuple[Stretch, ...]:
    """Draw which times are watched: the beginning, two within, the end, a later day, and the newcomer's outage."""
    if one.end - one.begin <= _IN_ONE:
        watched = [Stretch(one.begin - _BEFORE, one.end + _AFTER)]
    else:
        within = sorted(rng.integers(one.begin, one.end, 2).tolist())
        watched = [Stretch(at - _BEFORE, at + _AFTER) for at in (one.begin, *within, one.end)]
    later = one.end + int(rng.integers(4 * HOUR, 8 * DAY))
    outage = _busy_after(one, one.end + int(rng.integers(10 * MINUTE, 4 * HOUR)))
    watched += [
        Stretch(later - _BEFORE, later + _AFTER),
        Stretch(outage - _BEFORE, outage + OUTAGE_LASTS, outage),
    ]
    return tuple(watched)


def _busy_after(one: Migration, at: int) -> int:
    """Return the first instant from ``at`` on, in steps of ten minutes, in whose last half hour demand was high."""
    instants = at + 10 * MINUTE * np.arange(10 * DAY // (10 * MINUTE), dtype=np.int64)
    wanted = one.demand.per_second(instants - HOUR // 2) / one.demand.rate
    return int(instants[np.flatnonzero(wanted >= _BUSY)[0]])
