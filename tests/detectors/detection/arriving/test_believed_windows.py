"""A window that still holds people from before a change does not deny what a shorter window shows of it surely."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.detection.arriving.too_few import most_missing
from detectors.detection.arriving.windows import ArrivalWindow, enough_again, settled
from detectors.instants import MINUTE
from streams.settings.policy_file import default_policy

RULES = default_policy().silence


def window(minutes: float, arrived: int, expected: int, *, moved: bool = False) -> ArrivalWindow:
    """Return a window of one cell that fires, and says whether what is missing has moved, and whether it is back."""
    back = arrived >= most_missing(RULES, round(minutes * MINUTE)) * expected
    counts = {
        "arrived": arrived,
        "usual": expected,
        "expected": expected,
        "before": 4 * expected,
        "wanted": expected,
    }
    flags = {"quieter": True, "moved": moved, "fires": True, "back": back}
    return ArrivalWindow(
        length=round(minutes * MINUTE),
        **{name: np.array([[float(each)]]) for name, each in counts.items()},
        **{name: np.array([[each]]) for name, each in flags.items()},
    )


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


@pytest.mark.parametrize(("minutes", "told"), [(1, 0), (2, 0), (5, 36)])
def test_a_short_window_shows_a_move_and_does_not_tell_of_it(minutes: int, told: int) -> None:
    kept, moved = settled([window(minutes, 0, 36, moved=True)], RULES)
    assert not kept[0].fires.any()
    assert float(moved[0, 0]) == told


@pytest.mark.parametrize(
    ("held", "back"),
    [
        pytest.param(
            [(2 / 3, 14, 25), (2, 38, 75), (5, 94, 188), (15, 280, 563)],
            False,
            id="half, a little more by chance",
        ),
        pytest.param(
            [(2 / 3, 11, 25), (2, 38, 75), (5, 170, 188), (15, 480, 563)], False, id="too few in the shortest"
        ),
        pytest.param(
            [(2 / 3, 26, 25), (2, 55, 75), (5, 70, 188), (15, 100, 563)],
            True,
            id="all again, after hardly anybody",
        ),
        pytest.param(
            [(2 / 3, 14, 25), (2, 60, 75), (5, 106, 188), (15, 280, 563)],
            True,
            id="two minutes show it surely",
        ),
        pytest.param(
            [(2 / 3, 3, 5), (2, 11, 15), (5, 26, 38), (15, 78, 113)],
            True,
            id="few are expected, and two of three arrive",
        ),
    ],
)
def test_half_of_the_sign_ins_is_not_enough_unless_a_window_surely_holds_more(
    held: list[tuple[float, int, int]], back: bool
) -> None:
    assert bool(enough_again([window(*one) for one in held], RULES)) is back
