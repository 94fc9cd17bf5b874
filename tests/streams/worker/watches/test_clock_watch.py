"""A clock that is off is a notice from seconds on, and an obstacle from a minute on."""

from __future__ import annotations

import pytest

from detectors.instants import SECOND
from streams.runtime.broker_clock import BrokerClock
from streams.runtime.progress import Progress, Why
from streams.worker.watches.clock_watch import ClockWatch


class Watched:
    """A clock that is ``ahead`` (ms) of the broker's, and what is said of it."""

    def __init__(self) -> None:
        self.ahead = 0
        self.seconds = 5.0
        self.progress = Progress(lambda: self.seconds)
        self.measured: list[int] = []
        self.time = BrokerClock(lambda: self.broker() + self.ahead, lambda: self.seconds)
        self.watch = ClockWatch(self.time, self.progress, self)

    def broker(self) -> int:
        return 1_000_000 + round(1_000 * self.seconds)

    def clock_ahead(self, ahead: int) -> None:
        self.measured.append(ahead)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_while_nothing_is_known_nothing_is_said(watched: Watched) -> None:
    watched.ahead = 90 * SECOND
    watched.watch.look()
    assert (watched.measured, watched.progress.obstacles()) == ([], ())


@pytest.mark.parametrize("ahead", [90 * SECOND, -90 * SECOND])
def test_a_clock_a_minute_off_is_an_obstacle_until_it_is_right(
    watched: Watched, ahead: int, capsys: pytest.CaptureFixture[str]
) -> None:
    watched.time.note(watched.broker(), after=watched.seconds)
    watched.ahead = ahead
    watched.watch.look()
    watched.watch.look()
    (obstacle,) = watched.progress.obstacles()
    assert obstacle.why is Why.CLOCK
    side = "ahead of" if ahead > 0 else "behind"
    assert obstacle.sentence == f"the clock of this machine is 90s {side} the Kafka broker's"
    assert (watched.measured, watched.progress.broker_ahead) == ([ahead, ahead], -ahead)
    watched.ahead = 3 * SECOND
    watched.watch.look()
    assert watched.progress.obstacles() == ()
    said = capsys.readouterr().out
    assert (said.count("clock_off"), said.count("clock_right_again")) == (1, 1)


def test_a_clock_seconds_off_is_a_notice(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    watched.time.note(watched.broker(), after=watched.seconds)
    watched.ahead = 7 * SECOND
    watched.watch.look()
    assert watched.progress.obstacles() == ()
    assert capsys.readouterr().out.count("clock_off") == 1
