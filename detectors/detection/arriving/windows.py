"""What does each window say of the sign-ins that arrive, and which of them is believed?

A window that still holds people from before, or from after, tells less of it than one that holds none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from detectors.arrays import Bools, Floats
from detectors.instants import HOUR, MINUTE
from detectors.policy.detector_sections import Silence

__all__ = ["SETTLED", "SURE", "ArrivalWindow", "level_before", "settled"]

#: From a window of this length (ms) on a move must be sure: the one-sided bound of 95 %, arrivals being Poisson.
SETTLED = 15 * MINUTE
SURE = 1.645
#: A window that has lost less than this share of what a shorter one has still holds people from before.
_AS_MUCH = 0.9


@dataclass(frozen=True)
class ArrivalWindow:
    """One window over the frame, (step, scope) each.

    Attributes:
        arrived: sign-ins.
        usual: sign-ins that are usual by the weeks or the hour before; nan if unknown.
        expected: ``usual`` times the level of the hour before.
        before: sign-ins of the hour before the window; nan where they say no level.
        quieter: whether far fewer sign-ins arrived than expected, and no exception applies.
        moved: whether what is missing arrives at other values of an axis instead.
        fires: whether hardly any sign-in arrived, and not by chance.
        back: whether enough sign-ins arrived, by the level of the hour before and of the hours before that.
    """

    length: int
    arrived: Floats
    usual: Floats
    expected: Floats
    before: Floats
    quieter: Bools
    moved: Bools
    fires: Bools
    back: Bools


def _without_moved(windows: list[ArrivalWindow], rules: Silence) -> tuple[list[ArrivalWindow], Floats]:
    """Return windows, ascending, without findings where the longest window that tells of it shows a move.

    Beside them, (step, scope), how many sign-ins have moved in this window; 0 where there would be no finding.
    """
    moved = np.zeros_like(windows[0].moved)
    missing = np.zeros(moved.shape)
    settled = np.zeros(moved.shape, dtype=bool)
    most_lost = np.zeros(moved.shape)
    for window in windows:
        # A longer window that still holds people from before a move tells less of it than one that holds none: so does
        # a shortfall of a quarter of an hour beside five minutes without anybody.
        far = window.quieter & (window.arrived < rules.recover_ratio * window.expected)
        lost = np.where(window.fires, 1.0 - window.arrived / np.maximum(window.expected, 1.0), 0.0)
        tells = (window.fires & (lost >= _AS_MUCH * most_lost)) | (far & ~settled)
        most_lost = np.maximum(most_lost, lost)
        moved = np.where(tells, window.moved, moved)
        missing = np.where(tells, window.expected - window.arrived, missing)
        if window.length >= SETTLED:
            settled |= far
    found = moved & np.any([window.fires for window in windows], axis=0)
    kept = [replace(one, quieter=one.quieter & ~moved, fires=one.fires & ~moved) for one in windows]
    return kept, np.where(found, missing, 0.0)


def _without_past(windows: list[ArrivalWindow], rules: Silence) -> list[ArrivalWindow]:
    """Return windows, ascending, without findings where a shorter window shows that people surely arrive again."""
    again = np.zeros_like(windows[0].fires)
    kept = []
    for window in windows:
        kept.append(replace(window, fires=window.fires & ~again))
        surely = window.arrived - SURE * np.sqrt(window.arrived)
        again |= (window.expected >= rules.min_expected) & (surely >= rules.recover_ratio * window.expected)
    return kept


def settled(windows: list[ArrivalWindow], rules: Silence) -> tuple[list[ArrivalWindow], Floats]:
    """Return windows, ascending, without findings that are past or have moved; beside them how many have moved."""
    return _without_moved(_without_past(windows, rules), rules)


def level_before(
    level: float, usual: float, came: Mapping[int, float], earlier: float, rules: Silence
) -> float:
    """Return the level of the time before a silence, as a share of the usual, at most 1.

    What is left of the hour beside a window that holds all of the silence says it; beside a shorter one it says less,
    so the greatest counts. Where even the longest window is as silent as the shortest the hours before tell it.

    Args:
        level: what the shortest window itself says, a share of the usual.
        usual: sign-ins that are usual in an hour.
        came: length (ms) of a window, of the hour among them -> sign-ins in it.
        earlier: the level of the hours before the last one; nan if unknown.
    """
    for length in came:
        rest = usual * (1.0 - length / HOUR)
        if rest >= rules.min_expected:
            level = max(level, (came[HOUR] - came[length]) / rest)
    level = min(level, 1.0)
    a_ms = max(usual * level, 1.0) / HOUR
    lengths = sorted(came)[:-1] or [HOUR]
    shortest, longest = (1.0 - came[length] / (a_ms * length) for length in (lengths[0], lengths[-1]))
    return min(earlier, 1.0) if longest >= _AS_MUCH * shortest and earlier > level else level
