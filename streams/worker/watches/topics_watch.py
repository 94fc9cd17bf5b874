"""Are the topics still there while a worker runs? Asked again and again, and reported.

A topic that is written rarely, such as that of commands, can be gone for hours until somebody is to be paged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from aiokafka.errors import KafkaError, UnrecognizedBrokerVersion

from streams.runtime.clocks import REAL_TIMING, Timing
from streams.runtime.progress import Progress, Why

__all__ = ["TopicsWatch"]

log = structlog.get_logger(__name__)

_LOOK_EVERY = 20.0  # seconds
#: A broker that has just started may know no topic yet: what seems to be wrong is looked at again so soon, seconds.
_LOOK_AGAIN = 5.0
_RESTART = "restart the workers one after the other: the first creates it anew, empty"


class TopicsWatch:
    """Reports the topics that are gone, or have other numbers of partitions than when they were seen first.

    Args:
        partitions: asks the broker for the number of partitions of each topic, 0 where there is none.
        inputs: the topics of producers, which may get more partitions.
        progress: is told.
        timing: gives sleep.
    """

    def __init__(
        self,
        partitions: Callable[[], Awaitable[Mapping[str, int]]],
        inputs: Collection[str],
        progress: Progress,
        timing: Timing = REAL_TIMING,
    ) -> None:
        self._partitions = partitions
        self._inputs = frozenset(inputs)
        self._progress = progress
        self._timing = timing
        self._known: dict[str, int] = {}
        self._seemed: dict[str, tuple[str, str]] = {}
        self._wrong: set[str] = set()

    async def follow(self) -> None:
        """Look at once, and then again and again."""
        while True:
            await self.look()
            await self._timing.sleep(_LOOK_AGAIN if self._seemed.keys() - self._wrong else _LOOK_EVERY)

    async def look(self) -> None:
        """Report what two looks in turn have found wrong with the topics, and what is right again."""
        try:
            found = await self._partitions()
        except (KafkaError, OSError, UnrecognizedBrokerVersion):
            return  # that the broker does not answer is said by those who read and write
        for topic, number in found.items():
            if number and (
                topic not in self._known or (topic in self._inputs and number > self._known[topic])
            ):
                self._known[topic] = number
        seems = {topic: told for topic in found if (told := self._told(topic, found[topic])) is not None}
        now = {topic: told for topic, told in seems.items() if topic in self._seemed}
        self._seemed = seems
        for topic, (sentence, remedy) in now.items():
            self._progress.stuck(Why.BROKER, sentence, key=f"topic {topic}", remedy=remedy)
            if topic not in self._wrong:
                log.error("topic_changed", reason=sentence, remedy=remedy)
        for topic in self._wrong - now.keys():
            self._progress.going(Why.BROKER, f"topic {topic}")
            log.info("topic_right_again", topic=topic)
        self._wrong = set(now)

    def _told(self, topic: str, number: int) -> tuple[str, str] | None:
        """What is wrong with a topic, and what to do; None where nothing is."""
        known = self._known.get(topic, number)
        if number == known:
            return None
        if not number:
            again = (
                f"create it as it was (kafka-topics.sh --create --topic {topic} --partitions {known}), and "
            )
            made = again + "restart the workers" if topic in self._inputs else _RESTART
            return f"the topic {topic} is gone: somebody has deleted it", made
        return (
            f"the topic {topic} has {number} partitions, and had {known}: somebody has made it anew or added some",
            f"give it {known} partitions again, or give the deployment a new WATCHOFFICER_TOPIC_PREFIX",
        )
