"""What must hold before the parts of a worker start: a broker that answers, and topics that are as they must be?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka.errors import KafkaError, UnrecognizedBrokerVersion

from streams.kafka.admin import check_clock, create_missing
from streams.kafka.clients import Backoff
from streams.kafka.topics import Topics
from streams.runtime.health import Health
from streams.runtime.progress import Progress, Why

__all__ = ["Preparation"]

log = structlog.get_logger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 4.0  # seconds, of the backoff
_KEY = "start"


class Preparation:
    """Waits for the broker, creates missing topics, and checks the input topic.

    Args:
        kafka: how to reach the broker (keyword arguments of aiokafka's clients).
        topics: the names of the topics.
        health: is told why the worker waits.
        progress: is told, too, for the people who are woken.
        future_limit: how far ahead of the broker's clock a timestamp may be, ms; None: timestamps are not checked.
        pause: waits between two attempts for as long as a backoff says; tests hand in their own.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        topics: Topics,
        health: Health,
        progress: Progress,
        *,
        future_limit: int | None,
        pause: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        self._kafka = dict(kafka)
        self._topics = topics
        self._health = health
        self._progress = progress
        self._future_limit = future_limit
        self._pause = pause

    async def __call__(self) -> None:
        """Return once everything is as it must be.

        Raises:
            TopicProblem: a topic cannot be created, or the timestamps of the input topic cannot be trusted.
        """
        backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT, sleep=self._pause)
        while True:
            try:
                await self._attempt()
            except (KafkaError, OSError, UnrecognizedBrokerVersion) as error:
                wait = backoff.failed()
                self._say(error, wait)
                await backoff.wait()
            else:
                self._health.ready("broker")
                self._progress.going(Why.BROKER, _KEY)
                return

    async def _attempt(self) -> None:
        created = await create_missing(self._topics, self._kafka)
        if created:
            log.info("topics_created", topics=created)
        if self._future_limit is not None:
            await check_clock(self._topics.login_events, self._kafka, self._future_limit)

    def _say(self, error: BaseException, wait: float) -> None:
        sentence = f"the Kafka broker does not answer: {str(error) or type(error).__name__}"
        self._health.unready("broker", sentence)
        self._progress.stuck(Why.BROKER, sentence, key=_KEY)
        log.warning(
            "broker_unavailable",
            brokers=self._kafka.get("bootstrap_servers"),
            error=repr(error),
            retry_in_seconds=wait,
        )
