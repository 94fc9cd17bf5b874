"""The results of an engine are a function of the facts, however calls divide them, and across restarts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from detectors.engine.engine import Engine
from detectors.engine.state import EngineState, StepResult
from detectors.history.history import History
from detectors.history.rollup import HISTORY_SPAN
from detectors.incidents import IncidentInput
from detectors.instants import HOUR, MINUTE, SECOND
from detectors.policy.policy import Policy
from detectors.windows.counters import BAD
from detectors.windows.facts import ON_TIME, FactRow
from tests.detectors.engine.episodes import ENV, POLICY, STEP, Episode, episodes, inputs, instants, rows_of
from tests.support.depth import examples
from tests.support.oracle import NOON

SINKS = frozenset({"pagerduty", "datadog", "slack"})
#: Time after the last fact by which every window, incident and timer has ended.
AFTERWARDS = 2 * HOUR
Asked = Sequence[tuple[int, IncidentInput]]

pytestmark = pytest.mark.timeout(900)
slow = settings(
    max_examples=examples(6), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def engine_of(
    state: EngineState | None = None, history: History | None = None, policy: Policy = POLICY
) -> Engine:
    return Engine(ENV, policy, history or History(ENV), state=state, sinks=SINKS, sli_every=policy.sli_every)


def go(
    engine: Engine,
    to: int,
    rows: Sequence[FactRow],
    asked: Asked,
    after: int = 0,
    catching_up: bool = False,
) -> list[StepResult]:
    """Call ``advance`` once over (after, to]."""
    return engine.advance(
        to,
        [row for row in rows if after < row.arrives(STEP) <= to],
        [one for one in asked if after < one[0] <= to],
        catching_up=catching_up,
    )


def flat(steps: Sequence[StepResult]) -> list[Any]:
    """Return the results of steps, without empty ones."""
    return [
        (s.at, s.sli, s.transitions, s.commands, s.history, s.refused)
        for s in steps
        if s.sli or s.transitions or s.commands or s.history or s.refused
    ]


def in_common(steps: Sequence[StepResult]) -> list[Any]:
    """Return what failing people have in common, by T and incident."""
    return [(s.at, one.id, one.common) for s in steps for one in s.incidents or ()]


def the_end(rows: Sequence[FactRow]) -> int:
    return max((row.counts_from(STEP) for row in rows), default=NOON) + AFTERWARDS


def round_trip(state: EngineState) -> EngineState:
    """Encode and decode a state, as `watch-state` stores it."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EngineState)


def as_known(history: Sequence[dict[str, object]]) -> History:
    """Return the history that a reader of `sli-history` builds."""
    out = History(ENV)
    for record in history:
        out.add(msgspec.json.decode(msgspec.json.encode(record)))
    return out


OUTAGE = [Episode(60, 0.5, 0.0, "ssoe", "idme", 0.0, 1), Episode(60, 0.0, 0.9, "ssoe", "idme", 0.0, 1)]
AND_OVER = [*OUTAGE, Episode(300, 0.5, 0.0, "ssoe", "idme", 0.2, 1)]


def test_an_outage_is_found_told_and_resolved() -> None:
    # the tests below compare runs with each other; this test shows that the runs have results
    rows = rows_of(AND_OVER)
    steps = go(engine_of(), the_end(rows), rows, [])
    kinds = [t.kind for step in steps for t in step.transitions]
    assert kinds[0] == "opened"
    assert {"recovering", "resolved", "closed"} <= set(kinds)
    assert {c.sink for step in steps for c in step.commands} == SINKS
    assert any(step.history for step in steps)


def test_an_incident_says_what_its_people_have_in_common_without_a_change_of_its_own() -> None:
    rows = rows_of(
        [Episode(300, 0.9, 0.0, "ssoe", "idme", 0.0, 1), Episode(240, 0.3, 0.9, "ssoe", "idme", 0.1, 1)]
    )
    steps = go(engine_of(), NOON + 540 * SECOND, rows, [])
    seen = {step.at: one for step in steps for one in step.incidents or ()}
    told = {at: {one.value: one for one in incident.common} for at, incident in seen.items()}
    last = told[max(told)]["vamobile"]
    assert last.field == "client_id"
    assert last.failing_share > 0.8
    assert last.usual_share is not None
    assert last.usual_share < last.failing_share - 0.2
    changes = {(at, told[at]["vamobile"].failing_of) for at in told if "vamobile" in told[at]}
    first = {count: min(at for at, other in changes if other == count) for _, count in changes}
    assert len(first) >= 2
    transitions = [t for step in steps for t in step.transitions]
    of_others = {t.at for t in transitions if t.kind == "scope"}  # other people, so looked at anew
    assert [at for at in sorted(first.values())[1:] if at % MINUTE and at not in of_others] == []
    assert len({t.at for t in transitions}) < len(seen)
    assert any(
        "vamobile" in {one.value for one in c.incident.common} for step in steps for c in step.commands
    )


