"""People may move to a value that nobody listed: nothing is rejected, nobody is woken, and the value is guarded."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.migrations.migration import draw
from benchmarks.quality.migrations.traffic import events, history
from benchmarks.quality.migrations.watched import SIGNED_IN, watch
from detectors.axes import AXES
from detectors.instants import DAY, MINUTE
from streams.settings.policy_file import default_policy

#: Moves of all axes, of minutes and of days, with little traffic.
SEEDS = (1, 3, 4, 5, 6)

seeds = st.integers(0, 100_000)


@given(seeds)
def test_a_drawn_move_takes_all_that_another_value_had(seed: int) -> None:
    move = draw(seed)
    course = move.moved(np.linspace(move.begin - MINUTE, move.end + MINUTE, 500).astype(np.int64))
    assert course[0] == 0.0
    assert course[-1] == 1.0
    assert (np.diff(course) >= 0).all()
    assert MINUTE <= move.end - move.begin <= 30 * DAY
    assert {leaf[move.axis] for leaf in move.leaves} >= {move.old}
    assert move.new not in {value for leaf in move.leaves for value in leaf}
    assert move.new not in default_policy().values_of(AXES[move.axis])


@given(seeds)
def test_the_newcomer_is_watched_from_its_beginning_to_its_outage(seed: int) -> None:
    move = draw(seed)
    again = draw(seed)
    assert (move.told, move.stretches) == (again.told, again.stretches)
    assert move.stretches[0].begin < move.begin
    assert [stretch.outage is None for stretch in move.stretches] == [True] * (len(move.stretches) - 1) + [
        False
    ]
    assert (move.stretches[-1].outage or 0) > move.end


def test_events_and_history_of_a_move_tell_the_same() -> None:
    move = draw(3)
    before, after = move.stretches[0].begin, move.stretches[-1].begin
    for at, there, gone in ((before, move.old, move.new), (after, move.new, move.old)):
        last = list(history(move, at))[-1]
        stretch = move.stretches[0 if at == before else -1]
        values = {leaf["axes"][AXES[move.axis]] for leaf in last["leaves"]}
        first = json.loads(events(move, stretch)[0])
        assert there in values
        assert gone not in values
        assert first[AXES[move.axis]] != gone


@pytest.mark.quality
@pytest.mark.parametrize("seed", SEEDS)
def test_a_move_wakes_nobody_and_the_outage_of_the_newcomer_does(seed: int) -> None:
    run = watch(draw(seed))
    assert not run.faults(), "\n".join(run.faults())
    assert run.events > 1_000
    assert run.signed_in >= SIGNED_IN
