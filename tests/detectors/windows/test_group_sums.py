"""Sums over the leaves of each group: exact, however great they are."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.windows.group_sums import GroupSums


@pytest.mark.parametrize("greatest", [1, 1 << 12, 1 << 23, 1 << 31, 1 << 40])
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_are_exact_in_single_and_in_double_precision(greatest: int, sign: int) -> None:
    rng = np.random.default_rng(greatest)
    members = rng.random((7, 5)) < 0.5
    leaf, kind = rng.integers(0, 5, 20), rng.integers(0, 3, 20) * 2  # no column has an odd kind
    values = sign * rng.integers(greatest // 2, greatest + 1, (11, 20))
    expected = np.zeros((11, 7, 6), dtype=np.int64)
    for column in range(20):
        for group in np.flatnonzero(members[:, leaf[column]]):
            expected[:, group, kind[column]] += values[:, column]
    assert (GroupSums(members, leaf, kind, 6)(values) == expected).all()