@slow
@given(some=episodes(), data=st.data())
def test_any_cut_into_calls_brings_the_same_steps(some: list[Episode], data: st.DataObject) -> None:
    rows = rows_of(some)
    end = the_end(rows)
    asked = data.draw(inputs(end - AFTERWARDS + HOUR))
    whole = go(engine_of(), end, rows, asked)
    cut, at, steps = engine_of(), 0, []
    near = max((row.counts_from(STEP) for row in rows), default=NOON) + 10 * MINUTE
    stops = data.draw(st.lists(instants(NOON, near), max_size=30))
    stops += data.draw(st.lists(instants(NOON, end), max_size=5))
    for stop in [*sorted(set(stops)), end]:
        steps += go(cut, stop, rows, asked, at)
        at = stop
    assert flat(steps) == flat(whole)
    assert in_common(steps) == in_common(whole)
    assert list(cut.history.records()) == list(engine_records(whole))


def engine_records(steps: Sequence[StepResult]) -> list[dict[str, object]]:
    """Return the last revision of each history record that steps have written."""
    return list(as_known([record for step in steps for record in step.history]).records())


@slow
@given(some=episodes(), data=st.data())
def test_a_restart_at_any_t_goes_on_as_if_there_had_been_none(
    some: list[Episode], data: st.DataObject
) -> None:
    rows = rows_of(some)
    end = the_end(rows)
    asked = data.draw(inputs(end - AFTERWARDS + HOUR))
    last = max((row.counts_from(STEP) for row in rows), default=NOON)
    stops = data.draw(st.lists(st.one_of(instants(NOON, last), instants(NOON, end)), min_size=1, max_size=4))
    check_restarts(rows, asked, end, stops, data.draw(st.integers(0, 5)) * MINUTE)


def check_restarts(
    rows: list[FactRow],
    asked: Asked,
    end: int,
    stops: Sequence[int],
    ran_on: int = 0,
    *,
    whole: Sequence[StepResult] | None = None,
) -> None:
    """Restart at each stop from the state there, after the old run went on for ``ran_on`` ms and wrote its history.

    Args:
        whole: the results of a run without restarts, if they are known.
    """
    whole = whole or go(engine_of(), end, rows, asked)
    first = engine_of()
    steps, at = [], 0
    for stop in sorted(set(stops)):
        steps += go(first, stop, rows, asked, at)
        state = round_trip(first.state())
        beyond = steps + go(first, min(stop + ran_on, end), rows, asked, stop)
        history = [record for step in beyond for record in step.history]
        first = engine_of(state, as_known(history))
        back = stop - POLICY.retention - 20 * MINUTE
        known = [row for row in rows if row.arrives(STEP) <= stop and row.pane >= back]
        first.restore(known, back)
        at = stop
    steps += go(first, end, rows, asked, at)
    assert flat(steps) == flat(whole)
    assert in_common(steps) == in_common(whole)
    assert list(first.history.records()) == engine_records(whole)


@cache
def without_a_restart() -> Sequence[StepResult]:
    """The results of an engine without restarts, for an outage and its end."""
    rows = rows_of(AND_OVER)
    return go(engine_of(), the_end(rows), rows, [])


@pytest.mark.parametrize("minutes", [0, 1, 2, 3, 4, 5, 6, 10, 30, 59, 60, 61, 75, 110])
def test_a_restart_in_and_after_an_outage(minutes: int) -> None:
    rows = rows_of(AND_OVER)
    check_restarts(
        rows, [], the_end(rows), [NOON + minutes * MINUTE + 15 * SECOND], whole=without_a_restart()
    )


