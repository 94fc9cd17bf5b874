"""Ingest flushes at once for a T that can be judged, seldom for anything else, and no more often for a backlog."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from detectors.instants import SECOND
from streams.ingest.waits.flush_time import FlushTime
from streams.runtime.clocks import Timing
from streams.settings.policy_file import default_policy
from tests.support.oracle import NOON

POLICY = default_policy()  # a step of 1 s, and 2 s for late events
LONGEST_POLL = 100


@dataclass
class Partition:
    """An input partition: its watermark, and why the clock stands in."""

    watermark: int | None
    marked: str = ""


class Machine:
    """A flush time on a machine whose clock is set by hand."""

    def __init__(self, *partitions: Partition, pace: float = 1.0) -> None:
        self.now = float(NOON)
        self.partitions = list(partitions)
        timing = Timing(clock=lambda: round(self.now), monotonic=lambda: (self.now - NOON) / SECOND / pace)
        self.flushes = FlushTime(POLICY, timing, pace)
        self.flushes.begin(self.partitions)

    def after(self, ms: float) -> bool:
        """Let time pass; whether a flush is due then."""
        self.now += ms
        return self.flushes.is_due(self.partitions)


def test_a_flush_is_due_as_soon_as_every_partition_has_passed_a_step() -> None:
    first, second = Partition(NOON + 900), Partition(NOON + 950)
    machine = Machine(first, second)
    first.watermark = NOON + 1_010
    assert not machine.after(700 - 300)
    machine.flushes.begin(machine.partitions)  # the regular one
    assert not machine.after(300)
    second.watermark = NOON + 1_000
    assert machine.after(0)
    machine.flushes.begin(machine.partitions)
    assert not machine.after(400)


def test_without_a_new_step_half_a_second_lies_between_two_flushes() -> None:
    machine = Machine(Partition(NOON + 100))
    assert not machine.after(499)
    assert machine.after(2)


def test_a_partition_without_an_event_makes_nothing_due() -> None:
    known, silent = Partition(NOON), Partition(None)
    machine = Machine(known, silent)
    known.watermark = NOON + 5_000
    assert not machine.after(400)
    assert machine.flushes.poll_ms(machine.partitions) == LONGEST_POLL


def test_the_clock_makes_a_step_due_where_no_event_does() -> None:
    machine = Machine(Partition(NOON - 3_000, "idle"))
    machine.now += 640
    machine.flushes.begin(machine.partitions)
    assert not machine.after(300)
    assert machine.flushes.poll_ms(machine.partitions) == 1_000 - 940 + 1
    assert not machine.after(59)
    assert machine.after(1)


def test_a_partition_that_events_move_says_when_and_the_silent_ones_do_not() -> None:
    moving, idle = Partition(NOON - 1_100), Partition(NOON - 9_000, "idle")
    machine = Machine(moving, idle)
    assert machine.flushes.poll_ms(machine.partitions) == LONGEST_POLL
    machine.now += 700
    machine.flushes.begin(machine.partitions)
    assert not machine.after(400)  # the clock has passed a step
    moving.watermark = NOON - 1_000
    assert machine.after(0)


def test_a_partition_that_is_behind_is_followed_once_it_has_come() -> None:
    first, late = Partition(NOON + 900), Partition(NOON - 60_000)
    machine = Machine(first)
    machine.partitions.append(late)
    assert machine.after(500)
    machine.flushes.begin(machine.partitions)
    late.watermark = NOON - 59_000
    assert not machine.after(199)
    assert machine.after(2)


def test_where_the_clock_runs_faster_a_step_of_real_time_counts() -> None:
    machine = Machine(Partition(NOON - 200_000, "idle"), pace=60.0)
    assert machine.flushes.poll_ms(machine.partitions) <= LONGEST_POLL
    machine.now += 60 * 640
    machine.flushes.begin(machine.partitions)
    assert not machine.after(60 * 300)
    assert machine.after(60 * 61)


def test_a_backlog_is_flushed_five_times_a_second() -> None:
    partition = Partition(NOON - 10**9)
    machine = Machine(partition)
    begun = 0
    for _ in range(1_000):
        partition.watermark = (partition.watermark or 0) + 100_000
        if machine.after(10):
            machine.flushes.begin(machine.partitions)
            begun += 1
    assert 45 <= begun <= 50


def test_of_a_backlog_that_makes_no_step_due_no_more_is_gathered_than_in_a_fifth_of_a_second() -> None:
    machine = Machine(Partition(NOON - 10**9))
    machine.now += 201
    assert not machine.flushes.is_due(machine.partitions, 3_999)
    assert machine.flushes.is_due(machine.partitions, 4_000)
    machine.flushes.begin(machine.partitions, 4_000)
    machine.now += 201
    assert not machine.flushes.is_due(machine.partitions, 7_999)


@given(
    st.lists(st.tuples(st.integers(1, 120), st.integers(0, 20_000)), min_size=1, max_size=200),
    st.integers(1, 3),
)
def test_however_fast_a_backlog_is_read_flushes_stay_apart_and_none_is_late(
    turns: list[tuple[int, int]], partitions: int
) -> None:
    machine = Machine(*(Partition(NOON - 10**9) for _ in range(partitions)))
    begun = [machine.now]
    for passed, read in turns:
        for one in machine.partitions:
            assert one.watermark is not None
            one.watermark += read
        if machine.after(passed):
            machine.flushes.begin(machine.partitions)
            begun.append(machine.now)
        assert machine.now - begun[-1] <= 500
    assert all(third - first >= 199 for first, third in zip(begun, begun[2:], strict=False))
