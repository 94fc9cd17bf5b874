"""How soon is a restarted worker ready after an hour of segments? ``python -m benchmarks.restart``.

A worker judges an hour of events at 1,000 a second to its end; then it is stopped and another one is started, which has
nothing to read but the records from which it restores its windows, its history and its memory of duplicates. The
duration of the group join depends on the broker alone; it is measured separately and subtracted. The yardstick is the
start of a worker beside which there is nothing to restore, on the same broker.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.filled import fill
from benchmarks.setup.worker import Worker, cpu_seconds
from benchmarks.startup import group_join
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from tests.support.mixed_events import mixed_events

__all__ = ["main"]

_AT_ONCE = 100_000
_PAUSE = 0.2
_JUDGED = re.compile(r'^watchofficer_watermark_timestamp_seconds\{env="prod"\} (\S+)$', re.MULTILINE)
#: The time before the end of the events that stays unjudged, because of late events and the watermark delay.
_SLACK = 10.0


async def _fill(broker: str, topic: str, begin: int, count: int, per_second: int, partitions: int) -> None:
    for first in range(0, count, _AT_ONCE):
        size = min(_AT_ONCE, count - first)
        at = begin + first * 1000 // per_second
        events = mixed_events(size, at, per_second, seed=first + 1)
        for partition in range(partitions):
            mine = events[partition::partitions]
            await fill(broker, topic, partition, ((stamp, None, value) for stamp, value in mine))


async def _judged(worker: Worker, to: float, patience: float) -> None:
    """Wait until the worker has judged all events up to an instant (s)."""
    deadline = time.monotonic() + patience
    async with httpx.AsyncClient(base_url=worker.url, timeout=10.0, trust_env=False, verify=False) as client:
        while time.monotonic() < deadline:
            worker.check()
            found = _JUDGED.search((await client.get("/metrics")).text)
            if found is not None and float(found[1]) >= to:
                return
            await asyncio.sleep(_PAUSE)
    raise SystemExit("the worker did not judge all events in time")


async def _measure(seconds: int, per_second: int, partitions: int, runs: int) -> Figure:
    count = seconds * per_second
    took: list[float] = []
    joins: list[float] = []
    cpu: list[float] = []
    empty: list[float] = []
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        topics = Topics("bench.")
        await create_missing(topics, {"bootstrap_servers": broker.address}, input_partitions=partitions)
        begin = RealClock()() - seconds * 1000
        await _fill(broker.address, topics.login_events, begin, count, per_second, partitions)
        settings = {"BROKER": broker.address, "TOPIC_PREFIX": "bench."}
        arguments = ("--trust-producer-clocks", "--from", "earliest")
        async with Worker(settings, Path(folder) / "first", *arguments) as worker:
            await _judged(worker, begin / 1000 + seconds - _SLACK, 60 + count / 5_000)
        for run in range(runs):
            nothing = Topics(f"empty{run}.")
            await create_missing(nothing, {"bootstrap_servers": broker.address}, input_partitions=partitions)
            joins.append(await group_join(broker.address, topics))
            for prefix, starts in ((nothing.prefix, empty), (topics.prefix, took)):
                began = time.perf_counter()
                log = Path(folder) / f"again-{prefix}log"
                async with Worker(settings | {"TOPIC_PREFIX": prefix}, log, *arguments) as worker:
                    starts.append(time.perf_counter() - began - joins[-1])
                    used = cpu_seconds(worker.pid) or 0.0
            cpu.append(used)  # of the worker that had something to restore
    return figure(
        "restart",
        f"restart to ready behind {count:,} events in {seconds:,} s, the group join taken off",
        "s",
        took,
        goal=Goal("at most", 4.0, "ratio"),
        compared_with="the start of an empty worker",
        ceilings=empty,
        note=f"group join {max(joins):.1f} s; CPU time of the worker until then {max(cpu):.1f} s; embedded broker",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure restarts and report the figure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.restart", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--seconds", type=int, default=3600, help="of event time behind the restart")
    parser.add_argument("--per-second", type=int, default=1000)
    parser.add_argument("--partitions", type=int, default=4)
    add_options(parser, runs=3)
    options = parser.parse_args(arguments)
    report(
        [asyncio.run(_measure(options.seconds, options.per_second, options.partitions, options.runs))],
        options.results,
    )


if __name__ == "__main__":
    main()
