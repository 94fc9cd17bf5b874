"""How fast is durable ingest compared with its ceiling? ``python -m benchmarks.ingest``.

The ceiling is aiokafka's ``getmany`` with msgspec decoding of the same bytes in the same run. Ingest additionally
accepts and folds events, writes segments that the broker acknowledges, and commits. Both run in one process on one
core, with equal settings of the garbage collector; the broker has the other core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
import uuid
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.brokers import Kind, add_kafka, on_each
from benchmarks.setup.filled import fill
from streams.events.login_event import LoginEvent
from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings
from streams.kafka.admin import create_missing
from streams.kafka.clients import KafkaClients
from streams.kafka.producer import BatchProducer
from streams.kafka.topics import PARTITIONS, Topics
from streams.runtime.clocks import RealClock, Timing
from streams.runtime.gc_tuning import tune_gc
from streams.settings.policy_file import default_policy
from tests.support.mixed_events import mixed_events

__all__ = ["main"]


class _Pace(NamedTuple):
    """Events per second of wall-clock time, and per second of this process's CPU time."""

    wall: float
    cpu: float


class _Stopwatch:
    """Measures time from its construction on."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def pace(self, events: int) -> _Pace:
        """Return the pace of ``events`` events since the construction."""
        return _Pace(events / (time.perf_counter() - self._wall), events / (time.process_time() - self._cpu))


async def _ceiling(broker: str, topics: Topics, count: int) -> _Pace:
    """Measure reading and decoding alone."""
    decode = msgspec.json.Decoder(LoginEvent).decode
    place = TopicPartition(topics.login_events, 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
    )
    await consumer.start()
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    seen, watch = 0, _Stopwatch()
    while seen < count:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=20_000)).values():
            for record in records:
                try:
                    decode(record.value)
                except msgspec.MsgspecError:
                    continue
            seen += len(records)
    pace = watch.pace(seen)
    await consumer.stop()
    return pace


async def _ingest(broker: str, topics: Topics, count: int) -> _Pace:
    """Measure ingest from the first batch to the last acknowledged frontier."""
    clients = KafkaClients({"bootstrap_servers": broker})
    producer = BatchProducer(clients)
    await producer.start()
    failure: list[BaseException] = []
    ingest = Ingest(
        IngestSettings(topics, f"bench-{uuid.uuid4().hex}", PARTITIONS, session_ms=6000, start="earliest"),
        default_policy(),
        producer,
        Timing(),
        failure.append,
        clients=clients,
    )
    await ingest.start()
    while not ingest.folded and not failure:
        await asyncio.sleep(0.001)
    first, watch = ingest.folded, _Stopwatch()
    while ingest.folded < count and not failure:
        await asyncio.sleep(0.005)
    await ingest.stop()  # flushes and commits
    pace = watch.pace(count - first)
    await producer.stop()
    if failure:
        raise failure[0]
    return pace


async def _measure(count: int, per_second: int, runs: int, kind: Kind) -> Figure:
    now = RealClock()()
    events = mixed_events(count, now - count * 1000 // per_second - 60_000, per_second)
    size = sum(len(value) for _, value in events) / count
    ceilings: list[_Pace] = []
    ingests: list[_Pace] = []
    with kind.run() as running:
        broker = running.address
        everywhere = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
        try:
            if len(everywhere) > 1:  # binds only this process; the broker has started and keeps all cores
                os.sched_setaffinity(0, {min(everywhere)})
            tune_gc()
            for _ in range(runs):
                topics = Topics(f"b{uuid.uuid4().hex[:6]}.")
                await create_missing(topics, {"bootstrap_servers": broker}, input_partitions=1)
                records = ((stamp, None, value) for stamp, value in events)
                await fill(broker, topics.login_events, 0, records)
                ceilings.append(await _ceiling(broker, topics, count))
                ingests.append(await _ingest(broker, topics, count))
        finally:
            if everywhere:
                os.sched_setaffinity(0, everywhere)
    on_cpu = statistics.median(i.cpu / c.cpu for i, c in zip(ingests, ceilings, strict=True))
    return figure(
        f"ingest{kind.suffix}",
        f"durable ingest of mixed events of {size:.0f} bytes, {kind.title}",
        "events/s",
        [pace.wall for pace in ingests],
        goal=Goal("at least", 0.65, "ratio"),
        compared_with="aiokafka getmany + msgspec decode",
        ceilings=[pace.wall for pace in ceilings],
        note=f"{count:,} events, {per_second:,}/s of event time, this process on one core; "
        f"by CPU time {statistics.median(i.cpu for i in ingests):,.0f} events/s, ratio {on_cpu:.2f}",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure ingest and its ceiling, and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ingest", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--per-second", type=int, default=2_000)
    add_kafka(parser)
    add_options(parser, runs=3)
    options = parser.parse_args(arguments)

    async def measure(kind: Kind) -> list[Figure]:
        return [await _measure(options.events, options.per_second, options.runs, kind)]

    report(asyncio.run(on_each(options.kafka, measure)), options.results)


if __name__ == "__main__":
    main()
