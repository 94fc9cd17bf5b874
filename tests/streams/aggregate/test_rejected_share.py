"""When most of what is read is rejected is a function of the logs, however they are cut and in whatever order."""

from __future__ import annotations

import random

import numpy as np
import pytest

from detectors.instants import FAR_PAST, MINUTE, SECOND
from streams.aggregate.rejected_share import LEAST, RejectedShare, count_slots, slots_of

_NOON = 1_700_000_000_000 // MINUTE * MINUTE
_SLOT = 10 * SECOND


def share(*slots: tuple[int, int, int]) -> RejectedShare:
    """(seconds after noon at which the slot ends, records, rejected)."""
    made = RejectedShare()
    for end, records, rejected in slots:
        made.add({_NOON + end * SECOND: (records, rejected)})
    return made


def blind(made: RejectedShare, to: int) -> list[int]:
    """The ends of the slots (seconds after noon) from which on the watch is blind, for a slot each."""
    spans = made.blind(_NOON + to * SECOND)
    assert all(until - after == _SLOT for after, until in spans)
    return [(after + 1 - _NOON) // SECOND for after, _ in spans]


def test_more_than_half_of_a_minute_is_rejected() -> None:
    assert blind(share((10, 20, 10), (20, 20, 11)), 30) == [20, 30]
    assert blind(share((10, 20, 10), (20, 20, 10)), 300) == []


def test_few_records_say_nothing() -> None:
    assert blind(share((10, LEAST - 1, LEAST - 1)), 300) == []
    assert blind(share((10, LEAST, LEAST)), 300) == [10, 20, 30, 40, 50, 60]


def test_it_lasts_for_a_minute_behind_the_last() -> None:
    made = share((10, 100, 100), (20, 30, 0))
    assert blind(made, 15) == [10]
    assert blind(made, 25) == [20]
    assert blind(made, 75) == [30, 40, 50, 60]
    assert blind(made, 500) == []


def test_records_that_others_stand_for_are_taken_back() -> None:
    made = share((10, 20, 20))
    made.remove({_NOON + 10 * SECOND: (20, 20)})
    made.add({_NOON + 10 * SECOND: (60, 20)})
    assert blind(made, 300) == []


def test_a_record_counts_where_it_has_not_been_judged() -> None:
    stamps = np.array([_NOON + 1, _NOON + _SLOT, _NOON + 1])
    watermarks = np.array([FAR_PAST, _NOON, _NOON + _SLOT])
    assert slots_of(stamps, watermarks).tolist() == [_NOON + _SLOT, _NOON + _SLOT, _NOON + 2 * _SLOT]
    assert slots_of(None, watermarks).tolist() == [FAR_PAST, _NOON + _SLOT, _NOON + 2 * _SLOT]
    assert count_slots(slots_of(None, watermarks), np.array([True, True, False])) == {
        _NOON + _SLOT: (1, 1),
        _NOON + 2 * _SLOT: (1, 0),
    }


@pytest.mark.parametrize("seed", range(30))
def test_neither_batches_nor_strides_change_anything(seed: int) -> None:
    chance = random.Random(seed)
    ends = _NOON + np.cumsum([chance.choice([0, 0, 0, 1, 1, 9]) for _ in range(60)]) * _SLOT
    rejected = np.array([chance.random() < 0.6 for _ in ends])
    counts = [count_slots(ends[n : n + 1].repeat(9), rejected[n : n + 1].repeat(9)) for n in range(len(ends))]
    whole = RejectedShare()
    whole.add(count_slots(ends.repeat(9), rejected.repeat(9)))
    last = int(ends[-1]) + 2 * MINUTE
    expected = whole.blind(last)
    cut, spans = RejectedShare(), []
    for n, counted in enumerate(counts):
        cut.add(counted)
        if n + 1 < len(ends) and ends[n + 1] > ends[n] and chance.random() < 0.5:
            spans += cut.blind(int(ends[n]) + chance.choice([0, 1, SECOND]))
    assert spans + cut.blind(last) == expected
    assert expected
