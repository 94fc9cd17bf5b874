"""Which detectors judge a frame, and what do they say? No verdict is worked out before it is asked for.

Hardly ever does anything fire. So each detector first says, by conditions that are necessary and cheap, whether it
could fire anywhere in a frame; only then does it judge the frame. The verdicts of detectors that do not fire are made
when somebody looks at them: where another detector fires, where an incident is open, or for an observer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.arrays import Bools
from detectors.detection.burn_rate import BurnRateDetector
from detectors.detection.detector import Detector
from detectors.detection.funnel import FunnelDetector
from detectors.detection.latency import LatencyDetector
from detectors.detection.outage import OutageDetector
from detectors.detection.silence import SilenceDetector
from detectors.detection.surge import SurgeDetector
from detectors.detection.verdicts import FIRING, Verdicts
from detectors.history.history import History
from detectors.policy.policy import Policy
from detectors.windows.frame import Frame

__all__ = ["Findings", "detectors_of"]


def detectors_of(policy: Policy, history: History) -> tuple[Detector, ...]:
    """All detectors of an environment, in the order of their verdicts."""
    return (
        OutageDetector(policy, history),
        BurnRateDetector(policy, history),
        SilenceDetector(policy, history),
        LatencyDetector(policy, history),
        FunnelDetector(policy, history),
        SurgeDetector(policy, history),
    )


class Findings:
    """The verdicts of detectors on one frame; to be asked for before the history or the windows move on."""

    def __init__(self, frame: Frame, detectors: Sequence[Detector]) -> None:
        self._frame = frame
        self._detectors = detectors
        self._known: dict[str, Verdicts] = {}

    def verdicts(self) -> list[Verdicts]:
        """What each detector says, in the order of the detectors."""
        return [self._verdict(detector) for detector in self._detectors]

    def fires(self) -> Bools:
        """(step,): whether any detector fires on any scope."""
        fires = np.zeros(len(self._frame.ends), dtype=bool)
        for detector in self._detectors:
            if detector.name in self._known or detector.may_fire(self._frame):
                fires |= (self._verdict(detector).state == FIRING).any(axis=1)
        return fires

    def _verdict(self, detector: Detector) -> Verdicts:
        if detector.name not in self._known:
            self._known[detector.name] = detector.judge(self._frame)
        return self._known[detector.name]
