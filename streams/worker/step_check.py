"""Does the policy cut time into the same steps as what this deployment has written already?"""

from __future__ import annotations

from aiokafka import TopicPartition

from detectors.instants import format_duration
from streams.kafka.admin import TopicProblem
from streams.kafka.clients import ClientFactory
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.segments.codec import FormatError, Resume, decode

__all__ = ["check_step"]


async def check_step(clients: ClientFactory, topics: Topics, step: int) -> None:
    """Refuse a policy whose step is not the one of what was written: the facts of either fit no window of the other.

    The resume records of one partition tell: all of a deployment are of one step.

    Args:
        clients: makes the consumer.
        topics: the names of the topics.
        step: of the policy, ms.

    Raises:
        TopicProblem: the steps differ.
        KafkaError, OSError: `ingest-state` cannot be read.
    """
    found = None
    async for record in TopicReader(clients).read(TopicPartition(topics.ingest_state, 0)):
        found = _step_of(record.value) or found
    if found is not None and found != step:
        raise TopicProblem(
            f"the policy says step: {format_duration(step)}, but {topics.segments} was written with "
            f"step: {format_duration(found)}: put `step: {format_duration(found)}` back, or give the "
            "deployment a new WATCHOFFICER_TOPIC_PREFIX"
        )


def _step_of(value: bytes | None) -> int | None:
    """The step (ms) that a record of `ingest-state` names; None where it names none."""
    try:
        said = decode(value) if value is not None else None
    except FormatError:
        return None  # whoever reads all of the topic deals with that
    return said.step if isinstance(said, Resume) else None
