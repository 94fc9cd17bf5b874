"""Which partitions wait until a registry has given the schemas of their next records?

Only such a partition waits, the others go on. It is not fetched meanwhile, so it is marked and told as any partition
that is not read to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition

from streams.ingest.read_report import ReadReport
from streams.ingest.settings import IngestSettings
from streams.kafka.clients import Backoff, Consumer
from streams.mappings.schemas.registry import RegistryAway
from streams.mappings.schemas.store import Schemas
from streams.runtime.clocks import Timing

__all__ = ["SchemaWait", "learned"]

log = structlog.get_logger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds, of the backoff
_REMEDY = "see that the registry of WATCHOFFICER_SCHEMA_REGISTRY__URL answers this worker; it is asked again and again"


class SchemaWait:
    """Holds partitions back until the schemas of their records are known.

    Args:
        settings: know the schemas of each input.
        report: is told which partitions wait, and why.
        timing: sleep and chance.
    """

    def __init__(self, settings: IngestSettings, report: ReadReport, timing: Timing) -> None:
        self._settings = settings
        self._report = report
        self._timing = timing
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}

    def holds(self, consumer: Consumer, partition: TopicPartition, records: Sequence[Any]) -> bool:
        """Whether records must wait. Then nothing of the partition is fetched until their schemas are known."""
        schemas = self._settings.source_of(partition.topic).schemas
        missing = () if schemas is None else schemas.missing(one.value for one in records)
        if schemas is None or not missing:
            return False
        consumer.pause(partition)
        if partition not in self._tasks:
            work = self._learn(consumer, partition, schemas, missing)
            self._tasks[partition] = asyncio.create_task(work, name=f"schemas of {partition}")
        return True

    async def close(self) -> None:
        """Wait for nothing any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _learn(
        self, consumer: Consumer, partition: TopicPartition, schemas: Schemas, missing: Iterable[int]
    ) -> None:
        try:
            await learned(
                schemas, missing, self._timing, lambda why: self._report.held(partition, why, _REMEDY)
            )
        finally:
            self._report.held(partition, "")
            del self._tasks[partition]
            if partition in consumer.assignment():
                consumer.resume(partition)


async def learned(
    schemas: Schemas, missing: Iterable[int], timing: Timing, tell: Callable[[str], None] = lambda why: None
) -> None:
    """Return once the registry has said what it knows of schemas; ``tell`` hears why that takes so long."""
    backoff = Backoff(_FIRST_WAIT, _LONGEST_WAIT, timing)
    while True:
        try:
            return await asyncio.to_thread(schemas.learn, missing)
        except RegistryAway as away:
            tell(str(away))
            log.warning("schema_registry_unavailable", reason=str(away), retry_in_seconds=backoff.failed())
            await backoff.wait()
