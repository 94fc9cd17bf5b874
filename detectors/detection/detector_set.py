"""Which detectors judge a frame, and what are their verdicts? No verdict is computed before a caller needs it.

Detectors fire rarely. Each detector therefore first checks by necessary, cheap conditions whether it could fire
anywhere in a frame, and judges the frame only then. The verdicts of the other detectors are computed when they are
read: where another detector fires, where an incident is open, or for an observer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from detectors.detection.burn_rate import BurnRateDetector
from detectors.detection.detector import Detector
from detectors.detection.funnel import FunnelDetector
from detectors.detection.latency import LatencyDetector
from detectors.detection.outage import OutageDetector
from detectors.detection.silence import SilenceDetector
from detectors.detection.surge import SurgeDetector
from detectors.detection.verdicts import Verdicts
from detectors.history.history import History
from detectors.policy.policy import Policy
from detectors.windows.frame import Frame

__all__ = ["Findings", "detectors_of"]


def detectors_of(policy: Policy, history: History) -> tuple[Detector, ...]:
    """Return all detectors of an environment, in the order of their verdicts."""
    return (
        OutageDetector(policy, history),
        BurnRateDetector(policy, history),
        SilenceDetector(policy, history),
        LatencyDetector(policy, history),
        FunnelDetector(policy, history),
        SurgeDetector(policy, history),
    )


class Findings:
    """The verdicts of detectors on one frame; they must be read before the history or the windows move on."""

    def __init__(self, frame: Frame, detectors: Sequence[Detector]) -> None:
        self._frame = frame
        self._detectors = detectors
        self._known: dict[str, Verdicts] = {}

    def verdicts(self) -> list[Verdicts]:
        """Return the verdicts of each detector, in the order of the detectors."""
        return [self._verdict(detector) for detector in self._detectors]

    def judge_in_turn(self, *, whole: bool) -> Iterator[None]:
        """Find out where detectors fire; yield after each detector, so that the caller may let others run.

        Args:
            whole: whether all verdicts are needed, also of detectors that cannot fire.
        """
        for detector in self._detectors:
            if whole or detector.may_fire(self._frame):
                self._verdict(detector)
            yield

    def fires(self) -> list[bool]:
        """Return (step,) whether any detector fires on any scope. Go through ``judge_in_turn`` before."""
        nowhere = [False] * len(self._frame.ends)
        return [
            any(at) for at in zip(nowhere, *(known.fires_at for known in self._known.values()), strict=True)
        ]

    def moved(self, step: int) -> dict[str, int]:
        """Return how much traffic has moved away from scopes at a step, by path. As for ``fires``."""
        found = {}
        for verdict in self._known.values():
            if verdict.moved is not None:
                for scope in np.flatnonzero(verdict.moved[step]).tolist():
                    found[self._frame.scopes.path(scope)] = round(float(verdict.moved[step, scope]))
        return found

    def _verdict(self, detector: Detector) -> Verdicts:
        if detector.name not in self._known:
            self._known[detector.name] = detector.judge(self._frame)
        return self._known[detector.name]
