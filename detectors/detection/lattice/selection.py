"""Which disjoint scopes explain failures best, and which of them are told as one?

An explanation is a set of disjoint scopes; its value is the sum of their gains (nats), less a cost for each. A scope is
compared with the best explanations of its parts along each axis, from the narrowest scopes to the environment, so that
the work grows with the number of scopes and their axes alone. On two axes this finds the best of all explanations; on
more, the best of all that follow from dividing scopes along one axis after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from detectors.arrays import Floats
from detectors.detection.lattice.lattice import METHOD, Lattice
from detectors.policy.detector_sections import Attribution

__all__ = ["Selection", "absorbed"]

#: The gain, in nats, that two methods with traffic must have by themselves before a scope counts that holds both: one
#: chance in 10,000. A single failure where one in 2,500 is usual gains less (ln 2,500 = 7.8), so a stray one
#: widens nothing.
_OWN_EXCESS = 9.2
#: The parts that explain a scope which is best explained as a whole.
_ITSELF: Sequence[int] = ()
#: The first axes are those of the methods and the providers.
_MAIN = 2
#: So many failing values of an axis are the scope around them, if they are at least half of those with traffic.
_SEVERAL = 3


class Selection:
    """Chooses scopes by the gains of one step.

    Args:
        lattice: the scopes.
        gain: (group,) nats.
        busy: groups that had traffic.
        costs: what a scope must gain.
        planned: groups that may fail as announced: no evidence that a scope around them fails.
    """

    def __init__(
        self,
        lattice: Lattice,
        gain: Floats,
        busy: frozenset[int],
        costs: Attribution,
        planned: frozenset[int] = frozenset(),
    ) -> None:
        self._lattice = lattice
        self._gain = gain
        self._gains: list[float] = gain.tolist()
        self._busy_parts = lattice.busy_parts(busy)
        self._busy = busy
        self._costs = costs
        self._planned = planned
        # A scope is divided along the second axis first, then along the first: providers fail more often than methods.
        # Further axes come last.
        self._first = lattice.axes.index(METHOD) if METHOD in lattice.axes else 0
        axes = range(len(lattice.axes))
        self._axes = [*reversed(axes[:_MAIN]), *axes[_MAIN:]]
        dearer = lattice.divided & ~lattice.narrow
        further = lattice.names[_MAIN:].any(axis=0)
        values = gain - costs.scope_costs
        values -= np.where(dearer, costs.widening, 0.0) + np.where(further, costs.naming, 0.0)
        self._values: list[float] = np.maximum(values, 0.0).tolist()

    @property
    def asked(self) -> tuple[object, ...]:
        """All that the choices follow from, besides the lattice."""
        return self._gain.tobytes(), self._busy, self._planned, self._costs

    def cheapest(self) -> set[int]:
        """Return the set of disjoint scopes whose gains less costs are greatest."""
        lattice, values = self._lattice, self._values
        gains, same, narrow = self._gains, lattice.same.tolist(), lattice.narrow.tolist()
        best = [0.0] * lattice.size
        # The parts that explain a group best; none where a scope does itself.
        made_of = dict[int, Sequence[int]]()
        divided = set[int]()  # scopes of which a part explains something
        for group in reversed(lattice.order):
            if values[group] == 0.0 and group not in divided:
                continue  # neither the scope nor a part of it explains anything
            value, chosen = 0.0, _ITSELF
            for axis in self._axes if group in divided else ():
                parts = lattice.parts[axis][group]
                of_parts = sum(map(best.__getitem__, parts))
                if of_parts > value:  # the first of equals
                    value, chosen = of_parts, parts
            if gains[group] > 0:
                scope = same[group]
                own = self.worth(scope)
                # Of equals the narrower one is chosen, but below two values none that explains no more.
                if own + (self._costs.widening if narrow[scope] else 0.0) > value:
                    value, chosen = own, _ITSELF
            if value > 0:
                best[group], made_of[group] = value, chosen
                divided.update(lattice.around[group])
        out, left = set[int](), [lattice.order[0]]
        while left:
            group = left.pop()
            if group in made_of:
                left += made_of[group]
                if not made_of[group]:
                    out.add(same[group])
        return out

    def worth(self, group: int) -> float:
        """Return what a scope gains less its costs; 0 if that is negative, or if the scope fails in a part alone."""
        value = self._values[group]
        if value == 0.0 or self._lattice.narrow[group]:
            return value
        return value if self._fails_itself(self._first, group) and not self._is_one_part(group) else 0.0

    def _is_one_part(self, group: int) -> bool:
        """Whether at most one part along an axis fails unplanned, and one fails more surely than the whole scope.

        So it is where such a part holds two methods of which one does not fail surely enough: it is refused itself,
        and does not show that what is around it fails.
        """
        for axis in self._axes:
            busy, failing = self._parts(axis, group)
            surer = any(self._gains[part] > self._gains[group] for part in failing)
            if len(busy) > 1 and len(failing - self._planned) < 2 and surer:
                return True
        return False

    def _parts(self, axis: int, group: int) -> tuple[list[int], set[int]]:
        """Return the parts with traffic of a scope along an axis, and those of them that fail by themselves."""
        busy = self._busy_parts[axis][group]
        return busy, {part for part in busy if self._gains[part] >= _OWN_EXCESS}

    def _fails_itself(self, axis: int, group: int) -> bool:
        """Whether a scope fails in excess beyond one of its parts along an axis.

        Two parts with traffic must gain by themselves, or what has no value on the axis: nothing narrower names it.
        """
        busy, failing = self._parts(axis, group)
        if len(busy) < 2:
            return True
        unplanned = len(failing - self._planned)
        return unplanned >= 2 or (unplanned == 0 and self._has_rest(axis, group)) or self._rest_fails(group)

    def _has_rest(self, axis: int, group: int) -> bool:
        """Whether a scope has leaves without a value on an axis."""
        return bool((self._lattice.members[group] @ ~self._lattice.valued[axis]) > 0)

    def _rest_fails(self, group: int) -> bool:
        """Whether the leaf that no narrower scope names fails in excess by itself."""
        rest = self._lattice.rest[group]
        return rest >= 0 and bool(self._gain[rest] >= _OWN_EXCESS)

    def beside(self, scope: int, others: Sequence[int]) -> int | None:
        """Return the part of a scope that fails most of those which share nothing with others; None if none does."""
        lattice = self._lattice
        apart = lattice.holds[scope] & ~lattice.meets[others].any(axis=0)
        gains = np.where(apart, self._gain, 0.0)
        most = int(gains.argmax())
        return most if gains[most] >= _OWN_EXCESS else None

    def unnamed_beside(self, others: Sequence[int], least: float) -> set[int]:
        """Return the scopes that fail beside others by what no narrower scope names, such as tokens of a method.

        Args:
            others: groups.
            least: what that must gain by itself, nats.
        """
        lattice = self._lattice
        around = np.flatnonzero(lattice.rest >= 0)
        rest = lattice.rest[around]
        fails = self._gain[rest] >= least
        if not fails.any():
            return set()
        beside = fails & ~lattice.meets[others][:, rest].any(axis=0)
        return self.by_rule(around[beside].tolist())

    # -- rules ------------------------------------------------------------------------------------------------

    def by_rule(self, scopes: Iterable[int]) -> set[int]:
        """Combine scopes: values of an axis that are all (of at least two) with traffic become the scope around them.

        Three values suffice if they are half of those with traffic. What a wider scope shares with another one is taken
        from the scope that is narrower, or names a later axis.
        """
        lattice = self._lattice
        out = {int(lattice.same[scope]) for scope in scopes}
        asked = (frozenset(out), self._busy, self._planned, (self._gain >= _OWN_EXCESS).tobytes())
        return lattice.chosen(asked, lambda: self._combined(out))

    def _combined(self, out: set[int]) -> set[int]:
        lattice = self._lattice
        failing = self._held_by(out)
        for group in reversed(lattice.order):
            if failing[group] < 2 or group in out:
                continue
            if any(self._is_whole(axis, group, out) for axis in range(len(lattice.axes))):
                # What lies within the new scope is no cause of its own any more, on any other axis neither.
                out = absorbed(lattice, {*out, int(lattice.same[group])})
                failing = self._held_by(out)
        return self._disjoint(absorbed(lattice, out))

    def _held_by(self, chosen: set[int]) -> list[int]:
        """Return (group,) how many parts of each scope, on any axis, lie within the chosen scopes."""
        lattice = self._lattice
        counts = [0] * lattice.size
        if chosen:
            for part in np.flatnonzero(lattice.holds[sorted(chosen)].any(axis=0)).tolist():
                for group in lattice.around[part]:
                    counts[group] += 1
        return counts

    def _is_whole(self, axis: int, group: int, chosen: set[int]) -> bool:
        lattice = self._lattice
        parts = lattice.distinct[axis][group]
        # What happens to hold a part, as no other method has the value, does not show that the axis is the cause.
        narrower = [
            one for one in chosen if lattice.names[axis, one] and lattice.rank[one] > lattice.rank[group]
        ]
        failing = {part for part in parts if any(lattice.contains[one, part] for one in narrower)}
        if len(failing - self._planned) < 2 or self._lie_elsewhere(axis, group, failing):
            return False
        busy = self._busy.intersection(parts)
        return busy <= failing or (len(failing) >= _SEVERAL and 2 * len(failing & busy) >= len(busy))

    def _lie_elsewhere(self, axis: int, group: int, failing: set[int]) -> bool:
        """Whether another axis tells why parts of a scope along one axis fail.

        They all lie within one of its parts, or a method or provider with traffic has nothing of them. Clients that one
        method alone has fail with it: they show that the method fails, not the environment.
        """
        lattice, parts = self._lattice, sorted(failing)
        for other, of in enumerate(lattice.distinct):
            if other == axis or not of[group]:
                continue
            if lattice.holds[np.ix_(of[group], parts)].all(axis=1).any():
                return True
            busy = [part for part in of[group] if part in self._busy] if other < _MAIN else []
            if busy and not lattice.meets[np.ix_(busy, parts)].any(axis=1).all():
                return True
        return False

    def _disjoint(self, scopes: set[int]) -> set[int]:
        lattice = self._lattice
        out: set[int] = set()
        for scope in (group for group in lattice.order if group in scopes):
            shares = [one for one in out if lattice.meets[one, scope]]
            out |= self._beside(scope, shares[0]) if shares else {scope}
        return absorbed(lattice, out)

    def _beside(self, scope: int, other: int) -> set[int]:
        """Return the failing parts of a scope that share nothing with another scope."""
        lattice = self._lattice
        found: set[int] = set()
        for axis in range(len(lattice.axes)):
            parts = lattice.parts[axis][scope]
            if parts and any(lattice.holds[other, part] for part in parts):
                found |= {
                    part
                    for part in parts
                    if not lattice.meets[other, part] and self._gain[part] >= _OWN_EXCESS
                }
        return found


def absorbed(lattice: Lattice, scopes: Iterable[int]) -> set[int]:
    """Return the scopes that lie within no other one of them."""
    kept = set(scopes)
    if len(kept) < 2:
        return kept
    holds = lattice.holds
    return {s for s in kept if not any(o != s and holds[o, s] and not (holds[s, o] and s < o) for o in kept)}
