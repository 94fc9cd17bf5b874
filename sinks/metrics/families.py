"""How are rows of values put into metric families of the Prometheus client?"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.samples import Exemplar

__all__ = ["Buckets", "Rows", "counter", "gauge", "histogram", "summary"]

#: Label values and the value of each series of a family.
Rows = Iterable[tuple[tuple[str, ...], float]]
_Family = TypeVar("_Family", CounterMetricFamily, GaugeMetricFamily)


def counter(name: str, text: str, labels: Sequence[str], rows: Rows) -> CounterMetricFamily:
    """A family of counters; ``text`` is its help."""
    return _filled(CounterMetricFamily(name, text, labels=labels), rows)


def gauge(name: str, text: str, labels: Sequence[str], rows: Rows) -> GaugeMetricFamily:
    """A family of gauges; ``text`` is its help."""
    return _filled(GaugeMetricFamily(name, text, labels=labels), rows)


def summary(name: str, text: str, labels: Sequence[str], rows: Rows) -> Metric:
    """A family of summaries that tell quantiles alone: the last of ``labels`` is ``quantile``; ``text`` is its help."""
    family = Metric(name, text, "summary")
    for values, value in rows:
        family.add_sample(name, dict(zip(labels, values, strict=True)), value)
    return family


def _filled(family: _Family, rows: Rows) -> _Family:
    for values, value in rows:
        family.add_metric(values, value)
    return family


@dataclass
class Buckets:
    """A histogram with the last exemplar of each bucket.

    Attributes:
        bounds: upper bounds of the buckets, ascending; a last bucket without a bound follows.
        counts: observations of each bucket, not cumulative.
        exemplars: the last exemplar of each bucket.
        total: the sum of all observed values.
    """

    bounds: tuple[float, ...]
    counts: list[int]
    exemplars: list[Exemplar | None]
    total: float = 0.0

    @classmethod
    def empty(cls, bounds: Sequence[float]) -> Buckets:
        """A histogram without observations."""
        size = len(bounds) + 1
        return cls(tuple(bounds), [0] * size, [None] * size)

    def observe(self, value: float, labels: Mapping[str, str], at: float) -> None:
        """Count a value; ``labels`` and ``at`` (seconds since the epoch) become the exemplar of its bucket."""
        i = bisect_left(self.bounds, value)
        self.counts[i] += 1
        self.exemplars[i] = Exemplar(dict(labels), value, at) if labels else None
        self.total += value

    def cumulative(self) -> Iterator[tuple[str, float] | tuple[str, float, Exemplar]]:
        """(upper bound, observations up to it, exemplar if there is one) of each bucket, ascending."""
        below = 0
        for bound, count, exemplar in zip(
            (*(str(b) for b in self.bounds), "+Inf"), self.counts, self.exemplars, strict=True
        ):
            below += count
            yield (bound, below, exemplar) if exemplar else (bound, below)


def histogram(name: str, text: str, buckets: Buckets) -> HistogramMetricFamily:
    """A family of one histogram without labels; ``text`` is its help."""
    family = HistogramMetricFamily(name, text, labels=())
    family.add_metric((), list(buckets.cumulative()), buckets.total)
    return family
