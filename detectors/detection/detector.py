"""What a detector is: it judges frames of one environment by a policy and a history."""

from __future__ import annotations

from typing import Protocol

from detectors.detection.verdicts import Verdicts
from detectors.incidents import DetectorName
from detectors.windows.frame import Frame

__all__ = ["Detector"]


class Detector(Protocol):
    """Judges every scope at every step of a frame.

    What a detector says is a function of the frame, of its policy and of its history as they are when it is asked.
    It keeps nothing from one frame to the next.
    """

    @property
    def name(self) -> DetectorName:
        """The name in causes, records and the policy."""
        ...

    def may_fire(self, frame: Frame) -> bool:
        """Whether the detector could fire anywhere in a frame.

        A condition that is necessary and cheap to check: where it is False, ``judge`` fires nowhere in the frame.
        Must be called before the history or the frame's windows move on.
        """
        ...

    def judge(self, frame: Frame) -> Verdicts:
        """The verdicts on a frame; must be made before the history or the frame's windows move on."""
        ...
