"""How much faster are two workers on two partitions than one? ``python -m benchmarks.two_workers``.

Each worker is a process of ``watchofficer run --role ingest``, with full durability. Their progress is read from the
frontiers that they write: a frontier states how far a partition has been folded, once its segments are acknowledged.
Only the time counts in which all partitions were being folded: neither the start nor the group join, which one of two
workers ends earlier than the other, nor the rest of one partition when the other is complete.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.brokers import EMBEDDED, Broker, Kind, add_kafka, on_each
from benchmarks.setup.filled import Record, fill
from benchmarks.setup.worker import Worker, cpu_seconds
from detectors.instants import MINUTE, SECOND
from streams.kafka.admin import create_missing
from streams.kafka.topics import PARTITIONS, Topics, env_partition
from streams.runtime.clocks import RealClock
from streams.segments.codec import Frontier, decode
from tests.support.mixed_events import mixed_events
from tests.support.processes import Failed as WorkerFailed

__all__ = ["Pace", "beside_ceiling", "figure_of", "fold", "measure", "pace"]

_PARTITIONS = 2
_PER_SECOND = 2_000  # events per second of event time, on each partition
_TIMEOUT = 120.0
_POLL_MS = 50
_FRONTIER = b"frontier/"  # prefix of the keys of frontiers
_TOO_FEW = "the partitions were not at work at the same time: take more events"
_ATTEMPTS = 4  # tries, because one worker may finish before the other is assigned its partition


@dataclass(frozen=True)
class Pace:
    """The speed of a number of workers.

    Attributes:
        rate: events per second, all partitions together.
        broker: cores that the broker used meanwhile; None if unknown.
        workers: cores that all workers together used; None if unknown.
    """

    rate: float
    broker: float | None
    workers: float | None


def pace(frontiers: list[Frontier]) -> float:
    """Return events per second of all partitions together, while all of them were being folded by their last owners.

    A frontier is written every 0.2 s and states what had been folded by then; between two frontiers, progress is taken
    as even. The time before the last partition has begun and after the first one is complete does not count.

    Raises:
        ValueError: nothing was folded between two frontiers.
    """
    newest: dict[int, int] = {}
    for one in frontiers:
        newest[int(one.partition)] = max(newest.get(int(one.partition), -1), one.generation)
    courses = []
    for partition, generation in newest.items():
        told = {
            one.written_at: one.next_offset
            for one in frontiers
            if (one.partition, one.generation) == (partition, generation) and one.next_offset > 0
        }
        end = max(told.values(), default=0)
        # Only the next frontier, up to 0.2 s later, shows when the partition was complete.
        courses.append(sorted((at, offset) for at, offset in told.items() if offset < end))
    if not all(courses):
        raise ValueError(_TOO_FEW)
    begin, end = max(course[0][0] for course in courses), min(course[-1][0] for course in courses)
    if begin >= end:
        raise ValueError(_TOO_FEW)
    events = 0.0
    for course in courses:
        ats, offsets = np.array(course, dtype=np.float64).T
        at_begin, at_end = np.interp((begin, end), ats, offsets)
        events += at_end - at_begin
    return float(events * SECOND / (end - begin))


async def fold(
    count: int, workers: int, events: list[list[Record]], folder: Path, kind: Kind = EMBEDDED
) -> tuple[list[Frontier], list[tuple[float, float] | None]]:
    """Let ``workers`` workers fold ``count`` events on each partition.

    Returns:
        the frontiers that they wrote, and (CPU seconds, seconds) of the broker and of each worker while all partitions
        were being folded.

    Raises:
        WorkerFailed: a worker ended, or the workers did not finish in time.
    """
    topics = Topics(f"w{uuid.uuid4().hex[:6]}.")
    with kind.run() as broker:
        kafka = {"bootstrap_servers": broker.address}
        await create_missing(topics, kafka, input_partitions=_PARTITIONS)
        for partition, records in enumerate(events):
            await fill(broker.address, topics.login_events, partition, records)
        settings = {"BROKER": broker.address, "TOPIC_PREFIX": topics.prefix, "LOG_FORMAT": "json"}
        async with AsyncExitStack() as stack:
            running = []
            for n in range(workers):
                log = folder / f"worker-{topics.prefix}{n}.log"
                worker = Worker(settings, log, "--role", "ingest", "--from", "earliest")
                worker.start()
                stack.push_async_callback(asyncio.to_thread, worker.stop)
                running.append(worker)
            return await _follow(broker, running, topics, count)


async def measure(
    count: int, workers: int, events: list[list[Record]], folder: Path, kind: Kind = EMBEDDED
) -> Pace:
    """Measure the speed at which ``workers`` workers fold ``count`` events on each partition.

    Raises:
        WorkerFailed: a worker ended, or the workers did not finish in time.
        ValueError: there are too few events for a measurement.
    """
    frontiers, took = await fold(count, workers, events, folder, kind)
    shares = [None if one is None else one[0] / one[1] for one in took]
    busy = [share for share in shares[1:] if share is not None]
    return Pace(pace(frontiers), shares[0], sum(busy) if len(busy) == workers else None)


async def _follow(
    broker: Broker, workers: list[Worker], topics: Topics, count: int
) -> tuple[list[Frontier], list[tuple[float, float] | None]]:
    """Read the workers' frontiers up to the end of all partitions; return what ``fold`` returns. Events are of prod."""
    processes = [broker.pid or 0, *(worker.pid for worker in workers)]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _TIMEOUT
    frontiers: list[Frontier] = []
    before: list[float | None] = []
    after: list[float | None] = []
    began = ended = 0.0
    reached: dict[int, int] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        # Every partition receives the frontiers. This one holds no segments, whose fetching would take CPU time from
        # the cores that are measured.
        place = TopicPartition(topics.segments, env_partition("localhost", PARTITIONS))
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        while len(reached) < _PARTITIONS or min(reached.values()) < count:
            for worker in workers:
                worker.check()
            if loop.time() > deadline:
                raise WorkerFailed(f"after {_TIMEOUT:.0f} s the partitions were folded to {reached}")
            for record in (await consumer.getmany(timeout_ms=_POLL_MS)).get(place, ()):
                if record.value is None or not (record.key or b"").startswith(_FRONTIER):
                    continue
                told = decode(record.value)
                if isinstance(told, Frontier):
                    frontiers.append(told)
                    reached[int(told.partition)] = max(reached.get(int(told.partition), 0), told.next_offset)
            if not before and len(reached) == _PARTITIONS and all(reached.values()):
                before, began = [cpu_seconds(pid) for pid in processes], loop.time()
            if not after and count in reached.values():
                after, ended = [cpu_seconds(pid) for pid in processes], loop.time()
    finally:
        await consumer.stop()
    return frontiers, [
        None if x is None or y is None or ended <= began else (y - x, ended - began)
        for x, y in zip(before, after, strict=True)
    ]


