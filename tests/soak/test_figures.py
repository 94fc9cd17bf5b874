"""The figures of a soak say how memory grows and how long the loop stood still."""

from __future__ import annotations

import math

from tests.soak.figures import Figures, Sample, growth, percentile

MEGABYTE = 1 << 20


def samples(*megabytes: float) -> list[Sample]:
    """A sample a minute."""
    return [Sample(60.0 * n, round(one * MEGABYTE), 0, 0, 0.0) for n, one in enumerate(megabytes)]


def test_growth_is_the_slope_an_hour() -> None:
    assert growth(samples(100, 101, 102, 103)) == 60 * MEGABYTE
    assert growth(samples(100, 100, 100)) == 0.0
    assert growth(samples(100)) == 0.0


def test_a_percentile_is_the_bound_of_its_bucket() -> None:
    buckets = [(0.05, 90.0), (0.1, 99.0), (math.inf, 100.0)]
    assert percentile(buckets, 0.5) == 0.05
    assert percentile(buckets, 0.99) == 0.1
    assert percentile(buckets, 1.0) == math.inf
    assert percentile([], 0.99) == 0.0


def test_memory_that_grows_on_and_events_that_are_lost_are_complained_of() -> None:
    well = Figures(1_000, 240.0, 10, 10, samples=samples(80, 95, 100, 100, 100))
    assert well.complaints == []
    leaking = Figures(1_000, 240.0, 10, 10, samples=samples(80, 90, 100, 110, 120))
    assert leaking.complaints == ["memory grows by 600 MB an hour"]
    losing = Figures(1_000, 240.0, 10, 9, samples=samples(80, 80, 80, 80, 80))
    assert losing.complaints == ["10 events were produced, 9 counted"]


def test_lag_may_be_longer_while_workers_are_killed_than_in_the_second_half() -> None:
    def lagging(*seconds: float) -> list[str]:
        some = [Sample(60.0 * n, MEGABYTE, 0, 0, lag) for n, lag in enumerate(seconds)]
        return Figures(1_000, 240.0, 10, 10, samples=some).complaints

    assert lagging(3, 50, 3, 3, 3) == []
    assert lagging(3, 61, 3, 3, 3) == ["evaluation was 61 s behind; 60 s are allowed then"]
    assert lagging(3, 3, 3, 16, 3) == ["evaluation was 16 s behind; 15 s are allowed then"]
