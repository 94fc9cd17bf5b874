"""A worker under steady load for a long while: what becomes of its memory, its log and its loop?"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample as Measured

from sinks.sandbox import Sandbox
from streams.kafka.admin import create_missing
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from tests.soak.figures import Figures, Sample
from tests.soak.load import Load
from tests.support.brokers import apache_kafka, embedded_broker
from tests.support.processes import Worker

__all__ = ["soak"]

Say = Callable[[str], None]

_EVERY_SECONDS = 10.0
_SETTLE_SECONDS = 60.0
_PREFIX = "soak."
_EVENTS, _LAG = "watchofficer_login_events_total", "watchofficer_evaluated_lag_seconds"
_STALLS = "watchofficer_loop_stall_seconds_bucket"


def soak(minutes: float, rate: int, broker: str, folder: Path, say: Say) -> Figures:
    """Run a worker under load, and write what was seen to ``figures.json``.

    Args:
        minutes: how long.
        rate: events a second.
        broker: ``kafka`` or ``embedded``.
        folder: gets the log and the figures.
        say: is told of each minute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _broker(broker, folder) as address:
        figures = asyncio.run(_run(minutes, rate, address, folder, say))
    (folder / "figures.json").write_text(json.dumps(figures.as_json(), indent=1) + "\n")
    return figures


@contextmanager
def _broker(broker: str, folder: Path) -> Iterator[str]:
    if broker == "kafka":
        with apache_kafka(folder / "kafka") as kafka:
            yield kafka.address
    else:
        with embedded_broker() as embedded:
            yield embedded.address


async def _run(minutes: float, rate: int, broker: str, folder: Path, say: Say) -> Figures:
    now = RealClock()
    figures = Figures(rate)
    topics = Topics(_PREFIX)
    await create_missing(topics, {"bootstrap_servers": broker})
    async with Sandbox.make(sleep=asyncio.sleep, clock=now) as sandbox:
        log = folder / "worker.log"
        log.unlink(missing_ok=True)
        settings = {"BROKER": broker, "TOPIC_PREFIX": _PREFIX, "LOG_FORMAT": "json", **sandbox.settings()}
        worker = Worker(settings, log)
        worker.start()
        try:
            await worker.ready(120.0)
            load = Load(broker, topics.login_events, rate, now)
            began = time.monotonic()
            loading = asyncio.create_task(load.run(60.0 * minutes))
            while not loading.done():
                await asyncio.wait([loading], timeout=_EVERY_SECONDS)
                worker.check()
                figures.samples.append(await _sample(worker, time.monotonic() - began))
                if len(figures.samples) % 6 == 0:
                    say(str(figures.samples[-1]))
            await loading
            figures.seconds = time.monotonic() - began
            figures.sent = load.sent
            await _counted(worker, figures)
        finally:
            worker.kill()
        figures.blind = [one.summary for one in sandbox.pagerduty.alerts if ":blind" in one.dedup_key]
    return figures


async def _counted(worker: Worker, figures: Figures) -> None:
    """Wait until the worker has counted all events, or for as long as that may take."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while figures.counted != figures.sent and time.monotonic() < deadline:
        measured = await _metrics(worker)
        figures.counted = round(sum(one.value for one in measured if one.name == _EVENTS))
        buckets: dict[float, float] = {}
        for one in measured:
            if one.name == _STALLS:
                bound = float(one.labels["le"])
                buckets[bound] = buckets.get(bound, 0.0) + one.value
        figures.stalls = sorted(buckets.items())
        await asyncio.sleep(1.0)


async def _sample(worker: Worker, at: float) -> Sample:
    lag = [
        one.value for one in await _metrics(worker) if one.name == _LAG and one.labels.get("env") == "prod"
    ]
    memory, said = _resident(worker.pid), worker.said()
    return Sample(at, memory, len(said), said.count("\n"), max(lag, default=0.0))


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return 1024 * int(resident)


async def _metrics(worker: Worker) -> list[Measured]:
    with suppress(httpx.TransportError):
        async with httpx.AsyncClient(base_url=worker.url, timeout=10.0, trust_env=False) as client:
            text = (await client.get("/metrics")).text
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return []
