"""What a day of an environment counts, and when that is told."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.axes import contains, path_of
from detectors.engine.engine import Engine
from detectors.engine.sla_days import Day, SlaDays, day_of, day_records
from detectors.engine.state import EngineState, StepResult
from detectors.history.error_budget import Exclusion
from detectors.history.history import BUCKET, FIELDS, KEPT, History
from detectors.incidents import IncidentInput
from detectors.instants import DAY, HOUR, MINUTE, SECOND, parse_instant
from detectors.lifecycle.lifecycle import Lifecycle
from streams.settings.policy_file import default_policy, read_policy
from tests.detectors.engine.episodes import ENV, POLICY, STEP, Episode, rows_of
from tests.detectors.engine.test_engine import as_known, engine_of, go, round_trip

ZONE = "America/New_York"
MIDNIGHT = parse_instant("2026-11-24T00:00:00-05:00")
YESTERDAY = Day("2026-11-23", MIDNIGHT - DAY, MIDNIGHT)
Leaves = dict[tuple[str, str], tuple[int, int]]


def record(at: int, leaves: Leaves) -> dict[str, Any]:
    """Return a five-minute record of good and bad sign-ins by method and provider."""
    return {
        "v": 2,
        "env": ENV,
        "at": at,
        "leaves": [
            {
                "axes": {"auth_method": method, "csp": csp, "client_id": "vaweb"},
                "sign_in": dict.fromkeys(FIELDS, 0) | {"good": good, "bad": bad},
            }
            for (method, csp), (good, bad) in leaves.items()
        ],
    }


def told_of(records: Sequence[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    return {one["scope"]: (one["sign_in"]["good"], one["sign_in"]["bad"]) for one in records}


_leaves = st.dictionaries(
    st.tuples(st.sampled_from(["sis", "ssoe"]), st.sampled_from(["idme", "logingov"])),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
)


@given(st.dictionaries(st.integers(-300, 600), _leaves, max_size=10))
def test_a_day_is_the_sum_of_its_five_minutes_in_every_scope(told: dict[int, Leaves]) -> None:
    history = History(ENV)
    for slot, leaves in sorted(told.items()):
        history.add(record(YESTERDAY.start + slot * BUCKET, leaves))
    within = [leaves for slot, leaves in told.items() if 0 <= slot < DAY // BUCKET]
    found = day_records(history, POLICY, YESTERDAY, [])
    parts = [(path_of(ENV, pair), of) for leaves in within for pair, of in leaves.items()]
    scopes = {
        ENV,
        *(path[: path.rindex("/")] for path, of in parts if any(of)),
        *(p for p, of in parts if any(of)),
    }
    expected = {
        scope: tuple(sum(of[n] for path, of in parts if contains(scope, path)) for n in (0, 1))
        for scope in scopes
    }
    assert told_of(found) == (expected if within else {})
    assert {one["coverage"] for one in found} <= {round(len(within) * BUCKET / DAY, 6)}


@pytest.mark.parametrize(
    ("instant", "date", "hours"),
    [
        ("2026-11-23T23:59:59-05:00", "2026-11-23", 24),
        ("2026-11-01T12:00:00-05:00", "2026-11-01", 25),
        ("2026-03-08T00:00:00-05:00", "2026-03-08", 23),
    ],
)
def test_a_day_is_that_of_the_local_clock(instant: str, date: str, hours: int) -> None:
    day = day_of(parse_instant(instant), ZONE)
    assert (day.date, (day.end - day.start) / HOUR) == (date, hours)
    assert day_of(day.start - 1, ZONE).end == day.start


def a_day() -> History:
    """Ten good and one bad sign-in in each five minutes of a day."""
    history = History(ENV)
    history.extend(record(at, {("sis", "idme"): (10, 1)}) for at in range(YESTERDAY.start, MIDNIGHT, BUCKET))
    return history


def test_what_the_sla_leaves_out_stands_beside_what_was_counted() -> None:
    left_out = [
        Exclusion("prod/sis", MIDNIGHT - HOUR, MIDNIGHT + HOUR, "correction"),
        Exclusion("prod/*/idme", MIDNIGHT - 3 * HOUR, MIDNIGHT - 2 * HOUR, "csp"),
        Exclusion("prod/ssoe", MIDNIGHT - 9 * HOUR, MIDNIGHT - 8 * HOUR, "csp"),
    ]
    text = (
        'maintenance: [{scope: prod/sis, start: "2026-11-23T08:00:00-05:00", end: "2026-11-23T09:00:00-05:00",'
        " description: patching}]"
    )
    found = {one["scope"]: one for one in day_records(a_day(), read_policy(text, "p"), YESTERDAY, left_out)}
    an_hour = {"good": 120, "bad": 12}
    for scope in ("prod/sis", "prod/sis/idme"):
        assert found[scope]["sign_in"]["bad"] == DAY // BUCKET
        assert found[scope]["not_counted"] == dict.fromkeys(("csp", "maintenance", "correction"), an_hour)


def test_a_day_is_told_once_it_is_over_and_again_when_a_part_of_it_has_changed() -> None:
    history, lifecycle = a_day(), Lifecycle(ENV, POLICY)
    days = SlaDays(POLICY, history)
    days.note_records([record(MIDNIGHT - BUCKET, {})])
    assert days.due(MIDNIGHT - SECOND, lifecycle) == []
    assert days.waiting() == (YESTERDAY,)
    assert told_of(days.due(MIDNIGHT, lifecycle))["prod/sis"] == (10 * 288, 288)
    assert days.due(MIDNIGHT + BUCKET, lifecycle) == []
    late = record(MIDNIGHT - BUCKET, {("sis", "idme"): (11, 1)})
    history.add(late)
    days.note_records([late, record(MIDNIGHT, {})])
    assert told_of(days.due(MIDNIGHT + BUCKET, lifecycle))["prod/sis"] == (10 * 288 + 1, 288)
    assert days.waiting() == (day_of(MIDNIGHT, ZONE),)


def test_what_was_told_never_is_told_as_far_as_the_history_is_whole() -> None:
    history = History(ENV)
    history.extend(record(at, {("sis", "idme"): (1, 0)}) for at in range(MIDNIGHT - 40 * DAY, MIDNIGHT, HOUR))
    days = SlaDays(POLICY, history)
    dates = [one["date"] for one in days.missing(MIDNIGHT, {"2026-11-22"}, []) if one["scope"] == ENV]
    assert len(dates) == KEPT // DAY - 2
    assert dates[-1] == "2026-11-23"
    assert "2026-11-22" not in dates
    assert list(days.missing(MIDNIGHT - SECOND, [*dates[:-1], "2026-11-22"], [])) == []
    assert list(SlaDays(POLICY, History(ENV)).missing(MIDNIGHT, [], [])) == []


#: Traffic over midnight: an outage ends before it, late events of it count after it.
OVER_MIDNIGHT = rows_of(
    [Episode(240, 0.2, 0.0, "sis", "idme", 0.0, 1), Episode(80, 0.4, 0.5, "sis", "idme", 0.3, 2)],
    MIDNIGHT - 6 * MINUTE,
)
CORRECTED = IncidentInput(
    id="c-1",
    kind="correct",
    env=ENV,
    at=MIDNIGHT + 11 * MINUTE,
    by="Ada",
    scope="prod/sis",
    since=MIDNIGHT - 2 * MINUTE,
    until=MIDNIGHT - MINUTE,
    text="a load test",
)
END = MIDNIGHT + 13 * MINUTE
ASKED = [(MIDNIGHT + 12 * MINUTE, CORRECTED)]


@cache
def whole() -> list[StepResult]:
    """The results of an engine without a restart."""
    return go(engine_of(), END, OVER_MIDNIGHT, ASKED)


def days_in(steps: Sequence[StepResult]) -> list[tuple[int, list[dict[str, Any]]]]:
    return [(step.at, step.days) for step in steps if step.days]


def test_an_engine_tells_a_day_at_its_end_by_late_events_and_on_a_correction() -> None:
    steps = whole()
    told = days_in(steps)
    assert told[0][0] == MIDNIGHT
    assert told[-1][0] == MIDNIGHT + 12 * MINUTE
    assert len(told) > 2, "events that came late"
    last = {one["scope"]: one for one in told[-1][1]}
    written = as_known([one for step in steps for one in step.history])
    parts = written.parts(ENV, MIDNIGHT - DAY, MIDNIGHT)
    assert told_of(told[-1][1])[ENV] == tuple(round(sum(of[n] for of in parts.values())) for n in (0, 1))
    assert last["prod/sis"]["not_counted"]["correction"]["bad"] > 0
    assert all("correction" not in one["not_counted"] for _, of in told[:-1] for one in of)


@pytest.mark.parametrize("stop", [-MINUTE, 0, 10 * MINUTE, 12 * MINUTE])
def test_a_restart_tells_the_same_days(stop: int) -> None:
    first, at = engine_of(), MIDNIGHT + stop
    steps = go(first, at, OVER_MIDNIGHT, ASKED)
    state: EngineState = round_trip(first.state())
    again: Engine = engine_of(state, as_known([one for step in steps for one in step.history]))
    again.restore([row for row in OVER_MIDNIGHT if row.arrives(STEP) <= at], MIDNIGHT - HOUR)
    steps += go(again, END, OVER_MIDNIGHT, ASKED, at)
    assert days_in(steps) == days_in(whole())


def test_the_scopes_of_a_day_are_bounded_and_those_with_most_sign_ins_are_told() -> None:
    history, policy = History(ENV), default_policy()
    some = {("sis", f"p{n}"): (n, 0) for n in range(300)}
    history.add(record(YESTERDAY.start, some))
    found = told_of(day_records(history, policy, YESTERDAY, []))
    assert len(found) == 100
    assert found["prod/sis"] == (sum(n for n, _ in some.values()), 0)
    assert all(a >= b for a, b in itertools.pairwise(good for good, _ in list(found.values())[2:]))
