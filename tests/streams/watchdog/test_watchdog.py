"""Is it said that the watch is blind when something does not get on, and only then?"""

from __future__ import annotations

import pytest

from streams.runtime.progress import Why
from tests.streams.watchdog.world import NOON, World

ALL = [*(why.value for why in Why), ""]


@pytest.fixture
def world() -> World:
    world = World()
    world.settle()
    return world


def test_an_obstacle_that_stands_for_a_minute_is_said_once_and_taken_back(world: World) -> None:
    world.progress.stuck(
        Why.WRITE, "Topic sli refuses records: no right to write", key="sli", remedy="Grant it."
    )
    world.wait(59)
    assert world.pagerduty.take() == world.slack.take() == []
    world.wait(1)
    assert world.pagerduty.take() == world.slack.take() == [("blind", "write")]
    (said,) = world.pagerduty.statements
    assert said.sentence == "Topic sli refuses records: no right to write."
    assert said.remedy == "Grant it."
    assert said.at == world.clock() - 60_000
    world.wait(200)
    assert world.pagerduty.take() == world.slack.take() == []
    world.progress.going(Why.WRITE, "sli")
    world.wait(1)
    assert world.pagerduty.take() == world.slack.take() == [("seeing", "write")]
    world.wait(400)
    assert world.pagerduty.take() == world.slack.take() == []


def test_an_alert_is_repeated_each_five_minutes_and_a_message_is_not(world: World) -> None:
    world.progress.stuck(Why.BROKER, "The broker does not answer")
    world.wait(60 + 620)
    assert world.pagerduty.take() == [("blind", "broker")] * 3
    assert world.slack.take() == [("blind", "broker")]


def test_what_gets_on_again_before_a_minute_is_over_is_not_said(world: World) -> None:
    for _ in range(5):
        world.progress.stuck(Why.PARTITION, "Partition 3 is not read to its end", key="3")
        world.wait(50)
        world.progress.going(Why.PARTITION, "3")
        world.wait(1)
    assert world.pagerduty.take() == world.slack.take() == []


def test_a_receiver_that_does_not_answer_is_tried_again_and_holds_up_no_other(world: World) -> None:
    world.pagerduty.refuses = "no answer in time"
    world.progress.stuck(Why.CLOCK, "The clock is 90 s ahead")
    world.wait(100)
    assert world.slack.take() == [("blind", "clock")]
    world.pagerduty.refuses = None
    world.wait(31)
    assert world.pagerduty.take() == [("blind", "clock")]
    world.pagerduty.refuses = "HTTP 500"
    world.progress.going(Why.CLOCK)
    world.wait(60)
    world.pagerduty.refuses = None
    world.wait(31)
    assert world.pagerduty.take() == [("seeing", "clock")]


def test_the_sentences_of_one_kind_are_said_together_and_the_fifth_is_counted(world: World) -> None:
    for partition in range(6):
        world.progress.stuck(Why.PARTITION, f"Partition {partition} stands.", key=str(partition))
    world.wait(60)
    (said,) = world.pagerduty.statements
    assert said.sentence == (
        "Partition 0 stands; Partition 1 stands; Partition 2 stands; Partition 3 stands; 2 more."
    )
    assert "kafka-transactions.sh" in said.remedy  # nobody knew better


def test_an_event_loop_that_stands_still_is_said(world: World) -> None:
    world.frozen = True
    world.wait(59)
    assert world.pagerduty.take() == []
    assert "gone round for 59 s" in world.watchdog.report().obstacles[0].sentence
    world.wait(1)
    assert world.pagerduty.take() == [("blind", "loop")]
    world.frozen = False
    world.wait(1)
    assert world.pagerduty.take() == [("seeing", "loop")]


def test_a_process_that_was_stopped_blames_no_part_for_what_it_could_not_observe(world: World) -> None:
    world.progress.stuck(Why.BROKER, "away")
    world.wait(10)
    world.seconds += 300.0  # SIGSTOP, SIGCONT
    world.watchdog.woke()
    world.watchdog.look()
    assert world.pagerduty.take() == []
    world.wait(60)
    assert world.pagerduty.take() == [("blind", "broker")]


