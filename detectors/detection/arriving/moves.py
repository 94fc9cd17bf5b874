"""Do sign-ins that are missing at one value of an axis arrive at its other values, or without any value of it?"""

from __future__ import annotations

import numpy as np

from detectors.arrays import Bools, Floats
from detectors.detection.arriving.windows import SETTLED, SURE
from detectors.detection.lattice.lattice import Lattice

__all__ = ["moved_elsewhere"]

#: Sign-ins have moved elsewhere if so much of what is missing arrives there over the usual number.
_HALF = 0.5


def moved_elsewhere(
    lattice: Lattice,
    quieter: Bools,
    arrived: Floats,
    own: Floats,
    expected: Floats,
    holds: Bools,
    *,
    length: int,
    by_starts: Bools,
) -> Bools:
    """Return (step, scope) whether half of what is missing in a scope arrives elsewhere on an axis of the scope.

    It arrives at the other values of the axis; or without any, half of what all of them lack: a producer that stops
    stating a field takes its values away, and no sign-ins. So it is also where they have moved from a scope around
    it. Completions of the scope around the values must hold. In a window of ``SETTLED`` or longer, so much must surely
    arrive elsewhere; in a shorter one it may.

    Args:
        lattice: the scopes.
        quieter: (step, scope) where an answer is wanted.
        arrived, own, expected: (step, scope) sign-ins; as expected by the scope's own level, and by the window.
        holds: (step, scope) whether requests complete as usual.
        length: of the window, ms.
        by_starts: (step, scope) whether starts are counted, and else completions.
    """
    moved = np.zeros(quieter.shape, dtype=bool)
    missing = expected - arrived
    how_sure = SURE if length >= SETTLED else 0.0
    for of_axis in lattice.parts:
        for wider, parts in enumerate(of_axis):
            if not parts or not quieter[:, parts].any():
                continue
            came, usual = (
                each[:, parts].sum(axis=1, keepdims=True) - each[:, parts] for each in (arrived, own)
            )
            sure = how_sure * np.sqrt(np.maximum(usual, 0.0))
            found = came - usual - sure >= _HALF * missing[:, parts]
            came, usual = (_unnamed(each, by_starts, wider, parts) for each in (arrived, own))
            lost = np.maximum(missing[:, parts], 0.0).sum(axis=1, keepdims=True)
            sure = how_sure * np.sqrt(usual)
            found |= quieter[:, parts] & (came - usual - sure >= _HALF * lost)
            moved[:, parts] |= found & holds[:, wider, None]
    if moved.any():
        # What has moved away from a scope has moved away from each scope within it.
        moved = (moved.astype(np.float32) @ lattice.contains.astype(np.float32)) > 0
    return moved


def _unnamed(counts: Floats, by_starts: Bools, wider: int, parts: list[int]) -> Floats:
    """Return (step, 1) the sign-ins of a scope that are in none of its parts along an axis; 0 if counted otherwise."""
    alike = (by_starts[:, parts] == by_starts[:, wider, None]).all(axis=1, keepdims=True)
    rest = counts[:, wider, None] - counts[:, parts].sum(axis=1, keepdims=True)
    return np.where(alike, np.maximum(rest, 0.0), 0.0)
