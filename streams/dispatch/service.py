"""How do commands get from the outbox to the receivers: one deliverer for each partition that a worker owns.

The outbox is `incident-commands`; what became of each command stands on `incident-deliveries`. Both are read when a
partition becomes this worker's, so that each command is dealt with once, whichever worker wrote or read it before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec
import structlog
from aiokafka import TopicPartition

from detectors.bounds import cut
from detectors.incidents import Command
from detectors.instants import SECOND
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.gate import ReceiverGate, gates_for
from sinks.delivery.outcomes import Delivery
from sinks.receivers.answers import SinkClient
from streams.dispatch.standing import StandingAlerts
from streams.kafka.producer import BatchProducer, ProducerRecord
from streams.kafka.refused.aside import AsideWriter
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import Topics
from streams.records.reading import OwnRecords, Stored
from streams.records.verdicts import decode_command, incident_partition
from streams.runtime.clocks import Timing

__all__ = ["Dispatch"]

log = structlog.get_logger(__name__)

#: The most of a receiver's reason in the headers of a dead letter, bytes.
_REASON_BYTES = 1_000

Delivered = Callable[[Command, int], None]


class Dispatch:
    """All deliverers of a worker.

    Args:
        topics: their names.
        partitions: of the outbox.
        clients: the receivers that are on, by sink.
        producer: where deliveries and dead letters are written.
        reader: reads topics back.
        timing: its clock stamps deliveries, its sleep and chance serve retries.
        on_delivered: called with a delivered command and when it was delivered, ms.
        aside: writes deliveries, so that a topic that takes none holds up no later command; ``producer`` by default.
        records: what is done with records that cannot be read; they are only logged by default.
        first: makes the command, if any, that whoever owns its partition sends once, at whichever start.
    """

    def __init__(
        self,
        topics: Topics,
        partitions: int,
        clients: Mapping[str, SinkClient],
        producer: BatchProducer,
        reader: TopicReader,
        timing: Timing,
        *,
        on_delivered: Delivered = lambda command, at: None,
        aside: AsideWriter | None = None,
        records: OwnRecords | None = None,
        first: Callable[[], Command | None] = lambda: None,
    ) -> None:
        self._first = first
        self._topics = topics
        self._partitions = partitions
        self._clients = clients
        self._producer = producer
        self._aside = aside or producer
        self._reader = reader
        self._records = records or OwnRecords(topics)
        self._timing = timing
        self._gates = gates_for(clients, timing.clock, timing.sleep)
        self._on_delivered = on_delivered
        self._offsets: dict[str, int] = {}
        self._owned: set[int] = set()
        self._deliverers: dict[int, Deliverer] = {}
        self._taking: dict[int, asyncio.Lock] = {}
        self._counted: Counter[tuple[str, str]] = Counter()
        self._standing = StandingAlerts(clients, timing.sleep)

    @property
    def deliveries(self) -> Counter[tuple[str, str]]:
        """(sink, outcome) -> how often, since this process started."""
        total = Counter(self._counted)
        for deliverer in self._deliverers.values():
            total.update(deliverer.deliveries)
        return total

    def oldest_pending(self) -> dict[str, tuple[int, int]]:
        """Receiver -> how many of its commands have no outcome yet, and when the oldest of them was made, ms."""
        found: dict[str, tuple[int, int]] = {}
        for deliverer in self._deliverers.values():
            for sink, (count, at) in deliverer.oldest_pending().items():
                known = found.get(sink)
                found[sink] = (count, at) if known is None else (known[0] + count, min(known[1], at))
        return found

    async def own(self, partitions: Iterable[int]) -> None:
        """Take over partitions that are new, and let go of those that are another worker's now.

        Raises:
            KafkaError: the broker; to be called again.
        """
        self._owned = set(partitions)
        await self.let_go(set(self._deliverers) - self._owned, 0.0)
        self._share_out()
        await asyncio.gather(*(self._deliverer(partition) for partition in sorted(self._owned)))
        self._standing.keep(self._owned, self._partition_of)

    async def let_go(self, partitions: Iterable[int], timeout: float) -> None:
        """Give partitions away: requests under way may end, and be recorded, within ``timeout`` seconds."""
        self._owned -= set(partitions)
        self._share_out()
        gone = [self._deliverers.pop(p) for p in partitions if p in self._deliverers]
        await asyncio.gather(*(deliverer.close(timeout) for deliverer in gone))
        for deliverer in gone:
            self._counted.update(deliverer.deliveries)
        self._standing.keep(self._owned, self._partition_of)

    def owns(self, incident_id: str) -> bool:
        """Whether this worker sends the notifications of an incident."""
        return self._partition_of(incident_id) in self._owned

    def _partition_of(self, incident_id: str) -> int:
        return incident_partition(incident_id, self._partitions)

    def _share_out(self) -> None:
        """Take the share of each receiver's rate that belongs to the partitions of this worker."""
        if self._owned:
            for gate in self._gates.values():
                gate.set_share(len(self._owned) / self._partitions)

    def unheard_for(self, now: int) -> float:
        """Seconds up to ``now`` (ms) for which commands have waited and no receiver has taken any; 0 if none waits."""
        waiting = [since for each in self._deliverers.values() if (since := each.waiting_since()) is not None]
        if not waiting:
            return 0.0
        taken = [gate.taken_at for gate in self._gates.values() if gate.taken_at is not None]
        return max(now - max([min(waiting), *taken]), 0) / SECOND

    def gates(self) -> Mapping[str, ReceiverGate]:
        """The gates to the receivers: how they answer, and whether requests go to them."""
        return self._gates

    async def take(self, partition: int, offset: int, value: bytes | None, key: bytes | None = None) -> None:
        """Take the next record of the outbox; one of a partition that is not owned is read again once it is.

        Raises:
            Unreadable: a newer version wrote it, or a record that is read back with it.
        """
        reading = self._records.reading(self._topics.commands, partition)
        command = reading.take(Stored(offset, key, value), decode_command)
        reading.refuse()
        deliverer = await self._deliverer(partition) if command is not None else None
        if command is not None and deliverer is not None:
            self._submit(deliverer, offset, command, self._timing.clock())

    def _submit(self, deliverer: Deliverer, offset: int, command: Command, written: int) -> None:
        self._standing.remember(command)
        if deliverer.submit(command, written):
            self._offsets[command.id] = offset

    async def close(self, timeout: float) -> None:
        """Stop: requests in flight get ``timeout`` seconds; what was not delivered stays in the outbox."""
        await asyncio.gather(*(each.close(timeout) for each in self._deliverers.values()))

    async def _deliverer(self, partition: int) -> Deliverer | None:
        """The deliverer of a partition, restored first if need be; None for a partition that is not owned."""
        async with self._taking.setdefault(partition, asyncio.Lock()):
            if partition in self._owned and partition not in self._deliverers:
                async with self._reader.kept():
                    await self._restore(partition)
            return self._deliverers.get(partition)

    async def _restore(self, partition: int) -> None:
        known: list[Delivery] = []
        reading = self._records.reading(self._topics.deliveries, partition)
        async for record in self._reader.read(TopicPartition(self._topics.deliveries, partition)):
            delivery = reading.take(record, _delivery)
            if delivery is not None:
                known.append(delivery)
        # The key says which command has an outcome, also where the outcome cannot be read: nobody is woken again.
        settled = {unread.name for unread in reading.unread()}
        reading.refuse()
        commands: list[tuple[int, Command, int]] = []
        reading = self._records.reading(self._topics.commands, partition)
        async for record in self._reader.read(TopicPartition(self._topics.commands, partition)):
            command = reading.take(record, decode_command)
            if command is not None:
                commands.append((record.offset, command, record.timestamp))
        reading.refuse()
        if partition not in self._owned:
            return  # it was given away meanwhile
        deliverer = self._deliverers[partition] = Deliverer(
            self._clients,
            self._record,
            self._dead_letter,
            self._timing.clock,
            self._timing.sleep,
            self._timing.chance,
            gates=self._gates,
            on_delivered=self._on_delivered,
        )
        deliverer.restore(known, settled)
        # All at once: a page must not go out before it is known that its incident is over.
        for offset, command, written in commands:
            self._submit(deliverer, offset, command, written)
        first = self._first()
        if first is not None and self._partition_of(first.incident_id) == partition:
            deliverer.submit(first)
        waiting = deliverer.pending
        log.info("outbox_restored", partition=partition, delivered=len(known), waiting=waiting)

    async def _record(self, delivery: Delivery) -> None:
        partition = incident_partition(delivery.incident_id, self._partitions)
        await self._aside.write(
            [
                ProducerRecord(
                    self._topics.deliveries,
                    delivery.command_id.encode(),
                    msgspec.json.encode(delivery),
                    partition,
                )
            ]
        )
        self._offsets.pop(delivery.command_id, None)

    async def _dead_letter(self, command: Command, reason: str, attempts: int) -> None:
        log.error(
            "command_dead_lettered", command=command.id, sink=command.sink, reason=reason, attempts=attempts
        )
        headers = [
            ("topic", self._topics.commands.encode()),
            ("partition", str(incident_partition(command.incident_id, self._partitions)).encode()),
            ("offset", str(self._offsets.get(command.id, -1)).encode()),
            ("command", command.id.encode()),
            ("attempts", str(attempts).encode()),
            ("error", cut(reason, _REASON_BYTES).encode()),
        ]
        await self._producer.write(
            [
                ProducerRecord(
                    self._topics.dead,
                    command.incident_id.encode(),
                    msgspec.json.encode(command),
                    None,
                    headers,
                )
            ]
        )


def _delivery(value: bytes) -> Delivery:
    return msgspec.json.decode(value, type=Delivery)
