"""Do probes fail twice in a row where nobody else signs in?

A leaf is down where in some window at least two of its probes have failed and none has signed in. A scope is down
where a leaf of it is, and every other leaf of it that has been probed within the hour. What people do decides before
that: where enough of them sign in by the same method and provider to say anything, or one of them has got in meanwhile,
probes say nothing.
"""

from __future__ import annotations

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.axes import ANY, path_of
from detectors.detection.explanation import cause_at, of_scope
from detectors.detection.lattice.lattice import CSP, METHOD, lattice_of
from detectors.incidents import Cause
from detectors.instants import MINUTE, format_duration
from detectors.windows.counters import GOOD
from detectors.windows.frame import Frame
from detectors.windows.probing.probes import FAILED, OK

__all__ = ["Probed"]

_IN_A_ROW = 2
#: What a leaf whose probes fail is worth, nats; a leaf that nobody has probed is worth as much less than nothing.
_NATS = 12.0
_UNPROBED = 1.0
_LEAST = 0.1
#: A person who got in within this time, ms, shows that probes fail by themselves.
_MEANWHILE = 5 * MINUTE


class Probed:
    """What the probes of a frame say.

    Attributes:
        fires: (step, scope) whether probes show an outage that people cannot show.
        well: (step, scope) whether the probes of a scope sign in again.

    Args:
        frame: the frame.
        unsure: (step, scope) where people are too few to say anything.
    """

    def __init__(self, frame: Frame, unsure: Bools) -> None:
        self._frame = frame
        self.fires: Bools = np.zeros(unsure.shape, dtype=bool)
        self.well: Bools = np.zeros(unsure.shape, dtype=bool)
        if not frame.probes:
            return
        members = frame.scopes.members.T.astype(np.float32)
        down, up = (_streak(frame, counter, other) for counter, other in ((FAILED, OK), (OK, FAILED)))
        within_hour = frame.probes[max(frame.probes)].any(axis=2)
        down *= self._unanswered(unsure)
        self._down = (down @ members).astype(np.int64)
        probed = (within_hour.astype(np.float32) @ members).astype(np.int64)
        self._unprobed = frame.scopes.members.sum(axis=1)[None, :] - probed
        is_scope = lattice_of(frame.scopes).is_scope
        self.fires = (self._down > 0) & (self._down == probed) & unsure & is_scope
        self.well = (probed > 0) & ((up @ members).astype(np.int64) == probed) & unsure

    def _unanswered(self, unsure: Bools) -> Bools:
        """Return (step, leaf) whether people say nothing of a leaf: too few sign in the same way, and none gets in.

        People come by other clients than monitors do: the same way is that of the leaf's method and provider.
        """
        frame = self._frame
        got_in = frame.counts[min(w for w in frame.windows if w >= _MEANWHILE)][..., GOOD] > 0
        found = np.ones((len(frame.ends), len(frame.scopes.leaves)), dtype=bool)
        for place in np.flatnonzero(frame.probes[max(frame.probes)].any(axis=(0, 2))).tolist():
            leaf = frame.scopes.leaves[place]
            if leaf is not None:
                way = [
                    value if axis in (METHOD, CSP) and value else ANY
                    for axis, value in zip(frame.scopes.axes, leaf, strict=True)
                ]
                scope = frame.scopes.index(path_of(frame.env, way))
                if scope is not None:
                    found[:, place] = unsure[:, scope] & ~got_in[:, scope]
        return found

    def gain(self) -> Floats:
        """Return float64 (step, scope), as ``Verdicts.gain`` defines it: scopes that nobody has probed gain nothing."""
        if not self.fires.any():
            return np.zeros(self.fires.shape)
        gain = np.maximum(_NATS * self._down - _UNPROBED * self._unprobed, _LEAST)
        found: Floats = np.where(self.fires, gain, 0.0).astype(np.float64)
        return found

    def explain(self, step: int, scope: int) -> Cause:
        """Return the finding at a cell that fires."""
        frame = self._frame
        leaves = np.flatnonzero(frame.scopes.members[scope])
        of_window = {w: frame.probes[w][step, leaves].sum(axis=0) for w in sorted(frame.probes)}
        telling = [w for w, one in of_window.items() if one[OK] == 0 and one[FAILED] >= _IN_A_ROW]
        window = max(telling, default=max(frame.probes))
        failed, ok = int(of_window[window][FAILED]), int(of_window[window][OK])
        state = np.where(self.fires, 1, 0).astype(np.int8)
        name = of_scope("probes", frame.scopes, scope)
        return cause_at("outage", frame.scopes, state, step, scope)(
            sentence=f"{failed:,} {name} failed in {format_duration(window)} and {ok or 'none'} signed in,"
            " while too few people sign in to say more",
            numbers={"counts": "probes", "window_ms": window, "probes_failed": failed, "probes_ok": ok},
            first_bad=self._first_bad(step, leaves, window),
            failing_ratio=1.0,
        )

    def _first_bad(self, step: int, leaves: Ints, window: int) -> int:
        """Return the start (ms) of the shortest window that holds all failures of one."""
        counts = self._frame.probes
        failed = counts[window][step, leaves, FAILED].sum()
        holding = next(w for w in sorted(counts) if counts[w][step, leaves, FAILED].sum() == failed)
        return int(self._frame.ends[step]) - holding


def _streak(frame: Frame, counter: int, other: int) -> Floats:
    """Return (step, leaf), 1 where some window holds enough of one outcome and none of the other, else 0."""
    of_windows = (frame.probes[window] for window in frame.probes)
    some = [(one[..., counter] >= _IN_A_ROW) & (one[..., other] == 0) for one in of_windows]
    return np.asarray(np.any(some, axis=0), dtype=np.float64)
