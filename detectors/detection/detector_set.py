"""What all detectors say of a frame, worked out no further than it is asked for.

Hardly ever does anything fire. So each detector first says, by conditions that are necessary and cheap, whether it
could fire anywhere in a frame; only if so is it judged at all to see whether it does. The verdicts of those that do
not fire are made when somebody looks at them: where something else fires, where an incident is open, or for an
observer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.arrays import Bools
from detectors.detection import burn_rate, funnel, latency, outage, silence, surge
from detectors.detection.verdicts import FIRING, Verdicts
from detectors.history.history import History
from detectors.policy.policy import Policy
from detectors.windows.frame import Frame

__all__ = ["Findings"]


class Findings:
    """The verdicts on one frame; to be asked for before the history or the windows move on.

    Args:
        frame, policy, history: as of the detectors.
        covered_from: see ``silence.judge``.
    """

    def __init__(
        self, frame: Frame, policy: Policy, history: History, covered_from: int | None = None
    ) -> None:
        self._steps = len(frame.ends)
        self._known: dict[str, Verdicts] = {}
        given = frame, policy, history
        #: In the order of the verdicts: whether a detector could fire, and what it says.
        self._detectors: dict[str, tuple[Callable[[], bool], Callable[[], Verdicts]]] = {
            "outage": (lambda: outage.may_fire(*given), lambda: outage.judge(*given)),
            "burn_rate": (lambda: burn_rate.may_fire(*given), lambda: burn_rate.judge(*given)),
            "silence": (lambda: silence.may_fire(*given), lambda: silence.judge(*given, covered_from)),
            "latency": (lambda: latency.may_fire(*given), lambda: latency.judge(*given)),
            "funnel": (lambda: funnel.may_fire(*given), lambda: funnel.judge(*given)),
            "surge": (lambda: surge.may_fire(*given), lambda: surge.judge(*given)),
        }

    def verdicts(self) -> list[Verdicts]:
        """What each detector says."""
        return [self._verdict(name) for name in self._detectors]

    def fires(self) -> Bools:
        """(step,): whether any detector fires on any scope."""
        fires = np.zeros(self._steps, dtype=bool)
        for name, (may_fire, _) in self._detectors.items():
            if name in self._known or may_fire():
                fires |= (self._verdict(name).state == FIRING).any(axis=1)
        return fires

    def _verdict(self, name: str) -> Verdicts:
        if name not in self._known:
            self._known[name] = self._detectors[name][1]()
        return self._known[name]
