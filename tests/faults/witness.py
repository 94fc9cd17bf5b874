"""Was anybody told when the watch stood still, and was anybody told that it did though it got on?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from detectors.instants import parse_instant
from sinks.sandbox import Sandbox
from streams.evaluate.shard_state import decode_state
from streams.kafka.topics import PARTITIONS, Topics

__all__ = ["TELL_SECONDS", "Stalls", "Witness", "stalls"]

#: What may pass beyond ``blind_after`` until somebody is told.
TELL_SECONDS = 30.0
_KEY = ":blind:"
_ENV = "prod"


@dataclass(frozen=True)
class Stalls:
    """What a witness has found.

    Attributes:
        stalls: seconds for which nothing was evaluated, of each stall longer than ``blind_after``.
        told_after: seconds from the beginning of a stall until somebody was told, of those of whom somebody was.
        unsaid: stalls that nobody was told of in time, in words.
        untrue: alerts that the watch is blind while it got on, in words.
    """

    stalls: list[float] = field(default_factory=list)
    told_after: list[float] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)


def stalls(
    advances: Sequence[int],
    alerts: Sequence[tuple[str, int, int | None]],
    troubled: Sequence[tuple[int, int]],
    *,
    blind_after: float,
) -> Stalls:
    """Compare the progress of the watch with what was said of it.

    Args:
        advances: instants (ms) at which evaluation was seen to have gone on; the first and the last bound what is
            looked at.
        alerts: why, and from when to when (ms; None: to the end) an alert about the watch itself was open.
        troubled: from when to when (ms) something was done for which the watch is rightly blind, though it may get on:
            a topic that verdicts do not need takes no records, the broker is away from one of the workers.
        blind_after: seconds.
    """
    found = Stalls()
    limit = round(1000 * blind_after)
    patience = round(1000 * TELL_SECONDS)
    for before, after in pairwise(advances):
        if after - before <= limit:
            continue
        found.stalls.append((after - before) / 1000)
        told = [opened for _, opened, ended in alerts if opened < after and (ended is None or ended > before)]
        if told:
            found.told_after.append(max(0, min(told) - before) / 1000)
        elif after - before > limit + patience:
            found.unsaid.append(
                f"nothing was evaluated for {(after - before) / 1000:.0f} s, and nobody was told"
            )
        if told and min(told) - before > limit + patience:
            found.unsaid.append(f"told only {(min(told) - before) / 1000:.0f} s after evaluation stood still")
    for why, opened, _ in alerts:
        recent = [one for one in advances if opened - limit <= one <= opened]
        gaps = [b - a for a, b in pairwise([opened - limit, *recent, opened])]
        got_on = max(gaps) < limit / 2
        if got_on and not any(begin <= opened <= end + limit for begin, end in troubled):
            found.untrue.append(f"blind of {why} though the watch got on")
    return found


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
        self._advances: list[int] = []
        self._task: asyncio.Task[None] | None = None
        self.troubled: list[tuple[int, int]] = []

    def start(self) -> None:
        """Begin to look."""
        self._advances.append(self._now())
        self._task = asyncio.create_task(self._look(), name="witness")

    async def stop(self) -> None:
        """Look no more."""
        self._advances.append(self._now())
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def found(self, sandbox: Sandbox, blind_after: float) -> Stalls:
        """What it has seen, beside what PagerDuty was told."""
        alerts = [
            (alert.dedup_key.rpartition(_KEY)[2], alert.created_at, alert.resolved_at)
            for alert in sandbox.pagerduty.alerts
            if _KEY in alert.dedup_key and alert.created_at >= self._advances[0]
        ]
        return stalls(self._advances, alerts, self.troubled, blind_after=blind_after)

    async def _look(self) -> None:
        topics = (self._topics.sli, self._topics.watch_state)
        places = [TopicPartition(topic, number) for topic in topics for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=self._broker, auto_offset_reset="earliest") as consumer:
            consumer.assign(places)
            while True:
                came = await consumer.getmany(timeout_ms=500)
                for place, records in came.items():
                    for record in records:
                        self._see(place.topic, record)

    def _see(self, topic: str, record: Any) -> None:
        if topic == self._topics.sli:
            value = json.loads(record.value)
            reached = parse_instant(value["at"]) if value["scope"].partition("/")[0] == _ENV else 0
        else:
            reached = (
                0 if record.key != _ENV.encode() else decode_state(record.value).engine.evaluated_to or 0
            )
        if reached > self._reached:
            self._reached = reached
            self._advances.append(self._now())
