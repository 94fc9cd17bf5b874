"""How long do `watchofficer --help` and the start of `watchofficer run` take? ``python -m benchmarks.startup``.

The worker runs against a new embedded broker, and its start ends with its first poll. The group join within this time
depends on the broker alone, which waits half a session for further members; it is measured separately and subtracted.
The yardsticks are an interpreter that does nothing, and one that imports the libraries that a worker is made with.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.worker import Worker, compiled_once
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import PARTITIONS, Topics

__all__ = ["group_join", "main"]

_SESSION_MS = 10_000
_PAUSE = 0.02
_LIBRARIES = "import aiohttp, aiokafka, faust, msgspec, numpy, pydantic, yaml"


def _python(*arguments: str) -> float:
    """Measure the seconds from the start of an interpreter to its end."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=compiled_once())
    return time.perf_counter() - began


def _help() -> float:
    """Measure the seconds until `--help` has been printed."""
    return _python("-m", "streams.cli", "--help")


async def group_join(broker: str, topics: Topics) -> float:
    """Measure the seconds that a consumer of a new group waits for its partitions, without other work."""
    consumer = AIOKafkaConsumer(
        topics.login_events,
        bootstrap_servers=broker,
        group_id=f"bench-{uuid.uuid4().hex}",
        session_timeout_ms=_SESSION_MS,
    )
    began = time.perf_counter()
    await consumer.start()
    try:
        while not consumer.assignment():
            await asyncio.sleep(_PAUSE)
        return time.perf_counter() - began
    finally:
        await consumer.stop()


async def _run_to_polling() -> tuple[float, float]:
    """Measure the seconds from a worker's start to its first poll, and those of a bare group join on its broker."""
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        topics = Topics("bench.")
        await create_missing(topics, {"bootstrap_servers": broker.address}, input_partitions=PARTITIONS)
        join = await group_join(broker.address, topics)
        settings = {"BROKER": broker.address, "TOPIC_PREFIX": "bench."}
        began = time.perf_counter()
        async with Worker(settings, Path(folder) / "log", "--trust-producer-clocks"):
            return time.perf_counter() - began, join


def _figures(runs: int) -> list[Figure]:
    _help()  # compiles all that is compiled on first use
    helps = [(_help(), _python("-c", "pass")) for _ in range(max(runs, 5))]
    asyncio.run(_run_to_polling())  # compiles what `run` imports
    starts = [(*asyncio.run(_run_to_polling()), _python("-c", _LIBRARIES)) for _ in range(runs)]
    return [
        figure(
            "startup_help",
            "watchofficer --help",
            "s",
            [told for told, _ in helps],
            goal=Goal("at most", 5.0, "ratio"),
            compared_with="python -c pass",
            ceilings=[nothing for _, nothing in helps],
        ),
        figure(
            "startup_run",
            "watchofficer run until it is ready, the group join taken off",
            "s",
            [whole - join for whole, join, _ in starts],
            goal=Goal("at most", 5.0, "ratio"),
            compared_with="importing the libraries",
            ceilings=[imported for *_, imported in starts],
            note=f"the whole {starts[-1][0]:.1f} s, a bare group join {starts[-1][1]:.1f} s, embedded broker; not the "
            "first start, which compiles bytecode",
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both starts and report the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.startup", description=(__doc__ or "").splitlines()[0]
    )
    add_options(parser, runs=3)
    options = parser.parse_args(arguments)
    report(_figures(options.runs), options.results)


if __name__ == "__main__":
    main()
