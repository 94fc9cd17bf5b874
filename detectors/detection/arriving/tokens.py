"""Do people whose callback succeeds get no token, so that nobody gets in though nothing fails?

Some methods end a sign-in with a request for a token, right after the callback. A token names neither provider nor
client, so those of a method are what stands in its leaf without further values. In each window they are compared with
the callbacks that succeeded, times the share that usually follows: by the weeks before, else by the hour before.
Whatever becomes of a token, it has followed. Of a method without tokens none are expected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.axes import Scopes
from detectors.confidence import chance_of_so_few, silence_gain
from detectors.detection.lattice.lattice import METHOD, lattice_of
from detectors.history.history import History
from detectors.instants import HOUR, MINUTE
from detectors.policy.journey_sections import Funnel
from detectors.windows.counters import BAD, EXCLUDED, GOOD
from detectors.windows.frame import Frame

__all__ = ["TokenWindow", "token_windows"]

#: The number of callbacks that a share must be computed from in order to count as usual.
_LEARNED = 200


@dataclass(frozen=True)
class TokenWindow:
    """One window (ms) over a frame, (step, method) each.

    Attributes:
        methods: (method,) the scopes that name a method alone.
        went: callbacks that succeeded.
        came: tokens that were asked for, with any outcome.
        usual: tokens to a callback; 0 if unknown.
        limit: tokens to a callback below which the window fires.
        fewer: whether fewer tokens came than a quiet finding requires, though enough were expected.
        fires: whether surely too few came.
    """

    length: int
    methods: Ints
    went: Floats
    came: Floats
    usual: Floats
    limit: Floats
    fewer: Bools
    fires: Bools

    def raise_to(self, gains: Floats, step: int) -> None:
        """Raise gains (scope,) in place to how much better "hardly any token comes" fits than the usual, in nats."""
        gain = silence_gain(self.came[step], self.usual[step] * self.went[step])
        np.maximum.at(gains, self.methods, np.where(self.fewer[step], gain, 0.0))

    def fires_at(self, step: int, scope: int) -> bool:
        """Whether the window fires at a cell."""
        return bool(self.fires[step, self.methods == scope].any())

    def told(self, step: int, scope: int) -> tuple[float, float, float, float]:
        """Return callbacks, tokens, their usual share and the limit of it at a cell that fires."""
        (at,) = np.flatnonzero(self.methods == scope)
        went, came, usual, limit = (
            float(of[step, at]) for of in (self.went, self.came, self.usual, self.limit)
        )
        return went, came, usual, limit

    def lost(self, step: int, scope: int) -> float:
        """Return the share of the expected tokens that did not come, at a cell that fires."""
        went, came, usual, _ = self.told(step, scope)
        return max(1.0 - came / (usual * went), 0.0)

    def lost_per_hour(self, step: int, scope: int) -> float:
        """Return the people per hour whose callback succeeds and for whom no token comes, at a cell that fires."""
        went, came, usual, _ = self.told(step, scope)
        return max(usual * went - came, 0.0) * HOUR / self.length


def token_windows(frame: Frame, rules: Funnel, history: History) -> list[TokenWindow]:
    """Return the windows of the funnel, ascending; none if no method has both callbacks and tokens."""
    methods, rest = _methods(frame.scopes)
    lengths = sorted(set(rules.windows).intersection(frame.counts))
    if not len(methods) or not lengths:
        return []
    # What came before all windows says what is usual where the weeks do not: what is missing now is no measure.
    earlier = _share(*_counted(frame.counts[HOUR] - frame.counts[lengths[-1]], methods, rest))
    minutes, minute = np.unique(frame.ends // MINUTE * MINUTE, return_inverse=True)
    weeks = _share(*_counted(np.nan_to_num(history.expected(minutes, HOUR)), methods, rest))[minute]
    learned = ~np.isnan(weeks)
    usual = np.nan_to_num(np.where(learned, weeks, earlier))
    limit = usual * np.where(learned, rules.fires_below, rules.fires_below_unlearned)
    windows = []
    back = np.zeros(usual.shape, dtype=bool)
    for length in lengths:
        went, came = _counted(frame.counts[length], methods, rest)
        enough = usual * went >= rules.min_expected
        fewer = enough & (came < rules.recover_at * usual * went)
        fires = fewer & (came < limit * went) & ~back
        if fires.any():
            spread = np.sqrt(rules.spread**2 + 1.0 / went[fires])
            fires[fires] = chance_of_so_few(came[fires], (limit * went)[fires], spread) <= rules.chance
        windows.append(TokenWindow(length, methods, went, came, usual, limit, fewer & ~back, fires))
        back |= enough & ~fewer
    return windows


def _methods(scopes: Scopes) -> tuple[Ints, Ints]:
    """Return (M,) the scopes that name a method alone and have tokens, and the groups of these tokens."""
    lattice = lattice_of(scopes)
    if METHOD not in lattice.axes:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    alone = lattice.names.sum(axis=0) == 1
    found = np.flatnonzero(
        lattice.names[lattice.axes.index(METHOD)] & alone & lattice.is_scope & (lattice.rest >= 0)
    )
    return found, lattice.rest[found]


def _counted(counts: Ints | Floats, methods: Ints, rest: Ints) -> tuple[Floats, Floats]:
    """Return (N, method) callbacks that succeeded and tokens, of counts (N, group, counter)."""
    whole, tokens = (counts[:, of].astype(np.float64) for of in (methods, rest))
    return whole[..., GOOD] - tokens[..., GOOD], tokens[..., [GOOD, BAD, EXCLUDED]].sum(axis=-1)


def _share(went: Floats, came: Floats) -> Floats:
    """Return the share of callbacks that a token follows, at most 1; nan of too few callbacks."""
    return np.where(went >= _LEARNED, np.minimum(came / np.maximum(went, 1.0), 1.0), np.nan)
