"""Does Progress keep what stands in the way, and since when?"""

from __future__ import annotations

from streams.runtime.progress import Position, Progress, Why


class _Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_obstacle_keeps_its_beginning_when_its_words_change() -> None:
    time = _Time()
    progress = Progress(time)
    progress.stuck(Why.WRITE, "sli refuses", key="sli")
    time.now = 130.0
    progress.stuck(Why.WRITE, "sli still refuses", key="sli", remedy="grant WRITE")
    (one,) = progress.obstacles()
    assert one == (Why.WRITE, "sli", 100.0, "sli still refuses", "grant WRITE")


def test_an_obstacle_that_is_over_begins_anew() -> None:
    time = _Time()
    progress = Progress(time)
    progress.stuck(Why.BROKER, "away")
    progress.going(Why.BROKER)
    assert progress.obstacles() == ()
    progress.going(Why.BROKER)  # twice is no error
    time.now = 200.0
    progress.stuck(Why.BROKER, "away")
    assert [one.since for one in progress.obstacles()] == [200.0]


def test_obstacles_of_one_kind_are_told_apart_by_their_keys_and_the_oldest_is_first() -> None:
    time = _Time()
    progress = Progress(time)
    progress.stuck(Why.PARTITION, "partition 3", key="3")
    progress.stuck(Why.LAG, "prod", key="prod", since=40.0)
    progress.stuck(Why.PARTITION, "partition 1", key="1")
    progress.going(Why.PARTITION, "3")
    assert [(one.why, one.key, one.since) for one in progress.obstacles()] == [
        (Why.LAG, "prod", 40.0),
        (Why.PARTITION, "1", 100.0),
    ]


def test_a_loop_that_goes_round_is_known_by_its_last_beat() -> None:
    time = _Time()
    progress = Progress(time)
    assert progress.last_beat("loop") is None
    progress.beat("loop")
    time.now = 107.0
    assert progress.last_beat("loop") == 100.0


def test_what_another_worker_owns_is_forgotten() -> None:
    progress = Progress(_Time())
    progress.evaluated("prod", 5_000)
    progress.evaluated("staging", 6_000)
    progress.evaluated("prod", None)
    progress.read_to(1, Position(10, 12))
    progress.read_to(0, Position(7, 7))
    progress.read_to(1, None)
    assert progress.evaluated_to() == {"staging": 6_000}
    assert progress.positions() == {0: (7, 7)}
