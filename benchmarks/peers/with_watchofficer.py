"""How does watchofficer's ingest do the job? ``with_watchofficer.py BROKER TOPIC-PREFIX EVENTS`` prints it as JSON.

Ingest runs unchanged and writes panes of a second. The panes are read back and combined to minutes within the measured
time, so that the time ends with the answer that all systems give.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid

from aiokafka import TopicPartition

from benchmarks.peers.job import Window, combined
from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings
from streams.kafka.clients import KafkaClients
from streams.kafka.producer import BatchProducer
from streams.kafka.topic_reader import TopicReader
from streams.kafka.topics import PARTITIONS, Topics, env_partition
from streams.runtime.clocks import Timing
from streams.runtime.gc_tuning import tune_gc
from streams.segments.codec import Segment, decode
from streams.settings.policy_file import default_policy

_POLL = 0.002


async def job(broker: str, topics: Topics, events: int) -> tuple[float, list[Window]]:
    """Return the seconds from first batch to answer, and the answer: (minute, method, events, failing people)."""
    clients = KafkaClients({"bootstrap_servers": broker})
    producer = BatchProducer(clients)
    await producer.start()
    failures: list[BaseException] = []
    settings = IngestSettings(
        topics, f"peers-{uuid.uuid4().hex}", PARTITIONS, session_ms=6000, start="earliest"
    )
    ingest = Ingest(settings, default_policy(), producer, Timing(), failures.append, clients=clients)
    await ingest.start()
    while not ingest.assigned and not failures:
        await asyncio.sleep(_POLL)
    tune_gc()  # as `watchofficer run` does
    began = time.perf_counter()
    while ingest.folded < events and not failures:
        await asyncio.sleep(_POLL)
    await ingest.stop()  # flushes and commits
    if failures:
        raise failures[0]
    answer = await _minutes(clients, topics)
    seconds = time.perf_counter() - began
    await producer.stop()
    return seconds, answer


async def _minutes(clients: KafkaClients, topics: Topics) -> list[Window]:
    place = TopicPartition(topics.segments, env_partition("prod", PARTITIONS))
    newest: dict[tuple[int | str, int], Segment] = {}
    async for record in TopicReader(clients).read(place):
        segment = decode(record.value) if record.value is not None else None
        if isinstance(segment, Segment) and segment.env == "prod":
            known = newest.get((segment.partition, segment.block))
            if known is None or segment.replaces(known.first, known.last):
                newest[segment.partition, segment.block] = segment
    return combined(row for segment in newest.values() for row in segment.rows)


def main(broker: str, prefix: str, events: int) -> None:
    """Do the job and print the answer."""
    seconds, windows = asyncio.run(job(broker, Topics(prefix), events))
    print(json.dumps({"seconds": seconds, "windows": windows}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
