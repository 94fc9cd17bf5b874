"""Which pairs of two lists belong together, so that the sum of their weights is greatest?"""

from __future__ import annotations

from detectors.arrays import Floats

__all__ = ["assign"]


def assign(weights: Floats) -> dict[int, int]:
    """Return row -> column of the assignment with the greatest sum of weights (N, M), without pairs of weight 0."""
    # The import takes a third of a second, which a replay without labels saves.
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(weights, maximize=True)
    return {int(n): int(m) for n, m in zip(rows, columns, strict=True) if weights[n, m]}
