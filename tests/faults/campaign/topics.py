"""What do the topics of a run hold at its end?"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from streams.kafka.clients import KafkaClients, started
from streams.kafka.topic_reader import TopicReader
from streams.segments.codec import Frontier, Tally, decode
from tests.support.oracle import Mark
from tests.support.oracle import Record as Logged

__all__ = ["POISON", "Folded", "InputLog", "folded", "input_log", "read"]

#: What a campaign puts on topics of the watch's own, and no one can read.
POISON = b"\x00 no record of the watch"


async def read(broker: str, topic: str) -> list[Any]:
    """Return all records of a topic but for ``POISON``, by partition, in the order of their offsets."""
    return [record for records in await _by_partition(broker, topic) for record in records]


async def _by_partition(broker: str, topic: str) -> list[list[Any]]:
    """Return the records of each partition of a topic, in the order of their offsets."""
    clients = KafkaClients({"bootstrap_servers": broker})
    async with started(clients.reader()) as consumer:
        ids = (await consumer.partition_ids(topic))[topic]
    reader = TopicReader(clients)
    return [
        [record async for record in reader.read(TopicPartition(topic, n)) if record.value != POISON]
        for n in range(len(ids))
    ]


@dataclass(frozen=True)
class InputLog:
    """The records of the input topic, without the markers and the aborted records of transactions.

    Attributes:
        partitions: the records of each partition, in the oracle's form.
        offsets: the offset of each record, in the same order.
    """

    partitions: list[list[Logged]]
    offsets: list[list[int]]

    def place(self, partition: int, offset: int) -> int:
        """Return the number of records before an offset."""
        return bisect_left(self.offsets[partition], offset)

    def marks(self, marks: Mapping[int, Sequence[Mark]]) -> dict[int, list[Mark]]:
        """Return marks in the oracle's form: the number of records before the offset, and the watermark."""
        return {
            partition: [(self.place(partition, offset), watermark) for offset, watermark in some]
            for partition, some in marks.items()
        }


async def input_log(broker: str, topic: str) -> InputLog:
    """Return the records of the input topic."""
    partitions = await _by_partition(broker, topic)
    return InputLog(
        [[(record.value, record.timestamp) for record in records] for records in partitions],
        [[record.offset for record in records] for records in partitions],
    )


@dataclass
class Folded:
    """Ingest's account of the input, as one partition of ``sli-segments`` states it.

    Attributes:
        marks: input partition -> the marks, (next offset, watermark), on which evaluation acts.
        tallies: (input partition, block) -> the last count of the block's records.
        reasons: how often each reason for a mark was given.
    """

    marks: dict[int, list[Mark]] = field(default_factory=lambda: defaultdict(list))
    tallies: dict[tuple[int, int], Tally] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def total(self, name: str) -> int:
        """Return the sum of a field over all tallies."""
        return sum(int(getattr(tally, name)) for tally in self.tallies.values())

    @property
    def rejected(self) -> int:
        return sum(sum(tally.rejected.values()) for tally in self.tallies.values())


@dataclass
class _Owner:
    generation: int = -1
    begun: bool = True
    before: int = -1
    aside: list[Tally] = field(default_factory=list)


async def folded(broker: str, topic: str) -> list[Folded]:
    """Return ingest's account of the input from each partition of ``sli-segments``; all must be equal.

    Records that a former owner of an input partition writes after the announcement of a new owner do not count, except
    for tallies of blocks that lie before the offset at which the new owner begins.
    """
    return [_fold(records) for records in await _by_partition(broker, topic) if records]


def _fold(records: list[Any]) -> Folded:
    here = Folded()
    owners: dict[int, _Owner] = defaultdict(_Owner)
    for record in records:
        said = decode(record.value)
        if not isinstance(said, Frontier):
            continue
        owner = owners[int(said.partition)]
        if said.generation < owner.generation:
            if not owner.begun and said.generation >= owner.before:
                owner.aside += said.tallies
            continue
        if said.generation > owner.generation:
            before, aside = (owner.generation, []) if owner.begun else (owner.before, owner.aside)
            owner = owners[int(said.partition)] = _Owner(said.generation, False, before, aside)
        if said.next_offset >= 0 and not owner.begun:
            _count(here, int(said.partition), [t for t in owner.aside if t.last < said.next_offset])
            owner.begun, owner.aside = True, []
        _count(here, int(said.partition), said.tallies)
        if said.marked and said.watermark is not None:
            here.marks[int(said.partition)].append((said.next_offset, said.watermark))
            here.reasons[said.marked] += 1
    return here


def _count(here: Folded, partition: int, tallies: list[Tally]) -> None:
    for tally in tallies:
        place = (partition, tally.block)
        if place not in here.tallies or tally.last > here.tallies[place].last:
            here.tallies[place] = tally
