"""What does a window longer than an hour hold of the time before the last hour? The history answers."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.history.history import History
from detectors.instants import HOUR, MINUTE

__all__ = ["before_the_hour"]

#: Instants at which the history is summed are rounded to minutes.
_GRID = MINUTE


def before_the_hour(history: History, ends: Ints, length: int) -> tuple[Floats, Floats]:
    """Return the counts of windows in the time before the last hour of each window.

    Args:
        ends: (N,) the ends of the windows, ms.
        length: the length of the windows, ms, more than an hour.

    Returns:
        counts (N, scope, counter) of ``[end - length, end - 1 h)``, and the share (N,) of the whole window that
        is known; the last hour counts as known.
    """
    minutes, place = np.unique(ends // _GRID * _GRID, return_inverse=True)
    begin, end = minutes - length, minutes - HOUR
    known = (history.coverage(begin, end) * (length - HOUR) + HOUR) / length
    return history.between(begin, end)[place], known[place]
