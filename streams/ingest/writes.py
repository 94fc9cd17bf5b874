"""What a flush of ingest writes, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.segments.codec import (
    Frontier,
    Resume,
    encode,
    resume_key,
)

__all__ = ["Destination", "Flush", "to_all_partitions", "to_ingest_state"]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where things are written.

    Attributes:
        topics: their names.
        segment_partitions: of ``sli-segments``.
        state_partition: of ``ingest-state``, for this input partition.
        input_partitions: of the input topic.
    """

    topics: Topics
    segment_partitions: int
    state_partition: int
    input_partitions: int


@dataclass
class Flush:
    """Records to be written, in four batches of which each is acknowledged before the next is sent."""

    finished: list[ProducerRecord] = field(default_factory=list)
    resumes: list[ProducerRecord] = field(default_factory=list)
    growing: list[ProducerRecord] = field(default_factory=list)
    frontiers: list[ProducerRecord] = field(default_factory=list)

    def batches(self) -> tuple[list[ProducerRecord], ...]:
        """The batches, in their order."""
        return self.finished, self.resumes, self.growing, self.frontiers


def to_all_partitions(destination: Destination, key: bytes, frontier: Frontier) -> list[ProducerRecord]:
    """A frontier, as it goes to every partition of `sli-segments`."""
    value = encode(frontier)
    return [
        ProducerRecord(destination.topics.segments, key, value, index)
        for index in range(destination.segment_partitions)
    ]


def to_ingest_state(destination: Destination, resume: Resume) -> ProducerRecord:
    """A record of `ingest-state`."""
    return ProducerRecord(
        destination.topics.ingest_state, resume_key(resume), encode(resume), destination.state_partition
    )
