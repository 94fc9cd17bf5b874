"""How long does a retry wait?"""

from __future__ import annotations

__all__ = ["full_jitter"]

#: Failures from which on the ceiling no longer doubles: beyond this every ceiling is above any cap.
_MOST_DOUBLINGS = 30


def full_jitter(failures: int, first: float, longest: float, chance: float) -> float:
    """The wait before the next attempt: a random part of a ceiling that doubles with every failure.

    The whole wait is random ("full jitter"), so that clients which failed together do not come back together.

    Args:
        failures: how many attempts in a row have failed: 1, 2, …
        first: the ceiling after the first failure, in any unit of time.
        longest: the greatest ceiling, in the same unit.
        chance: a random number in [0, 1).
    """
    ceiling: float = min(longest, first * (1 << min(failures - 1, _MOST_DOUBLINGS)))
    return chance * ceiling
