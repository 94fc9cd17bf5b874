"""What does a flush of ingest write, where, and in which order?"""

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
    """Where the records of one input partition are written.

    Attributes:
        topics: the names of the topics.
        segment_partitions: the number of partitions of ``sli-segments``.
        state_partition: the partition of ``ingest-state`` that this input partition uses.
        input_partitions: the number of partitions of the input topic.
    """

    topics: Topics
    segment_partitions: int
    state_partition: int
    input_partitions: int


@dataclass
class Flush:
    """Records to be written, in four batches of which each is acknowledged before the next is sent.

    Attributes:
        rejected: records for ``login-events.rejected``, written before all batches, and left to be written later
            while that topic takes no records.
    """

    rejected: list[ProducerRecord] = field(default_factory=list)
    finished: list[ProducerRecord] = field(default_factory=list)
    resumes: list[ProducerRecord] = field(default_factory=list)
    growing: list[ProducerRecord] = field(default_factory=list)
    frontiers: list[ProducerRecord] = field(default_factory=list)

    def batches(self) -> tuple[list[ProducerRecord], ...]:
        """The batches, in their order."""
        return self.finished, self.resumes, self.growing, self.frontiers


def to_all_partitions(destination: Destination, key: bytes, frontier: Frontier) -> list[ProducerRecord]:
    """The records that put a frontier on every partition of `sli-segments`."""
    value = encode(frontier)
    return [
        ProducerRecord(destination.topics.segments, key, value, index)
        for index in range(destination.segment_partitions)
    ]


def to_ingest_state(destination: Destination, resume: Resume) -> ProducerRecord:
    """The record that puts a resume record on `ingest-state`."""
    return ProducerRecord(
        destination.topics.ingest_state, resume_key(resume), encode(resume), destination.state_partition
    )
