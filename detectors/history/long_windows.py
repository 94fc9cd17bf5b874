"""Windows beyond the hour that panes answer for: what the history has before the last hour."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.history.history import History
from detectors.instants import HOUR, MINUTE

__all__ = ["before_the_hour"]

#: The history's sums are taken at full minutes.
_GRID = MINUTE


def before_the_hour(history: History, ends: Ints, length: int) -> tuple[Floats, Floats]:
    """What a window holds of the time before the last hour, for each of its ends.

    Args:
        ends: (N,) ms.
        length: of the window, ms, more than an hour.

    Returns:
        counts (N, scope, counter) of ``[end - length, end - 1 h)``, and the share (N,) of the whole window that
        is known, the last hour included.
    """
    minutes, place = np.unique(ends // _GRID * _GRID, return_inverse=True)
    begin, end = minutes - length, minutes - HOUR
    known = (history.coverage(begin, end) * (length - HOUR) + HOUR) / length
    return history.between(begin, end)[place], known[place]
