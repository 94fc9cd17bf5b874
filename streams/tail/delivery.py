"""What becomes of lines that were read? They stand on the topic, acknowledged, before anybody counts them as read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from streams.kafka.line_producer import key_of
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.mappings.mapping import RecordMapping

__all__ = [
    "Deliver",
    "Delivery",
    "Line",
    "LineSource",
    "Records",
    "as_events",
    "as_they_are",
    "keyed_by_events",
]


class Line(NamedTuple):
    """A line of a producer.

    Attributes:
        text: without its end.
        position: names the line, so that an event of it without an id of its own has one.
    """

    text: bytes
    position: str


class Deliver(Protocol):
    """Puts lines onto a topic."""

    async def __call__(self, lines: Sequence[Line]) -> int:
        """Wait until the lines are acknowledged, for as long as it takes; the number of records."""
        ...


class LineSource(Protocol):
    """Where lines come from."""

    async def run(self) -> None:
        """Deliver lines until there are no more, or ``stop`` was called."""
        ...

    async def stop(self) -> None:
        """Take nothing new; what was taken is delivered, and then ``run`` returns."""
        ...


#: A line -> the records that it becomes, each a key and a value.
Records = Callable[[Line], list[tuple[bytes | None, bytes]]]


def as_they_are(line: Line) -> list[tuple[bytes | None, bytes]]:
    """A line as a record of its own, keyed by its flow, else by its event, if it is a login event."""
    return [(key_of(line.text), line.text)]


def as_events(mapping: RecordMapping) -> Records:
    """Return how a line becomes the events that a mapping finds in it; what became of it is in the account."""

    def made(line: Line) -> list[tuple[bytes | None, bytes]]:
        return [(key_of(event), event) for event in mapping.map(line.text, line.position).events]

    return made


def keyed_by_events(mapping: RecordMapping) -> Records:
    """Return how a line becomes a record as it is, keyed by the flow of the event that a mapping finds in it."""

    def made(line: Line) -> list[tuple[bytes | None, bytes]]:
        events = mapping.map(line.text, line.position).events
        return [(key_of(events[0]) if events else None, line.text)]

    return made


class Delivery:
    """Writes lines onto a topic.

    Args:
        producer: writes, repeats what the broker does not take, and reports what does not get on.
        topic: the topic.
        records: what a line becomes.

    Attributes:
        lines: how many were delivered.
        sent: records of them.
        set_aside: why -> lines that are on no topic, and never will be.
    """

    def __init__(self, producer: BatchProducer, topic: str, records: Records) -> None:
        self._producer = producer
        self._topic = topic
        self._records = records
        self.lines = self.sent = 0
        self.set_aside: Counter[str] = Counter()
        producer.too_large = lambda record, why: self.aside("larger than the topic takes")

    async def deliver(self, lines: Sequence[Line]) -> int:
        """Put lines onto the topic, and wait until all are acknowledged; return the number of records."""
        records = [
            ProducerRecord(self._topic, key, value) for line in lines for key, value in self._records(line)
        ]
        if records:
            await self._producer.write(records)
        self.lines += len(lines)
        self.sent += len(records)
        return len(records)

    def aside(self, reason: str, count: int = 1) -> None:
        """Count lines that no topic will have."""
        if count:
            self.set_aside[reason] += count
