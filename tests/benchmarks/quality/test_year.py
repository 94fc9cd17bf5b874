"""A healthy year holds what a year holds, in pieces that do not depend on where it is cut."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pytest

from benchmarks.quality.year.calendar import DAYS, STRETCH, stretches
from benchmarks.quality.year.played import play
from detectors.instants import DAY, MINUTE
from streams.simulate.demand import TIME_ZONE


def test_the_stretches_are_the_days_of_the_year() -> None:
    whole = stretches(1)
    assert sum(one.days for one in whole) == DAYS
    assert [one.part for one in whole] == list(range(0, DAYS, STRETCH))
    part = stretches(1, 100, 20)
    assert part == whole[20:24]
    assert part[0].varied() == whole[20].varied()


def test_each_begins_at_midnight_and_the_year_has_both_changes_of_the_clock() -> None:
    offsets = []
    for one in stretches(1):
        starts = datetime.fromisoformat(one.varied().scenario.starts).astimezone(TIME_ZONE)
        assert (starts.hour, starts.minute) == (0, 0)
        offsets.append(starts.utcoffset())
    assert len(set(offsets)) == 2
    assert sum(a != b for a, b in pairwise(offsets)) == 2


def test_a_year_has_all_that_is_healthy_and_nothing_else() -> None:
    scenarios = [one.varied().scenario for one in stretches(1)]
    episodes = [episode for one in scenarios for episode in one.episodes]
    assert {one.effect for one in episodes} == {"silence", "bot", "scan", "late", "shift"}
    assert {one.label for one in episodes} == {"none", "noticed"}
    assert all(one.lasts <= 30_000 for one in episodes if one.effect == "silence")
    assert all(
        e.at + e.lasts <= one.duration for one in scenarios for e in one.episodes if e.effect == "shift"
    )
    assert {one.is_lost for scenario in scenarios for one in scenario.past} == {True, False}
    assert {"*/clear", "sis"} <= {one.to for one in episodes if one.effect == "shift"}
    assert scenarios[-1].rate > 1.2 * scenarios[0].rate
    assert scenarios[0].world.csp_shares != scenarios[-1].world.csp_shares


@pytest.mark.quality
def test_a_day_of_it_wakes_nobody() -> None:
    """The first day of a stretch: 1 November, on which the clock changes."""
    (stretch,) = stretches(301, 245, 1, rate=0.2)
    run = play(replace(stretch, days=1))
    assert run.events > 10 * DAY // MINUTE
    assert run.pages == 0
