"""How does a process keep its views of the topics up to date?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from detectors.instants import HOUR, SECOND
from streams.http.status.days import DAYS_BACK, HISTORY_BACK
from streams.http.views import LOG_LINES, Views
from streams.kafka.clients import Backoff, Consumer
from streams.kafka.topics import Topics
from streams.records.reading import OwnRecords, Unread
from streams.runtime.clocks import REAL_TIMING, Timing
from streams.watchdog.peers import FORGOTTEN_AFTER

__all__ = ["DELIVERIES", "INPUTS", "SLI_RECORDS", "STATES_BACK", "ViewsTailer"]

#: Inputs of each partition that are read at a start.
INPUTS = 2_000
#: Deliveries of each partition that are read at a start.
DELIVERIES = 10_000
#: How far back indicators are read at a start, ms of the broker's time, and the least number of records that are read,
#: so that the last indicators are shown, with their age, after a pause of any length.
SLI_BACK = HOUR
SLI_RECORDS = 1_000
#: How far back `watch-state` is read at a start, ms of the broker's time: who said nothing since then is dead.
STATES_BACK = round(FORGOTTEN_AFTER * SECOND)

_START_PATIENCE = 30.0  # seconds for one answer of the broker while the tail begins
_BACKOFF_FIRST, _BACKOFF_LAST = 0.5, 15.0  # seconds
_POLL_MS = 500

log = structlog.get_logger(__name__)


class ViewsTailer(Service):
    """Follows the topics of a `Views` for as long as it runs, without a consumer group.

    Compacted topics are read from their beginning, indicators from an hour back, states from ten minutes back, the
    history of two days and the days of a quarter, and of the incident log, the inputs and the deliveries only the last.
    If the broker is unreachable, the tailer waits for it and continues at its last position.

    Args:
        views: the views to update. Their ``ready`` becomes true once and stays true even if the broker is lost.
        consumer: makes a consumer of the named topics, without a group, that starts at the earliest offset.
        clock: ms since the epoch, as in the broker's timestamps.
        pause: waits a number of seconds between attempts; asyncio's sleep by default.
        timing: the source of random numbers for retries.
        own: names and copies records that cannot be read.
    """

    def __init__(
        self,
        views: Views,
        consumer: Callable[..., Consumer],
        *,
        topics: Topics,
        clock: Callable[[], int],
        pause: Callable[[float], Awaitable[object]] | None = None,
        timing: Timing = REAL_TIMING,
        own: OwnRecords | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._views = views
        self._consumer = consumer
        self._topics = topics
        self._clock = clock
        self._pause = pause or self.sleep
        self._timing = timing
        self._own = own
        self._next: dict[TopicPartition, int] = {}
        self._ends: Mapping[TopicPartition, int] = {}

    @Service.task
    async def _tail(self) -> None:
        backoff = Backoff(_BACKOFF_FIRST, _BACKOFF_LAST, self._timing, sleep=self._pause)
        while not self.should_stop:
            consumer = self._consumer(*self._views.topics)
            try:
                await consumer.start()
                await self._seek(consumer)
                backoff.succeeded()
                await self._follow(consumer)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("views_tail_interrupted", error=repr(error), retry_in_seconds=backoff.failed())
                await backoff.wait()
            finally:
                await consumer.stop()

    async def _seek(self, consumer: Consumer) -> None:
        partitions = sorted(consumer.assignment())
        async with asyncio.timeout(_START_PATIENCE):
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
            recent = await self._recent(consumer, ends)
        # All seeks without an await in between, during which a batch from an older position could arrive.
        known, self._next = self._next, {}
        for partition in partitions:
            start = known.get(partition, recent.get(partition, 0))
            # Records were removed by retention, or the topic was replaced.
            if not begins[partition] <= start <= ends[partition]:
                start = begins[partition]
            self._next[partition] = start
            consumer.seek(partition, start)
        if not self._views.ready:
            self._ends = ends
            self._settle()

    async def _recent(
        self, consumer: Consumer, ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        logs = [p for p in ends if p.topic == self._topics.incident_log]
        starts = {p: max(0, ends[p] - LOG_LINES) for p in logs}
        starts |= {p: max(0, ends[p] - INPUTS) for p in ends if p.topic == self._topics.inputs}
        starts |= {p: max(0, ends[p] - DELIVERIES) for p in ends if p.topic == self._topics.deliveries}
        back = {
            self._topics.sli: SLI_BACK,
            self._topics.watch_state: STATES_BACK,
            self._topics.history: HISTORY_BACK,
            self._topics.days: DAYS_BACK,
        }
        since = {p: self._clock() - back[p.topic] for p in ends if p.topic in back}
        for partition, at in (await consumer.offsets_for_times(since)).items():
            least = SLI_RECORDS if partition.topic == self._topics.sli else 0
            enough = max(0, ends[partition] - least)
            starts[partition] = min(at.offset, enough) if at else enough
        return starts

    async def _follow(self, consumer: Consumer) -> None:
        while not self.should_stop:
            batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=5_000)
            # A topic has more partitions now, so all positions are set anew.
            if consumer.assignment() != self._next.keys():
                await self._seek(consumer)
                continue
            for partition, records in batches.items():
                for record in records:
                    why = self._views.apply(partition.topic, record.key, record.value, record.headers)
                    if why is not None and self._own is not None:
                        unread = Unread(partition, record.offset, record.key, why, newer=False)
                        self._own.pass_by(unread, record.value)
            for partition in self._next:  # positions also pass offsets without records
                self._next[partition] = await consumer.position(partition)
            self._settle()

    def _settle(self) -> None:
        if all(self._next.get(partition, end) >= end for partition, end in self._ends.items()):
            self._views.ready = True
