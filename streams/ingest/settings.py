"""Which settings does ingest have?"""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka import TopicPartition

from streams.aggregate.source import Source
from streams.kafka.topics import Topics
from streams.mappings.inputs import Input
from streams.segments.input_partition import LOGIN_EVENTS, InputPartition, input_partition

__all__ = ["IngestSettings", "Start"]

#: "earliest", "latest", or an instant (ms); None for one retention back
Start = str | int | None


@dataclass(frozen=True)
class IngestSettings:
    """How ingest runs.

    Attributes:
        topics: the names of the topics.
        group: the consumer group.
        internal_partitions: the number of partitions of the internal topics.
        session_ms: after so long without a heartbeat a worker's partitions are given to another.
        start: where to begin without a resume record.
        pace: how many times faster than real time the clock runs; waits that stand for delivery grow with it.
        inputs: what is read; the topic of login events alone by default.
    """

    topics: Topics
    group: str
    internal_partitions: int
    session_ms: int = 10_000
    start: Start = None
    pace: float = 1.0
    inputs: tuple[Input, ...] = ()

    def sources(self) -> dict[str, Input]:
        """Return the inputs by topic."""
        return {one.topic: one for one in self.inputs or (Input(self.topics.login_events),)}

    def name_of(self, topic: str) -> str:
        """Return the name of the input that a topic is."""
        return LOGIN_EVENTS if topic == self.topics.login_events else topic

    def known_as(self, place: TopicPartition) -> InputPartition:
        """Return what a partition of an input's topic is known by on our own topics."""
        return input_partition(self.name_of(place.topic), int(place.partition))

    def source_of(self, topic: str) -> Source:
        """Return what becomes of the records of an input's topic."""
        return Source(self.sources()[topic].mappings)
