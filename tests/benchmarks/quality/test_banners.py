"""How the banners of a run are compared with the truth."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.quality.banners.measure import Due, Figures, Watched
from benchmarks.quality.banners.played import figures
from benchmarks.quality.cases import Case
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.slis import SliValue

T = 1_795_446_000_000
LEAVES = ("prod/ssoe/idme/vaweb", "prod/ssoe/logingov/vaweb", "prod/sis/idme/vamobile")
OUTAGE = Due("prod/ssoe", T + 10 * MINUTE, T + 30 * MINUTE)


def watched(*changes: tuple[str, int, Any], delay: int = 0) -> Watched:
    """An hour in which a sign-in a second begins in each leaf, with the changes: key, ms, state."""
    out = Watched(delay)
    for at in range(T, T + HOUR + 1, MINUTE):
        started = min(HOUR, at - T + MINUTE) // SECOND
        counts = {"good": 0, "bad": 0, "excluded": 0, "slow": 0, "timed": 0, "users_impacted": 0}
        out.take_slis(SliValue(at=at, scope=leaf, window=HOUR, started=started, **counts) for leaf in LEAVES)
    for key, at, state in changes:
        out.take_banner(key, state, at)
    return out


def of(run: Watched, *due: Due) -> Figures:
    return run.figures(due, due)


def test_a_banner_that_is_right_is_late_by_its_delay_and_stands_until_it_goes() -> None:
    run = watched(
        ("prod/ssoe", OUTAGE.start + 4 * SECOND, "critical"),
        ("prod/ssoe", OUTAGE.end + 5 * MINUTE, "ok"),
        delay=2 * SECOND,
    )
    found = of(run, OUTAGE)
    assert (found.failed, found.wrong) == (2 * 20 * 60, 0)
    (one,) = found.outages
    assert (one.late, one.longer) == (6 * SECOND, 5 * MINUTE + 2 * SECOND)


def test_a_banner_on_a_way_that_does_not_fail_is_wrong_for_those_who_use_it() -> None:
    run = watched(("prod/sis", OUTAGE.start, "warning"), ("prod/sis", OUTAGE.start + MINUTE, "ok"))
    found = of(run, OUTAGE)
    assert found.wrong == 60
    assert [(one.late, one.longer) for one in found.outages] == [(None, 0)]


def test_a_banner_that_is_too_wide_is_wrong_for_those_beside_the_outage() -> None:
    narrow = Due("prod/ssoe/idme", OUTAGE.start, OUTAGE.end)
    run = watched(("prod/ssoe", OUTAGE.start, "critical"), ("prod/ssoe", OUTAGE.end, "ok"))
    found = of(run, narrow)
    assert (found.failed, found.wrong) == (20 * 60, 20 * 60)
    assert found.outages[0].late == 0


def test_the_person_index_is_everybody_s_and_maintenance_is_no_outage() -> None:
    run = watched(("prod/mvi", T, "critical"), ("prod/mvi", T + MINUTE, "maintenance"))
    assert of(run).wrong == 3 * 60


def test_a_banner_long_after_the_end_is_wrong() -> None:
    run = watched(("prod/ssoe", OUTAGE.start, "critical"), ("prod/ssoe", OUTAGE.end + 7 * MINUTE, "ok"))
    found = of(run, OUTAGE)
    assert found.wrong == 2 * 60
    assert found.outages[0].longer == 7 * MINUTE


@pytest.mark.quality
def test_an_outage_of_one_method_is_shown_to_those_who_use_it_alone() -> None:
    found = figures(Case("library", "ssoe_outage", 1))
    assert found.wrong <= 0.02 * found.failed
    (one,) = found.outages
    assert one.late is not None
    assert one.late <= 30 * SECOND
    assert one.longer <= 6 * MINUTE
