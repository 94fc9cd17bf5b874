"""A history keeps records, sums windows, and computes expectations."""

from __future__ import annotations

import time
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.history.arrivals import arrivals, has_starts
from detectors.history.history import BUCKET, FIELDS, KEPT, History
from detectors.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from detectors.scopes import SCOPES, scope_path
from detectors.windows.counters import BAD, EXCLUDED, GOOD, STARTED
from streams.settings.policy_file import read_policy
from tests.detectors.detection.simulated.traffic import START, scope, usual
from tests.support.depth import examples

ALL, SSOE = scope(""), scope("ssoe")


def record(at: int, good: int = 0, path: str = "prod/ssoe", **more: int) -> dict[str, object]:
    return {"env": "prod", "at": at, "scopes": {path: dict.fromkeys(FIELDS, 0) | {"good": good} | more}}


def test_sums_are_those_of_the_records_within() -> None:
    history = History("prod")
    for i in range(12):
        history.add(record(START + i * BUCKET, good=10 + i))
    assert history.sums(START, START + HOUR)[SSOE, GOOD] == sum(range(10, 22))
    assert history.sums(START + BUCKET, START + 3 * BUCKET)[SSOE, GOOD] == 11 + 12
    assert history.sums(START, START + HOUR)[ALL].sum() == 0


def test_within_five_minutes_counts_are_spread_evenly() -> None:
    history = History("prod")
    history.extend([record(START, good=30), record(START + BUCKET, good=60)])
    assert history.sums(START + 2 * MINUTE, START + 3 * MINUTE)[SSOE, GOOD] == pytest.approx(6)
    assert history.sums(START + 4 * MINUTE, START + 6 * MINUTE)[SSOE, GOOD] == pytest.approx(6 + 12)


def test_what_is_unknown_adds_nothing_and_is_not_covered() -> None:
    history = History("prod")
    assert history.sums(START, START + DAY).sum() == 0
    assert history.coverage(np.array([START]), np.array([START + DAY])).tolist() == [0]
    history.add(record(START + BUCKET, good=5))
    history.add(record(START + 3 * BUCKET, good=7))
    assert history.sums(START - DAY, START + DAY)[SSOE, GOOD] == 12
    covered = history.coverage(np.array([START, START + BUCKET]), np.array([START + 4 * BUCKET] * 2))
    assert covered == pytest.approx([2 / 4, 2 / 3])


def test_a_revision_replaces_what_was_known() -> None:
    history = History("prod")
    history.extend([record(START, good=5), record(START + BUCKET, good=6)])
    assert history.sums(START, START + 2 * BUCKET)[SSOE, GOOD] == 11
    history.add(record(START, good=9, path="prod/sis"))
    assert history.sums(START, START + 2 * BUCKET)[SSOE, GOOD] == 6
    assert history.sums(START, START + 2 * BUCKET)[scope("sis"), GOOD] == 9
    assert len(history) == 2


def test_days_beyond_32_bits_are_summed_exactly() -> None:
    history = History("prod")
    most = 2**40
    for i in range(4):
        history.add(record(START + i * BUCKET, good=most - i))
    history.add(record(START + DAY, good=7))
    assert history.sums(START, START + HOUR)[SSOE, GOOD] == 4 * most - 6
    history.add(record(START, good=1))  # and back, as a revision replaces the first
    history.add(record(START + BUCKET, good=1))
    assert history.sums(START, START + 2 * DAY)[SSOE, GOOD] == 2 * most - 5 + 2 + 7


@pytest.mark.parametrize(
    "bad",
    [
        record(START, good=2**40 + 1),
        record(START, good=-(10**30)),
        record(START, good=10**30),
        record(10**30 * BUCKET, good=1),
        record(-BUCKET, good=1),
        record(START, good=1) | {"codes": {"prod/ssoe": {"007": 10**30}}},
    ],
)
def test_a_count_or_a_start_out_of_bounds_is_refused_and_changes_nothing(bad: dict[str, object]) -> None:
    history = History("prod")
    history.add(record(START, good=5))
    with pytest.raises(ValueError, match="prod"):
        history.add(bad)
    assert history.sums(START, START + BUCKET)[SSOE, GOOD] == 5


SLOTS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9)), min_size=1, max_size=30)


