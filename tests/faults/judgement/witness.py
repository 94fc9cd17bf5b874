"""Was anybody told when the watch stood still, and was anybody told that it did though it got on?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from detectors.instants import parse_instant
from sinks.sandbox import Sandbox
from streams.evaluate.shard_state import decode_state
from streams.kafka.topics import PARTITIONS, Topics

__all__ = ["SHOWN_SECONDS", "TELL_SECONDS", "Stalls", "Witness", "stalls"]

#: What may pass beyond ``blind_after`` until somebody is told.
TELL_SECONDS = 30.0
#: By how much topics show less than what has been evaluated: indicators are published this often.
SHOWN_SECONDS = 5.0
_KEY = ":blind:"
_EVERY_SECONDS = 0.5
_ENV = "prod"


@dataclass(frozen=True)
class Stalls:
    """What a witness has found.

    Attributes:
        stalls: seconds of each stretch in which evaluation was further behind than a watch may be that is not blind.
        told_after: seconds from the beginning of such a stretch until somebody was told, where somebody was.
        unsaid: stretches that nobody was told of in time, in words.
        untrue: alerts that the watch is blind while it got on, in words.
    """

    stalls: list[float] = field(default_factory=list)
    told_after: list[float] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)


def stalls(
    samples: Sequence[tuple[int, int]],
    alerts: Sequence[tuple[str, int, int | None]],
    troubled: Sequence[tuple[int, int]],
    *,
    blind_after: float,
) -> Stalls:
    """Compare the progress of the watch with what was said of it.

    Args:
        samples: instants (ms), ascending, each with how far evaluation was behind it as the topics show (ms).
        alerts: why, and from when to when (ms; None: to the end) an alert about the watch itself was open.
        troubled: from when to when (ms) something was done for which the watch is rightly blind, though it may get on:
            a topic that verdicts do not need takes no records, the broker is away from one of the workers.
        blind_after: seconds.
    """
    found = Stalls()
    limit = round(1000 * (blind_after + SHOWN_SECONDS))
    patience = round(1000 * TELL_SECONDS)
    for begin, end in _behind(samples, limit):
        found.stalls.append((end - begin) / 1000)
        told = [
            max(opened, begin)
            for _, opened, ended in alerts
            if opened < end and (ended is None or ended > begin)
        ]
        if told:
            found.told_after.append((min(told) - begin) / 1000)
        if min(told, default=end) - begin > patience:
            heard = f"after {(min(told) - begin) / 1000:.0f} s" if told else "by nobody"
            found.unsaid.append(
                f"evaluation was behind for {(end - begin) / 1000:.0f} s, which was heard {heard}"
            )
    for why, opened, _ in alerts:
        lags = [lag for at, lag in samples if opened - limit <= at <= opened]
        done = any(begin <= opened <= end + limit for begin, end in troubled)
        if max(lags, default=limit) < limit / 2 and not done:
            found.untrue.append(f"blind of {why} though the watch got on")
    return found


def _behind(samples: Sequence[tuple[int, int]], limit: int) -> Iterator[tuple[int, int]]:
    """From when to when (ms) evaluation was further behind than ``limit`` (ms)."""
    for behind, some in groupby(samples, lambda sample: sample[1] > limit):
        if behind:
            instants = [at for at, _ in some]
            yield instants[0], instants[-1]


class Witness:
    """Looks at the topics, as nobody in the fleet does, for whether evaluation goes on.

    Args:
        broker: its address.
        topics: of the deployment.
        now: ms since the epoch.

    Attributes:
        troubled: from when to when (ms) something was done that may make the watch blind.
    """

    def __init__(self, broker: str, topics: Topics, now: Callable[[], int]) -> None:
        self._broker = broker
        self._topics = topics
        self._now = now
        self._reached = 0
        self._samples: list[tuple[int, int]] = []
        self._task: asyncio.Task[None] | None = None
        self.troubled: list[tuple[int, int]] = []

    def start(self) -> None:
        """Begin to look."""
        self._reached = self._now()
        self._task = asyncio.create_task(self._look(), name="witness")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def found(self, sandbox: Sandbox, blind_after: float) -> Stalls:
        """What it has seen, beside what PagerDuty was told."""
        alerts = [
            (alert.dedup_key.rpartition(_KEY)[2], alert.created_at, alert.resolved_at)
            for alert in sandbox.pagerduty.alerts
            if _KEY in alert.dedup_key and alert.created_at >= self._samples[0][0]
        ]
        return stalls(self._samples, alerts, self.troubled, blind_after=blind_after)

    def samples(self) -> list[tuple[int, int]]:
        """Instants (ms), each with how far evaluation was behind it, as the topics showed (ms)."""
        return list(self._samples)

    async def _look(self) -> None:
        reading = asyncio.create_task(self._read(), name="witness reads")
        try:
            while True:
                now = self._now()
                self._samples.append((now, now - self._reached))
                await asyncio.sleep(_EVERY_SECONDS)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self) -> None:
        topics = (self._topics.sli, self._topics.watch_state)
        places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        while True:
            consumer = AIOKafkaConsumer(bootstrap_servers=self._broker, auto_offset_reset="earliest")
            try:
                await consumer.start()
                consumer.assign(places)
                while True:
                    came = await consumer.getmany(timeout_ms=500)
                    for place, records in came.items():
                        for record in records:
                            self._see(place.topic, record)
            except (KafkaError, OSError):
                await asyncio.sleep(_EVERY_SECONDS)
            finally:
                await consumer.stop()

    def _see(self, topic: str, record: Any) -> None:
        if topic == self._topics.sli:
            value = json.loads(record.value)
            reached = parse_instant(value["at"]) if value["scope"].partition("/")[0] == _ENV else 0
        else:
            reached = (
                0 if record.key != _ENV.encode() else decode_state(record.value).engine.evaluated_to or 0
            )
        self._reached = max(self._reached, reached)
