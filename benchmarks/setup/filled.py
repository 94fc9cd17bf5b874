"""How is a topic filled quickly? With whole batches, which this module builds."""

from __future__ import annotations

from collections.abc import Iterable

from aiokafka import AIOKafkaProducer

__all__ = ["Record", "fill"]

#: (Kafka timestamp in ms, key, value)
Record = tuple[int, bytes | None, bytes]

_BATCH_BYTES = 1 << 20


async def fill(broker: str, topic: str, partition: int, records: Iterable[Record]) -> int:
    """Write the records to a partition, in their order; return how many there were.

    Args:
        broker: ``host:port`` of the broker.
        topic: the name of a topic that exists.
        partition: the partition to write to.
        records: the records.
    """
    producer = AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=_BATCH_BYTES)
    await producer.start()
    count = 0
    try:
        batch, waiting = producer.create_batch(), []
        for timestamp, key, value in records:
            count += 1
            if batch.append(key=key, value=value, timestamp=timestamp) is None:
                waiting.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=timestamp)
        if batch.record_count():
            waiting.append(await producer.send_batch(batch, topic, partition=partition))
        for sent in waiting:
            await sent
    finally:
        await producer.stop()
    return count
