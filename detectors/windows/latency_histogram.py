"""How are durations kept as mergeable logarithmic histograms, and which quantiles do the histograms give?

Buckets grow by the factor gamma = (1 + a) / (1 - a), so that a bucket's middle is within the relative error a = 1 % of
every duration in it (Masson, Rim, Lee: DDSketch, VLDB 2019). Two histograms are merged by adding their buckets.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from detectors.axes import Scopes
from detectors.windows.fact_columns import FactColumns

__all__ = ["RELATIVE_ERROR", "Durations", "bucket", "buckets", "quantile"]

RELATIVE_ERROR = 0.01
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
#: Durations from 0 to a microsecond share the lowest bucket, durations over 11 days the highest.
_LOWEST = math.ceil(math.log(1e-3) / math.log(_GAMMA))
_HIGHEST = math.ceil(math.log(1e9) / math.log(_GAMMA))
#: Upper bounds of the buckets, ms. Durations are looked up here: logarithms differ by machine in the last digit.
_BOUNDS = [_GAMMA**index for index in range(_LOWEST, _HIGHEST)]
_BOUNDS_ARRAY = np.array(_BOUNDS)


def bucket(duration_ms: float) -> int:
    """Return the bucket of a duration in ms (finite, >= 0)."""
    return _LOWEST + bisect_left(_BOUNDS, duration_ms)


def buckets(durations_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the bucket of each duration in ms (finite, >= 0), as ``bucket`` does for one."""
    return _LOWEST + np.searchsorted(_BOUNDS_ARRAY, durations_ms)


def quantile(histogram: Mapping[int, int], q: float) -> float | None:
    """Return the q-quantile (0-1) in ms, within ``RELATIVE_ERROR``; None for an empty histogram."""
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


#: The duration that stands for each bucket in quantiles, ms; the index is the bucket's distance from the lowest.
_MIDDLES = 2 * np.power(_GAMMA, np.arange(_LOWEST, _HIGHEST + 1, dtype=np.float64)) / (_GAMMA + 1)
#: Rows of an entry: pane (ms), the first T (ms) at which the entry counts, leaf and bucket as one number, count.
_PANE, _FIRST, _PLACE, _COUNT = range(4)

#: Entries in one part: few enough for old parts to be dropped soon, many enough for efficient array operations.
_PART = 8192


class Durations:
    """The recent durations of requests, for quantiles of any scope and window.

    Args:
        scopes: the leaves of the facts and the groups of the quantiles; it may grow between calls.
        step: length of a pane, ms.
        keeps: the longest window of which quantiles will be computed, ms.
    """

    def __init__(self, scopes: Scopes, step: int, keeps: int) -> None:
        self._scopes = scopes
        self._step = step
        self._keeps = keeps
        self._parts: list[npt.NDArray[np.int64]] = []

    def add(self, facts: FactColumns, at: int) -> None:
        """Add the durations of rows.

        Args:
            facts: rows, each of which is added once only.
            at: T, ms; quantiles will not be computed for an earlier T.
        """
        part = self._entries(facts)
        if part.shape[1]:
            if self._parts and self._parts[-1].shape[1] < _PART:
                part = np.concatenate([self._parts.pop(), part], axis=1)
            self._parts.append(part)
        self._parts = [part for part in self._parts if part[_PANE].max() >= at - self._keeps]

    def _entries(self, facts: FactColumns) -> npt.NDArray[np.int64]:
        """Return (4, N) numbers: an entry for each bucket of each row."""
        histograms = [row.durations for row in facts.rows]
        each = np.fromiter(map(len, histograms), np.int64, len(histograms))
        out = np.empty((4, int(each.sum())), dtype=np.int64)
        out[_PANE] = np.repeat(facts.pane, each)
        out[_FIRST] = np.repeat(facts.counts_from, each)
        out[_PLACE] = np.fromiter(chain.from_iterable(histograms), np.int64, out.shape[1])
        out[_PLACE] += np.repeat(facts.leaf * len(_MIDDLES) - _LOWEST, each)
        counts = chain.from_iterable(histogram.values() for histogram in histograms)
        out[_COUNT] = np.fromiter(counts, np.int64, out.shape[1])
        return out

    def quantiles(self, at: int, window: int, shares: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return the quantiles (group, share) of the durations in ``[at - window, at)``, ms, within ``RELATIVE_ERROR``.

        The quantiles of a group without durations are nan.

        Args:
            at: T, ms.
            window: ms, at most ``keeps``.
            shares: 0-1 each.
        """
        members = self._scopes.members.astype(np.float64)
        counts = np.zeros(members.shape[1] * len(_MIDDLES))
        for part in self._parts:
            inside = (part[_PANE] >= at - window) & (part[_PANE] < at) & (part[_FIRST] <= at)
            counts += np.bincount(part[_PLACE, inside], part[_COUNT, inside].astype(np.float64), len(counts))
        # Whole numbers below 2^53, so that floating-point sums are exact.
        below = np.cumsum(members @ counts.reshape(members.shape[1], len(_MIDDLES)), axis=1)
        total = below[:, -1]
        # One search finds the first bucket above each rank: the groups stand in a row, each above all before it.
        ranks = np.floor(np.multiply.outer(total - 1, shares))
        row = np.arange(len(total))[:, None]
        above = row * (total.max(initial=0) + 1)
        found = np.searchsorted((below + above).ravel(), (ranks + above).ravel(), side="right")
        bucket = found.reshape(ranks.shape) - row * len(_MIDDLES)
        return np.where(total[:, None] > 0, _MIDDLES[bucket.clip(0, len(_MIDDLES) - 1)], np.nan)
