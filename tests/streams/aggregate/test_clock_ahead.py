"""A producer's clock that is ahead of the broker's is a notice at most, and hides no outage and no silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from detectors.axes import Leaf
from detectors.engine.engine import Engine
from detectors.history.history import History
from detectors.instants import MINUTE, SECOND, format_duration
from detectors.windows.facts import FactRow
from streams.aggregate.acceptance import Acceptance, Rules
from streams.settings.policy_file import default_policy
from tests.support.oracle import NOON

STEP = 10 * SECOND
POLICY = default_policy().model_copy(update={"step": STEP})
SIS, SSOE, MOBILE = ("sis", "idme", "vaweb"), ("ssoe", "idme", "vaweb"), ("ssoe", "idme", "vamobile")
#: The clock goes wrong, something else happens, and the end, in seconds since noon.
WRONG, THEN, END = 33 * 60, 38 * 60, 40 * 60
#: Sign-ins of a leaf a second.
RATE = 3


class Said(NamedTuple):
    """What was said: scope and second of each incident that opened; field, value and text of each notice."""

    opened: list[tuple[str, int]]
    notices: list[tuple[str, str, str]]


def accepted(skew: Callable[[Leaf, int], int], outcome: Callable[[Leaf, int], str]) -> list[FactRow]:
    """Return the facts of one partition whose broker's clock is right.

    Args:
        skew: how many seconds the clock of a leaf's producer is ahead at a second.
        outcome: of the sign-ins of a leaf at a second; "" if none arrive.
    """
    sent = [
        (second, leaf, said)
        for second in range(END)
        for leaf in (SIS, SSOE, MOBILE)
        if (said := outcome(leaf, second))
    ]
    recorded = NOON + np.array([second for second, _, _ in sent]) * SECOND + 400
    occurred = recorded - 300 + np.array([skew(leaf, second) for second, leaf, _ in sent]) * SECOND
    partition = Acceptance(Rules.of(POLICY))
    ids = [str(n) for n in range(len(sent))]
    taken = partition.take_many(ids, np.arange(len(sent)), occurred, recorded)
    panes, first_ts = partition.counted_from(occurred, taken.watermark[:-1], recorded)
    places: dict[tuple[int, int, Leaf, str], list[int]] = {}
    for n, (pane, first_t) in enumerate(zip(panes.tolist(), first_ts.tolist(), strict=True)):
        places.setdefault((pane, first_t, *sent[n][1:]), []).extend(range(n * RATE, (n + 1) * RATE))
    out = []
    for (pane, first_t, leaf, said), people in places.items():
        out.append(FactRow(pane, first_t, leaf, "new", "started", count=len(people)))
        failed, code = (people, "500") if said == "failure" else ([], "")
        out.append(FactRow(pane, first_t, leaf, "callback", said, code, count=len(people), people=failed))
    return out


def said_of(skew: Callable[[Leaf, int], int], outcome: Callable[[Leaf, int], str]) -> Said:
    """Return what an engine without a history says, which learns what is usual from the first half hour."""
    rows = sorted(accepted(skew, outcome), key=lambda row: row.arrives(STEP))
    engine, said, last = Engine("prod", POLICY, History.of("prod", POLICY)), Said([], []), 0
    for to in range(NOON + MINUTE, NOON + END * SECOND + 1, MINUTE):
        due = [row for row in rows if last < row.arrives(STEP) <= to]
        for step in engine.advance(to, due):
            said.notices.extend((one.field, one.value, one.text) for one in step.notices)
            begun = [one for one in step.transitions if one.from_state is None]
            said.opened.extend((one.incident.scope, (one.at - NOON) // SECOND) for one in begun)
        last = to
    return said


def is_told(said: Said, skew: int, value: tuple[str, str]) -> bool:
    """Whether the notices are what they should be: one of 20 s and more, with the name, and none of less."""
    names = [(field, name) for field, name, _ in said.notices]
    if skew < 20:
        return not names
    ahead = f"is {format_duration(skew * SECOND)} ahead of the broker's"
    return names == [value] and ahead in said.notices[0][2]


@pytest.mark.parametrize("skew", [12, 30, 90])
def test_a_clock_that_jumps_ahead_is_no_incident_and_hides_no_silence(skew: int) -> None:
    said = said_of(
        lambda leaf, second: skew if leaf is not SIS and second >= WRONG else 0,
        lambda leaf, second: "" if leaf is not SIS and second >= THEN else "success",
    )
    ((scope, at),) = said.opened
    assert scope == "prod/ssoe"
    assert THEN < at <= THEN + 60
    assert is_told(said, skew, ("auth_method", "ssoe"))


@pytest.mark.parametrize("skew", [12, 30])
def test_one_that_was_ahead_from_the_first_event_on_hides_no_outage(skew: int) -> None:
    said = said_of(
        lambda leaf, _: skew if leaf is not SIS else 0,
        lambda leaf, second: "failure" if leaf is not SIS and second >= THEN else "success",
    )
    ((scope, at),) = said.opened
    assert scope == "prod/ssoe"
    assert THEN < at <= THEN + 60
    assert is_told(said, skew, ("auth_method", "ssoe"))


def test_that_of_one_client_of_a_method_is_named_by_the_client() -> None:
    said = said_of(lambda leaf, second: 30 if leaf is MOBILE and second >= WRONG else 0, lambda *_: "success")
    assert said.opened == []
    assert is_told(said, 30, ("client_id", "vamobile"))
