"""Does a guard notice that no worker evaluates any more, and within how long?"""

from __future__ import annotations

import pytest

from streams.records.progress import evaluated_to_in, progress_headers, together_in
from streams.watchdog.fleet import FleetWatch
from tests.streams.watchdog.world import BLIND_AFTER, NOON, World


class Guarded:
    """A fleet that writes its progress each 10 s, and the guard that follows it."""

    def __init__(self) -> None:
        self.world = World()
        self.fleet = FleetWatch(self.world.progress, self.world.monotonic, blind_after=BLIND_AFTER)
        self.reached = NOON + 27_000  # ms; of an environment that falls behind
        self.fleet.take("prod", NOON - 86_400_000)  # what stands on the topic
        self.fleet.caught_up()

    def run(self, seconds: int, *writing: str) -> None:
        for _ in range(seconds):
            if round(self.world.seconds) % 10 == 0:
                for env in writing:
                    self.fleet.take(env, self.world.clock() - 3_000)
            self.fleet.look()
            self.world.wait(1)


@pytest.fixture
def guarded() -> Guarded:
    guarded = Guarded()
    guarded.run(30, "prod", "staging")
    guarded.world.pagerduty.take()
    return guarded


def test_a_fleet_that_writes_its_progress_is_well(guarded: Guarded) -> None:
    guarded.run(600, "prod", "staging")
    assert guarded.world.pagerduty.take() == []
    assert guarded.world.progress.obstacles() == ()


def test_a_dead_fleet_is_said_within_half_a_minute_of_the_limit(guarded: Guarded) -> None:
    guarded.run(round(BLIND_AFTER))
    assert guarded.world.pagerduty.take() == []
    guarded.run(30)
    assert guarded.world.pagerduty.take() == [("blind", "lag")]
    (said,) = guarded.world.pagerduty.statements
    assert "No worker has evaluated prod beyond 2026-11-23T12:00:17Z" in said.sentence
    assert "staging" in said.sentence
    assert said.remedy.startswith("Start the workers")
    guarded.run(20, "prod", "staging")
    assert guarded.world.pagerduty.take() == [("seeing", "lag")]


def test_one_environment_that_stands_is_said_though_others_move_on(guarded: Guarded) -> None:
    guarded.run(90, "staging")
    assert guarded.world.pagerduty.take() == [("blind", "lag")]
    assert "staging" not in guarded.world.pagerduty.statements[0].sentence


def test_a_record_that_is_written_again_without_having_moved_on_is_no_progress(guarded: Guarded) -> None:
    at = guarded.world.clock() - 3_000
    for _ in range(9):
        guarded.fleet.take("prod", at)
        guarded.fleet.take("staging", None)  # of a build that does not say
        guarded.run(10)
    assert guarded.world.pagerduty.take() == [("blind", "lag")]
    assert "staging" not in guarded.world.pagerduty.statements[0].sentence


def test_a_fleet_that_has_never_run_is_said() -> None:
    guarded = Guarded()
    guarded.run(59)
    assert guarded.world.pagerduty.take() == []
    guarded.run(31)
    assert guarded.world.pagerduty.take() == [("blind", "lag")]
    assert "No worker has written" in guarded.world.pagerduty.statements[0].sentence


def test_nothing_is_resolved_before_a_worker_has_been_seen_to_evaluate() -> None:
    guarded = Guarded()
    guarded.run(30)
    assert guarded.world.pagerduty.take() == []
    guarded.run(20, "prod")
    assert ("seeing", "lag") in guarded.world.pagerduty.take()


def test_an_environment_that_was_given_up_is_not_waited_for(guarded: Guarded) -> None:
    guarded.run(20, "prod")
    guarded.fleet.take("staging", None, gone=True)
    guarded.run(120, "prod")
    assert guarded.world.pagerduty.take() == []


def test_an_environment_that_is_evaluated_with_the_others_no_more_is_not_waited_for(guarded: Guarded) -> None:
    for _ in range(12):
        at = guarded.world.clock() - 3_000
        guarded.fleet.take("prod", at, place=0, together=frozenset({"prod"}))
        guarded.run(10)
    assert guarded.world.pagerduty.take() == []  # staging was written to the same partition


