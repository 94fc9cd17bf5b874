"""What does each window say of the sign-ins that arrive, and which of them is believed?

A window that still holds people from before, or from after, tells less of it than one that holds none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from detectors.arrays import Bools, Floats
from detectors.detection.arriving.too_few import is_sustained
from detectors.instants import MINUTE
from detectors.policy.detector_sections import Silence

__all__ = ["SETTLED", "SURE", "ArrivalWindow", "enough_again", "settled"]

#: From a window of this length (ms) on a move must be sure: the one-sided bound of 95 %, arrivals being Poisson.
SETTLED = 15 * MINUTE
SURE = 1.645
#: A move is told from a window of this length (ms) on: in shorter ones the others have more by chance.
_TOLD_FROM = 5 * MINUTE
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
        wanted: sign-ins by the level of the hour before or of the hours before that, whichever is higher.
        back: whether enough of those arrived.
    """

    length: int
    arrived: Floats
    usual: Floats
    expected: Floats
    before: Floats
    quieter: Bools
    moved: Bools
    fires: Bools
    wanted: Floats
    back: Bools

    def surely(self) -> Floats:
        """Return how many surely arrive: the lower bound of 95 % of the number, arrivals being Poisson."""
        return np.asarray(self.arrived - SURE * np.sqrt(self.arrived))


def _without_moved(windows: list[ArrivalWindow], rules: Silence) -> tuple[list[ArrivalWindow], Floats]:
    """Return windows, ascending, without findings where the longest window that tells of it shows a move.

    Beside them, (step, scope), how many sign-ins have moved in this window; 0 where there would be no finding, or
    where the window is too short to tell of a move.
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
        is_told = window.length >= _TOLD_FROM
        missing = np.where(tells, window.expected - window.arrived if is_told else 0.0, missing)
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
        again |= (window.expected >= rules.min_expected) & (
            window.surely() >= rules.recover_ratio * window.expected
        )
    return kept


def enough_again(windows: list[ArrivalWindow], rules: Silence) -> Bools:
    """Return (step, scope) whether enough sign-ins arrive in the shortest window in which enough are expected.

    While half of them is missing a short window holds half by chance, time and again. So a shortfall goes on where a
    window that can show one does not hold enough, until a shorter one shows that surely enough arrive.
    """
    back, decided, short, again = (np.zeros_like(windows[0].back) for _ in range(4))
    for window in windows:
        enough = window.expected >= rules.min_expected
        back |= enough & ~decided & window.back
        decided |= enough
        if is_sustained(window.length):
            short |= enough & ~window.back & ~window.moved & ~again
        again |= enough & (window.surely() >= (1.0 - rules.shortfall) * window.wanted)
    return back & ~short


def settled(windows: list[ArrivalWindow], rules: Silence) -> tuple[list[ArrivalWindow], Floats]:
    """Return windows, ascending, without findings that are past or have moved; beside them how many have moved."""
    return _without_moved(_without_past(windows, rules), rules)
