"""What does a flush of ingest write, where, and in which order?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from streams.ingest.rejected_copies import RejectedCopy
from streams.kafka.producer import ProducerRecord
from streams.kafka.topics import Topics
from streams.segments.codec import (
    Frontier,
    Resume,
    encode,
    resume_key,
)
from streams.segments.input_partition import InputPartition

__all__ = ["Destination", "Flush", "to_all_partitions", "to_ingest_state"]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the records of one input partition are written.

    Attributes:
        topics: the names of the topics.
        segment_partitions: the number of partitions of ``sli-segments``.
        state_partition: the partition of ``ingest-state`` that this input partition uses.
        input_partitions: the number of partitions of the input topic.
        inputs: name of every input that is read -> the number of its partitions.
    """

    topics: Topics
    segment_partitions: int
    state_partition: int
    input_partitions: int
    inputs: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Flush:
    """Records to be written, in four batches of which each is acknowledged before the next is sent.

    Attributes:
        rejected: copies for ``login-events.rejected`` by input partition, written before all batches, and left to be
            written later while that topic takes no records.
        resumes: resume records, and where they are written.
    """

    rejected: dict[InputPartition, list[RejectedCopy]] = field(default_factory=dict)
    finished: list[ProducerRecord] = field(default_factory=list)
    resumes: list[tuple[Destination, Resume]] = field(default_factory=list)
    growing: list[ProducerRecord] = field(default_factory=list)
    frontiers: list[ProducerRecord] = field(default_factory=list)

    def batches(
        self, missing_from: Callable[[InputPartition], int | None] = lambda partition: None
    ) -> tuple[list[ProducerRecord], ...]:
        """The batches, in their order.

        Args:
            missing_from: the first offset of an input partition whose copy is missing, now that the copies of this
                flush have been written as far as they can be; None where none is.
        """
        resumes = [
            to_ingest_state(where, _with_missing(resume, missing_from(resume.partition)))
            for where, resume in self.resumes
        ]
        return self.finished, resumes, self.growing, self.frontiers


def _with_missing(resume: Resume, missing_from: int | None) -> Resume:
    """The resume record, which says what is missing before its start: whoever goes on there makes the other copies."""
    if missing_from is None or missing_from >= resume.start:
        return resume
    return replace(resume, rejected_from=missing_from)


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