def figure_of(one: list[Pace], two: list[Pace], count: int, size: float, kind: Kind = EMBEDDED) -> Figure:
    """Build the figure of repeated runs with one worker and with two."""
    told = []
    for name, paces in (("one worker", one), ("two", two)):
        known = [run for run in paces if run.broker is not None and run.workers is not None]
        if known:
            broker = sum(run.broker or 0 for run in known) / len(known)
            workers = sum(run.workers or 0 for run in known) / len(known)
            told.append(f"beside {name} the broker took {broker:.2f} of a core ({name}: {workers:.2f})")
    return figure(
        f"two_workers{kind.suffix}",
        f"Durable ingest by two workers on two partitions, {kind.title}",
        "events/s",
        [run.rate for run in two],
        goal=Goal("at least", 1.7, "ratio"),
        compared_with="one worker",
        ceilings=[run.rate for run in one],
        note=f"{count:,} mixed events of {size:.0f} bytes on each partition; " + "; ".join(told),
    )


def beside_ceiling(one: list[Pace], two: list[Pace], cores: int, kind: Kind = EMBEDDED) -> Figure | None:
    """Build the figure of two workers beside what the broker leaves them of the machine; None if that is not known.

    The ceiling of a run is the rate of one worker, times as many such workers as have room: the cores less what the
    broker takes of them beside two workers, divided by what one worker takes, and two at most.

    Args:
        one, two: the runs with one worker and with two.
        cores: of the machine.
        kind: the broker.
    """
    rates, ceilings, rooms = [], [], []
    for alone, both in zip(one, two, strict=True):
        if alone.workers is not None and both.broker is not None:
            rooms.append(min(2.0, (cores - both.broker) / alone.workers))
            rates.append(both.rate)
            ceilings.append(alone.rate * rooms[-1])
    if not rates:
        return None
    return figure(
        f"two_workers_beside_broker{kind.suffix}",
        f"Durable ingest by two workers, beside what the broker leaves of {cores} cores, {kind.title}",
        "events/s",
        rates,
        goal=Goal("at least", 0.9, "ratio"),
        compared_with="one worker, times the room for more",
        ceilings=ceilings,
        note=f"there was room for {statistics.median(rooms):.2f} workers: ({cores} cores - the broker's share beside "
        "two workers) ÷ the share of one worker; reading the frontiers and the kernel's network take of it, too",
    )


def _events(count: int) -> list[list[Record]]:
    """Build the events of each partition."""
    start = RealClock()() - count * SECOND // _PER_SECOND - MINUTE
    return [
        [(at, None, value) for at, value in mixed_events(count, start, _PER_SECOND, seed)]
        for seed in range(1, _PARTITIONS + 1)
    ]


async def _measure_at_last(
    count: int, workers: int, events: list[list[Record]], folder: Path, kind: Kind
) -> Pace:
    """Run ``measure``, and repeat it if the group assigned its partitions at times too far apart."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await measure(count, workers, events, folder, kind)
        except ValueError as why:
            print(f"{kind.title}: {why}; once more", flush=True)
    return await measure(count, workers, events, folder, kind)


async def _compare(events: list[list[Record]], runs: int, folder: Path, kind: Kind) -> list[Figure]:
    count = len(events[0])
    size = sum(len(value) for _, _, value in events[0]) / count
    paces: dict[int, list[Pace]] = {1: [], 2: []}
    for run in range(runs):
        for workers, found in paces.items():
            found.append(await _measure_at_last(count, workers, events, folder, kind))
            rate = f"{found[-1].rate:,.0f} events/s"
            print(f"{kind.title}, run {run + 1}: {workers} worker(s): {rate}", flush=True)
    beside = beside_ceiling(paces[1], paces[2], os.cpu_count() or 2, kind)
    whole = figure_of(paces[1], paces[2], count, size, kind)
    return [whole] if beside is None else [whole, beside]


def main() -> None:
    """Measure one and two workers, and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.two_workers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--events", type=int, default=600_000, help="on each partition")
    add_kafka(parser)
    add_options(parser, runs=3)
    options = parser.parse_args()
    events = _events(options.events)
    try:
        with tempfile.TemporaryDirectory(prefix="watchofficer-two-", ignore_cleanup_errors=True) as folder:

            async def on(kind: Kind) -> list[Figure]:
                return await _compare(events, options.runs, Path(folder), kind)

            found = asyncio.run(on_each(options.kafka, on))
    except (WorkerFailed, ValueError) as error:
        sys.exit(str(error))
    report(found, options.results)


if __name__ == "__main__":
    main()