@given(SLOTS, st.randoms(use_true_random=False))
def test_the_last_revision_of_each_counts_whatever_the_order(
    slots: list[tuple[int, int]], random: object
) -> None:
    final = dict(slots)
    in_order, shuffled = History("prod"), History("prod")
    for slot, good in sorted(final.items()):
        in_order.add(record(START + slot * BUCKET, good))
    places = list(final)
    random.shuffle(places)  # type: ignore[attr-defined]
    for slot in places:
        shuffled.add(record(START + slot * BUCKET, good=99))
        shuffled.sums(START, START + DAY)
    for slot, good in slots:
        shuffled.add(record(START + slot * BUCKET, good))
    assert list(shuffled.records()) == list(in_order.records())
    edges = START + np.arange(0, 401 * BUCKET, 7 * MINUTE)
    assert (shuffled.between(edges[:-1], edges[1:]) == in_order.between(edges[:-1], edges[1:])).all()


def test_records_come_out_as_they_went_in() -> None:
    first = usual(days=1)
    second = History("prod")
    second.extend(first.records())
    assert len(first) == len(second) == DAY // BUCKET
    assert list(second.records()) == list(first.records())
    assert next(first.records())["at"] == format_instant(START - DAY)


def test_records_of_five_minutes_without_events_are_known() -> None:
    history = History("prod")
    history.add({"env": "prod", "at": format_instant(START), "scopes": {}})
    assert history.coverage(np.array([START]), np.array([START + BUCKET])).tolist() == [1]
    assert list(history.records()) == [{"env": "prod", "at": format_instant(START), "scopes": {}}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"env": "staging"},
        {"at": START + 1},
        {"scopes": {"prod/ssoe": {"good": 1}}},
        {"scopes": {"staging/ssoe": dict.fromkeys(FIELDS, 1)}},
    ],
)
def test_refuses_what_is_no_record_of_its_environment_and_stays_as_it_was(wrong: dict[str, object]) -> None:
    history = History("prod")
    history.add(record(START, good=3))
    with pytest.raises(ValueError, match=r"prod|scope"):
        history.add(record(START + BUCKET) | wrong)
    assert len(history) == 1
    assert history.sums(START, START + DAY)[SSOE, GOOD] == 3


def test_keeps_35_days_and_forgets_older_ones_within_a_day() -> None:
    history = History("prod")
    for day in range(80):
        for slot in range(0, DAY, 6 * HOUR):
            history.add(record(START + day * DAY + slot, good=1))
    end = START + 80 * DAY
    assert history.sums(end - KEPT, end)[SSOE, GOOD] == 35 * 4
    assert 35 * 4 <= len(history) <= 36 * 4
    history.add(record(START, good=1000))
    assert history.sums(START, end)[SSOE, GOOD] <= 36 * 4


def test_a_long_break_forgets_everything_before_it() -> None:
    history = History("prod")
    history.add(record(START, good=5))
    history.add(record(START + 400 * DAY, good=7))
    assert history.sums(START - DAY, START + 500 * DAY)[SSOE, GOOD] == 7
    assert len(history) == 1


