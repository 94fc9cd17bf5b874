"""The sign-ins of each day, as records of the history tell them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import DAY, MINUTE
from streams.http.status.days import KEPT_DAYS, DayCounts
from tests.streams.http.serving import NOW

ZONE = "America/New_York"
FIRST = NOW - NOW % (5 * MINUTE)


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


@given(st.lists(st.tuples(st.integers(0, (KEPT_DAYS - 2) * 288), _leaves), max_size=12), st.randoms())
def test_days_are_the_sums_of_the_last_record_of_each_five_minutes(
    told: list[tuple[int, list[tuple[str, str | None, int, int]]]], random: object
) -> None:
    counts, last = DayCounts(), dict[int, list[tuple[str, str | None, int, int]]]()
    for back, leaves in told:
        at = FIRST - back * 5 * MINUTE
        counts.note(record(at, leaves))
        counts.note(record(at, leaves, env="staging"))
        last[at] = leaves
    expected: dict[tuple[str, str], dict[str, list[int]]] = {}
    for at, leaves in last.items():
        day = f"{datetime.fromtimestamp(at / 1000, ZoneInfo(ZONE)):%Y-%m-%d}"
        for method, csp, good, bad in leaves:
            for pair in {(method, csp or ""), (method, "")}:
                kept = expected.setdefault(pair, {}).setdefault(day, [0, 0])
                kept[0] += good
                kept[1] += bad
    found = counts.days(NOW, ZONE)
    for pair, days in expected.items():
        shares = {day: good / (good + bad) for day, (good, bad) in days.items() if good + bad}
        assert {day: ratio for day, ratio in found[pair] if ratio is not None} == shares
        assert len(found[pair]) == KEPT_DAYS


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


@pytest.mark.parametrize("value", [b"", b"[]", b'{"env":"prod"}', b'{"env":"prod","at":1,"leaves":[{}]}'])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        DayCounts().note(value)


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
