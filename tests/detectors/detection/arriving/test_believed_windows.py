"""A window that still holds people from before a move does not deny what a shorter window shows."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.detection.arriving.windows import ArrivalWindow, settled
from detectors.instants import MINUTE
from streams.settings.policy_file import default_policy

RULES = default_policy().silence


def window(minutes: int, arrived: int, expected: int, *, moved: bool) -> ArrivalWindow:
    """Return a window of one cell that fires, and says whether what is missing has moved."""
    counts = (np.array([[float(each)]]) for each in (arrived, expected, expected, 4 * expected))
    flags = (np.array([[each]]) for each in (True, moved, True, False))
    return ArrivalWindow(minutes * MINUTE, *counts, *flags)


@pytest.mark.parametrize(
    ("shorter", "longer", "fires"),
    [
        pytest.param((0, 376), (579, 1100), False, id="the longer one holds half of the time before"),
        pytest.param((210, 376), (579, 1100), True, id="both have lost as much"),
        pytest.param((0, 376), (50, 1100), True, id="both hold hardly anybody"),
        pytest.param((0, 376), (500, 1100), True, id="the longer one holds less than half of what is usual"),
    ],
)
def test_a_longer_window_denies_a_move_only_where_it_tells_as_much(
    shorter: tuple[int, int], longer: tuple[int, int], fires: bool
) -> None:
    kept, moved = settled([window(5, *shorter, moved=True), window(15, *longer, moved=False)], RULES)
    assert [bool(each.fires.any()) for each in kept] == [fires, fires]
    assert bool(moved.any()) != fires


def test_a_longer_window_that_tells_as_much_shows_a_move_that_a_shorter_one_does_not() -> None:
    kept, moved = settled([window(5, 0, 376, moved=False), window(15, 40, 1100, moved=True)], RULES)
    assert not any(each.fires.any() for each in kept)
    assert float(moved[0, 0]) == 1060
