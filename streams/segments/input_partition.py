"""Which input partition is meant, where a deployment reads several inputs?

An input has the name of its topic; the topic of login events itself has the name ``LOGIN_EVENTS``, whatever its
prefix. A partition of login events is known by its number alone, as it was before there were other inputs; one of
another input by ``<name>:<number>``.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "LOGIN_EVENTS",
    "InputPartition",
    "in_words",
    "input_name",
    "input_partition",
    "partitions_of",
    "topic_and_number",
]

InputPartition = int | str

#: The name of the input that holds login events (version 1).
LOGIN_EVENTS = "login-events"


def input_partition(name: str, number: int) -> InputPartition:
    """Return what the partition ``number`` of the input ``name`` is known by. No name of a topic holds a colon."""
    return number if name == LOGIN_EVENTS else f"{name}:{number}"


def input_name(partition: InputPartition) -> str:
    """Return the name of the input of a partition."""
    return LOGIN_EVENTS if isinstance(partition, int) else partition.rpartition(":")[0]


def topic_and_number(partition: InputPartition, login_events: str) -> tuple[str, int]:
    """Return the topic and the number of a partition, where ``login_events`` is the topic of login events."""
    if isinstance(partition, int):
        return login_events, partition
    topic, _, number = partition.rpartition(":")
    return topic, int(number)


def in_words(partition: InputPartition) -> str:
    """Return how a partition is named to people."""
    if isinstance(partition, int):
        return f"partition {partition} of the input"
    name, _, number = partition.rpartition(":")
    return f"partition {number} of {name}"


def partitions_of(inputs: Mapping[str, int]) -> set[InputPartition]:
    """Return all partitions of inputs, each given with the number of its partitions."""
    return {input_partition(name, number) for name, count in inputs.items() for number in range(count)}
