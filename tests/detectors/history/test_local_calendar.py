"""A local calendar finds equal times of day in earlier weeks, across changes of summer time, and knows holidays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.history.local_calendar import WallClock
from detectors.instants import DAY, HOUR, parse_instant

CLOCK = WallClock()
NEW_YORK = ZoneInfo("America/New_York")
INSTANTS = st.integers(parse_instant("1990-01-01T00:00:00Z"), parse_instant("2037-12-31T00:00:00Z"))


def local(instant: int) -> datetime:
    return datetime.fromtimestamp(instant // 1000, NEW_YORK)


@given(st.lists(INSTANTS, min_size=1, max_size=8))
def test_offsets_are_those_of_the_time_zone(instants: list[int]) -> None:
    expected = [(local(t).utcoffset() or timedelta()) // timedelta(milliseconds=1) for t in instants]
    assert CLOCK.offsets(np.array(instants)).tolist() == expected


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-03T10:00:00-05:00", "2026-10-27T10:00:00-04:00"),
        ("2026-03-09T10:00:00-04:00", "2026-03-02T10:00:00-05:00"),
        ("2026-07-14T10:00:00-04:00", "2026-07-07T10:00:00-04:00"),
    ],
)
def test_a_week_before_is_the_same_time_on_the_wall(now: str, then: str) -> None:
    assert CLOCK.days_before(np.array([parse_instant(now)]), 7).tolist() == [parse_instant(then)]


@given(INSTANTS, st.integers(1, 40))
def test_days_before_show_the_same_time_of_day_unless_the_clock_was_changed_just_then(
    instant: int, days: int
) -> None:
    instant -= instant % 1000
    then = local(int(CLOCK.days_before(np.array([instant]), days)[0]))
    now = local(instant)
    changes = {(then + timedelta(hours=h)).utcoffset() for h in (-24, -2, 0, 2, 24)} | {
        datetime.fromtimestamp(instant // 1000 - days * 86400 + h * 3600, UTC)
        .astimezone(NEW_YORK)
        .utcoffset()
        for h in (-3, 0, 3)
    }
    if len(changes) == 1:
        assert then.time() == now.time()
        assert now.date() - then.date() == timedelta(days=days)


def test_local_days_begin_at_midnight_on_the_wall() -> None:
    midnight = parse_instant("2026-10-06T00:00:00-04:00")
    before, after = CLOCK.local_days(np.array([midnight - 1, midnight])).tolist()
    assert after == before + 1 == (datetime(2026, 10, 6) - datetime(1970, 1, 1)).days


@pytest.mark.parametrize(
    ("day", "holiday"),
    [
        ("2026-11-26", True),  # Thanksgiving
        ("2026-07-03", True),  # Independence Day, observed on the Friday
        ("2026-06-19", True),
        ("2026-11-27", False),
        ("2026-10-06", False),
    ],
)
def test_federal_holidays_are_known(day: str, holiday: bool) -> None:
    number = parse_instant(f"{day}T00:00:00Z") // DAY
    assert CLOCK.is_holiday(np.array([number, number])).tolist() == [holiday, holiday]


def test_no_instants_have_no_offsets() -> None:
    assert CLOCK.offsets(np.zeros(0, dtype=np.int64)).tolist() == []


def test_another_zone_has_other_days() -> None:
    instant = np.array([parse_instant("2026-10-06T23:30:00Z")])
    assert (WallClock("UTC").local_days(instant) - CLOCK.local_days(instant)).tolist() == [0]
    assert (WallClock("Asia/Tokyo").local_days(instant) - CLOCK.local_days(instant)).tolist() == [1]
    assert WallClock("Asia/Tokyo").offsets(instant).tolist() == [9 * HOUR]