def test_history_says_which_scopes_an_incident_covered_in_each_five_minutes() -> None:
    steps = without_a_restart()
    standing = {step.at: [one for one in step.incidents or () if one.state == "open"] for step in steps}
    written = [record for step in steps for record in step.history]
    history = as_known(written)
    starts = [int(str(record["at"])) for record in written]
    assert "prod/ssoe" in history.excluded(NOON)
    assert history.excluded(max(starts)) == ()
    for start in starts:
        within = [one for at, of in standing.items() if start < at <= start + HISTORY_SPAN for one in of]
        assert history.excluded(start) == tuple(sorted({one.scope for one in within}))


@pytest.mark.parametrize("minutes", [3, 7, 12, 40])
def test_a_state_of_an_earlier_version_says_nothing_of_what_was_covered(minutes: int) -> None:
    rows = rows_of(AND_OVER)
    stop = NOON + minutes * MINUTE
    first = engine_of()
    history = [record for step in go(first, stop, rows, []) for record in step.history]
    state = msgspec.to_builtins(first.state())
    del state["disturbed"]
    again = engine_of(msgspec.convert(state, EngineState), as_known(history))
    again.restore([row for row in rows if row.arrives(STEP) <= stop], NOON - HOUR)
    assert list(again.history.records()) == list(first.history.records()), "its records say it"
    steps = go(again, the_end(rows), rows, [], stop)
    assert [s.transitions for s in steps] == [s.transitions for s in without_a_restart() if s.at > stop]


def test_a_restart_between_a_late_event_and_the_revision_of_its_history() -> None:
    # the late rows count at 12:10:05; what they belong to was written at 12:05, and is revised at 12:15
    early = [Episode(280, 0.5, 0.0, "ssoe", None, 0.0, 1), Episode(400, 0.5, 0.0, "ssoe", None, 0.0, 1)]
    rows = rows_of(early)
    rows = [
        FactRow(
            r.pane,
            NOON + 605 * SECOND,
            r.leaf,
            r.step,
            r.outcome,
            r.code,
            r.error_class,
            r.count,
            r.timed,
            r.over,
            r.people,
        )
        if r.pane % (7 * STEP) == 0 and r.pane < NOON + 250 * SECOND
        else r
        for r in rows
    ]
    rows.sort(key=lambda row: row.counts_from(STEP))
    check_restarts(rows, [], the_end(rows), [NOON + 610 * SECOND, NOON + 895 * SECOND, NOON + 900 * SECOND])


def test_a_restart_after_a_silence_longer_than_what_is_read_back() -> None:
    rows = rows_of(AND_OVER)
    check_restarts(rows, [], the_end(rows), [NOON + 90 * MINUTE, NOON + 2 * HOUR + 3 * MINUTE])


@pytest.mark.long
def test_a_history_record_is_never_written_from_partial_coverage() -> None:
    rows = rows_of([Episode(3_000, 0.5, 0.05, "ssoe", "idme", 0.2, 1)])
    stop = NOON + 1_700 * SECOND
    first = engine_of()
    before = go(first, stop, rows, [])
    written = {r["at"]: r for step in before for r in step.history}
    again = engine_of(round_trip(first.state()), as_known(list(written.values())))
    covered = NOON + 1_205 * SECOND  # earlier facts have been removed
    again.restore([r for r in rows if covered <= r.pane and r.arrives(STEP) <= stop], covered)
    later = go(again, the_end(rows), rows, [], stop)
    whole = {r["at"]: r for step in go(engine_of(), the_end(rows), rows, []) for r in step.history}
    final = {r["at"]: r for step in later for r in step.history}
    assert final
    assert min(int(str(at)) for at in final) >= covered

    def counted(records: dict[Any, Any]) -> dict[Any, Any]:
        # Which scope an incident has, and so excludes, rests on windows that are longer than what was read back.
        return {at: {**records[at], "excluded": None} for at in final}

    assert counted(final) == counted(whole)


def test_what_a_person_asks_first_begins_the_engine() -> None:
    incident_input = IncidentInput(id="w", env=ENV, kind="declare", scope=ENV, by="Ada")
    engine = engine_of()
    steps = go(engine, NOON + 10 * SECOND, [], [(NOON + 5 * SECOND, incident_input)])
    assert [t.kind for step in steps for t in step.transitions] == ["opened", "declared"]
    check_restarts(
        [], [(NOON + 5 * SECOND, incident_input)], NOON + HOUR, [NOON, NOON + 5 * SECOND, NOON + 10 * SECOND]
    )


