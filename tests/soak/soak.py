"""Two workers under steady load, amid what befalls them: what becomes of memory, log, lag and verdicts?"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample as Measured

from sinks.sandbox import Sandbox
from streams.kafka.admin import create_missing
from streams.kafka.topics import Topics
from streams.runtime.clocks import RealClock
from streams.settings.policy_file import default_policy
from tests.e2e.harness.judged_again import judged_again
from tests.e2e.harness.topics import read
from tests.faults.campaign.topics import folded
from tests.soak.course import POLICY, Course
from tests.soak.figures import Figures, Sample
from tests.soak.load import Load
from tests.support.brokers import apache_kafka, embedded_broker
from tests.support.processes import ROOT, Worker

__all__ = ["Run", "soak"]

Say = Callable[[str], None]

_EVERY_SECONDS = 5.0
_SETTLE_SECONDS = 180.0
_REPLAY_SECONDS = 1_800.0
_LAG, _STALLS = "watchofficer_evaluated_lag_seconds", "watchofficer_loop_stall_seconds_bucket"
_OVER = ("resolved", "closed")


@dataclass(frozen=True)
class Run:
    """What is asked for.

    Attributes:
        minutes: how long.
        rate: events a second.
        broker: ``kafka`` or ``embedded``.
        before: the folder of the build with which it begins, and which this one replaces in its course.
        folder: gets the logs and the figures.
    """

    minutes: float
    rate: int
    broker: str
    before: Path
    folder: Path


def soak(asked: Run, say: Say) -> Figures:
    """Run workers under load, and write what was seen to ``figures.json``; ``say`` is told of each minute."""
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    with _broker(asked.broker, asked.folder) as address:
        figures = asyncio.run(_Soak(asked, address, say).run())
    (asked.folder / "figures.json").write_text(json.dumps(figures.as_json(), indent=1) + "\n")
    return figures


@contextmanager
def _broker(broker: str, folder: Path) -> Iterator[str]:
    if broker == "kafka":
        with apache_kafka(folder / "kafka") as kafka:
            yield kafka.address
    else:
        with embedded_broker() as embedded:
            yield embedded.address


class _Soak:
    """One run, from its first start to its comparison with a replay."""

    def __init__(self, asked: Run, broker: str, say: Say) -> None:
        self._asked, self._broker, self._say = asked, broker, say
        self._topics = Topics("soak.")
        self._settings = {"BROKER": broker, "TOPIC_PREFIX": self._topics.prefix, "LOG_FORMAT": "json"}
        self._policy = asked.folder / "policy.yaml"
        self._numbers = count(1)
        self._logs: list[Path] = []
        self._figures = Figures(asked.rate)

    async def run(self) -> Figures:
        """Run it to its end."""
        now = RealClock()
        self._policy.write_text(POLICY)
        await create_missing(self._topics, {"bootstrap_servers": self._broker})
        async with Sandbox.make(sleep=asyncio.sleep, clock=now) as sandbox:
            self._settings |= sandbox.settings()
            workers = [self._worker(self._asked.before) for _ in range(2)]
            load = Load(self._broker, self._topics.login_events, self._asked.rate, now)
            seconds = 60.0 * self._asked.minutes
            course = Course(
                workers, lambda: self._worker(ROOT), load, sandbox, self._policy, seconds, self._say
            )
            try:
                for worker in workers:
                    worker.start()
                for worker in workers:
                    await worker.ready(120.0)
                await self._under_load(course, load)
                await self._stalls(course.workers)
            finally:
                for worker in course.workers:
                    worker.kill()
            await self._compare(load.sent)
            self._pages(sandbox)
        return self._figures

    def _worker(self, folder: Path) -> Worker:
        log = self._asked.folder / f"worker-{next(self._numbers)}.log"
        self._logs.append(log)
        return Worker(self._settings, log, "--policy", str(self._policy), folder=folder)

    async def _under_load(self, course: Course, load: Load) -> None:
        began = time.monotonic()
        loading = asyncio.create_task(load.run())
        ending = asyncio.create_task(course.run())
        try:
            while time.monotonic() - began < course.seconds or not ending.done():
                await asyncio.wait([loading, *([] if ending.done() else [ending])], timeout=_EVERY_SECONDS)
                for task in (loading, ending):
                    if task.done():
                        task.result()
                self._figures.samples.append(await self._sample(course.workers, time.monotonic() - began))
                if len(self._figures.samples) % 12 == 0:
                    self._say(str(self._figures.samples[-1]))
            self._figures.seconds = time.monotonic() - began
            await self._until(lambda: self._over(course.workers), "incidents were not over")
            await self._until(self._told, "messages had not gone out")
            load.stop()
            await loading
            self._figures.sent = load.sent
            await self._until(self._counted, "events were not counted")
        finally:
            for task in (loading, ending):
                task.cancel()
            await asyncio.gather(loading, ending, return_exceptions=True)

    async def _sample(self, workers: list[Worker], at: float) -> Sample:
        lag = [
            one.value
            for worker in workers
            for one in await _metrics(worker)
            if one.name == _LAG and one.labels.get("env") == "prod"
        ]
        sizes = [log.read_bytes() for log in self._logs if log.exists()]
        memory = sum(map(_resident, workers))
        return Sample(
            at, memory, sum(map(len, sizes)), sum(one.count(b"\n") for one in sizes), max(lag, default=0.0)
        )

    async def _until(self, true: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait until something is true, or for as long as that may take."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not await true():
            if time.monotonic() > deadline:
                self._figures.faults.append(f"{what} in {_SETTLE_SECONDS:.0f} s")
                return
            await asyncio.sleep(2.0)

    async def _counted(self) -> bool:
        view = (await folded(self._broker, self._topics.segments))[0]
        self._figures.counted = view.total("accepted")
        return self._figures.counted == self._figures.sent

    async def _over(self, workers: list[Worker]) -> bool:
        for worker in workers:
            with suppress(httpx.HTTPError):
                async with httpx.AsyncClient(
                    base_url=worker.url, timeout=10.0, trust_env=False, verify=False
                ) as client:
                    found = (await client.get("/api/v1/incidents")).json()["incidents"]
                    return all(one["state"] in _OVER for one in found)
        return False

    async def _told(self) -> bool:
        asked = {one.json()["id"] for one in await read(self._broker, self._topics.commands)}
        told = await read(self._broker, self._topics.deliveries)
        return asked <= {one.json()["command_id"] for one in told}

    async def _stalls(self, workers: list[Worker]) -> None:
        buckets: Counter[float] = Counter()
        for worker in workers:
            for one in await _metrics(worker):
                if one.name == _STALLS:
                    buckets[float(one.labels["le"])] += round(one.value)
        self._figures.stalls = sorted(buckets.items())

    async def _compare(self, sent: int) -> None:
        """Hold what the workers have counted and said against a replay of the topic."""
        self._say("what was said is compared with a replay")
        again = await judged_again(self._settings, default_policy().sli_every, _REPLAY_SECONDS)
        self._figures.faults += again.faults
        self._figures.turns, self._figures.slis = len(again.turns), again.slis
        if again.summary["events"] != sent:
            self._figures.faults.append(f"the replay has read {again.summary['events']} events")

    def _pages(self, sandbox: Sandbox) -> None:
        pagerduty = sandbox.pagerduty
        self._figures.blind = [one.summary for one in pagerduty.alerts if ":blind" in one.dedup_key]
        woken = Counter(one.dedup_key for one in pagerduty.woken if ":blind" not in one.dedup_key)
        self._figures.pages = woken.total()
        self._figures.faults += [f"{key} woke {times} times" for key, times in woken.items() if times > 1]


def _resident(worker: Worker) -> int:
    """Bytes of memory that a worker's process holds; 0 while there is none."""
    with suppress(OSError, StopIteration):
        status = Path(f"/proc/{worker.pid}/status").read_text()
        return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))
    return 0


async def _metrics(worker: Worker) -> list[Measured]:
    with suppress(httpx.HTTPError):
        async with httpx.AsyncClient(
            base_url=worker.url, timeout=10.0, trust_env=False, verify=False
        ) as client:
            text = (await client.get("/metrics")).text
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return []