def test_an_environment_of_another_partition_is_waited_for_whatever_is_evaluated_together() -> None:
    guarded = Guarded()
    guarded.fleet.take("staging", guarded.world.clock(), place=1)
    for _ in range(12):
        guarded.fleet.take("prod", guarded.world.clock(), place=0, together=frozenset({"prod"}))
        guarded.run(10)
    assert guarded.world.pagerduty.take()[-1] == ("blind", "lag")
    assert "staging" in guarded.world.pagerduty.statements[-1].sentence


def test_an_environment_that_comes_back_is_waited_for_again(guarded: Guarded) -> None:
    guarded.fleet.take("prod", guarded.world.clock(), together=frozenset({"prod"}))
    guarded.run(100, "prod")
    guarded.fleet.take("staging", guarded.world.clock(), together=frozenset({"prod", "staging"}))
    guarded.run(100, "prod")
    assert guarded.world.pagerduty.take() == [("blind", "lag")]
    assert "staging" in guarded.world.pagerduty.statements[-1].sentence


@pytest.mark.parametrize("key", ["", "no environment", "Prod", "process/a", "\ufffd"])
def test_a_record_whose_key_is_no_name_of_an_environment_is_not_waited_for(
    guarded: Guarded, key: str
) -> None:
    guarded.fleet.take(key, None)
    guarded.run(200, "prod", "staging")
    assert guarded.world.pagerduty.take() == []


@pytest.mark.parametrize("at", [0, NOON, None])
@pytest.mark.parametrize("envs", [(), ("prod",), ("prod", "a:b", "other")])
def test_the_progress_stands_in_the_headers_of_a_state(at: int | None, envs: tuple[str, ...]) -> None:
    headers = [("other", b"x"), *progress_headers(at, envs)]
    assert evaluated_to_in(headers) == at
    assert together_in(headers) == (frozenset(envs) if envs else None)


def test_a_header_that_is_no_number_says_nothing() -> None:
    assert evaluated_to_in([("evaluated_to", b"soon")]) is None
    assert evaluated_to_in([("evaluated_to", b"9" * 5_000)]) is None


def test_an_environment_that_moves_on_at_times_and_stays_behind_is_said(guarded: Guarded) -> None:
    for _ in range(6):  # workers that end again and again: in 20 s they evaluate 10
        guarded.reached += 10_000
        guarded.fleet.take("prod", guarded.reached, stamp=guarded.world.clock())
        guarded.run(20, "staging")
    assert guarded.world.pagerduty.take() == []
    for _ in range(6):
        guarded.reached += 10_000
        guarded.fleet.take("prod", guarded.reached, stamp=guarded.world.clock())
        guarded.run(20, "staging")
    assert guarded.world.pagerduty.take() == [("blind", "lag")]
    assert "stay behind" in guarded.world.pagerduty.statements[0].sentence
    for _ in range(20):  # until one does not end: it catches up
        guarded.reached = min(guarded.reached + 100_000, guarded.world.clock() - 3_000)
        guarded.fleet.take("prod", guarded.reached, stamp=guarded.world.clock())
        guarded.run(10, "staging")
    assert guarded.world.pagerduty.take() == [("seeing", "lag")]


def test_an_hour_that_is_caught_up_is_not_said(guarded: Guarded) -> None:
    guarded.fleet.take("dev", NOON - 3_600_000, stamp=guarded.world.clock())
    for n in range(60):
        guarded.fleet.take("dev", NOON - 3_600_000 + n * 100_000, stamp=guarded.world.clock())
        guarded.run(5, "prod", "staging")
    assert guarded.world.pagerduty.take() == []


def test_what_is_read_once_more_after_a_broken_connection_is_no_progress(guarded: Guarded) -> None:
    for _ in range(9):
        guarded.fleet.reads_anew()
        guarded.fleet.take("prod", None)  # of a build that does not say
        guarded.fleet.take("staging", NOON - 60_000)
        guarded.fleet.caught_up()
        guarded.run(10)
    assert guarded.world.pagerduty.take() == [("blind", "lag")]
    assert "prod" in guarded.world.pagerduty.statements[0].sentence
