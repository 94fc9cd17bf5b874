"""A policy that changes while an incident is open: it goes on under its name, and nobody is woken twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from detectors.instants import MINUTE, SECOND, parse_instant
from sinks.sandbox import Sandbox
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker, free_port
from streams.kafka.topics import Topics
from streams.runtime.clocks import FastClock, RealClock
from streams.settings.policy_file import PolicyFile
from streams.settings.settings import read_settings
from streams.worker.options import WorkerOptions
from streams.worker.worker import Worker
from tests.e2e.harness.deployment import QUICK, SLI_EVERY, login
from tests.e2e.harness.judged_again import judged_again
from tests.e2e.harness.topics import read
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.e2e, pytest.mark.long]

MILD = QUICK.replace("severity_1_over: 60", "severity_1_over: 100000")
#: A new policy is in force a minute after it was recorded, which nobody wants to wait for.
PACE = 10.0
A_SECOND = 10  # events
_AHEAD = 20 * MINUTE


class Watch:
    """A worker and sign-ins on a clock of their own, which waits for what happens at its time."""

    def __init__(self, broker: str, prefix: str, folder: Path) -> None:
        self.file = folder / "policy.yaml"
        self.file.write_text(MILD)
        # It begins at the present, which the worker's own records bear: a policy of the past comes too late.
        self.clock = FastClock(_AHEAD, PACE, lambda: RealClock()() + _AHEAD)
        self.sandbox = Sandbox.make(sleep=asyncio.sleep, clock=self.clock)
        self.settings = {"BROKER": broker, "TOPIC_PREFIX": prefix}
        self.topics = Topics(prefix)
        self.failing = False
        self.worker: Worker
        self._folder = folder

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        broker = self.settings["BROKER"]
        await create_missing(self.topics, {"bootstrap_servers": broker})
        async with self.sandbox:
            given = self.settings | self.sandbox.settings()
            settings = read_settings({f"WATCHOFFICER_{name}": value for name, value in given.items()})
            file = PolicyFile(self.file)
            options = WorkerOptions(
                port=free_port(), session_seconds=6.0, start="earliest", folder=self._folder, policy_file=file
            )
            self.worker = Worker(settings, file.load(), self.clock, options)
            feeding = None
            try:
                await self.worker.start()
                await self.until(lambda: not self.worker.health.waiting(), "readiness")
                feeding = asyncio.create_task(self._feed(broker))
                yield
            finally:
                if feeding is not None:
                    feeding.cancel()
                    with suppress(asyncio.CancelledError):
                        await feeding
                await self.worker.stop()

    async def _feed(self, broker: str) -> None:
        at = self.clock.start
        self.clock.wait_at(at)
        self.clock.release()
        async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
            while True:
                for n in range(A_SECOND):
                    fails = {"outcome": "failure", "error_code": "007"} if self.failing and n % 2 else {}
                    method = "ssoe" if n % 2 else "sis"
                    value = login(f"{at} {n}", at=at, user_hash=f"{at} {n}", auth_method=method, **fails)
                    await producer.send(self.topics.login_events, value, partition=n % 2, timestamp_ms=at)
                await producer.flush()
                self.clock.wait_at(at + SECOND)
                await self.clock.sleep(max(0, at + SECOND - self.clock()) / SECOND)
                at += SECOND

    async def until(self, true: object, what: str) -> None:
        async def look() -> bool:
            assert not self.worker.failed.done(), self.worker.failed.result()
            return bool(true()) if callable(true) else False

        await until(look, 60.0, what)

    async def incident_is(self, *states: str) -> None:
        async with httpx.AsyncClient(base_url=self.worker.url, trust_env=False, verify=False) as client:

            async def look() -> bool:
                assert not self.worker.failed.done(), self.worker.failed.result()
                answer = await client.get("/api/v1/incidents/prod-1")
                return answer.status_code == 200 and answer.json()["state"] in states

            await until(look, 60.0, f"prod-1 in {states}")


async def test_an_open_incident_goes_on_under_the_new_policy_and_a_replay_says_the_same(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    watch = Watch(embedded_broker.address, topic_prefix, tmp_path)
    pagerduty = watch.sandbox.pagerduty
    async with watch.running():
        watch.failing = True
        await watch.until(lambda: pagerduty.woken, "the page")
        watch.file.write_text(QUICK)
        watch.worker.reload_policy()

        async def recorded() -> int | None:
            records = [one.json() for one in await read(embedded_broker.address, watch.topics.policy)]
            return parse_instant(records[1]["from"]) if len(records) == 2 else None

        since = await until(recorded, 30.0, "the record of the policy")
        await watch.until(lambda: watch.clock() > since + 10 * SECOND, "the first T under the new policy")
        watch.failing = False
        await watch.incident_is("resolved", "closed")

    assert [one.dedup_key for one in pagerduty.woken] == ["watchofficer:prod-1:0"]
    lines = [one.json() for one in await read(embedded_broker.address, watch.topics.incident_log)]
    told = [line for line in lines if line.get("incident")]
    assert {line["incident"] for line in told} == {"prod-1"}
    by = {(parse_instant(line["at"]) >= since, line["policy_hash"]) for line in told}
    assert len({hash for _, hash in by}) == len(by) == 2  # one before T, the other from it on
    rises = [line["at"] for line in told if line["type"] == "severity" and line["severity"] == 1]
    assert [parse_instant(at) for at in rises] == [since]
    again = await judged_again(watch.settings, SLI_EVERY, 60.0)
    assert (again.faults, len(again.turns) > 3, again.slis > 50) == ([], True, True)
