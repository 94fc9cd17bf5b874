"""Durations as a mergeable logarithmic histogram, and quantiles of it.

Buckets grow by the factor gamma = (1 + a) / (1 - a), so that a bucket's middle is within the relative error a = 1 % of
every duration in it (Masson, Rim, Lee: DDSketch, VLDB 2019). Two histograms are merged by adding their buckets.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["RELATIVE_ERROR", "bucket", "buckets", "quantile"]

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
#: Durations up to a microsecond (and 0) share the lowest bucket, those over 11 days the highest.
_LOWEST = math.ceil(math.log(1e-3) / math.log(_GAMMA))
_HIGHEST = math.ceil(math.log(1e9) / math.log(_GAMMA))
#: Upper bounds of the buckets, ms. Looked up, never computed anew: logarithms differ in the last digit by machine.
_BOUNDS = [_GAMMA**index for index in range(_LOWEST, _HIGHEST)]
_BOUNDS_ARRAY = np.array(_BOUNDS)


def bucket(duration_ms: float) -> int:
    """The bucket of a duration in ms (finite, >= 0)."""
    return _LOWEST + bisect_left(_BOUNDS, duration_ms)


def buckets(durations_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """``bucket`` of many durations."""
    return _LOWEST + np.searchsorted(_BOUNDS_ARRAY, durations_ms)


def quantile(histogram: Mapping[int, int], q: float) -> float | None:
    """The q-quantile (0-1) in ms, within ``RELATIVE_ERROR``; None of an empty histogram."""
    total = sum(histogram.values())
    if not total:
        return None
    rank = q * (total - 1)
    seen = 0
    for index in sorted(histogram):
        seen += histogram[index]
        if seen > rank:
            return float(2 * _GAMMA**index / (_GAMMA + 1))
    raise AssertionError("the rank lies below the total")
