"""Which settings does ingest have?"""

from __future__ import annotations

from dataclasses import dataclass

from streams.kafka.topics import Topics

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
    """

    topics: Topics
    group: str
    internal_partitions: int
    session_ms: int = 10_000
    start: Start = None
    pace: float = 1.0