def test_an_engine_that_has_seen_nothing_is_kept_as_one_that_has_seen_nothing() -> None:
    state = round_trip(engine_of().state())
    assert state.evaluated_to is None
    again = engine_of(state)
    again.restore([], NOON)
    rows = rows_of(AND_OVER)
    assert flat(go(again, the_end(rows), rows, [])) == flat(go(engine_of(), the_end(rows), rows, []))


@slow
@given(some=episodes(4), data=st.data())
def test_a_restart_while_notifications_wait_says_the_same_afterwards(
    some: list[Episode], data: st.DataObject
) -> None:
    rows = rows_of(some)
    end = the_end(rows)
    last = max((row.counts_from(STEP) for row in rows), default=NOON)
    begin, until = sorted(data.draw(st.tuples(instants(NOON, last), instants(NOON, last))))
    stops = data.draw(st.lists(instants(begin, until), max_size=3))

    def run(stops: Sequence[int]) -> list[Any]:
        engine = engine_of()
        steps = go(engine, begin, rows, [])
        at = begin
        for stop in sorted({*stops, until}):
            steps += go(engine, stop, rows, [], at, catching_up=True)
            at = stop
            known = [r for r in rows if r.arrives(STEP) <= stop]
            history = [record for step in steps for record in step.history]
            engine = engine_of(round_trip(engine.state()), as_known(history))
            engine.restore(known, NOON - 5 * HOUR)
        return flat(steps + go(engine, end, rows, [], at))

    assert run(stops) == run([])


@example(some=[Episode(60, 0.5, 0.9, "ssoe", "idme", 0.0, 1)], steps=6)
@slow
@given(some=episodes(3), steps=st.integers(0, 120))
def test_facts_that_come_too_late_are_refused(some: list[Episode], steps: int) -> None:
    rows = rows_of(some)
    engine = engine_of()
    to = NOON + steps * STEP
    go(engine, to, rows, [])
    if engine.evaluated_to is None:
        return
    with pytest.raises(ValueError, match="came after"):
        engine.advance(to + STEP, [FactRow(to - STEP, 0, ("ssoe", None, None), "new", "success", "", "", 1)])


def test_history_holds_the_failures_of_every_leaf_by_code() -> None:
    leaf, failed = ("ssoe", "idme", None), ("callback", "failure")
    of_mhv = ("ssoe", "mhv", None)
    rows = [
        FactRow(NOON, ON_TIME, leaf, *failed, "005", "", 3, 0, [0, 0], [1, 2]),
        FactRow(NOON + STEP, ON_TIME, leaf, *failed, "never heard of", "", 2, 0, [0, 0], [3]),
        FactRow(NOON + STEP, ON_TIME, of_mhv, *failed, "005", "", 1, 0, [0, 0], [4]),
    ]
    engine = engine_of()
    steps = go(engine, NOON + 2 * HISTORY_SPAN, rows, [])
    first, second = (record for step in steps for record in step.history)
    leaves: Any = first["leaves"]
    assert [(leaf["axes"], leaf["codes"]) for leaf in leaves] == [
        ({"auth_method": "ssoe", "csp": "idme"}, {"005": 3}),
        ({"auth_method": "ssoe", "csp": "mhv"}, {"005": 1}),
    ]
    assert second["leaves"] == []
    assert [len(one["leaves"]) for one in engine.history.records()] == [2, 0]
    noon = engine.history.sums(NOON, NOON + HISTORY_SPAN)[:, BAD]
    scopes = engine.history.scopes
    places = [scopes.index(f"{ENV}{below}") for below in ("", "/ssoe", "/*/idme")]
    assert [noon[place] for place in places] == [2, 2, 2]
    assert scopes.index(f"{ENV}/sis") is None


@pytest.mark.parametrize("beyond", [1, STEP - 1])
def test_an_instant_between_two_t_is_refused(beyond: int) -> None:
    engine = Engine(ENV, POLICY, History.of(ENV, POLICY))
    rows = [row for row in rows_of([Episode(60, 0.5, 0.0, "ssoe", "idme", 0.0, 1)]) if row.pane < NOON]
    engine.advance(NOON, rows, [(NOON, IncidentInput(id="n", env=ENV, kind="declare", scope=ENV))])
    with pytest.raises(ValueError, match="no multiple of the step"):
        engine.advance(NOON + STEP + beyond, [])
    assert engine.evaluated_to == NOON