def test_35_days_load_within_a_second() -> None:
    counts = dict.fromkeys(FIELDS, 7)
    scopes = {scope_path("prod", i): counts for i in range(len(SCOPES))}
    records = [
        {"env": "prod", "at": format_instant(START + i * BUCKET), "scopes": scopes}
        for i in range(KEPT // BUCKET)
    ]
    history = History("prod")
    began = time.process_time()
    history.extend(records)
    total = history.sums(START, START + KEPT)
    assert time.process_time() - began < 1.0
    assert total[ALL, GOOD] == 7 * KEPT // BUCKET


# -- usual counts -------------------------------------------------------------------------------------------


def weeks(levels: dict[int, int], start: int, hours: int = 2) -> History:
    """Return records around one clock time on days before ``start``: days back -> started per five minutes."""
    history = History("prod")
    clock = history._clock
    for days, started in sorted(levels.items(), reverse=True):
        at = int(clock.days_before(np.array([start]), days)[0])
        for slot in range(-hours * HOUR // BUCKET, hours * HOUR // BUCKET):
            history.add(record(at + slot * BUCKET, started=started))
    return history


def expected(history: History, at: int, window: int = HOUR) -> float:
    usual = history.expected(np.array([at]), window)
    return float(arrivals(usual, has_starts(usual))[0, SSOE])


def test_expects_the_median_of_the_same_weekday_of_five_weeks() -> None:
    history = weeks({7: 25, 14: 35, 21: 1000, 28: 30, 35: 20, 1: 500, 6: 500}, START)
    assert expected(history, START) == 12 * 30
    assert expected(history, START, 10 * MINUTE) == 2 * 30
    assert expected(history, START + 90_000, 40_000) == pytest.approx(4.0)
    assert expected(weeks({7: 10, 14: 20}, START), START) == 12 * 15


def test_of_few_events_the_mean_is_expected_without_what_is_far_too_many() -> None:
    assert expected(weeks({7: 0, 14: 0, 21: 5, 28: 5, 35: 0}, START), START, 5 * MINUTE) == 2
    assert expected(weeks({7: 0, 14: 0, 21: 90, 28: 0, 35: 5}, START), START, 5 * MINUTE) == 1.25


def test_a_week_that_is_not_known_makes_room_for_the_one_before() -> None:
    assert expected(weeks({7: 10, 21: 30}, START), START) == 12 * 20
    assert expected(weeks({14: 30}, START), START) == 12 * 30


def test_without_those_weeks_nothing_is_expected() -> None:
    assert np.isnan(expected(History("prod"), START))
    assert np.isnan(expected(weeks({1: 5, 6: 5, 42: 9}, START), START))
    assert np.isnan(expected(weeks({7: 10, 14: 10}, START, hours=1), START + 2 * HOUR))


def test_a_week_that_was_a_holiday_does_not_count() -> None:
    week_after = parse_instant("2026-12-03T14:00:00-05:00")  # Thanksgiving lies a week before
    assert expected(weeks({7: 1, 14: 10, 21: 20}, week_after), week_after) == 12 * 15


def test_where_nothing_but_a_holiday_is_known_it_counts() -> None:
    week_after = parse_instant("2026-12-03T14:00:00-05:00")
    assert expected(weeks({7: 3}, week_after), week_after) == 12 * 3
    christmas, new_year = {7: 3, 14: 5}, parse_instant("2027-01-08T14:00:00-05:00")
    assert expected(weeks(christmas, new_year), new_year) == 12 * 4


def test_after_christmas_and_new_year_both_make_room_for_the_weeks_before() -> None:
    friday = parse_instant("2027-01-08T14:00:00-05:00")
    assert expected(weeks({7: 1, 14: 1, 21: 10, 28: 20}, friday), friday) == 12 * 15


def test_a_holiday_is_compared_with_the_sundays_before_it() -> None:
    thanksgiving = parse_instant("2026-11-26T14:00:00-05:00")  # a Thursday
    assert expected(weeks({4: 3, 11: 5, 7: 100, 14: 100}, thanksgiving), thanksgiving) == 12 * 4


def history_by(said: str, hours: dict[int, int]) -> History:
    """Return a history by a policy: sign-ins started in five minutes of the hours that end at instants (ms)."""
    out = History.of("prod", read_policy(said, "policy.yaml"))
    for end, started in hours.items():
        for slot in range(-12, 0):
            out.add(record(end + slot * BUCKET, started=started))
    return out


@pytest.mark.parametrize(("said", "usual"), [("{}", 15), ("time_zone: UTC", 20)])
def test_weeks_are_compared_in_the_time_zone_of_the_policy(said: str, usual: int) -> None:
    # On 1 November the clocks of New York went back.
    at = parse_instant("2026-11-10T12:00:00-05:00")
    two_weeks = at - 14 * DAY
    history = history_by(said, {at - 7 * DAY: 10, two_weeks - HOUR: 20, two_weeks: 30})
    assert expected(history, at) == 12 * usual


@pytest.mark.parametrize(("said", "usual"), [("{}", 25), ("holidays: DE", 20)])
def test_weeks_are_left_out_by_the_holidays_of_the_policy(said: str, usual: int) -> None:
    # 11 November is a holiday of the United States alone.
    at = parse_instant("2026-11-18T02:00:00Z") + 12 * HOUR
    summer = at - 21 * DAY - HOUR
    history = history_by(said, {at - 7 * DAY: 10, at - 14 * DAY: 20, summer: 30})
    assert expected(history, at) == 12 * usual


def test_weeks_are_aligned_on_the_wall_clock_when_the_clock_changes() -> None:
    at = parse_instant("2026-11-03T12:00:00-05:00")
    history = History("prod")
    for days, started in ((7, 10), (14, 20)):
        same_hour = parse_instant("2026-11-03T12:00:00-04:00") - days * DAY
        for slot in range(-12, 0):
            history.add(record(same_hour + slot * BUCKET, started=started))
    assert expected(history, at) == 12 * 15


def test_completions_stand_for_sign_ins_where_no_starts_are_reported() -> None:
    history = weeks({14: 5}, START)
    for slot in range(12):
        at = START - 7 * DAY - HOUR + slot * BUCKET
        history.add(record(at - 7 * DAY, good=8, bad=1, excluded=1, started=2))
        history.add(record(at, good=8, bad=1, excluded=1, started=2))
    assert expected(history, START) == 12 * 10
    for slot in range(12):
        at = START - 7 * DAY - HOUR + slot * BUCKET
        history.add(record(at - 7 * DAY, good=8, bad=1, excluded=1, started=3))
        history.add(record(at, good=8, bad=1, excluded=1, started=3))
    assert expected(history, START) == 12 * 3


@given(st.integers(0, 3600), st.integers(1, 3600))
@settings(max_examples=examples(50))
def test_expectations_of_two_windows_add_up_to_that_of_both(offset: int, width: int) -> None:
    at = START + offset * 1000
    ends = np.array([at, at - width * 1000])
    whole = steady().expected(ends[:1], 2 * width * 1000)
    parts = steady().expected(ends, width * 1000).sum(axis=0)
    assert parts == pytest.approx(whole[0])


@cache
def steady() -> History:
    return usual(days=16, start=START + DAY)


def test_a_new_record_is_seen_by_expectations_asked_before() -> None:
    history = weeks({7: 10}, START)
    assert expected(history, START) == 120
    history.add(record(START - 7 * DAY - BUCKET, started=130))
    assert expected(history, START) == 240


def test_the_usual_failing_ratio_is_that_of_a_median_day() -> None:
    history = History("prod")
    for day in range(14):
        bad = 900 if day == 11 else 2
        history.add(record(START - START % DAY - (day + 1) * DAY, good=998, bad=bad))
    ratio = history.usual_failing_ratio(START)
    assert ratio[SSOE] == pytest.approx(0.002)
    assert ratio[ALL] == 0


def test_days_with_hardly_any_traffic_say_nothing_of_what_usually_fails() -> None:
    history = History("prod")
    history.add(record(START - START % DAY - DAY, good=10, bad=20))
    assert history.usual_failing_ratio(START)[SSOE] == 0


def test_what_usually_fails_does_not_change_within_a_day() -> None:
    history = History("prod")
    today = START - START % DAY
    history.add(record(today - DAY, good=999, bad=1))
    before = history.usual_failing_ratio(START)[SSOE]
    history.add(record(today, good=0, bad=5000))
    assert history.usual_failing_ratio(START)[SSOE] == before == pytest.approx(0.001)


def test_counters_are_those_of_the_windows() -> None:
    assert [FIELDS[i] for i in (GOOD, BAD, EXCLUDED, STARTED)] == ["good", "bad", "excluded", "started"]


HOURS_AGO = st.one_of(
    st.integers(-6, 40 * 24), st.sampled_from([days * 24 + hours for days in (7, 14) for hours in (-1, 0, 1)])
)


@settings(max_examples=examples(60))
@given(
    st.lists(st.tuples(HOURS_AGO, st.integers(1, 9), st.booleans()), min_size=1, max_size=12),
    st.integers(0, 59),
    st.sampled_from([5 * MINUTE, HOUR, 3 * HOUR]),
)
def test_what_is_expected_is_what_it_would_be_had_nobody_asked_before(
    changes: list[tuple[int, int, bool]], minute: int, window: int
) -> None:
    """Records arrive for hours ago or weeks ago, and may drop the oldest ones; cached expectations never differ."""
    asked, fresh = deepcopy(four_weeks()), deepcopy(four_weeks())
    now = START
    for hours_ago, good, moved in changes:
        now += 47 * MINUTE if moved else 0
        ends = np.array([now - now % HOUR + (minute + n) * MINUTE for n in range(5)])
        asked.expected(ends, window)
        asked.add(record(now - now % BUCKET - hours_ago * HOUR, good=good))
        fresh.add(record(now - now % BUCKET - hours_ago * HOUR, good=good))
    np.testing.assert_array_equal(asked.expected(ends, window), fresh.expected(ends, window))


@cache
def four_weeks() -> History:
    history = History("prod")
    slots = 28 * DAY // BUCKET
    history.extend(record(START - (slots - n) * BUCKET, good=1 + n % 7) for n in range(slots))
    return history
