"""How is written what no next verdict needs, so that a topic that takes no records holds up nothing else?

Each topic has a queue of its own, bounded in bytes. Whoever writes waits for the acknowledgement as long as the broker
does not refuse the records; while it refuses them the queue is written in the background, and the writer goes on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.topics import Topics

__all__ = ["AsideWriter", "Queued", "limits_of"]

log = structlog.get_logger(__name__)

_BATCH_RECORDS, _BATCH_BYTES = 500, 512 << 10


@dataclass(frozen=True)
class Queued:
    """How much waits for a topic at most.

    Attributes:
        most: bytes of keys and values; beyond them the oldest records are dropped, and counted.
        newest_of_key: whether of the records of one key only the newest is kept while the topic is refused.
    """

    most: int
    newest_of_key: bool = False


def limits_of(topics: Topics) -> dict[str, Queued]:
    """How much may wait for each topic that no next verdict needs.

    What is dropped of the history and of days is written again from facts when the environment is restored.
    """
    return {
        topics.sli: Queued(4 << 20),
        topics.banner: Queued(4 << 20, newest_of_key=True),
        topics.history: Queued(64 << 20, newest_of_key=True),
        topics.days: Queued(8 << 20, newest_of_key=True),
        topics.deliveries: Queued(32 << 20, newest_of_key=True),
        topics.quarantine: Queued(8 << 20, newest_of_key=True),
    }


@dataclass
class _Queue:
    """What waits for one topic.

    Attributes:
        settled: set while nothing waits, or the topic is being refused.
        failure: what ended the writing.
    """

    limit: Queued
    records: dict[object, ProducerRecord] = field(default_factory=dict)
    bytes: int = 0
    refused: bool = False
    numbered: int = 0
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    failure: BaseException | None = None

    def add(self, record: ProducerRecord) -> int:
        """Add a record; how many records were dropped for it."""
        self.numbered += 1
        key: object = self.numbered
        if self.refused and self.limit.newest_of_key:
            key = record.partition, record.key
            self._remove(key)
        self.records[key] = record
        self.bytes += record.size
        dropped = 0
        while self.bytes > self.limit.most and len(self.records) > 1:
            self._remove(next(iter(self.records)))
            dropped += 1
        return dropped

    def refuse(self) -> None:
        """The broker refuses the topic: whoever waits goes on, and of a key the newest record is enough."""
        self.settled.set()
        if self.refused:
            return
        self.refused = True
        waiting, self.records, self.bytes = list(self.records.values()), {}, 0
        for record in waiting:
            self.add(record)

    def take(self) -> list[ProducerRecord]:
        """Take out the oldest records, at most as many as go into one request."""
        batch: list[ProducerRecord] = []
        room = _BATCH_BYTES
        for key, record in list(self.records.items())[:_BATCH_RECORDS]:
            room -= record.size
            if room < 0 and batch:
                break
            batch.append(record)
            self._remove(key)
        return batch

    def _remove(self, key: object) -> None:
        record = self.records.pop(key, None)
        if record is not None:
            self.bytes -= record.size


class AsideWriter:
    """The queues of a worker.

    Args:
        producer: writes the records, and says which topics are refused.
        limits: topic -> how much may wait for it.
    """

    def __init__(self, producer: BatchProducer, limits: Mapping[str, Queued]) -> None:
        self._producer = producer
        self._limits = dict(limits)
        self._queues: dict[str, _Queue] = {}
        self.dropped: Counter[str] = Counter()

    async def write(self, records: Iterable[ProducerRecord]) -> None:
        """Queue records, and wait until the broker has acknowledged them, or has answered that it refuses them.

        Raises:
            LeaseLost: this worker may not write any more.
        """
        topics = self.put(records)
        for topic in topics:
            queue = self._queues[topic]
            await queue.settled.wait()
            if queue.failure is not None:
                raise queue.failure

    def put(self, records: Iterable[ProducerRecord]) -> list[str]:
        """Queue records and go on at once; the topics of the records."""
        topics: dict[str, int] = {}
        for record in records:
            queue = self._queues.get(record.topic)
            if queue is None:
                queue = self._queues[record.topic] = _Queue(self._limits[record.topic])
            topics[record.topic] = topics.get(record.topic, 0) + queue.add(record)
        for topic, dropped in topics.items():
            if dropped:
                if not self.dropped[topic]:
                    log.error(
                        "records_dropped", topic=topic, say="what waits for this topic takes too much memory"
                    )
                self.dropped[topic] += dropped
            queue = self._queues[topic]
            if not queue.refused:
                queue.settled.clear()
            if queue.task is None or queue.task.done():
                queue.failure = None
                queue.task = asyncio.create_task(self._drain(topic, queue), name=f"write {topic} aside")
        return list(topics)

    async def close(self, timeout: float) -> None:
        """Write what waits for at most ``timeout`` seconds; then write no more."""
        tasks = [queue.task for queue in self._queues.values() if queue.task is not None]
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=timeout)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _drain(self, topic: str, queue: _Queue) -> None:
        """Write until nothing waits."""
        try:
            while queue.records:
                await self._producer.write(queue.take(), on_refusal=queue.refuse)
                if queue.refused:
                    queue.refused = False
                    log.info("topic_takes_records_again", topic=topic, dropped=self.dropped.pop(topic, 0))
        except Exception as error:
            queue.failure = error  # whoever waits raises it
        finally:
            queue.settled.set()
