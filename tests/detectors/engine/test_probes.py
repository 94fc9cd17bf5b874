"""Where nobody signs in, two probes that fail in a row are an outage of severity 3, and two that sign in end it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.axes import Leaf
from detectors.engine.engine import Engine
from detectors.history.history import History
from detectors.incidents import Transition
from detectors.instants import MINUTE, SECOND
from detectors.windows.facts import ON_TIME, FactRow
from streams.settings.policy_file import default_policy
from tests.support.depth import examples
from tests.support.oracle import NOON

#: Of ten-second steps, and with an end that comes soon.
POLICY = default_policy()
POLICY = POLICY.model_copy(
    update={
        "step": 10 * SECOND,
        "lifecycle": POLICY.lifecycle.model_copy(update={"faded_after": 20 * MINUTE}),
    }
)
STEP = POLICY.step
SIS: Leaf = ("sis", "idme", "monitor")
SSOE: Leaf = ("ssoe", "idme", "monitor")


def row(minute: float, leaf: Leaf, *, ok: bool, step: str = "probe") -> FactRow:
    outcome, code = ("success", "") if ok else ("failure", "500")
    at = NOON + int(minute * MINUTE)
    return FactRow(at, ON_TIME, leaf, step, outcome, code, "", 1, people=[] if ok else [int(minute)])


def probes(leaf: Leaf, results: str, every: int = 1, since: int = 0) -> list[FactRow]:
    """One probe each some minutes: ``.`` signs in, ``x`` fails, a blank is left out."""
    return [row(since + n * every, leaf, ok=one == ".") for n, one in enumerate(results) if one != " "]


def transitions(rows: Iterable[FactRow], minutes: int, stride: int = 6) -> list[Transition]:
    engine, found = Engine("prod", POLICY, History.of("prod", POLICY)), []
    some = sorted(rows, key=lambda one: one.pane)
    last = NOON
    for to in range(NOON + stride * STEP, NOON + minutes * MINUTE + 1, stride * STEP):
        due = [one for one in some if last < one.counts_from(STEP) <= to]
        found += [one for brought in engine.advance(to, due) for one in brought.transitions]
        last = to
    return found


def opened(found: Sequence[Transition]) -> list[tuple[str, int, float]]:
    """Scope, severity and minute of each incident that opens."""
    return [
        (one.incident.scope, one.incident.severity, (one.at - NOON) // MINUTE)
        for one in found
        if one.from_state is None
    ]


@pytest.mark.parametrize(
    ("results", "minutes"),
    [("...x.x.x..", []), ("....x", []), ("....xx", [5]), ("xx", [1]), ("...xxxx", [4])],
)
def test_two_failing_probes_in_a_row_open_an_incident(results: str, minutes: list[int]) -> None:
    found = transitions(probes(SIS, results), 12)
    assert [(severity, minute) for _, severity, minute in opened(found)] == [(3, m) for m in minutes]


def test_the_incident_is_where_probes_fail_and_not_where_they_sign_in() -> None:
    rows = probes(SIS, "...xxxxx") + probes(SSOE, "........")
    ((scope, _, _),) = opened(transitions(rows, 10))
    assert scope.startswith("prod/sis")
    rows = probes(SIS, "...xxxxx", every=2) + probes(SSOE, ".  ", every=7)
    ((scope, _, _),) = opened(transitions(rows, 18))
    assert scope.startswith("prod/sis")


def test_where_all_probes_fail_one_incident_holds_them() -> None:
    rows = probes(SIS, "...xxxxx") + probes(("ssoe", "logingov", "other"), "...xxxxx")
    ((scope, severity, _),) = opened(transitions(rows, 10))
    assert (scope, severity) == ("prod", 3)


def test_while_people_get_in_probes_open_nothing() -> None:
    people = [row(n / 2, ("sis", "idme", "vaweb"), ok=True, step="callback") for n in range(40)]
    assert opened(transitions(probes(SIS, "...xxxxxxxxxxxx") + people, 18)) == []


def test_probes_are_in_no_indicator() -> None:
    engine = Engine("prod", POLICY, History.of("prod", POLICY))
    engine.advance(NOON + 10 * MINUTE, probes(SIS, ".x.x"))
    assert engine.last is not None
    assert all(not counts.any() for counts in engine.last.counts.values())
    assert all(not people.any() for people in engine.last.people.values())


def test_probes_that_sign_in_again_end_it_though_nobody_else_comes() -> None:
    found = transitions(probes(SIS, "....xxxx" + "." * 40), 40)
    (last,) = [one for one in found if one.incident.state == "resolved"]
    assert last.at - NOON < 35 * MINUTE


@settings(max_examples=examples(8))
@given(st.text(".x ", max_size=12), st.text(".x ", max_size=12), st.integers(1, 40))
def test_one_call_finds_what_calls_of_any_length_find(sis: str, ssoe: str, stride: int) -> None:
    rows = probes(SIS, sis) + probes(SSOE, ssoe)
    end = (15 * 6 // stride) * stride
    whole = [one for one in transitions(rows, 15, end) if one.at <= NOON + end * STEP]
    assert whole == [one for one in transitions(rows, 15, stride) if one.at <= NOON + end * STEP]
