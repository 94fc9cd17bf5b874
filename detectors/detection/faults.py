"""How does judging go on where a part of it has a fault, so that the fault of one detector does not blind all others?

A fault is an exception that nobody has foreseen. Judging is a function of the facts: whoever ends of a fault ends again
at the same T after each restart, and mostly where an incident is about to open. A detector with a fault has too little
evidence instead, so that it opens nothing and lets nothing resolve, and the others judge on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from detectors.arrays import Floats
from detectors.detection.detector import Detector
from detectors.detection.explanation import cause_at
from detectors.detection.verdicts import NOT_ENOUGH_EVIDENCE, Verdicts
from detectors.incidents import Cause, DetectorName
from detectors.windows.frame import Frame

__all__ = ["IN_COMMON", "Fault", "Faults", "guarded"]

#: The part that tells what those who fail have in common; it decides no verdict.
IN_COMMON = "in common"

_T = TypeVar("_T")

_WHY_UNKNOWN = "{name} on {scope}: its numbers cannot be told, by a fault that the worker's log has"


class Fault(NamedTuple):
    """An exception that judging has met and nobody has foreseen.

    Attributes:
        part: the part of judging that has the fault: a detector's name, or what is told of an incident.
        at: the T (ms) at which it was met.
        error: the exception.
    """

    part: str
    at: int
    error: Exception


class Faults:
    """The faults that the judging of an environment has met: of each part the first since they were taken.

    Args:
        strict: whether a fault ends the judging, as a person who tries a policy or a change wants it.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self.strict = strict
        self._met: dict[str, Fault] = {}

    def attempt(self, part: str, at: int, work: Callable[[], _T], instead: Callable[[], _T]) -> _T:
        """Return what ``work`` gives, or what ``instead`` gives where the work of ``part`` at a T (ms) has a fault."""
        try:
            return work()
        except Exception as error:
            if self.strict:
                raise
            self._met.setdefault(part, Fault(part, at, error))
            return instead()

    def take(self) -> list[Fault]:
        """Return the faults that were met since the last call."""
        taken, self._met = list(self._met.values()), {}
        return taken


def guarded(detectors: Sequence[Detector], faults: Faults) -> tuple[Detector, ...]:
    """Return detectors of which none ends the judging of a frame, unless ``faults`` are strict."""
    return tuple(detectors) if faults.strict else tuple(_Guarded(one, faults) for one in detectors)


@dataclass(frozen=True)
class _Guarded:
    """A detector that has too little evidence where it has a fault."""

    detector: Detector
    faults: Faults

    @property
    def name(self) -> DetectorName:
        return self.detector.name

    def may_fire(self, frame: Frame) -> bool:
        return self._attempt(frame, lambda: self.detector.may_fire(frame), lambda: True)

    def judge(self, frame: Frame) -> Verdicts:
        found = self._attempt(frame, lambda: self.detector.judge(frame), lambda: self._unjudged(frame))
        explain, gain, scopes = found.explain, found.gain, frame.scopes

        def explained(step: int, scope: int) -> Cause:
            return self._attempt(
                frame,
                lambda: explain(step, scope),
                lambda: self._unexplained(frame, found.state, step, scope),
            )

        def gained(step: int) -> Floats:
            return self._attempt(frame, lambda: gain(step), lambda: np.zeros(len(scopes.paths)))

        return replace(found, explain=explained, gain=gained)

    def _unjudged(self, frame: Frame) -> Verdicts:
        """Return verdicts of a detector that could not judge: nothing fires, and nothing is quiet."""
        scopes = frame.scopes
        state = np.full((len(frame.ends), len(scopes.paths)), NOT_ENOUGH_EVIDENCE, dtype=np.int8)
        return Verdicts(
            self.name,
            state,
            lambda step, scope: self._unexplained(frame, state, step, scope),
            lambda step: np.zeros(len(scopes.paths)),
        )

    def _unexplained(self, frame: Frame, state: npt.NDArray[np.int8], step: int, scope: int) -> Cause:
        made = cause_at(self.name, frame.scopes, state, step, scope)
        return made(sentence=_WHY_UNKNOWN.format(name=self.name, scope=frame.scopes.path(scope)))

    def _attempt(self, frame: Frame, work: Callable[[], _T], instead: Callable[[], _T]) -> _T:
        return self.faults.attempt(self.name, int(frame.ends[-1]), work, instead)
