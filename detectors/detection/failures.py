"""Who failed of those who came through, per window and scope, and whether it has stopped by now.

Failures are counted in people: somebody who tries forty times has failed once. Successes are counted as they
come. So the failing ratio errs towards health, and a bound on it is a bound on independent trials.

A long window holds the past. It is *over* for a scope when hardly any of its failures lie in a shorter window
at its end, though many of its completions do. What is over for a scope is over for its parts, except for a
part that still fails more than its share. ``present`` then tells what is the case now: parts for which a
window is over are counted by what they have done since. So a wide scope does not go on failing over a part
that has recovered, nor a part with little traffic, which cannot show its own recovery, after the whole has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.confidence import chance_of_so_few_of, chance_of_so_many, failure_gain, surely_below
from detectors.instants import MINUTE
from detectors.scopes import CSPS, LEAVES, MEMBERS, METHODS, SCOPES
from detectors.windows.counters import BAD, GOOD, SESSION_BAD, SESSION_GOOD
from detectors.windows.frame import Frame

__all__ = ["Failures", "Present", "Recovery"]

#: Health must show within this many ms: older successes say nothing about now.
RECENT = 15 * MINUTE
#: Where this many completions are missing from a window, it is no chance (probability e^-8 at a steady rate).
_MISSED = 8
#: How often ``Recovery.chance`` may come true while failures go on, ms.
_LOOK = 5 * MINUTE
#: No more probable must it be that failures go on, where a longer window says that they have stopped.
_REMAINS = 0.35
#: The number of expected failures from which on their absence means something.
_SEVERAL = 5
#: A part is in trouble of its own where the probability that it fails no more than its share is at most this.
_OF_ITS_OWN = 0.001

#: For each leaf the scope that is just it; of the rest of a method, the method.
_SCOPE_OF_LEAF = [SCOPES.index(method if csp is None else f"{method}/{csp}") for method, csp in LEAVES]
#: For each method its leaf without a credential provider, and the scopes of the others.
_RESTS = [
    (
        LEAVES.index((method, None)),
        SCOPES.index(method),
        [SCOPES.index(f"{m}/{csp}") for m, csp in LEAVES if m == method and csp is not None],
    )
    for method in METHODS
]
#: Parts of a scope that it may be named for, as leaves.
_ALSO = [
    (SCOPES.index(""), [i for i, (_, csp) in enumerate(LEAVES) if csp is not None]),
    *(
        (
            SCOPES.index(method),
            [i for i, (m, csp) in enumerate(LEAVES) if m == method and (csp is None) == rest],
        )
        for method in METHODS
        for rest in (False, True)
    ),
]
#: Scopes that span both methods, each with its two parts, one of each method.
_HALVES = [
    (SCOPES.index(wide), [SCOPES.index(one) for one in parts])
    for wide, parts in [("", METHODS), *((f"*/{csp}", [f"{m}/{csp}" for m in METHODS]) for csp in CSPS)]
]
_TO_SCOPES = MEMBERS.astype(np.int64).T
#: bool (group, leaf): the scopes, and those rests as groups of their own.
_GROUPS = np.concatenate([MEMBERS, np.eye(len(LEAVES), dtype=bool)[[rest for rest, *_ in _RESTS]]])
_TO_GROUPS = _GROUPS.T.astype(np.float64)


@dataclass(frozen=True)
class Recovery:
    """What it takes to call an end.

    Attributes:
        chance: failures have stopped where so few of them are recent with at most this probability, had they
            gone on, in each look of five minutes (in shorter ones in proportion) ...
        share: ... and at most this share of what would have failed did.
        z: of the upper bound of a ratio.
        healthy: a window shows health if that bound is below this ratio.
    """

    chance: float
    share: float
    z: float
    healthy: float


@dataclass(frozen=True)
class Present:
    """Failures at some steps (M,), without what is over.

    Attributes:
        people, trials: (window, M, scope), as in ``Failures``.
        leaves: the same two of the parts (window, M, leaf) that scopes are made of.
    """

    people: Ints
    trials: Ints
    leaves: tuple[Ints, Ints]

    def gains(self, normal: Floats) -> Floats:
        """How much better "all of it fails alike" explains a scope than ``normal`` does, (M, scope), in nats.

        The greatest over the windows. A method, and everything, also gain by their parts with a credential
        provider alone, because only those who get through ask for a token; and a method by its other part
        alone (tokens, sessions), because nothing narrower names that.

        Args:
            normal: the ratio (scope,) that fails at any time.
        """
        gains = failure_gain(self.people, self.trials, normal).max(axis=0)
        for scope, leaves in _ALSO:
            people, trials = (array[..., leaves].sum(axis=-1) for array in self.leaves)
            alone = failure_gain(people, trials, normal[scope]).max(axis=0)
            gains[:, scope] = np.maximum(gains[:, scope], alone)
        return np.asarray(gains)


@dataclass(frozen=True)
class Failures:
    """Failures of one kind of steps over a frame.

    Attributes:
        windows: ms, ascending; the first axis of both arrays.
        people: (window, step, scope) distinct people who failed.
        trials: (window, step, scope) these and the successes.
    """

    windows: tuple[int, ...]
    people: Ints
    trials: Ints

    @classmethod
    def of_sign_in(cls, frame: Frame, windows: tuple[int, ...] = ()) -> Failures:
        """Of the steps new, authorize, callback, token; in some windows (ms, ascending), all unless said otherwise."""
        return cls._of(frame, GOOD, BAD, windows or frame.windows)

    @classmethod
    def of_session(cls, frame: Frame, windows: tuple[int, ...] = ()) -> Failures:
        """Of the steps refresh, revoke, logout."""
        return cls._of(frame, SESSION_GOOD, SESSION_BAD, windows or frame.windows)

    @classmethod
    def _of(cls, frame: Frame, good: int, bad: int, windows: tuple[int, ...]) -> Failures:
        counts = [frame.counts[window] for window in windows]
        failed = np.stack([c[..., bad] for c in counts])
        people = np.minimum(failed, np.stack([frame.people[window] for window in windows]))
        # People are those of all steps, so a wide scope's may be too many: it has no more than its parts.
        for _, method, csps in _RESTS:
            parts = people[..., csps].sum(axis=-1) + failed[..., method] - failed[..., csps].sum(axis=-1)
            people[..., method] = np.minimum(people[..., method], parts)
        for wide, parts_of in _HALVES:
            people[..., wide] = np.minimum(people[..., wide], people[..., parts_of].sum(axis=-1))
        return cls(windows, people, people + np.stack([c[..., good] for c in counts]))

    def at(self, window: int) -> int:
        """Position of a window on the first axis."""
        return self.windows.index(window)

    def healthy(self, recovery: Recovery) -> Bools:
        """(step, scope): whether a window of the last 15 minutes shows health."""
        recent = [i for i, window in enumerate(self.windows) if window <= RECENT]
        shown = surely_below(self.people[recent], self.trials[recent], recovery.healthy, recovery.z)
        return np.asarray(shown.any(axis=0))

    def still_arriving(self) -> Bools:
        """(step, scope): whether completions come in as in the longer windows, so that health is of now."""
        recent = [i for i, window in enumerate(self.windows) if window <= RECENT]
        alive: Bools = self.trials[recent[-1]] > 0
        for longer in {recent[-1], len(self.windows) - 1}:
            for i in recent:
                due = self.trials[longer] * (self.windows[i] / self.windows[longer])
                alive &= (self.trials[i] > 0) | (due < _MISSED)
        return alive

    def below(self, window: int, steps: Ints, scopes: Ints, ratio: Floats | float, z: float) -> Bools:
        """Whether surely less than ``ratio`` fails in a window shorter than the ``window``-th, at cells (M,)."""
        people, trials = self.people[:window, steps, scopes], self.trials[:window, steps, scopes]
        return np.asarray(surely_below(people, trials, ratio, z).any(axis=0))

    def present(self, steps: Ints, recovery: Recovery) -> Present:
        """What is the case at some steps (M,), without what is over."""
        people, trials = self.people[:, steps], self.trials[:, steps]
        if not len(steps):
            nothing = np.zeros((len(self.windows), 0, len(LEAVES)), dtype=np.int64)
            return Present(people, trials, (nothing, nothing))
        failed, good = _leaves(people), _leaves(trials - people)
        over = self._over(people, failed, good, recovery)
        gone = self._gone(failed, good)
        left_out = np.logical_or.accumulate(over | gone, axis=0)
        # What a window has beyond the next shorter one adds to it, unless the longer one is over.
        now_failed = np.cumsum(np.diff(failed, axis=0, prepend=0) * ~over, axis=0)
        now_good = np.cumsum(np.diff(good, axis=0, prepend=0) * ~(over | gone), axis=0)
        failed, good = np.maximum(now_failed, 0), np.maximum(now_good, 0)
        leaves = failed, failed + good
        # One person may have failed in several parts: with nothing left out, the scope's own count is exact.
        whole: Bools = ~np.asarray(left_out @ MEMBERS.T)
        now = [
            np.where(whole, own, part @ _TO_SCOPES)
            for own, part in zip((people, trials), leaves, strict=True)
        ]
        return Present(now[0], now[1], leaves)

    def _gone(self, failed: Ints, good: Ints) -> Bools:
        """(window, M, leaf): whether a leaf in which nobody failed has no traffic any more.

        What went well before says nothing of now then: no token is asked for once every callback fails.
        """
        gone = np.zeros(failed.shape, dtype=bool)
        lengths = np.array(self.windows, dtype=np.float64)
        for i in range(1, len(self.windows)):
            due = good[i] * (lengths[:i] / lengths[i])[:, None, None]
            gone[i] = ((good[:i] == 0) & (due >= _MISSED)).any(axis=0) & (failed[i] == 0)
        return gone

    def _over(self, people: Ints, failed: Ints, good: Ints, recovery: Recovery) -> Bools:
        """(window, M, leaf): whether what failed in a window has stopped, in the leaf or in all around it.

        Args:
            people: (window, M, scope).
            failed, good: (window, M, leaf).
        """
        people = np.concatenate([people, failed[..., [rest for rest, *_ in _RESTS]]], axis=-1)
        lengths = np.array(self.windows, dtype=np.float64)
        over = np.zeros(failed.shape, dtype=bool)
        # A short window is another look more often: so that all err equally seldom, it must be the surer.
        allowed = (recovery.chance * np.minimum(lengths / _LOOK, 1.0))[:, None, None]
        surely = np.zeros(people.shape, dtype=bool)  # by each shorter window, of some longer one
        for i in range(len(self.windows) - 1, 0, -1):
            chance = _chance_of_going_on(people, failed, good, i, recovery.share)
            stopped = chance <= allowed[:i]
            ended = stopped | ((chance <= _REMAINS) & surely[:i])
            surely[:i] |= stopped
            if ended.any():
                over[i] = _over_for_leaves(lengths, people, failed, i, ended)
        return over


def _over_for_leaves(lengths: Floats, people: Ints, failed: Ints, window: int, ended: Bools) -> Bools:
    """(M, leaf): whether a window is over for it.

    Args:
        lengths: (window,) ms.
        people: (window, M, group).
        failed: (window, M, leaf).
        ended: (shorter window, M, group): by which shorter windows it has ended.
    """
    over = np.zeros(failed.shape[1:], dtype=bool)
    any_window: Bools = np.asarray(ended.any(axis=0))
    for group in np.flatnonzero(any_window.any(axis=0)).tolist():
        at = np.flatnonzero(any_window[:, group])
        leaves = np.flatnonzero(_GROUPS[group])
        if len(leaves) == 1:
            over[at, leaves[0]] = True
            continue
        by = ended[:, at, group]
        longest = window - 1 - np.argmax(by[::-1], axis=0)
        for leaf in leaves:
            # Lately is the shortest window in which several would have failed, had the leaf gone on.
            due = failed[window, at, leaf] * (lengths[:window, None] / lengths[window])
            telling = by & (due >= _SEVERAL)
            lately = np.where(telling.any(axis=0), np.argmax(telling, axis=0), longest)
            share = failed[window, at, leaf] / np.maximum(people[window, at, group], 1)
            mine, whole = failed[lately, at, leaf], people[lately, at, group]
            over[at, leaf] |= chance_of_so_many(mine, whole, np.minimum(share, 1.0)) > _OF_ITS_OWN
    return over


def _leaves(array: Ints) -> Ints:
    """(..., leaf) from (..., scope)."""
    leaves = array[..., _SCOPE_OF_LEAF]
    for rest, method, csps in _RESTS:
        leaves[..., rest] = np.maximum(array[..., method] - array[..., csps].sum(axis=-1), 0)
    return leaves


def _chance_of_going_on(people: Ints, failed: Ints, good: Ints, window: int, share: float) -> Floats:
    """Probability, per shorter window, that so few of a window's failures fall into it by chance.

    Had nothing changed, each failure of a part would fall into the shorter window with the share of the part's
    trials that lies in it: the exact conditional test for equal rates (Przyborowski and Wilenski 1940), which
    needs no estimate of the rate. What would fall into it is added up over the parts, so that it does not look
    like an end when the failing part merely has no traffic. 1 unless at most ``share`` of it failed.

    Args:
        people: (window, M, group).
        failed, good: (window, M, leaf).
        window: position.

    Returns:
        (shorter window, M, group).
    """
    trials = failed[: window + 1] + good[: window + 1]
    due = (failed[window] * (trials[:window] / np.maximum(trials[window], 1))) @ _TO_GROUPS
    whole = failed[window] @ _TO_GROUPS
    recent = people[:window]
    less = recent < share * due
    chance = np.ones(recent.shape)
    if less.any():
        total, of_each = (np.broadcast_to(array, recent.shape)[less] for array in (people[window], whole))
        chance[less] = chance_of_so_few_of(recent[less], total, np.minimum(due[less] / of_each, 1.0))
    return chance
