"""With more people than are counted exactly, an engine's results do not depend on calls or restarts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from detectors.engine.engine import Engine
from detectors.engine.state import StepResult
from detectors.history.history import History
from detectors.incidents import error_words
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.windows.facts import ON_TIME, FactRow
from sinks.wording import people_words
from streams.settings.policy_file import read_policy
from tests.detectors.engine.test_engine import as_known, flat, round_trip
from tests.support.depth import examples
from tests.support.oracle import NOON

CAP = 1_000
POLICY = read_policy(f"exact_people: {CAP}", "test.yaml")
OUTAGE = 15 * MINUTE
END = NOON + 78 * MINUTE
SINKS = frozenset({"slack"})

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


@cache
def rows_of(a_minute: int) -> list[FactRow]:
    """Return successes, and failures of ``a_minute`` people per minute of the outage, a tenth of them repeated."""
    leaf = ("ssoe", "idme", None)
    out = []
    for second in range(0, END - NOON, 10 * SECOND):
        pane = NOON + second
        out.append(FactRow(pane, ON_TIME, leaf, "callback", "success", "", "", 20))
        if second < OUTAGE:
            count = a_minute // 6
            who = [(n if n % 10 else -n) + second * count for n in range(count)]
            people = sorted({n * 0x9E3779B97F4A7C15 % 2**64 for n in who})
            late = ON_TIME if second % MINUTE else pane + 40 * SECOND
            out.append(FactRow(pane, late, leaf, "callback", "failure", "007", "", count, people=people))
    return out


def went(engine: Engine, stops: Sequence[int], rows: Sequence[FactRow], after: int = 0) -> list[StepResult]:
    steps: list[StepResult] = []
    for stop in stops:
        steps += engine.advance(stop, [row for row in rows if after < row.counts_from(SECOND) <= stop])
        after = stop
    return steps


def engine() -> Engine:
    return Engine("prod", POLICY, History("prod"), sinks=SINKS, sli_every=POLICY.sli_every)


@cache
def in_one_call(a_minute: int) -> list[StepResult]:
    return went(engine(), [END], rows_of(a_minute))


def test_an_estimate_says_how_far_it_may_be_off_until_people_are_counted_again() -> None:
    rows = rows_of(600)
    steps = in_one_call(600)
    hour = [
        value for step in steps for value in step.sli if value.scope == "prod/ssoe" and value.window == HOUR
    ]
    everybody = len({person for row in rows for person in row.people})
    most = max(hour, key=lambda value: value.users_impacted)
    assert 0 < most.users_impacted_error <= 0.1
    assert abs(most.users_impacted - everybody) <= 2.5 * most.users_impacted_error * everybody
    for value in hour:
        exactly = value.users_impacted <= CAP
        assert value.users_impacted_error == 0 if exactly else value.users_impacted_error > 0
        assert ("users_impacted_error" in value.as_json()) == (not exactly)
    assert hour[-1].users_impacted == 0

    told = [transition.incident for step in steps for transition in step.transitions]
    observed = [incident for incident in told if incident.basis == "observed"]
    worst = max(observed, key=lambda incident: incident.users_impacted)
    assert worst.users_impacted_error is not UNSET
    assert "about" in people_words(worst)
    assert error_words(worst.users_impacted_error) in people_words(worst)
    assert error_words(worst.users_impacted_error) in worst.people_an_hour
    # after the outage, its greatest number of people is still known to be an estimate
    assert told[-1].peak_users_impacted_error is not UNSET


@settings(max_examples=examples(3), suppress_health_check=[HealthCheck.too_slow])
@given(
    restart=st.integers(1, 40 * 60),
    stops=st.lists(st.integers(41 * 60, 77 * 60), max_size=8, unique=True).map(sorted),
    a_minute=st.sampled_from([600, 1_200]),
)
def test_neither_a_cut_nor_a_restart_changes_an_estimate(
    restart: int, stops: list[int], a_minute: int
) -> None:
    rows = rows_of(a_minute)
    first = engine()
    at = NOON + restart * SECOND
    before = went(first, [at], rows)
    known = as_known([record for step in before for record in step.history])
    second = Engine(
        "prod", POLICY, known, state=round_trip(first.state()), sinks=SINKS, sli_every=POLICY.sli_every
    )
    second.restore([row for row in rows if row.counts_from(SECOND) <= at], 0)
    assert flat(before) + flat(
        went(second, [*(NOON + stop * SECOND for stop in stops), END], rows, at)
    ) == flat(in_one_call(a_minute))
