"""The sign-ins of each day, as records of the history tell them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.engine.sla_days import day_of, day_records
from detectors.history.error_budget import Exclusion
from detectors.history.history import History
from detectors.instants import DAY, HOUR, MINUTE, format_instant
from streams.http.status.days import KEPT_DAYS, DayCounts
from streams.kafka.topics import Topics
from streams.records.verdicts import day_out
from streams.settings.policy_file import default_policy
from tests.streams.http.serving import NOW

ZONE = "America/New_York"
FIRST = NOW - NOW % (5 * MINUTE)
#: Of today, so that as many days back is a day of its own, whatever the clock changes by.
NOON = day_of(NOW, ZONE).start + 12 * HOUR


def record(at: int, leaves: Sequence[tuple[str | None, str | None, int, int]], env: str = "prod") -> bytes:
    return json.dumps(
        {
            "v": 2,
            "env": env,
            "at": at,
            "leaves": [
                {
                    "axes": {"auth_method": method, "csp": csp, "client_id": "vaweb"},
                    "sign_in": {"good": good, "bad": bad, "excluded": 0, "started": 0, "slow": 0, "timed": 0},
                }
                for method, csp, good, bad in leaves
            ],
        }
    ).encode()


_leaves = st.lists(
    st.tuples(
        st.sampled_from(["sis", "ssoe"]),
        st.sampled_from(["idme", "clear", None]),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=4,
)


Told = list[tuple[int, list[tuple[str, str | None, int, int]]]]


def kept_of(told: Told) -> History:
    """Return the history of records, each so many five minutes back."""
    history = History("prod")
    for back, leaves in told:
        history.add(json.loads(record(FIRST - back * 5 * MINUTE, leaves)))
    return history


def day(history: History, back: int, left_out: Sequence[Exclusion] = ()) -> list[bytes]:
    """Return the records of a day, so many days back, as they stand on ``sla-days``."""
    found = day_records(history, default_policy(), day_of(NOON - back * DAY, ZONE), left_out)
    return [day_out(Topics(), 0, one).value or b"" for one in found]


@given(st.lists(st.tuples(st.integers(0, 20 * 288), _leaves), max_size=12), st.sets(st.integers(1, 21)))
def test_days_are_the_sums_of_the_last_record_of_each_five_minutes(told: Told, written: set[int]) -> None:
    """Days of ``sla-days``, and the history of those two that may have none yet, say what the whole history says."""
    counts, last = DayCounts(), dict[int, list[tuple[str, str | None, int, int]]]()
    for back, leaves in told:
        counts.note(record(FIRST - back * 5 * MINUTE, leaves))
        counts.note(record(FIRST - back * 5 * MINUTE, leaves, env="staging"))
        last[back] = leaves
    history = kept_of(told)
    for back in written:
        for value in day(history, back):
            counts.note_day(value)
            counts.note_day(
                value.replace(b'"env":"prod"', b'"env":"staging"').replace(b'"good":', b'"good":9')
            )
    expected: dict[tuple[str, str], dict[str, list[int]]] = {}
    known = {day_of(NOON - back * DAY, ZONE).date for back in {0, 1, *written}}
    for back, leaves in last.items():
        date = day_of(FIRST - back * 5 * MINUTE, ZONE).date
        for method, csp, good, bad in leaves:
            for pair in {(method, csp or ""), (method, "")}:
                kept = expected.setdefault(pair, {}).setdefault(date, [0, 0])
                kept[0] += good
                kept[1] += bad
    found = counts.days(NOW, ZONE)
    for pair, days in expected.items():
        shares = {
            date: good / (good + bad) for date, (good, bad) in days.items() if good + bad and date in known
        }
        assert {date: ratio for date, ratio in found.get(pair, ()) if ratio is not None} == shares
        assert len(found.get(pair, range(KEPT_DAYS))) == KEPT_DAYS


def test_a_correction_replaces_a_day_and_is_left_out_of_it() -> None:
    counts = DayCounts()
    history = kept_of([(288, [("sis", "idme", 8, 2)]), (289, [("sis", "idme", 10, 0)])])
    for value in day(history, 1):
        counts.note_day(value)
    assert counts.days(NOW, ZONE)["sis", "idme"][-2:] == [("2026-11-22", 0.9), ("2026-11-23", None)]
    wrong = Exclusion("prod/sis", FIRST - DAY, FIRST - DAY + 5 * MINUTE, "correction")
    for value in day(history, 1, [wrong]):
        counts.note_day(value)
    assert counts.days(NOW, ZONE)["sis", "idme"][-2][1] == 1.0
    assert counts.days(NOW, ZONE)["sis", ""][-2][1] == 1.0


def test_days_are_kept_for_a_quarter_and_a_day_without_a_record_is_unknown() -> None:
    counts = DayCounts()
    value = json.loads(day(kept_of([(288, [("sis", "idme", 9, 1)])]), 1)[-1])
    for back in range(2 * KEPT_DAYS, 1, -1):
        if back != 5:
            date = day_of(NOON - back * DAY, ZONE)
            counts.note_day(json.dumps(value | {"date": date.date, "end": format_instant(date.end)}).encode())
    shares = [share for _, share in counts.days(NOW, ZONE)["sis", "idme"]]
    assert shares == [0.9] * (KEPT_DAYS - 6) + [None] + [0.9] * 3 + [None, None]


def test_a_record_of_the_form_before_counts_what_is_a_providers_once() -> None:
    counts = DayCounts()
    scopes = {
        "prod": (9, 1),
        "prod/sis": (6, 0),
        "prod/sis/idme": (4, 0),
        "prod/*/idme": (7, 1),
        "prod/ssoe": (3, 1),
    }
    counts.note(
        json.dumps(
            {
                "env": "prod",
                "at": "2026-11-23T15:05:00Z",
                "scopes": {path: {"good": good, "bad": bad} for path, (good, bad) in scopes.items()},
            }
        ).encode()
    )
    found = counts.days(NOW, ZONE)
    assert {pair: days[-1] for pair, days in found.items()} == {
        ("sis", ""): ("2026-11-23", 1.0),
        ("sis", "idme"): ("2026-11-23", 1.0),
        ("ssoe", ""): ("2026-11-23", 0.75),
    }


def test_what_is_older_than_all_that_is_kept_replaces_nothing() -> None:
    counts = DayCounts()
    counts.note(record(FIRST, [("sis", "idme", 9, 1)]))
    counts.note(record(FIRST - (KEPT_DAYS + 1) * DAY, [("sis", "idme", 0, 9)]))
    assert counts.days(NOW, ZONE)["sis", "idme"][-1] == ("2026-11-23", 0.9)


def test_providers_without_end_count_for_their_method() -> None:
    counts = DayCounts()
    counts.note(record(FIRST, [("sis", None, 1, 0), *(("sis", f"p{n}", 1, 0) for n in range(200))]))
    found = counts.days(NOW, ZONE)
    assert len(found) == 64
    assert found["sis", ""][-1][1] == 1.0


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b'{"env":"prod"}',
        b'{"env":"prod","at":1,"leaves":[{}]}',
        b'{"env":"prod","at":1000000000000000000000000000000}',
        b'{"env":"prod","at":1,"leaves":[{"axes":{},"sign_in":{"good":1e300,"bad":0}}]}',
        b'{"env":"prod","axes":{},"date":"2026-07-01","end":"2026-07-02T00:00:00Z","sign_in":{"good":-1e300,"bad":0}}',
    ],
)
def test_what_is_no_record_is_refused(value: bytes) -> None:
    for note in (DayCounts().note, DayCounts().note_day):
        with pytest.raises(ValueError, match=r".*"):
            note(value)


def test_the_success_of_a_method_is_told_for_each_five_minutes_from_an_instant_on() -> None:
    counts, five = DayCounts(), 5 * MINUTE
    counts.note(record(FIRST - 2 * five, [("ssoe", "idme", 1, 1)]))
    counts.note(record(FIRST - five, [("ssoe", "idme", 1, 1), ("ssoe", None, 2, 0), ("sis", "idme", 9, 0)]))
    counts.note(record(FIRST, [("sis", "idme", 9, 0)]))
    assert counts.successes("ssoe", FIRST - 2 * five) == [(FIRST - five, 0.5), (FIRST, 0.75)]
    assert counts.successes("ssoe", FIRST - five) == [(FIRST, 0.75)]
    assert counts.successes("nobody", 0) == []


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 50)), max_size=40), st.integers(1, 20))
def test_failures_add_up_whatever_the_order_and_the_number_of_points(
    failed: list[tuple[int, int]], points: int
) -> None:
    counts = DayCounts()
    for back, bad in failed:
        counts.note(record(FIRST - back * 5 * MINUTE, [("ssoe", "idme", 5, bad), ("sis", None, 1, 1000)]))
    latest = {
        back: bad for back, bad in failed if back < 200
    }  # a record that comes again replaces what it said
    told = counts.failures("ssoe", FIRST - 199 * 5 * MINUTE, points)
    assert told == sorted(told)
    assert len(told) <= 2 * points + 1
    if latest:
        assert told[-1] == (FIRST + (1 - min(latest)) * 5 * MINUTE, sum(latest.values()))
    assert all(one[1] <= other[1] for one, other in itertools.pairwise(told))


def test_failures_of_a_month_are_those_of_its_days_and_then_of_its_five_minutes() -> None:
    counts = DayCounts()
    told: Told = [
        (3 * 288, [("ssoe", "idme", 1, 5)]),
        (288, [("ssoe", "idme", 1, 3)]),
        (0, [("ssoe", None, 1, 2)]),
    ]
    for value in (*day(kept_of(told), 3), *day(kept_of(told), 1)):
        counts.note_day(value)
    for back, leaves in told[1:]:
        counts.note(record(FIRST - back * 5 * MINUTE, leaves))
    ends = [day_of(NOON - back * DAY, ZONE).end for back in (3, 1)]
    since = day_of(NOON - 3 * DAY, ZONE).start
    assert counts.failures("ssoe", since, 10) == [(ends[0], 5), (ends[1], 8), (FIRST + 5 * MINUTE, 10)]
    assert counts.failures("ssoe", ends[0], 10)[0] == (ends[1], 3)
