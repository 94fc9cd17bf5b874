"""What is a detector? It judges frames of one environment by a policy and a history."""

from __future__ import annotations

from typing import Protocol

from detectors.detection.verdicts import Verdicts
from detectors.incidents import DetectorName
from detectors.windows.frame import Frame

__all__ = ["Detector"]


class Detector(Protocol):
    """Judges every scope at every step of a frame.

    The verdicts are a function of the frame, the policy and the history as they are at the call. A detector keeps
    nothing from one frame to the next.
    """

    @property
    def name(self) -> DetectorName:
        """The detector's name in causes, records and the policy."""
        ...

    def may_fire(self, frame: Frame) -> bool:
        """Whether the detector could fire anywhere in a frame.

        The condition is necessary and cheap to check: if it is False, ``judge`` fires nowhere in the frame. This
        method must be called before the history or the frame's windows move on.
        """
        ...

    def judge(self, frame: Frame) -> Verdicts:
        """Return the verdicts on a frame; must be called before the history or the frame's windows move on."""
        ...
