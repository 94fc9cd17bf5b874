"""What does a detector find in a frame of steps?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.arrays import Bools, Floats
from detectors.incidents import Cause, FindingState

__all__ = ["FIRING", "NOT_ENOUGH_EVIDENCE", "QUIET", "STATES", "Verdicts", "finding", "verdict_of"]

FIRING: Final = 1
QUIET: Final = 0
NOT_ENOUGH_EVIDENCE: Final = -1
STATES: dict[int, FindingState] = {
    FIRING: "firing",
    QUIET: "quiet",
    NOT_ENOUGH_EVIDENCE: "not_enough_evidence",
}


@dataclass(frozen=True)
class Verdicts:
    """The findings of one detector on every scope at every step of a frame.

    Attributes:
        detector: the detector's name.
        state: int8 (step, scope): ``FIRING``, ``QUIET`` or ``NOT_ENOUGH_EVIDENCE``.
        explain: (step, scope) -> the finding in words and numbers, computed at the call.
        unknowing: bool (step, scope): the detector lacks what it compares counts with, such as a history; its
            ``NOT_ENOUGH_EVIDENCE`` then means nothing, in particular not that an incident continues.
        gain: step -> float64 (scope,): how much better "this scope as a whole is in trouble, alike in all its
            parts" explains the counts than "all is as usual", in nats; 0 where it does not. ``attribution``
            compares these gains.
        moved: (step, scope): how many events are missing of a scope that arrive at others instead; 0 for none.
    """

    detector: str
    state: npt.NDArray[np.int8]
    explain: Callable[[int, int], Cause]
    gain: Callable[[int], Floats]
    unknowing: Bools | None = None
    moved: Floats | None = None

    @cached_property
    def fires(self) -> Bools:
        """(step, scope): whether the detector fires."""
        return np.asarray(self.state == FIRING)

    @cached_property
    def fires_at(self) -> list[bool]:
        """(step,): whether the detector fires on any scope."""
        at: Bools = np.asarray(self.fires.any(axis=1))
        out: list[bool] = at.tolist()
        return out


def verdict_of(firing: Bools, quiet: Bools) -> npt.NDArray[np.int8]:
    """Return the state of each cell: firing wins over quiet; a cell that is neither lacks evidence."""
    state = np.where(quiet, QUIET, NOT_ENOUGH_EVIDENCE).astype(np.int8)
    state[firing] = FIRING
    return state


def finding(
    verdicts: Iterable[Verdicts], step: int, scope: int, detectors: Collection[str] = ()
) -> FindingState:
    """Combine the verdicts of all detectors, or of those named in ``detectors``, on one cell.

    The result is firing if any detector fires, quiet if all that know what to expect are quiet, and otherwise
    not enough evidence.
    """
    states = set()
    for verdict in verdicts:
        if detectors and verdict.detector not in detectors:
            continue
        state = int(verdict.state[step, scope])
        if state == FIRING:
            return "firing"
        if verdict.unknowing is None or not verdict.unknowing[step, scope]:
            states.add(state)
    return "quiet" if states == {QUIET} else "not_enough_evidence"
