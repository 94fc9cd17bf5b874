"""What do open consoles cost a worker, and how heavy are their pages? ``python -m benchmarks.consoles``.

The processes are real: the embedded broker and ``watchofficer run``, with sign-ins in real time. Fifty consoles do what
the script of the console's page does: each listens to ``/api/v1/stream`` and fetches its page again after each event.
Their cost is the CPU time that the worker takes with them, less what it takes without them in a span of the same
length. It is measured while all is well, and in an outage, in which an open incident changes all the time.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaProducer

from benchmarks.reporting.figures import Figure, Goal, add_options, figure, report
from benchmarks.setup.outages import Plan, Traffic
from benchmarks.setup.worker import Worker, cpu_seconds
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import PARTITIONS, Topics
from streams.runtime.clocks import RealClock
from tests.support.processes import Failed as WorkerFailed

__all__ = ["Costs", "figures_of", "main", "measure"]

CONSOLES = 50
_RATE = 50  # events a second
_SETTLES = 8.0  # seconds from the start, and from the beginning of the outage, to the first measurement
_APART = 0.02  # seconds between the openings of two consoles
_PATIENCE = 60.0  # seconds for the incident
_PAGES = ("/", "/?range=24h", "/incidents/prod-1", "/history", "/runbooks", "/status")
_ASSET = re.compile(rb'(?:href|src)="(/assets/[^"]+)"')


@dataclass
class Costs:
    """What was measured.

    Attributes:
        shares: situation -> of each pair of spans, the share of a core that the consoles took.
        fetched: situation -> pages that all consoles together fetched per second.
        weights: page -> bytes of it and of its assets, as they are sent.
    """

    shares: dict[str, list[float]] = field(default_factory=dict)
    fetched: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)


class _Consoles:
    """Consoles that look at the first page of a worker."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.fetched = 0
        self._session = session

    async def look(self) -> None:
        """Listen, and fetch the page after each event, until cancelled."""
        async with self._session.get("/api/v1/stream") as stream:
            stream.raise_for_status()
            async for line in stream.content:
                if line.startswith(b"event: changed"):
                    async with self._session.get("/") as page:
                        page.raise_for_status()
                        await page.read()
                    self.fetched += 1

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """All of them, while the context is open."""
        async with asyncio.TaskGroup() as group:
            looking = []
            for _ in range(CONSOLES):
                looking.append(group.create_task(self.look()))
                await asyncio.sleep(_APART)
            yield
            for one in looking:
                one.cancel()


async def measure(folder: Path, seconds: float, pairs: int) -> Costs:
    """Measure a worker with and without consoles.

    Args:
        folder: for logs.
        seconds: of each span.
        pairs: of spans with and without consoles, in each situation.

    Raises:
        WorkerFailed: the worker ended, or opened no incident.
    """
    topics, costs = Topics("consoles."), Costs()
    calm = _SETTLES + pairs * (2 * seconds + 2)
    plan = Plan(first=calm, lasts=3600.0, pause=0.0, outages=1)
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(log=folder / "broker.log"))
        kafka = {"bootstrap_servers": broker.address}
        await create_missing(topics, kafka, input_partitions=PARTITIONS)
        settings = {"BROKER": broker.address, "TOPIC_PREFIX": topics.prefix, "LOG_FORMAT": "json"}
        worker = await stack.enter_async_context(Worker(settings, folder / "worker.log"))
        producer = await stack.enter_async_context(AIOKafkaProducer(**kafka, linger_ms=2))
        traffic = asyncio.create_task(
            Traffic(_RATE, plan, RealClock(), seed=1).play(producer, topics.login_events)
        )
        stack.callback(traffic.cancel)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                worker.url,
                auto_decompress=False,
                headers={"Accept-Encoding": "gzip"},
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        )
        await asyncio.sleep(_SETTLES)
        await _compare("all is well", costs, worker, session, seconds, pairs)
        await _incident(session)
        await asyncio.sleep(_SETTLES)
        await _compare("an outage", costs, worker, session, seconds, pairs)
        for page in _PAGES:
            costs.weights[page] = await _weight(session, page)
    return costs


async def _compare(
    situation: str, costs: Costs, worker: Worker, session: aiohttp.ClientSession, seconds: float, pairs: int
) -> None:
    """Measure pairs of spans; every other pair begins with the consoles."""
    consoles = _Consoles(session)
    for n in range(pairs):
        took = {}
        for with_them in (n % 2 == 1, n % 2 == 0):
            async with AsyncExitStack() as stack:
                if with_them:
                    await stack.enter_async_context(consoles.open())
                    await asyncio.sleep(0.5)
                took[with_them] = await _share(worker, seconds)
        costs.shares.setdefault(situation, []).append(took[True] - took[False])
    costs.fetched[situation] = consoles.fetched / (pairs * seconds)


async def _share(worker: Worker, seconds: float) -> float:
    """The share of a core that a worker takes over so many seconds from now."""
    loop = asyncio.get_running_loop()
    before, began = cpu_seconds(worker.pid), loop.time()
    await asyncio.sleep(seconds)
    worker.check()
    after = cpu_seconds(worker.pid)
    if before is None or after is None:
        raise WorkerFailed("/proc does not show the CPU time of the worker")
    return (after - before) / (loop.time() - began)


async def _incident(session: aiohttp.ClientSession) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            while True:
                async with session.get("/incidents/prod-1") as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise WorkerFailed(f"no incident within {_PATIENCE:.0f} s") from None


async def _weight(session: aiohttp.ClientSession, path: str) -> int:
    """The bytes of a page and its assets, as they are sent."""
    async with session.get(path) as answer:
        answer.raise_for_status()
        body, packed = await answer.read(), answer.headers.get("Content-Encoding") == "gzip"
    weight = len(body)
    for asset in sorted(set(_ASSET.findall(gzip.decompress(body) if packed else body))):
        async with session.get(asset.decode()) as answer:
            answer.raise_for_status()
            weight += len(await answer.read())
    return weight


def figures_of(costs: Costs) -> list[Figure]:
    """Build the figures of what was measured."""
    found = [
        figure(
            f"consoles_{name}",
            f"{CONSOLES} open consoles, {situation}: the worker's CPU time for them",
            "% of a core",
            [100 * share for share in costs.shares[situation]],
            goal=Goal("at most", 5),
            note=f"at {_RATE} events/s; together they fetched {costs.fetched[situation]:.0f} pages a second",
        )
        for name, situation in (("calm", "all is well"), ("outage", "an outage"))
    ]
    heaviest = max(costs.weights, key=lambda page: costs.weights[page])
    each = ", ".join(f"{page} {weight / 1000:.0f} KB" for page, weight in costs.weights.items())
    return [
        *found,
        figure(
            "consoles_weight",
            "The heaviest page of the console with its assets, as sent",
            "KB",
            [costs.weights[heaviest] / 1000],
            goal=Goal("at most", 200),
            note=f"in an outage: {each}",
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what consoles cost and report the figures; the status is 1 if that failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.consoles", description=(__doc__ or "").splitlines()[0]
    )
    add_options(parser, runs=2)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each span that is measured")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="watchofficer-consoles-") as folder:
        try:
            costs = asyncio.run(measure(Path(folder), options.seconds, options.runs))
        except WorkerFailed as error:
            print(error, file=sys.stderr)
            return 1
    report(figures_of(costs), options.results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
