"""What a flush of ingest writes, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.kafka.producer import Out
from streams.kafka.topics import Topics
from streams.segments.codec import (
    Frontier,
    Resume,
    encode,
    resume_key,
)

__all__ = ["Harvest", "Place", "resume_out", "to_all"]


@dataclass(frozen=True, slots=True)
class Place:
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
class Harvest:
    """Records to be written, in four batches of which each is acknowledged before the next is sent."""

    finished: list[Out] = field(default_factory=list)
    resumes: list[Out] = field(default_factory=list)
    growing: list[Out] = field(default_factory=list)
    frontiers: list[Out] = field(default_factory=list)

    def batches(self) -> tuple[list[Out], ...]:
        """The batches, in their order."""
        return self.finished, self.resumes, self.growing, self.frontiers


def to_all(place: Place, key: bytes, frontier: Frontier) -> list[Out]:
    """A frontier, as it goes to every partition of `sli-segments`."""
    value = encode(frontier)
    return [Out(place.topics.segments, key, value, index) for index in range(place.segment_partitions)]


def resume_out(place: Place, resume: Resume) -> Out:
    """A record of `ingest-state`."""
    return Out(place.topics.ingest_state, resume_key(resume), encode(resume), place.state_partition)
