"""Up to which T does a worker know by which policies it judges?

Before a worker judges a T it knows every policy that can be in force there: it has read the topic `policy` to its end
so lately that no record which came since may be in force at that T (``streams.records.policies``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog
from aiokafka import TopicPartition

from detectors.instants import FAR_PAST, SECOND, format_instant
from detectors.policy.policy import Policy
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.records.policies import NOTICE, PolicySchedule, decode_policy, schedule_of
from streams.records.reading import OwnRecords
from streams.runtime.clocks import REAL_TIMING, Timing

__all__ = ["FixedPolicy", "Policies", "PolicyBook"]

log = structlog.get_logger(__name__)

#: The broker's time is known to within this, ms.
_UNSURE = 5 * SECOND
#: Where the watermark runs ahead of the broker's clock no reading is late enough: then one in so many seconds must do.
_READ_EVERY = 1.0


class Policies(Protocol):
    """Which policy judges which T."""

    async def settled(self, to: int) -> PolicySchedule:
        """The schedule, in which nothing changes any more up to ``to`` (T, ms)."""
        ...


class FixedPolicy:
    """One policy judges every T.

    Args:
        policy: the policy.
    """

    def __init__(self, policy: Policy) -> None:
        self._schedule = schedule_of(policy)

    async def settled(self, to: int) -> PolicySchedule:
        """The schedule of the one policy."""
        return self._schedule


class PolicyBook:
    """The schedule of the topic `policy`, read again whenever a T is to be judged that the last reading left open.

    Args:
        topics: the names of the topics.
        reader: reads the topic.
        time: the broker's time, ms since the epoch.
        records: names what cannot be read.
        known: the policy of the worker's own file.
        timing: gives monotonic time.

    Attributes:
        schedule: as it was read last.
    """

    def __init__(
        self,
        topics: Topics,
        reader: TopicReader,
        time: Callable[[], int],
        records: OwnRecords | None = None,
        *,
        known: Policy | None = None,
        timing: Timing = REAL_TIMING,
    ) -> None:
        self.schedule = PolicySchedule(known)
        self._place = TopicPartition(topics.policy, 0)
        self._reader = reader
        self._time = time
        self._monotonic = timing.monotonic
        self._reading = (records or OwnRecords(topics)).reading(*self._place)
        self._following = 0
        self._settled_to = FAR_PAST
        self._read_at = float("-inf")
        self._one = asyncio.Lock()

    async def settled(self, to: int) -> PolicySchedule:
        """The schedule, in which nothing changes any more up to ``to`` (T, ms).

        Raises:
            Unreadable: a record cannot be read.
            KafkaError, OSError: the topic cannot be read, and the reader is not patient.
        """
        async with self._one:
            if to > self._settled_to and self._monotonic() - self._read_at >= _READ_EVERY:
                await self._read()
        return self.schedule

    async def read(self) -> PolicySchedule:
        """Read the topic to its end; the schedule.

        Raises:
            Unreadable: a record cannot be read.
            KafkaError, OSError: the topic cannot be read, and the reader is not patient.
        """
        async with self._one:
            await self._read()
        return self.schedule

    async def _read(self) -> None:
        began, self._read_at = self._time(), self._monotonic()
        async for record in self._reader.read(self._place, start=self._following):
            self._following = record.offset + 1
            found = self._reading.take(record, decode_policy)
            if found is None:
                self.schedule.drop(record.key or b"")
                continue
            in_force = self.schedule.take(found, record.timestamp)
            log.info(
                "policy_recorded" if in_force else "policy_record_too_late",
                policy=found.hash,
                since=found.since,
                taken_at=format_instant(record.timestamp),
                by=found.by,
            )
        self._reading.refuse(lambda key: True)
        self._settled_to = began - _UNSURE + NOTICE
