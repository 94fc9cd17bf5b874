"""What incidents and maintenance covered stands in the records of the history, and is no part of what is usual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.arrays import Bools
from detectors.axes import Leaf, contains, path_of
from detectors.history.disturbances import Disturbance, Disturbances, PastDisturbances
from detectors.history.history import BUCKET, History
from detectors.incidents import Incident
from detectors.instants import DAY, HOUR, MINUTE, SECOND
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD, GOOD, STARTED
from streams.settings.policy_file import read_policy
from tests.support.depth import examples

NOON = 1_795_435_200_000  # noon, UTC, a Monday
VAWEB, VAMOBILE, IDME = ("sis", None, "vaweb"), ("sis", None, "vamobile"), ("ssoe", "idme", None)
LEAVES = (VAWEB, VAMOBILE, IDME)
PATHS = ("prod", "prod/sis", "prod/ssoe", "prod/*/idme", "prod/sis/*/vaweb", "prod/*/*/vamobile")


def incident(scope: str, state: str = "open") -> Incident:
    return msgspec.convert(
        {
            "id": "prod-1",
            "env": "prod",
            "epoch": 0,
            "scope": scope,
            "state": state,
            "causes": ["outage"],
            "sentence": "",
            "severity": 2,
            "peak_severity": 2,
            "priority": "P2",
            "datadog_severity": "SEV-2",
            "basis": "observed",
            "users_impacted": 60,
            "peak_users_impacted": 60,
            "first_bad_at": NOON,
            "opened_at": NOON,
            "updated_at": NOON,
        },
        Incident,
    )


@cache
def policy(said: str = "{}") -> Policy:
    return read_policy(said, "policy.yaml")


MAINTENANCE = """
maintenance:
  - {scope: prod/sis, start: "2026-11-23T12:03:00Z", end: "2026-11-23T12:10:00Z", description: a new certificate}
