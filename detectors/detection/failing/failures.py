"""How many people failed, per window and scope, and have their failures stopped by now?

Failures are counted in people: a person who tries forty times has failed once. Successes are counted as requests.
The failing ratio therefore errs towards health, and a bound on the ratio is a bound on independent trials.

A long window holds the past. A window is *over* for a scope when hardly any of its failures lie in a shorter window
at its end, although many of its completions do. A window that is over for a scope is over for the scope's parts,
except for a part that still fails more than its share. ``present`` then counts the failures of now: a part for which
a window is over is counted by what happened since. So a wide scope stops failing when the part that failed has
recovered, and a part with little traffic, which cannot show its own recovery, stops when the whole has recovered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.confidence import chance_of_so_few_of, chance_of_so_many, failure_gain, surely_below
from detectors.detection.lattice.lattice import Lattice, lattice_of
from detectors.instants import MINUTE
from detectors.windows.counters import BAD, GOOD, SESSION_BAD, SESSION_GOOD
from detectors.windows.frame import Frame

__all__ = ["Failures", "Present", "Recovery"]

#: The longest window that can show health, ms: older successes are no evidence of health now.
RECENT = 15 * MINUTE
#: If this many expected completions are missing from a window, it is not by chance (probability e^-8 at a steady rate).
_MISSED = 8
#: The time to which the probability ``Recovery.chance`` of a false end applies, ms.
_LOOK = 5 * MINUTE
#: The greatest probability of continuing failures at which a window agrees with a longer one that they have stopped.
_REMAINS = 0.35
#: The number of expected failures from which on their absence is evidence.
_SEVERAL = 5
#: A part is in trouble of its own if the probability that it fails no more than its share is at most this.
_OF_ITS_OWN = 0.001


@dataclass(frozen=True)
class Recovery:
    """The conditions under which failures count as stopped.

    Attributes:
        chance: the greatest probability that continuing failures would leave as few recent ones, per five minutes (in
            proportion for shorter windows) ...
        share: ... and the greatest share of the expected recent failures that may have happened.
        z: the quantile of the upper bound of a ratio.
        healthy: a window shows health if the upper bound of its failing ratio is below this ratio.
    """

    chance: float
    share: float
    z: float
    healthy: float


@dataclass(frozen=True)
class Present:
    """Failures at some steps (M,), without failures that are over.

    Attributes:
        people, trials: (window, M, scope), as in ``Failures``.
        leaves: people and trials by leaf, (window, M, leaf) each.
        lattice: the scopes.
    """

    people: Ints
    trials: Ints
    leaves: tuple[Ints, Ints]
    lattice: Lattice

    def gains(self, normal: Floats) -> Floats:
        """Return (M, scope) how much better "all parts fail alike" explains each scope than ``normal``, in nats.

        The result is the greatest over the windows. A scope also gains by its leaves with a value on an axis alone, as
        only people who get through a credential provider request a token; and by the leaf that it names exactly, as no
        narrower scope names this leaf.

        Args:
            normal: the ratio (scope,) that usually fails.
        """
        lattice = self.lattice
        gains: Floats = np.zeros(self.people.shape[1:])
        failing = np.flatnonzero(self.people.any(axis=(0, 1)))
        gains[:, failing] = failure_gain(
            self.people[..., failing], self.trials[..., failing], normal[failing]
        ).max(axis=0)
        inside = lattice.members[failing]
        for valued in lattice.valued:
            with_value = inside * valued
            some = np.flatnonzero(with_value.any(axis=1) & (with_value.sum(axis=1) < inside.sum(axis=1)))
            people, trials = (array.astype(np.float64) @ with_value[some].T for array in self.leaves)
            alone = failure_gain(people, trials, normal[failing[some]]).max(axis=0)
            gains[:, failing[some]] = np.maximum(gains[:, failing[some]], alone)
        named = np.flatnonzero((lattice.exact >= 0) & self.leaves[0].any(axis=(0, 1)))
        scopes = lattice.exact[named]
        people, trials = (array[..., named] for array in self.leaves)
        alone = failure_gain(people, trials, normal[scopes]).max(axis=0)
        gains[:, scopes] = np.maximum(gains[:, scopes], alone)
        return gains


@dataclass(frozen=True)
class Failures:
    """Failures of one kind of sign-in steps over a frame.

    Attributes:
        windows: ms, ascending; the first axis of both arrays.
        people: (window, step, scope) distinct people who failed.
        trials: (window, step, scope) people who failed plus successful requests.
        lattice: the scopes.
    """

    windows: tuple[int, ...]
    people: Ints
    trials: Ints
    lattice: Lattice

    @classmethod
    def of_sign_in(cls, frame: Frame, windows: tuple[int, ...] = ()) -> Failures:
        """Build the failures of the steps new, authorize, callback, token.

        Args:
            frame: the frame.
            windows: ms, ascending; all windows of the frame if empty.
        """
        return cls._of(frame, GOOD, BAD, windows or frame.windows)

    @classmethod
    def of_session(cls, frame: Frame, windows: tuple[int, ...] = ()) -> Failures:
        """Build the failures of the steps refresh, revoke, logout; ``windows`` (ms) as in ``of_sign_in``."""
        return cls._of(frame, SESSION_GOOD, SESSION_BAD, windows or frame.windows)

    @classmethod
    def _of(cls, frame: Frame, good: int, bad: int, windows: tuple[int, ...]) -> Failures:
        counts = [frame.counts[window] for window in windows]
        failed = np.stack([c[..., bad] for c in counts])
        ids, people = (
            np.minimum(failed, np.stack([of(window) for window in windows]))
            for of in (frame.people.__getitem__, frame.persons)
        )
        # Both count all steps, so they may be too high for a wide scope, which has at most the sum of its leaves.
        lattice = lattice_of(frame.scopes)
        failing = np.flatnonzero(failed[-1].any(axis=0))
        leaves = lattice.leaves(ids).astype(np.float64)
        at_most = (leaves @ lattice.members[failing].T).astype(np.int64)
        if frame.crowd is not None:
            at_most -= _of_one_part(ids - people, lattice.holds[failing])
        people[..., failing] = np.minimum(people[..., failing], at_most)
        return cls(windows, people, people + np.stack([c[..., good] for c in counts]), lattice)

    def at(self, window: int) -> int:
        """Return the position of a window (ms) on the first axis."""
        return self.windows.index(window)

    def healthy(self, recovery: Recovery) -> Bools:
        """Return (step, scope) whether a window of at most 15 minutes shows health."""
        recent = [i for i, window in enumerate(self.windows) if window <= RECENT]
        shown = surely_below(self.people[recent], self.trials[recent], recovery.healthy, recovery.z)
        return np.asarray(shown.any(axis=0))

    def still_arriving(self) -> Bools:
        """Return (step, scope) whether requests still complete as in longer windows, so that health refers to now."""
        recent = [i for i, window in enumerate(self.windows) if window <= RECENT]
        alive: Bools = self.trials[recent[-1]] > 0
        for longer in {recent[-1], len(self.windows) - 1}:
            for i in recent:
                due = self.trials[longer] * (self.windows[i] / self.windows[longer])
                alive &= (self.trials[i] > 0) | (due < _MISSED)
        return alive

    def below(self, window: int, steps: Ints, scopes: Ints, ratio: Floats | float, z: float) -> Bools:
        """Return (M,) whether surely less than ``ratio`` fails in a window shorter than the ``window``-th, at cells."""
        people, trials = self.people[:window, steps, scopes], self.trials[:window, steps, scopes]
        return np.asarray(surely_below(people, trials, ratio, z).any(axis=0))

    def present(self, steps: Ints, recovery: Recovery) -> Present:
        """Return the failures at some steps (M,), without failures that are over."""
        people, trials = self.people[:, steps], self.trials[:, steps]  # copies
        lattice = self.lattice
        failed = lattice.leaves(people)
        good = lattice.leaves(trials) - failed
        if not people.any():
            return Present(people, trials, (failed, failed + good), lattice)
        over = self._over(people, trials, failed, good, recovery)
        gone = self._gone(failed, good)
        left_out = np.logical_or.accumulate(over | gone, axis=0)
        # A window adds its counts beyond the next shorter window, unless the longer window is over.
        now_failed = np.cumsum(np.diff(failed, axis=0, prepend=0) * ~over, axis=0)
        now_good = np.cumsum(np.diff(good, axis=0, prepend=0) * ~(over | gone), axis=0)
        failed, good = np.maximum(now_failed, 0), np.maximum(now_good, 0)
        leaves = failed, failed + good
        # One person may have failed in several parts, so a sum is too high; the scope's own count is exact, and is
        # used where nothing is left out.
        failing = np.flatnonzero(people.any(axis=(0, 1)))
        to_scopes = lattice.members[failing].T
        whole: Bools = (left_out.astype(np.float64) @ to_scopes) == 0
        for own, part in zip((people, trials), leaves, strict=True):
            sums = (part.astype(np.float64) @ to_scopes).astype(np.int64)
            own[..., failing] = np.where(whole, own[..., failing], sums)
        return Present(people, trials, leaves, lattice)

    def _gone(self, failed: Ints, good: Ints) -> Bools:
        """Return (window, M, leaf) whether a leaf in which nobody failed has no traffic any more.

        Earlier successes of such a leaf are no evidence of health now: no token is requested once every callback fails.
        """
        gone = np.zeros(failed.shape, dtype=bool)
        lengths = np.array(self.windows, dtype=np.float64)
        for i in range(1, len(self.windows)):
            due = good[i] * (lengths[:i] / lengths[i])[:, None, None]
            gone[i] = ((good[:i] == 0) & (due >= _MISSED)).any(axis=0) & (failed[i] == 0)
        return gone

    def _over(self, people: Ints, trials: Ints, failed: Ints, good: Ints, recovery: Recovery) -> Bools:
        """Return (window, M, leaf) whether a window's failures have stopped, in the leaf or in a scope around it.

        Args:
            people, trials: (window, M, scope).
            failed, good: (window, M, leaf).
        """
        groups = self._groups(people, failed)
        people = np.concatenate([people[..., groups.scopes], failed[..., groups.leaves]], axis=-1)
        shares = self._shares(trials, failed, good)
        lengths = np.array(self.windows, dtype=np.float64)
        over = np.zeros(failed.shape, dtype=bool)
        # A short window is tested anew more often, so its test must be stricter for all windows to err equally rarely.
        allowed = (recovery.chance * np.minimum(lengths / _LOOK, 1.0))[:, None, None]
        surely = np.zeros(people.shape, dtype=bool)  # whether each shorter window shows this of a longer one
        for i in range(len(self.windows) - 1, 0, -1):
            due = failed[i] * (shares[:i] / np.maximum(shares[i], 1))
            chance = _chance_of_going_on(people, due, failed[i], groups.members, recovery.share)
            stopped = chance <= allowed[:i]
            ended = stopped | ((chance <= _REMAINS) & surely[:i])
            surely[:i] |= stopped
            if ended.any():
                over[i] = _over_for_leaves(lengths, people, failed, groups.members, ended)
        return over

    def _groups(self, people: Ints, failed: Ints) -> _Groups:
        """Return the scopes with failures, and the leaves with failures that no scope consists of.

        Of scopes that name a value on a further axis than the first two only those of a single leaf are judged: what is
        over in a client shows in its leaves and in the provider and method around it.
        """
        lattice = self.lattice
        judged = ~lattice.names[2:].any(axis=0) | (lattice.members.sum(axis=1) == 1)
        scopes = np.flatnonzero(people.any(axis=(0, 1)) & judged)
        members = lattice.members[scopes].astype(bool)
        _, first = np.unique(members, axis=0, return_index=True)
        scopes, members = scopes[np.sort(first)], members[np.sort(first)]
        single = members[members.sum(axis=1) == 1].any(axis=0)
        leaves = np.flatnonzero(failed.any(axis=(0, 1)) & ~single)
        alone = np.zeros((len(leaves), members.shape[1]), dtype=bool)
        alone[np.arange(len(leaves)), leaves] = True
        return _Groups(scopes, leaves, np.concatenate([members, alone]))

    def _shares(self, trials: Ints, failed: Ints, good: Ints) -> Ints:
        """Return (window, M, leaf) the trials that show how much of a window lies in a shorter one.

        They are those of the leaf. Events that lack a value, because they failed before it was known, have no successes
        of their own: the successes of the scope that names them exactly count as theirs.
        """
        lattice = self.lattice
        own = failed + good
        borrows = (lattice.exact >= 0) & ~lattice.valued.all(axis=0)
        around = trials[..., np.maximum(lattice.exact, 0)]
        return np.where(borrows & (good[-1] == 0), around, own)


def _of_one_part(excess: Ints, holds: Bools) -> Ints:
    """Return (window, step, M) the greatest excess of a scope within each scope.

    One person's tries stand on one part. What fails beside them on others may make a crowd of a scope around, but makes
    none of the tries.

    Args:
        excess: (window, step, scope) ids that are no people of their own.
        holds: (M, scope) which scopes each scope holds.
    """
    some = np.flatnonzero(excess.any(axis=(0, 1)))
    out: Ints = np.zeros((*excess.shape[:2], len(holds)), dtype=np.int64)
    for place, inside in enumerate(holds[:, some]):
        if inside.any():
            out[..., place] = excess[..., some[inside]].max(axis=-1)
    return out


@dataclass(frozen=True)
class _Groups:
    """Groups of leaves that are judged together: scopes, then single leaves; ``members`` is bool (group, leaf)."""

    scopes: Ints
    leaves: Ints
    members: Bools


def _over_for_leaves(lengths: Floats, people: Ints, failed: Ints, members: Bools, ended: Bools) -> Bools:
    """Return (M, leaf) whether a window is over for each leaf.

    Args:
        lengths: (window,) ms.
        people: (window, M, group).
        failed: (window, M, leaf).
        members: (group, leaf).
        ended: (shorter window, M, group) whether the shorter window shows that the window has ended for the group.
    """
    window = len(ended)
    over = np.zeros(failed.shape[1:], dtype=bool)
    any_window: Bools = np.asarray(ended.any(axis=0))
    for group in np.flatnonzero(any_window.any(axis=0)).tolist():
        at = np.flatnonzero(any_window[:, group])
        leaves = np.flatnonzero(members[group])
        if len(leaves) == 1:
            over[at, leaves[0]] = True
            continue
        by = ended[:, at, group, None]
        longest = window - 1 - np.argmax(by[::-1], axis=0)
        # ``lately``: the shortest window in which several failures would be expected, had the leaf kept failing.
        rows = at[:, None]
        due = failed[window, rows, leaves] * (lengths[:window, None, None] / lengths[window])
        telling = by & (due >= _SEVERAL)
        lately = np.where(telling.any(axis=0), np.argmax(telling, axis=0), longest)
        share = failed[window, rows, leaves] / np.maximum(people[window, at, group], 1)[:, None]
        mine, whole = failed[lately, rows, leaves], people[lately, rows, group]
        over[rows, leaves] |= chance_of_so_many(mine, whole, np.minimum(share, 1.0)) > _OF_ITS_OWN
    return over


def _chance_of_going_on(people: Ints, due: Floats, failed: Ints, members: Bools, share: float) -> Floats:
    """Return the probability, per shorter window, that as few of a window's failures would lie in it by chance.

    If nothing had changed, each failure of a leaf would lie in the shorter window with a probability equal to the share
    of the leaf's trials in it: the exact conditional test for equal rates (Przyborowski and Wilenski 1940), which
    needs no estimate of the rate. The expected failures are summed over the leaves, so that a failing leaf which merely
    has no traffic does not look recovered. The probability is 1 unless less than ``share`` of the expected failures
    happened.

    Args:
        people: (window, M, group).
        due: (shorter window, M, leaf) failures that would lie in each shorter window.
        failed: (M, leaf) failures of the longer window.
        members: (group, leaf).
        share: as in ``Recovery``.

    Returns:
        (shorter window, M, group).
    """
    window = len(due)
    to_groups = members.T.astype(np.float64)
    due, whole = due @ to_groups, failed.astype(np.float64) @ to_groups
    recent = people[:window]
    less = recent < share * due
    chance = np.ones(recent.shape)
    if less.any():
        total, of_each = (np.broadcast_to(array, recent.shape)[less] for array in (people[window], whole))
        chance[less] = chance_of_so_few_of(recent[less], total, np.minimum(due[less] / of_each, 1.0))
    return chance