def test_an_evaluation_that_stands_still_is_said_and_names_what_holds_it_back(world: World) -> None:
    world.wait(5, evaluating="prod")
    stood_at = world.clock() - 3_000
    world.progress.evaluated("prod", stood_at, held_back_by="the furthest behind is partition 2 of the input")
    world.wait(59)
    assert world.pagerduty.take() == []
    world.wait(1)
    assert world.pagerduty.take() == [("blind", "lag")]
    (said,) = world.pagerduty.statements
    assert "prod is evaluated only up to 2026-11-23T12:00:07Z, 63 s ago" in said.sentence
    assert "partition 2 of the input" in said.sentence
    assert world.looks[-1] == (frozenset({"lag"}), {"prod": 63.0})
    world.wait(1, evaluating="prod")
    assert world.pagerduty.take() == [("seeing", "lag")]


def test_an_evaluation_that_catches_up_an_hour_is_not_blind(world: World) -> None:
    reached = world.clock() - 3_600_000
    for _ in range(300):
        reached += 10_000  # ten times as fast as time goes by
        world.progress.evaluated("prod", min(reached, world.clock() - 3_000))
        world.wait(1)
    assert world.pagerduty.take() == []


def test_an_evaluation_that_stays_minutes_behind_is_blind(world: World) -> None:
    world.wait(5, evaluating="prod")
    for _ in range(600):  # half as fast as time goes by, then as fast, five minutes behind
        behind = 3_000 + min(300, (round(world.seconds) - 1010) // 2) * 1000
        world.progress.evaluated("prod", world.clock() - behind)
        world.wait(1)
    assert world.pagerduty.take()[0] == ("blind", "lag")
    assert "303 s ago" in world.watchdog.report().blind["lag"]


def test_the_lag_is_measured_by_the_brokers_clock_and_in_its_pace() -> None:
    world = World(pace=60.0)
    world.progress.evaluated("prod", NOON - 60_000)
    world.progress.broker_ahead = -30_000
    world.watchdog.look()
    assert world.looks[-1][1] == {"prod": 0.5}


def test_what_follows_from_a_cause_is_not_said_beside_it(world: World) -> None:
    world.wait(5, evaluating="prod")
    world.wait(10)  # evaluation stands, and ten seconds later it is known why
    world.progress.stuck(Why.WRITE, "Topic incidents refuses records", key="incidents")
    world.health.unready("sinks", "it waits")
    world.wait(200)
    assert world.pagerduty.take() == [("blind", "write")]
    world.progress.going(Why.WRITE, "incidents")
    world.wait(20)  # nobody reads that it sees again before it has caught up
    assert world.pagerduty.take() == []
    world.wait(41)
    assert set(world.pagerduty.take()) == {("blind", "lag"), ("blind", "start"), ("seeing", "write")}


def test_a_cause_is_over_once_what_follows_from_it_is(world: World) -> None:
    world.wait(5, evaluating="prod")
    world.progress.stuck(Why.WRITE, "Topic incidents refuses records", key="incidents")
    world.wait(100)
    world.progress.going(Why.WRITE, "incidents")
    world.wait(10)
    assert world.pagerduty.take() == [("blind", "write")]
    assert (
        world.watchdog.report()
        .blind["write"]
        .startswith("Topic incidents refuses records. That is over; what follows from it is not yet.")
    )
    world.wait(3, evaluating="prod")
    assert world.pagerduty.take() == [("seeing", "write")]
    assert world.watchdog.report().blind == {}


def test_a_cause_that_comes_and_goes_does_not_hide_what_follows_from_it(world: World) -> None:
    world.wait(5, evaluating="prod")
    for _ in range(5):
        world.progress.stuck(Why.WRITE, "Topic incidents refuses records", key="incidents")
        world.wait(15)
        world.progress.going(Why.WRITE, "incidents")
        world.wait(3)
    assert world.pagerduty.take() == [("blind", "lag")]


def test_an_environment_that_was_handed_over_is_nobodys_lag_here(world: World) -> None:
    world.progress.evaluated("prod", world.clock())
    world.wait(30)
    world.progress.evaluated("prod", None)
    world.wait(120)
    assert world.pagerduty.take() == []
    assert world.looks[-1] == (frozenset(), {})


def test_a_part_that_does_not_begin_is_said_unless_it_waits_for_a_reason_of_its_own(world: World) -> None:
    world.exempt = True
    world.health.unready("evaluate", "partitions [2] are not restored yet")
    world.wait(200)
    assert world.pagerduty.take() == []
    world.exempt = False
    world.wait(61)
    assert world.pagerduty.take() == [("blind", "start")]
    assert "evaluate does not do its work: partitions [2]" in world.pagerduty.statements[0].sentence
    world.health.ready("evaluate")
    world.wait(1)
    assert world.pagerduty.take() == [("seeing", "start")]


def test_what_a_dead_worker_left_open_is_resolved_once_all_is_well() -> None:
    world = World()
    world.health.unready("ingest", "not yet")
    world.wait(30)
    assert world.pagerduty.take() == []
    world.health.ready("ingest")
    world.wait(10)
    assert world.pagerduty.take() == [("seeing", why) for why in ALL]
    assert world.slack.take() == []  # a message stays what it is
    world.wait(100)
    assert world.pagerduty.take() == []


def test_nothing_is_resolved_while_another_worker_does_not_get_on() -> None:
    world = World()
    world.progress.set_fleet({"prod": world.clock() - 90_000, "gone": NOON - 86_400_000})
    world.wait(10)
    assert world.pagerduty.take() == []
    world.progress.set_fleet({"prod": world.clock() - 12_000, "gone": NOON - 86_400_000})
    world.wait(10)
    assert len(world.pagerduty.take()) == len(ALL)


def test_secrets_are_in_nothing_that_is_said() -> None:
    world = World(secret="hunter2")
    world.health.unready("views", "password hunter2 was refused")
    world.progress.stuck(Why.BROKER, "The broker refuses the password hunter2", remedy="not hunter2")
    world.wait(61)
    shown = f"{world.pagerduty.statements} {world.slack.statements} {world.watchdog.report()}"
    assert "[secret]" in shown
    assert "hunter2" not in shown


def test_the_heartbeat_is_called_each_minute_and_never_while_something_does_not_get_on() -> None:
    world = World(url="https://beat.test/1")
    world.wait(130)
    assert world.called == ["GET https://beat.test/1"] * 3
    world.progress.stuck(Why.LAG, "prod stands", key="prod")
    world.wait(300)
    assert len(world.called) == 3
    world.progress.going(Why.LAG, "prod")
    world.answers = 503
    world.wait(40)
    assert len(world.called) == 6  # sooner again after a failure
    world.answers = 200
    world.wait(15)
    assert len(world.called) == 7


def test_what_is_to_be_done_is_told_anew_at_the_same_alert_when_it_changes(world: World) -> None:
    world.progress.stuck(Why.WRITE, "records are not acknowledged", key="sli", remedy="look at the brokers")
    world.wait(62)
    world.progress.stuck(Why.WRITE, "too few replicas, 1 of 2", key="sli", remedy="bring the broker back")
    world.wait(40)
    world.progress.stuck(Why.WRITE, "too few replicas, 1 of 3", key="sli", remedy="bring the broker back")
    world.wait(100)
    assert world.pagerduty.take() == [("blind", "write")] * 2
    assert [said.remedy for said in world.pagerduty.statements] == [
        "look at the brokers",
        "bring the broker back",
    ]
    assert world.slack.take() == [("blind", "write")]


def test_a_receiver_that_cannot_be_told_for_an_unforeseen_reason_keeps_no_other_from_being_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(said: object) -> str | None:
        raise UnicodeEncodeError("ascii", "é", 0, 1, "a token with an accent")

    monkeypatch.setattr(world.pagerduty, "blind", fail)
    world.progress.stuck(Why.BROKER, "away")
    world.wait(61)
    assert world.slack.take() == [("blind", "broker")]


def test_an_environment_that_stood_still_with_another_worker_has_stood_still_since_then(world: World) -> None:
    reached = world.clock() - 3_000
    world.progress.set_fleet({"prod": reached})
    world.wait(1)
    world.progress.set_fleet({"prod": reached})
    world.wait(30)  # it stands with another worker
    world.progress.evaluated("prod", reached)
    world.wait(31)  # and with this one
    assert world.pagerduty.take() == [("blind", "lag")]


def test_a_fault_of_the_watchdog_does_not_end_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    looked = []

    class Once(Exception):
        pass

    def look() -> None:
        looked.append(1)
        if len(looked) == 2:
            world.watchdog.stop()
        raise Once

    world.watchdog.look = look  # type: ignore[method-assign]
    world.watchdog._ended.wait = lambda timeout=None: len(looked) == 2  # type: ignore[method-assign]
    world.watchdog._run()
    assert len(looked) == 2


def test_the_heartbeat_stops_while_commands_wait_and_no_receiver_takes_any() -> None:
    world = World(url="https://beat.test/1")
    world.wait(90)
    before = len(world.called)
    assert before
    world.progress.unheard_for = 299.0
    world.wait(61)
    assert len(world.called) == before + 1
    world.progress.unheard_for = 300.0
    world.wait(300)
    assert len(world.called) == before + 1
    world.progress.unheard_for = 0.0
    world.wait(2)
    assert len(world.called) == before + 2
