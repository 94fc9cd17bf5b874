"""The broker's time is known from its timestamps, whatever the clock of this machine says, and when it is set."""

from __future__ import annotations

import pytest

from streams.runtime.broker_clock import BrokerClock

_NOON = 1_700_000_000_000
_MINUTES = 120_000


class Machine:
    """A machine whose clock is ``ahead`` (ms) of the broker's."""

    def __init__(self) -> None:
        self.seconds = 77.0
        self.ahead = 0
        self.clock = BrokerClock(lambda: self.broker() + self.ahead, lambda: self.seconds)

    def broker(self) -> int:
        """The broker's time, ms."""
        return _NOON + round(1_000 * self.seconds)

    def write(self, there: float = 0.01, back: float = 0.01) -> None:
        """Write a record: so many seconds to the broker, and as many for its answer."""
        began = self.seconds
        self.seconds += there
        stamp = self.broker()
        self.seconds += back
        self.clock.note(stamp, after=began)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_until_the_broker_has_told_its_time_it_is_that_of_the_machine(machine: Machine) -> None:
    machine.ahead = 5_000
    assert machine.clock() == machine.broker() + 5_000
    assert machine.clock.ahead is None


@pytest.mark.parametrize("ahead", [-_MINUTES, -7_000, 0, 7_000, _MINUTES])
def test_one_record_written_tells_it(machine: Machine, ahead: int) -> None:
    machine.ahead = ahead
    machine.write()
    assert abs(machine.clock() - machine.broker()) <= 10
    assert machine.clock.ahead is not None
    assert abs(machine.clock.ahead - ahead) <= 20


def test_slow_answers_do_not_spoil_what_quick_ones_have_told(machine: Machine) -> None:
    machine.ahead = _MINUTES
    machine.write()
    for there, back in [(4.0, 0.01), (0.01, 4.0), (2.0, 2.0)] * 10:
        machine.write(there, back)
        assert abs(machine.clock() - machine.broker()) <= 50


@pytest.mark.parametrize("jump", [-_MINUTES, -3_000, 3_000, _MINUTES])
def test_a_clock_that_is_set_meanwhile_changes_nothing(machine: Machine, jump: int) -> None:
    machine.write()
    machine.ahead += jump
    assert abs(machine.clock() - machine.broker()) <= 10
    assert machine.clock.ahead is not None
    assert abs(machine.clock.ahead - jump) <= 20


@pytest.mark.parametrize("suspended", [30.0, 7_200.0])
def test_after_a_suspension_the_next_record_tells_it_anew(machine: Machine, suspended: float) -> None:
    machine.write()
    stamp = machine.broker() + round(1_000 * suspended)  # the monotonic clock stood still meanwhile
    began = machine.seconds
    machine.seconds += 0.02
    machine.clock.note(stamp, after=began)
    assert abs(machine.clock() - stamp) <= 20


def test_records_that_are_read_say_how_late_it_is_at_least(machine: Machine) -> None:
    machine.ahead = -_MINUTES
    machine.clock.note(machine.broker() - 40)
    assert machine.clock() == machine.broker() - 40
    machine.ahead = _MINUTES
    assert machine.clock() == machine.broker() + _MINUTES, "a backlog is old, too"
    assert machine.clock.ahead is None


def test_records_that_were_waited_for_say_how_late_it_is_at_most(machine: Machine) -> None:
    machine.ahead = _MINUTES
    waited_from, stamp = machine.seconds, machine.broker() + 1_000
    machine.seconds += 1.05
    machine.clock.note(stamp, after=waited_from - 2.0)
    assert abs(machine.clock() - machine.broker()) <= 100
    assert machine.clock.ahead is not None
    assert _MINUTES - 3_100 <= machine.clock.ahead <= _MINUTES
