"""How does evaluate run?"""

from __future__ import annotations

from dataclasses import dataclass

from streams.kafka.topics import Topics

__all__ = ["EvaluateSettings"]


@dataclass(frozen=True)
class EvaluateSettings:
    """How evaluate runs.

    Attributes:
        topics: their names.
        sinks: the receivers that are on.
        partitions: of the internal topics.
        pace: how many times faster than real time the clock runs; limits that wait for the broker grow with it.
    """

    topics: Topics
    sinks: frozenset[str]
    partitions: int
    pace: float = 1.0
