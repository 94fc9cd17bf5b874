"""Durations as a mergeable logarithmic histogram, and quantiles of it.

Buckets grow by the factor gamma = (1 + a) / (1 - a), so that a bucket's middle is within the relative error a = 1 % of
every duration in it (Masson, Rim, Lee: DDSketch, VLDB 2019). Two histograms are merged by adding their buckets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["RELATIVE_ERROR", "bucket", "quantile"]

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_PER_LOG = 1 / math.log(_GAMMA)
#: durations below a microsecond (and 0) share the lowest bucket
_SHORTEST = 1e-3
_LOWEST = math.ceil(math.log(_SHORTEST) * _PER_LOG)


def bucket(duration_ms: float) -> int:
    """The bucket of a duration in ms (finite, >= 0)."""
    if duration_ms <= _SHORTEST:
        return _LOWEST
    return math.ceil(math.log(duration_ms) * _PER_LOG)


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
