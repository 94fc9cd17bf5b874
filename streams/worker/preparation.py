"""What must hold before the parts of a worker start: a broker that lets it in, rights, and topics as they must be?

None of this ends the process: whoever mends it (a broker that comes back, a right that is given) need not restart the
worker. A topic that the worker may not create, and one whose timestamps cannot be trusted, are said once and end it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiokafka.errors import KafkaError, UnrecognizedBrokerVersion

from streams.kafka.admin import addressed_partitions, check_clock, check_inputs, create_missing
from streams.kafka.clients import Backoff, KafkaClients
from streams.kafka.diagnosis import Diagnosis, diagnose
from streams.kafka.inspection.metadata import partition_counts
from streams.kafka.rights import MissingRight, missing_rights
from streams.kafka.topics import Topics
from streams.runtime.clocks import REAL_TIMING, Timing
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why
from streams.worker.step_check import check_step
from streams.worker.watches.rights_watch import RightsWatch
from streams.worker.watches.topics_watch import TopicsWatch

__all__ = ["KafkaQuestions", "Preparation", "kafka_questions"]

log = structlog.get_logger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 4.0  # seconds, of the backoff
_LOG_EVERY = 60.0  # seconds, of a reason that does not change
_PART, _KEY = "start", "start"


@dataclass(frozen=True, kw_only=True)
class KafkaQuestions:
    """What is asked of Kafka before and while a worker runs.

    Attributes:
        rights: the rights that this worker lacks.
        partitions: the number of partitions of each topic, 0 where there is none.
        inputs: the topics that are read.
        topics: creates missing topics and checks the others; raises ``TopicProblem``. The number of partitions of
            the topics on which a record has a partition of its environment or incident.
        diagnose: says why Kafka did not answer one of the others.
        user: the name with which this worker enters; None without one.
    """

    rights: Callable[[], Awaitable[Sequence[MissingRight]]]
    topics: Callable[[], Awaitable[int]]
    diagnose: Callable[[BaseException], Awaitable[Diagnosis]]
    partitions: Callable[[], Awaitable[Mapping[str, int]]]
    inputs: Collection[str]
    user: str | None = None


def kafka_questions(
    kafka: Mapping[str, Any],
    topics: Topics,
    roles: Collection[str],
    future_limit: int | None,
    step: int,
    *,
    inputs: Sequence[str] = (),
) -> KafkaQuestions:
    """The questions, as they are asked of a real cluster.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        topics: the names of the topics.
        roles: the roles of this worker.
        future_limit: how far ahead of the broker's clock a timestamp may be, ms; None: timestamps are not checked.
        step: of the policy, ms.
        inputs: the topics that are read.
    """
    inputs = inputs or [topics.login_events]

    async def prepare_topics() -> int:
        created = await create_missing(topics, dict(kafka))
        if created:
            log.info("topics_created", topics=created)
        await check_inputs([one for one in inputs if one != topics.login_events], dict(kafka))
        if future_limit is not None:
            for one in inputs:
                await check_clock(one, dict(kafka), future_limit)
        partitions = await addressed_partitions(topics, dict(kafka))
        if topics.ingest_state not in created:
            await check_step(KafkaClients(kafka), topics, step)
        return partitions

    return KafkaQuestions(
        rights=partial(
            missing_rights, kafka, topics, roles, inputs=inputs, settings_too=future_limit is not None
        ),
        topics=prepare_topics,
        diagnose=partial(diagnose, kafka),
        partitions=partial(partition_counts, kafka, {*topics.all(), *inputs}),
        inputs=inputs,
        user=kafka.get("sasl_plain_username"),
    )


class Preparation:
    """Waits until Kafka lets this worker do its work, and says meanwhile why it does not.

    Args:
        kafka: the questions.
        health: is told why the worker waits.
        progress: is told, too, for the people who are woken.
        timing: gives sleep, chance and monotonic time.

    Attributes:
        partitions: the number of partitions of the topics on which a record has a partition of its environment or
            incident; 0 until everything is as it must be.
        rights: reports the rights that this worker lacks.
        topics: reports the topics that are gone.
    """

    def __init__(
        self, kafka: KafkaQuestions, health: Health, progress: Progress, timing: Timing = REAL_TIMING
    ) -> None:
        self._kafka = kafka
        self._health = health
        self._progress = progress
        self._timing = timing
        self._logged: tuple[str, float] = ("", float("-inf"))
        self.rights = RightsWatch(kafka.rights, kafka.user, progress, timing)
        self.topics = TopicsWatch(kafka.partitions, kafka.inputs, progress, timing)
        self.partitions = 0

    async def __call__(self) -> None:
        """Return once everything is as it must be.

        Raises:
            TopicProblem: a topic cannot be created, numbers of partitions differ, the timestamps of the input topic
                cannot be trusted, or the policy's step is not that of what was written.
        """
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT, self._timing)
        while (obstacle := await self._obstacle()) is not None:
            self._say(obstacle)
            backoff.failed()
            await backoff.wait()
        self._logged = ("", float("-inf"))
        self._health.ready(_PART)
        self._progress.going(Why.BROKER, _KEY)

    async def follow(self) -> None:
        """Look at rights and topics again and again, once the worker runs: they may be taken from it."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self.rights.follow())
            both.create_task(self.topics.follow())

    async def _obstacle(self) -> Diagnosis | None:
        """What stands in the way of a start; None if nothing does."""
        try:
            lacked = await self._kafka.rights()
            self.rights.note(lacked)
            needed = [right for right in lacked if not right.verdicts_go_on]
            if needed:
                self._progress.going(
                    Why.BROKER, _KEY
                )  # it lets this worker in; the rights are obstacles themselves
                return Diagnosis(
                    "; ".join(right.sentence for right in needed),
                    "\n".join(right.remedy(self._kafka.user) for right in needed),
                )
            self.partitions = await self._kafka.topics()
        except asyncio.CancelledError:
            raise
        except (KafkaError, OSError, UnrecognizedBrokerVersion) as error:
            found = await self._kafka.diagnose(error)
            self._progress.stuck(Why.BROKER, found.sentence, key=_KEY, remedy=found.remedy)
            return found
        return None

    def _say(self, obstacle: Diagnosis) -> None:
        self._health.unready(_PART, obstacle.sentence)
        sentence, at = self._logged
        now = self._timing.monotonic()
        if sentence != obstacle.sentence or now - at >= _LOG_EVERY:
            self._logged = (obstacle.sentence, now)
            log.warning("broker_unavailable", reason=obstacle.sentence, remedy=obstacle.remedy)
