"""Durable ingest against its ceiling: ``python -m benchmarks.ingest``.

The ceiling is aiokafka's ``getmany`` with msgspec decoding of the same bytes in the same run. Ingest does that and
judges, folds, writes segments that the broker acknowledges, and commits. Both run in one process on one core; the
broker has the other.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import time
import uuid

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.mixed import mixed_events
from detectors.policy import default_policy
from streams.clocks import RealClock
from streams.embedded import EmbeddedBroker
from streams.ingest import Ingest, IngestSettings
from streams.login_event import LoginEvent
from streams.outlet import Outlet
from streams.topics import PARTITIONS, Topics, create_missing

__all__ = ["main"]


async def _fill(broker: str, topics: Topics, events: list[tuple[int, bytes]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=20, max_batch_size=1 << 20)
    await producer.start()
    for stamp, value in events:
        await producer.send(topics.login_events, value, partition=0, timestamp_ms=stamp)
    await producer.stop()


async def _ceiling(broker: str, topics: Topics, count: int) -> float:
    """Events per second of reading and decoding alone."""
    decode = msgspec.json.Decoder(LoginEvent).decode
    place = TopicPartition(topics.login_events, 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
    )
    await consumer.start()
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    seen, began = 0, time.perf_counter()
    while seen < count:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=20_000)).values():
            for record in records:
                try:
                    decode(record.value)
                except msgspec.MsgspecError:
                    continue
            seen += len(records)
    rate = seen / (time.perf_counter() - began)
    await consumer.stop()
    return rate


async def _ingest(broker: str, topics: Topics, count: int) -> float:
    """Events per second from the first batch to the last acknowledged frontier."""
    kafka = {"bootstrap_servers": broker}
    outlet = Outlet(kafka)
    await outlet.start()
    failure: list[BaseException] = []
    ingest = Ingest(
        IngestSettings(
            kafka, topics, f"bench-{uuid.uuid4().hex}", PARTITIONS, session_ms=6000, start="earliest"
        ),
        default_policy(),
        outlet,
        RealClock(),
        failure.append,
    )
    await ingest.start()
    while not ingest.folded and not failure:
        await asyncio.sleep(0.001)
    first, began = ingest.folded, time.perf_counter()
    while ingest.folded < count and not failure:
        await asyncio.sleep(0.002)
    await ingest.stop()  # flushes and commits
    rate = (count - first) / (time.perf_counter() - began)
    await outlet.stop()
    if failure:
        raise failure[0]
    return rate


async def _measure(count: int, per_second: int, runs: int) -> None:
    now = RealClock()()
    events = mixed_events(count, now - count * 1000 // per_second - 60_000, per_second)
    size = sum(len(value) for _, value in events) / count
    ceilings, rates, ratios = [], [], []
    with EmbeddedBroker() as broker:
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        if len(cores) > 1:  # only this process: the broker has started and keeps all
            os.sched_setaffinity(0, {cores[0]})
        for _ in range(runs):
            topics = Topics(f"b{uuid.uuid4().hex[:6]}.")
            await create_missing(topics, {"bootstrap_servers": broker.address}, input_partitions=1)
            await _fill(broker.address, topics, events)
            gc.collect()
            ceiling = await _ceiling(broker.address, topics, count)
            gc.collect()
            rate = await _ingest(broker.address, topics, count)
            ceilings.append(ceiling)
            rates.append(rate)
            ratios.append(rate / ceiling)
    print(f"{count:,} mixed events of {size:.0f} bytes, {per_second:,}/s of event time, {runs} runs")
    for name, values, form in (
        ("ceiling", ceilings, "{:>12,.0f} events/s"),
        ("ingest", rates, "{:>12,.0f} events/s"),
        ("ratio", ratios, "{:>12.2f}"),
    ):
        print(
            name.ljust(8), form.format(statistics.median(values)), f"({min(values):.2f} to {max(values):.2f})"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ingest", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--per-second", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    gc.freeze()
    asyncio.run(_measure(options.events, options.per_second, options.runs))


if __name__ == "__main__":
    main()
