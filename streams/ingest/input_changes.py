"""What has changed of a deployment's inputs since one of their partitions was read last?"""

from __future__ import annotations

import structlog
from aiokafka import TopicPartition

from streams.kafka.admin import TopicProblem
from streams.segments.codec import Frontier
from streams.segments.input_partition import LOGIN_EVENTS

__all__ = ["is_unchanged", "knows"]

log = structlog.get_logger(__name__)


def is_unchanged(place: TopicPartition, before: str, now: str) -> bool:
    """Return whether the mappings of an input make the same of its records as before.

    Args:
        place: a partition of the input.
        before, now: the forms of the input (``mappings.inputs.Input.form``).

    Raises:
        TopicProblem: the key of hashes is another.
    """
    if before and now and before.partition("/")[2] != now.partition("/")[2]:
        raise TopicProblem(
            f"{place.topic} was read with another WATCHOFFICER_HASH_KEY, and all people would count anew: "
            "put the former key back, or give the deployment a new WATCHOFFICER_TOPIC_PREFIX"
        )
    if before != now:
        log.warning("mapping_changed", topic=place.topic, partition=place.partition)
    return before == now


def knows(frontier: Frontier, name: str, number: int) -> bool:
    """Return whether the inputs of a frontier's writer hold the partition ``number`` of the input ``name``.

    One that does not say how many partitions there are holds it.
    """
    inputs = frontier.inputs or {LOGIN_EVENTS: frontier.partitions}
    return name in inputs and not 0 < inputs[name] <= number