"""


# -- what is noted ------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.integers(1, 90),
        st.dictionaries(
            st.sampled_from(PATHS),
            st.sampled_from(["open", "acknowledged", "recovering", "resolved"]),
            max_size=3,
        ),
        st.booleans(),
    ),
    max_size=20,
)


@given(STEPS)
def test_a_record_names_what_was_covered_at_a_t_of_its_own_across_restarts(
    steps: list[tuple[int, dict[str, str], bool]],
) -> None:
    noted = Disturbances("prod", policy(), BUCKET)
    at, covered = NOON, set()
    for ahead, incidents, restarts in steps:
        at += ahead * 10 * SECOND
        noted.note(at, [incident(scope, state) for scope, state in incidents.items()])
        covered |= {(-(-at // BUCKET), s) for s, of in incidents.items() if of in ("open", "acknowledged")}
        if restarts:
            stored = msgspec.msgpack.encode(noted.memory())
            known = msgspec.msgpack.decode(stored, type=tuple[Disturbance, ...])
            noted = Disturbances("prod", policy(), BUCKET, known)
    for start in range(NOON - BUCKET, at + BUCKET, BUCKET):
        scopes = {scope for end, scope in covered if end * BUCKET == start + BUCKET}
        widest = {s for s in scopes if not any(other != s and contains(other, s) for other in scopes)}
        assert noted.excluded(start) == sorted(widest)


def test_an_incident_that_stands_is_remembered_as_one_span() -> None:
    noted = Disturbances("prod", policy(), BUCKET)
    for at in range(NOON + SECOND, NOON + HOUR, 10 * SECOND):
        noted.note(at, [incident("prod/sis")])
    assert noted.memory() == (Disturbance("prod/sis", NOON, NOON + HOUR),)
    noted.forget(NOON + HOUR - BUCKET)
    assert noted.excluded(NOON + HOUR - BUCKET) == ["prod/sis"]
    noted.forget(NOON + HOUR)
    assert noted.memory() == ()


def test_a_record_names_what_is_in_maintenance_in_any_part_of_it() -> None:
    noted = Disturbances("prod", policy(MAINTENANCE), BUCKET)
    noted.note(NOON + MINUTE, [incident("prod/ssoe")])
    excluded = [noted.excluded(NOON + n * BUCKET) for n in range(-1, 3)]
    assert excluded == [[], ["prod/sis", "prod/ssoe"], ["prod/sis"], []]
    assert Disturbances("staging", policy(MAINTENANCE), BUCKET).excluded(NOON) == []


def test_an_earlier_record_says_what_is_no_longer_remembered() -> None:
    noted = Disturbances("prod", policy(), BUCKET)
    assert noted.excluded(NOON, ("prod/sis/*/vaweb", "prod/sis")) == ["prod/sis"]


# -- what is read -------------------------------------------------------------------------------------------


@given(
    st.dictionaries(st.integers(0, 30), st.lists(st.sampled_from(PATHS), max_size=2, unique=True)),
    st.lists(st.tuples(st.integers(-3, 170), st.integers(1, 60)), min_size=1, max_size=6),
    st.sampled_from([0.0, 0.05, 0.5]),
)
def test_a_window_is_covered_by_more_than_a_share_of_its_minutes(
    slots: dict[int, list[str]], windows: list[tuple[int, int]], share: float
) -> None:
    past = PastDisturbances(BUCKET)
    for slot, paths in slots.items():
        past.put(slot, ["prod/other"])
        past.put(slot, paths)

    def holds(scope: str) -> Bools:
        return np.array([contains(scope, path(leaf)) for leaf in LEAVES])

    starts = np.array([start * MINUTE for start, _ in windows])
    ends = np.array([(start + length) * MINUTE for start, length in windows])
    covered = past.covered(starts, ends, holds, share)
    for n, (start, length) in enumerate(windows):
        for of, leaf in enumerate(LEAVES):
            minutes = sum(
                any(contains(scope, path(leaf)) for scope in slots.get(minute // 5, ()))
                for minute in range(start, start + length)
            )
            assert (covered is not None and covered[n, of]) == (minutes > share * length)


def path(leaf: Leaf) -> str:
    return path_of("prod", (value or "*" for value in leaf))


def record(
    at: int, counts: dict[Leaf, dict[str, int]], excluded: Iterable[str] = (), code: str = ""
) -> dict[str, Any]:
    zero = dict.fromkeys(("good", "bad", "excluded", "started", "slow", "timed"), 0)
    leaves = []
    for leaf, of in counts.items():
        named = {
            axis: v
            for axis, v in zip(("auth_method", "csp", "client_id"), leaf, strict=True)
            if v is not None
        }
        codes = {"codes": {code: of["bad"]}} if code and of.get("bad") else {}
        leaves.append({"axes": named, "sign_in": zero | of, "session": {"good": 0, "bad": 0}} | codes)
    return {"v": 2, "env": "prod", "at": at, "leaves": leaves, "excluded": list(excluded)}


def weeks(levels: Sequence[int], disturbed: dict[int, Sequence[str]], minutes: int = 60) -> History:
    """The hours before NOON in the weeks before, each leaf with so many started in five minutes.

    Args:
        levels: of each week, the last one first.
        disturbed: week -> what was covered in the last ``minutes`` of its hour.
    """
    history = History("prod")
    history.scopes.admit(LEAVES)
    for week, level in reversed(list(enumerate(levels, 1))):
        end = NOON - 7 * week * DAY
        for start in range(end - 2 * HOUR, end + HOUR, BUCKET):
            covered = disturbed.get(week, ()) if end - minutes * MINUTE <= start < end else ()
            history.add(record(start, {leaf: {"started": level} for leaf in LEAVES}, covered))
    return history


def expected(history: History, scope: str, window: int = HOUR) -> float:
    index = history.scopes.index(scope)
    assert index is not None
    return float(history.expected(np.array([NOON]), window)[0, index, STARTED]) * BUCKET / window


def test_a_week_in_which_a_scope_was_covered_makes_room_for_the_one_before() -> None:
    history = weeks([1, 20, 30], {1: ["prod/sis"]})
    assert expected(history, "prod/sis") == 2 * 25
    assert expected(history, "prod/sis/*/vaweb") == 25
    assert expected(history, "prod/ssoe") == pytest.approx(20), "what was not covered is as usual"
    assert expected(history, "prod") == pytest.approx(2 * 25 + 20)


def test_what_was_covered_with_the_environment_was_covered() -> None:
    history = weeks([1, 20, 30], {1: ["prod"]})
    assert expected(history, "prod/ssoe") == 25


def test_where_all_weeks_were_covered_they_are_used() -> None:
    history = weeks([10, 20, 30, 40], {week: ["prod/ssoe"] for week in range(1, 5)}, minutes=120)
    assert expected(history, "prod/ssoe") == 25
    assert expected(history, "prod/sis") == 2 * 25


def test_the_rest_of_a_day_in_which_little_was_covered_counts() -> None:
    history = weeks([1, 20, 30], {1: ["prod/ssoe"]}, minutes=5)
    assert expected(history, "prod/ssoe", 5 * MINUTE) == 25
    assert expected(history, "prod/ssoe", HOUR) == 25, "five minutes are more than a twentieth of an hour"
    assert expected(history, "prod/ssoe", 2 * HOUR) == pytest.approx(20)


def test_of_weeks_of_both_forms_one_that_was_covered_counts_for_nothing() -> None:
    history = weeks([10, 20], {1: ["prod/ssoe"]})
    full = dict.fromkeys(("good", "bad", "excluded", "slow", "timed"), 0) | {"started": 30}
    for start in range(NOON - 14 * DAY - 2 * HOUR, NOON - 14 * DAY, BUCKET):
        history.add({"env": "prod", "at": start, "scopes": {"prod/ssoe": full}})
    assert expected(history, "prod/ssoe") == 30


SLOTS = st.tuples(
    st.integers(-3, 15),
    st.sampled_from([7, 14, 21, 28]),
    st.integers(0, 9),
    st.lists(st.sampled_from(PATHS), max_size=2, unique=True),
    st.booleans(),
)


@settings(max_examples=examples(50))
@given(st.lists(SLOTS, min_size=1, max_size=8), st.sampled_from([5 * MINUTE, HOUR]))
def test_expectations_asked_before_are_those_of_one_who_asks_anew(
    changes: list[tuple[int, int, int, list[str], bool]], window: int
) -> None:
    asked, fresh = deepcopy(calm_weeks()), deepcopy(calm_weeks())
    ends = NOON + np.arange(-2, 3) * MINUTE
    for slot, days, level, paths, is_old in changes:
        asked.expected(ends, window)
        at = NOON - days * DAY - slot * BUCKET
        one = record(at, {leaf: {"started": level} for leaf in LEAVES}, paths)
        if is_old:
            one = {"env": "prod", "at": at, "scopes": {}}
        asked.add(one)
        fresh.add(one)
    np.testing.assert_array_equal(asked.expected(ends, window), fresh.expected(ends, window))


@cache
def calm_weeks() -> History:
    return weeks([10, 20, 30, 40], {})


# -- usual shares -------------------------------------------------------------------------------------------


def days_with(bad: Sequence[int], disturbed: Iterable[int], code: str = "007") -> History:
    """Two weeks of one bad hour on each day: ``bad`` of 200 each five minutes, covered on some of the days."""
    history = History("prod")
    history.scopes.admit(LEAVES)
    midnight = NOON - 12 * HOUR
    for day, failed in enumerate(bad):
        for n in range(24):
            is_bad = n < 12
            of = {"good": 200 - failed, "bad": failed} if is_bad else {"good": 198, "bad": 2}
            covered = ["prod/ssoe"] if is_bad and day in disturbed else []
            start = midnight - (len(bad) - day) * DAY + n * BUCKET
            history.add(record(start, {IDME: of, VAWEB: of}, covered, code))
    return history


def test_failures_that_were_covered_are_not_usual() -> None:
    history = days_with([100] * 6 + [2] * 8, range(6))
    usual = history.usual_failing_ratio(NOON)
    of = {scope: usual[history.scopes.index(scope)] for scope in ("prod/ssoe", "prod/sis")}
    assert of["prod/ssoe"] == of["prod/sis"] == pytest.approx(0.01)
    worse = days_with([100] * 9 + [2] * 5, range(9))
    usual = worse.usual_failing_ratio(NOON)
    assert usual[worse.scopes.index("prod/ssoe")] == pytest.approx(0.01), (
        "a day counts by what was not covered"
    )
    assert usual[worse.scopes.index("prod/sis")] == pytest.approx(102 / 400)


def test_what_lasts_for_most_days_is_usual_though_an_incident_covers_it() -> None:
    history = History("prod")
    history.scopes.admit(LEAVES)
    for day in range(1, 15):
        of: dict[Leaf, dict[str, int]] = {IDME: {"good": 900, "bad": 100}}
        history.add(record(NOON - 12 * HOUR - day * DAY, of, ["prod/ssoe"] if day <= 8 else []))
    assert history.usual_failing_ratio(NOON)[history.scopes.index("prod/ssoe")] == pytest.approx(0.1)
    covered_once = [row for row in history.records() if not row["excluded"]]
    assert len(covered_once) == 6


def test_the_usual_share_of_a_code_leaves_out_what_was_covered() -> None:
    history = days_with([100] * 9 + [2] * 5, range(9))
    usual = history.usual_share_of_code("007", NOON)
    assert usual[history.scopes.index("prod/ssoe")] == pytest.approx(0.01)


def test_records_come_out_with_what_was_covered() -> None:
    history = weeks([10, 20], {1: ["prod/ssoe", "prod/sis/*/vaweb"]})
    again = History("prod")
    again.scopes.admit(LEAVES)
    again.extend(history.records())
    assert list(again.records()) == list(history.records())
    assert history.excluded(NOON - 7 * DAY - BUCKET) == ("prod/ssoe", "prod/sis/*/vaweb")
    assert history.excluded(NOON - 7 * DAY) == ()
    assert again.sums(0, NOON)[0, GOOD] == again.sums(0, NOON)[0, BAD] == 0


# -- what is dead -------------------------------------------------------------------------------------------


def steady_weeks(
    dead: dict[int, Sequence[Leaf]], level: int = 40, since: int = 2 * 7 * DAY + HOUR, old: bool = False
) -> History:
    """Every five minutes each leaf starts ``level`` sign-ins, but in the hours that end some days before NOON.

    Args:
        dead: days before NOON -> the leaves that start one sign-in in 24 in that hour.
        since: how long before NOON the history begins, ms.
        old: whether the records have the form before.
    """
    history = History("prod")
    history.scopes.admit(LEAVES)
    silent = {
        (NOON - days * DAY - n * BUCKET, leaf)
        for days, of in dead.items()
        for leaf in of
        for n in range(1, 13)
    }
    for start in range(NOON - since, NOON, BUCKET):
        counts: dict[Leaf, dict[str, int]] = {
            leaf: {"started": level // 24 if (start, leaf) in silent else level} for leaf in LEAVES
        }
        one = record(start, counts)
        if old:
            zero = dict.fromkeys(("good", "bad", "excluded", "slow", "timed"), 0)
            paths = {path(leaf): zero | counts[leaf] for leaf in LEAVES}
            paths["prod"] = zero | {"started": sum(of["started"] for of in counts.values())}
            one = {"env": "prod", "at": start, "scopes": paths}
        history.add(one)
    return history


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("since", [14 * DAY + HOUR, 14 * DAY + 2 * HOUR])
def test_an_hour_in_which_everything_was_down_does_not_count(since: int, old: bool) -> None:
    history = steady_weeks({7: LEAVES}, since=since, old=old)
    for window in (5 * MINUTE, 15 * MINUTE, HOUR):
        assert expected(history, "prod", window) == 3 * 40
        assert expected(history, "prod/ssoe/idme", window) == 40


def test_an_hour_in_which_one_leaf_was_down_does_not_count_for_this_leaf() -> None:
    history = steady_weeks({7: [IDME]})
    assert expected(history, "prod/ssoe") == 40
    assert expected(history, "prod/sis") == 2 * 40


def test_the_hours_around_one_in_which_all_was_down_count_by_what_was_well() -> None:
    history = steady_weeks({7: LEAVES}, since=15 * DAY)
    index = history.scopes.index("prod")
    assert index is not None
    ends = NOON + np.arange(-90, 90, 15) * MINUTE
    assert history.expected(ends, HOUR)[:, index, STARTED] == pytest.approx(12 * 3 * 40)


def test_what_is_missing_on_the_day_before_or_after_too_has_ended_and_is_not_dead() -> None:
    for other in (6, 8):
        history = steady_weeks({7: [IDME], other: [IDME]})
        assert expected(history, "prod/ssoe") == pytest.approx((40 + 1) / 2)


def test_what_is_low_in_each_week_is_usual() -> None:
    history = steady_weeks({7: [IDME], 14: [IDME]})
    assert expected(history, "prod/ssoe") == 1


def test_a_few_events_prove_nothing() -> None:
    history = steady_weeks({7: [IDME]}, level=6)
    assert expected(history, "prod/ssoe") == 3
