"""Since when does a silence last that was found, and what would have arrived without it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.detection.arriving.windows import ArrivalWindow
from detectors.instants import HOUR, MINUTE
from detectors.policy.detector_sections import Silence

__all__ = ["began_ago", "level_before"]

#: A window that has lost this share of what a shorter one has is as silent.
_AS_MUCH = 0.9
#: A level from here on counts as 1: two weeks of history are no more exact than that.
_NEARLY = 0.8
#: From so many sign-ins in an hour on, so many must be left of it to say a level, and so much of it, ms.
_EXACT, _STEADY = 400, 5 * MINUTE


def began_ago(windows: Sequence[ArrivalWindow], telling: ArrivalWindow, step: int, scope: int) -> int:
    """Return how long ago, ms, a silence began, as a window tells that also holds people from before.

    The share that lacks in it, divided by the share that lacks in the shortest window, is the part of it that is
    silent.
    """
    inside = [one for one in windows if one.quieter[step, scope] and one.length <= telling.length]
    shortest = min(inside, key=lambda one: one.length, default=telling)
    lost, most = (
        1.0 - one.arrived[step, scope] / max(one.expected[step, scope], 1.0) for one in (telling, shortest)
    )
    return round(telling.length * min(lost / most, 1.0)) if 0.0 < lost < most else telling.length


def level_before(
    level: float, usual: float, came: Mapping[int, float], since: int, earlier: float, rules: Silence
) -> float:
    """Return the level of the time before a silence, as a share of the usual, 1 from 0.8 on.

    What is left of the hour, or of what is known of it, beside the shortest window that holds all of the silence says
    it. Where too little is left the hours before tell it.

    Args:
        level: what the shortest window itself says.
        usual: sign-ins that are usual in an hour.
        came: length (ms) of a window, of the hour among them -> sign-ins in it; empty where no weeks are known.
        since: how much of the hour is known, ms.
        earlier: the level of the hours before the last one; nan if unknown.
    """
    least = _EXACT / 4 if usual >= _EXACT else rules.min_expected
    lost = {length: 1.0 - came[length] * HOUR / max(usual * length, 1.0) for length in sorted(came)}
    most = next(iter(lost.values()), 0.0)
    holding = next((length for length, share in lost.items() if share < _AS_MUCH * most), HOUR)
    rest = usual * (since - holding) / HOUR
    if rest >= least and since - holding >= _STEADY:
        level = (came[HOUR] - came[holding]) / rest
    elif came and earlier > level:
        level = earlier
    return 1.0 if level >= _NEARLY else level
