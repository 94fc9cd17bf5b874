"""Where does the time of a file leap ahead of its events, because a clock was wrong and no broker says so?

Lines of a file state no time but their own. One producer whose clock is ahead then moves the watermark past a span of
which the other producers have yet to tell, and in which nothing seems to arrive. Whether a leap is true shows in the
lines behind it: after a quiet time all say that it is over; after a wrong time, lines go on to say that it is not.
"""

from __future__ import annotations

import numpy as np

from detectors.arrays import Ints
from detectors.instants import SECOND

__all__ = ["Leaps"]

#: Time leaps where an event is so much later than all before it, ms; the others tell of it until as much has passed.
_LEAP = 20 * SECOND
#: A leap is contradicted by at least so many events from before it, and by such a share of those that tell of it.
_LEAST, _SHARE = 3, 0.1


class Leaps:
    """The leaps of one partition whose records have no timestamps: a function of its events in their order.

    Attributes:
        believed: the greatest time before a leap that nothing tells of yet, ms; None without such a leap.
        contradicted: the leaps that later events contradict, each from and to the greatest time of an event, ms.
    """

    def __init__(self) -> None:
        self.believed: int | None = None
        self.contradicted: list[tuple[int, int]] = []
        self._greatest: int | None = None
        self._to = 0
        self._telling, self._before = 0, 0

    def add(self, occurred: Ints) -> None:
        """Take the next valid events, with their ``occurred_at`` in ms (N,)."""
        if not occurred.size:
            return
        greatest = np.maximum.accumulate(
            np.append(occurred[0] if self._greatest is None else self._greatest, occurred)
        )
        begins = np.flatnonzero(np.diff(greatest) > _LEAP).tolist()
        at = 0
        for begin in [*begins, len(occurred)]:
            self._hear(occurred[at:begin], greatest[at + 1 : begin + 1])
            if begin < len(occurred):
                self.settle()
                self.believed, self._to = int(greatest[begin]), int(occurred[begin])
            at = begin
        self._greatest = int(greatest[-1])

    def _hear(self, occurred: Ints, greatest: Ints) -> None:
        """Let events tell of the leap that waits, if one does.

        Args:
            occurred: (N,) their ``occurred_at``, ms.
            greatest: (N,) the greatest so far, with each.
        """
        if self.believed is None:
            return
        until = int(np.searchsorted(greatest, self._to + _LEAP))
        self._telling += until
        self._before += int(np.count_nonzero(occurred[:until] < self._to - _LEAP))
        if until < len(greatest):
            self.settle()

    def settle(self) -> None:
        """Decide about the leap that waits, if one does: what has not told of it yet never will."""
        if self.believed is not None and self._before >= max(_LEAST, _SHARE * self._telling):
            self.contradicted.append((self.believed, self._to))
        self.believed = None
        self._telling, self._before = 0, 0
