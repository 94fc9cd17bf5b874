"""A worker waits for Kafka in words, and goes on by itself when somebody mends what was wrong."""

from __future__ import annotations

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.kafka.admin import TopicProblem
from streams.kafka.diagnosis import Diagnosis
from streams.kafka.rights import MissingRight
from streams.runtime.clocks import Timing
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why
from streams.worker.preparation import KafkaQuestions, Preparation

EXPIRED = Diagnosis("the certificate of the Kafka broker has expired", "renew the certificate of the broker")
READ = MissingRight("Read", "topic", "login-events")
WRITE_SLI = MissingRight("Write", "topic", "sli", verdicts_go_on=True)


class World:
    """A cluster whose state changes with each wait: ``states`` are what it is asked for, one after the other."""

    def __init__(self, *states: BaseException | list[MissingRight]) -> None:
        self.states = list(states)
        self.now = 0.0
        self.said: list[tuple[Why, str, str]] = []
        self.parts: list[dict[str, str]] = []
        self.prepared = 0
        self.problem: TopicProblem | None = None
        self.health = Health(lambda: self.now)
        self.progress = Progress(lambda: self.now)
        questions = KafkaQuestions(
            rights=self.rights,
            topics=self.topics,
            diagnose=self.diagnose,
            partitions=self.partitions,
            inputs=["login-events"],
            user="watch",
        )
        timing = Timing(sleep=self.sleep, monotonic=lambda: self.now, chance=lambda: 1.0)
        self.prepare = Preparation(questions, self.health, self.progress, timing)

    async def rights(self) -> list[MissingRight]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(state, BaseException):
            raise state
        return state

    async def topics(self) -> int:
        self.prepared += 1
        if self.problem is not None:
            raise self.problem
        return 6

    async def partitions(self) -> dict[str, int]:
        return {}

    async def diagnose(self, error: BaseException) -> Diagnosis:
        return EXPIRED

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.said = self.obstacles()
        self.parts.append(self.health.waiting())

    def obstacles(self) -> list[tuple[Why, str, str]]:
        return [(one.why, one.sentence, one.remedy) for one in self.progress.obstacles()]


async def test_a_broker_that_lets_nobody_in_is_an_obstacle_until_it_does() -> None:
    world = World(KafkaConnectionError(), KafkaConnectionError(), [])
    await world.prepare()
    assert world.prepare.partitions == 6
    assert world.said == [(Why.BROKER, *EXPIRED)]
    assert world.parts == [{"start": EXPIRED.sentence}] * 2
    assert world.obstacles() == []
    assert world.health.waiting() == {}
    assert world.prepared == 1


async def test_a_missing_right_is_said_with_the_command_that_gives_it_and_waited_for() -> None:
    world = World([READ], [])
    await world.prepare()
    sentence = "this process lacks the right Read on the topic login-events"
    command = "kafka-acls.sh --add --allow-principal User:watch --operation Read --topic login-events"
    assert world.said == [(Why.BROKER, sentence, command)]
    assert world.parts == [{"start": sentence}]
    assert world.obstacles() == []


async def test_a_right_that_verdicts_do_without_holds_up_no_start_and_is_said() -> None:
    world = World([WRITE_SLI])
    await world.prepare()
    assert world.prepared == 1
    assert [(why, sentence) for why, sentence, _ in world.obstacles()] == [
        (Why.WRITE, "this process lacks the right Write on the topic sli")
    ]


async def test_a_right_that_is_taken_from_a_running_worker_is_said_and_so_is_its_return() -> None:
    world = World([], [READ, WRITE_SLI], KafkaConnectionError(), [READ], [])
    await world.prepare()
    await world.prepare.rights.look()
    assert [why for why, *_ in world.obstacles()] == [Why.BROKER, Why.WRITE]
    await world.prepare.rights.look()
    assert len(world.obstacles()) == 2
    await world.prepare.rights.look()
    assert [why for why, *_ in world.obstacles()] == [Why.BROKER]
    await world.prepare.rights.look()
    assert world.obstacles() == []


async def test_a_topic_that_is_not_as_it_must_be_ends_the_start() -> None:
    world = World([])
    world.problem = TopicProblem("login-events: records carry their producers' clocks, unchecked")
    with pytest.raises(TopicProblem):
        await world.prepare()
