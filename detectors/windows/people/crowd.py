"""How many of those who failed may be one person, or no person at all? What one could have done is no crowd.

A failure without the person's hash is known by its flow alone, and each try of a person is another flow. Flows that
never overlap are as many people as overlap at most: those that end within ``_OVERLAP`` overlap, since a way to the
provider and back takes longer. Where at least ``_CROWD`` do, or ``_WAYS`` leaves fail before anybody has given up, they
are a crowd, and each flow counts: nobody has so many devices and accounts. Otherwise each chain of flows, one soon
after the other, is one person (two, if two overlap). A callback without person, flow and
client is nobody: whoever opens its address makes one.

Failures count at the instant at which they arrive, so that a figure of T is a function of what counts at T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import Bools, Ids, Ints
from detectors.axes import Scopes
from detectors.instants import FAR_PAST, MINUTE, SECOND
from detectors.windows.people.failed import Failed

__all__ = ["CrowdFrame", "Crowds", "flow_id_of", "nobody_id_of"]

#: Flows that end within this time overlap, ms: nobody signs in by a provider in less.
_OVERLAP = 15 * SECOND
#: So many flows that overlap are a crowd.
_CROWD = 3
#: So many leaves (method, provider and client) are more ways to sign in than one person tries.
_WAYS = 4
#: Who has not tried for this long has given up, ms: who tries then is somebody else.
_GIVEN_UP = 10 * MINUTE
#: The low bits of an id say how a person is known; an id by a hash has them by chance, once in 4,096.
_KIND, _FLOW, _NOBODY = np.uint64(0xFFF), np.uint64(0xA5C), np.uint64(0x3D7)


def flow_id_of(digest: int) -> int:
    """Return the id of a person who is known by a flow alone, from the 64-bit digest of the flow."""
    return digest & ~int(_KIND) | int(_FLOW)


def nobody_id_of(digest: int) -> int:
    """Return the id of an event that tells of nobody, from its 64-bit digest."""
    return digest & ~int(_KIND) | int(_NOBODY)


def _is(people: Ids, kind: np.uint64) -> Bools:
    return np.asarray((people & _KIND) == kind)


def _last(at: Ints, happens: Bools) -> Ints:
    """Return (M, column) the last of the instants ``at`` (M,) up to each at which it happens (M, column), ms."""
    return np.asarray(np.maximum.accumulate(np.where(happens, at[:, None], FAR_PAST), axis=0))


@dataclass(frozen=True, eq=False)
class CrowdFrame:
    """Failures that may be fewer people than they have ids, by the seconds in which they arrived.

    Attributes:
        ends: (N,) the T of the frame, ms.
        at: (M,) the instants, ascending, ms.
        sums: (4, M + 1, group) sums up to each: flows, seconds in which a crowd, seconds in which two overlap, and
            chains that begin; each chain begins in the second of its first flow.
        nobody: (M + 1, group) sums of events that tell of nobody.
    """

    ends: Ints
    at: Ints
    sums: Ints
    nobody: Ints

    def excess(self, window: int) -> Ints:
        """Return (N, group) how many ids of a window (ms) are no people of their own."""
        return self._between(
            np.searchsorted(self.at, self.ends - window), np.searchsorted(self.at, self.ends)
        )

    def excess_since(self, group: int, at: int, since: int) -> int:
        """Return how many ids of a group in ``[since, at)`` (ms) are no people of their own."""
        first, last = (np.searchsorted(self.at, np.array([one])) for one in (since, at))
        return int(self._between(first, last)[0, group])

    def _between(self, first: Ints, last: Ints) -> Ints:
        flows, crowds, pairs, chains = self.sums[:, last] - self.sums[:, first]
        people = np.maximum(chains, 1) + (pairs > 0)
        few = np.where(crowds > 0, 0, np.maximum(flows - people, 0))
        return np.asarray(few + self.nobody[last] - self.nobody[first])


class Crowds:
    """Failures of the longest window without a person's hash. ``move`` goes over consecutive steps.

    Args:
        scopes: the leaves of the failures and the groups of the people; it may grow between calls.
        step: length of a pane, ms.
        longest: the longest window, ms.
    """

    def __init__(self, scopes: Scopes, step: int, longest: int) -> None:
        self._scopes = scopes
        self._step = step
        #: For how long before T failures are kept, ms: whether a chain goes on depends on what came before the window.
        self.reach = longest + _GIVEN_UP + _OVERLAP
        # Rows of the instant (ms), the leaf, flows, events that tell of nobody.
        self._rows: Ints = np.empty((4, 0), dtype=np.int64)

    def move(self, ends: Ints, failed: Failed) -> CrowdFrame | None:
        """Take the failures of a frame; return what is known of them, or None if each id is a person.

        Args:
            ends: (N,) the T of the frame, ms.
            failed: all groups of people that count for the first time at one of these T.
        """
        if self._rows.size:
            self._rows = self._rows[:, self._rows[0] >= int(ends[0]) - self.reach]
        if failed.people.size:
            of = np.repeat(np.arange(len(failed.sizes)), failed.sizes)
            counts = [
                np.bincount(of[_is(failed.people, kind)], minlength=len(failed.sizes))
                for kind in (_FLOW, _NOBODY)
            ]
            some = np.flatnonzero(counts[0] + counts[1])
            if some.size:
                fresh = [failed.counts_from[some] - self._step, failed.leaf[some]]
                self._rows = np.concatenate(
                    [self._rows, np.stack([*fresh, *(one[some] for one in counts)])], axis=1
                )
        return self._summed(ends) if self._rows.size else None

    def _summed(self, ends: Ints) -> CrowdFrame:
        at, place = np.unique(self._rows[0], return_inverse=True)
        members = self._scopes.members
        # Only leaves with failures matter.
        leaves, leaf = np.unique(self._rows[1], return_inverse=True)
        to_groups = members[:, leaves].T.astype(np.float64)
        of_leaf = np.zeros((2, len(at), len(leaves)))
        for own, amounts in zip(of_leaf, self._rows[2:], strict=True):
            np.add.at(own, (place, leaf), amounts)
        tried = at[:, None] - _last(at, of_leaf[0] > 0) <= _GIVEN_UP
        flows, nobody, ways = ((own @ to_groups).astype(np.int64) for own in (*of_leaf, tried))
        # How many flows end within the time before and up to each instant.
        before = np.concatenate([np.zeros((1, len(members)), dtype=np.int64), np.cumsum(flows, axis=0)])
        overlap = before[1:] - before[np.searchsorted(at, at - _OVERLAP, side="right")]
        any_flow = flows > 0
        last = np.concatenate([np.full((1, len(members)), FAR_PAST), _last(at, any_flow)[:-1]])
        begins = any_flow & (at[:, None] - last > _GIVEN_UP)
        crowd = any_flow & ((overlap >= _CROWD) | (ways >= _WAYS))
        each = np.stack([flows, crowd, any_flow & (overlap == 2), begins])
        sums = np.concatenate(
            [np.zeros((4, 1, len(members)), dtype=np.int64), np.cumsum(each, axis=1)], axis=1
        )
        none: Ints = np.zeros((1, len(members)), dtype=np.int64)
        return CrowdFrame(ends, at, sums, np.concatenate([none, np.cumsum(nobody, axis=0)]))

    def skip(self) -> None:
        """Forget all failures: the caller jumps over steps in which every window is empty."""
        self._rows = np.empty((4, 0), dtype=np.int64)
