"""The schedule of faults is a function of its seed, and so is the traffic."""

from __future__ import annotations

from itertools import pairwise

from tests.faults.campaign.load import Traffic, outages
from tests.faults.campaign.schedule import (
    BROKER_KINDS,
    SESSION_SECONDS,
    SILENT_KINDS,
    TROUBLE_KINDS,
    WORKER_KINDS,
    schedule,
)
from tests.support.oracle import NOON
from tests.support.oracle_event import Invalid, event_of


def test_a_seed_reproduces_its_schedule_and_no_other() -> None:
    assert schedule(7, 50, broker=True) == schedule(7, 50, broker=True)
    assert schedule(7, 50, broker=True) != schedule(8, 50, broker=True)


def test_a_round_has_faults_of_every_kind_and_a_dozen_are_of_as_many_kinds_as_there_may_be() -> None:
    every = WORKER_KINDS | BROKER_KINDS | TROUBLE_KINDS
    for seed in range(20):
        assert {fault.kind for fault in schedule(seed, 25, broker=True)} == set(every)
        assert len({fault.kind for fault in schedule(seed, 12, broker=True)}) == 12
        dozen = schedule(seed, 12, broker=True, without=SILENT_KINDS)
        assert {fault.kind for fault in dozen} == set(every) - SILENT_KINDS


def test_what_is_left_out_does_not_happen() -> None:
    assert "clock" not in {fault.kind for fault in schedule(7, 200, broker=True, without=["clock"])}


def test_where_the_broker_keeps_nothing_only_workers_fail() -> None:
    kinds = {fault.kind for fault in schedule(7, 200, broker=False)}
    assert not kinds & {*BROKER_KINDS, *TROUBLE_KINDS}


def test_faults_come_in_order_and_a_freeze_outlasts_the_session() -> None:
    faults = schedule(7, 200, broker=True)
    assert all(a.at < b.at for a, b in pairwise(faults))
    assert all(fault.seconds > SESSION_SECONDS for fault in faults if fault.kind == "freeze")
    assert all(fault.seconds < SESSION_SECONDS for fault in faults if fault.kind == "stall")


def test_there_is_an_outage_in_every_load_and_time_to_recover_from_it() -> None:
    for seed in range(50):
        for seconds in (30.0, 120.0, 300.0):
            failing = outages(seed, seconds)
            assert failing
            assert all(b.begin - a.end >= 14.0 for a, b in pairwise(failing))


def test_the_traffic_is_a_function_of_its_seed_and_has_everything_in_it() -> None:
    made = [Traffic(7, 4, outages(7, 120.0), 14.0).until(120.0, NOON) for _ in range(2)]
    assert made[0] == made[1]
    values = [one.value for one in made[0]]
    valid, spoilt = [], 0
    for value in values:
        try:
            valid.append(event_of(value))
        except Invalid:
            spoilt += 1
    assert spoilt > 10
    assert len({event.id for event in valid}) < len(valid)
    assert {one.partition for one in made[0]} == {0, 1, 2, 3}
    assert any(event.code == "007" for event in valid)
    assert max(event.at for event in valid) > NOON > min(event.at for event in valid) + 3_600_000
    assert None in values
