"""Whether a worker goes on from what an older build has left on all topics, amid an incident."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from sinks.sandbox import Sandbox
from sinks.sandbox.pagerduty import Alert
from sinks.sandbox.slack import Message
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker, free_port
from streams.kafka.topics import Topics
from streams.runtime.clocks import FastClock
from streams.settings.policy_file import read_policy
from streams.settings.settings import read_settings
from streams.worker.worker import Worker, WorkerOptions
from tests.e2e.harness.topics import published_slis, read
from tests.e2e.harness.worker import run_to_end, until
from tests.upgrade.record import NOTE, PARTITIONS, WHO, Deployment, Record, events_of, load

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(180)]

RECORDED = sorted(Path(__file__).parent.glob("*.jsonl.zst"))
_PACE = 1.0001  # in effect the present's: waits for late events grow with it, and what counts when with them
_OVER = ("resolved", "closed")


class GoesOn:
    """Today's worker on the topics of an older build, at the time of those.

    Attributes:
        sandbox: the receivers, with what the older build had told them.
    """

    def __init__(self, broker: str, before: Deployment, folder: Path) -> None:
        self.clock = FastClock(round(time.time() * 1_000) - before.end, _PACE)
        self.sandbox = Sandbox.make(sleep=asyncio.sleep, clock=self.clock)
        self.sandbox.pagerduty.alerts += [Alert(**alert) for alert in before.receivers["pagerduty"]]
        self.sandbox.datadog.incidents |= before.receivers["datadog"]
        self.sandbox.slack.messages += [Message(**message) for message in before.receivers["slack"]]
        self.folder = folder
        self.broker = broker
        self.policy = read_policy(before.policy, "policy.yaml")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        """While it runs: how to ask it over HTTP."""
        async with self.sandbox:
            settings = {"BROKER": self.broker, **self.sandbox.settings()}
            read = read_settings({f"WATCHOFFICER_{name}": value for name, value in settings.items()})
            options = WorkerOptions(port=free_port(), session_seconds=6.0, folder=self.folder)
            worker = Worker(read, self.policy, self.clock, options)
            try:
                await worker.start()
                while worker.health.waiting():
                    assert not worker.failed.done(), worker.failed.result()
                    await asyncio.sleep(0.05)
                async with httpx.AsyncClient(base_url=worker.url, trust_env=False, verify=False) as client:
                    yield client
                assert not worker.failed.done(), worker.failed.result()
            finally:
                await worker.stop()

    def resolved_at_all(self) -> bool:
        """Whether all receivers have it that the incident is resolved."""
        slack, (incident,) = self.sandbox.slack, self.sandbox.datadog.incidents.values()
        return (
            self.sandbox.pagerduty.alerts[0].status == "resolved"
            and incident["attributes"]["fields"]["state"]["value"] == "resolved"
            and any("*Resolved*" in one.words for one in slack.thread(slack.roots[0].ts))
        )

    async def feed(self) -> None:
        """Put events on the topic, a second of the clock at a time: all is well again."""
        self.clock.release()
        async with AIOKafkaProducer(bootstrap_servers=self.broker) as producer:
            second, at = 0, self.clock.start + 1_000
            while True:
                for n, value in enumerate(events_of(second, at, failing=False, run="after")):
                    stamp = at + 1_000
                    await producer.send(
                        "login-events", value, partition=(second + n) % PARTITIONS, timestamp_ms=stamp
                    )
                second, at = second + 1, at + 1_000
                await self.clock.sleep(max(0.0, (at + 1_000 - self.clock()) / 1_000))


async def put_back(broker: str, records: Iterable[Record]) -> None:
    """Write the records under the offsets that they had, all topics having been created as they are today."""
    await create_missing(Topics(), {"bootstrap_servers": broker})
    of: dict[tuple[str, int], list[Record]] = defaultdict(list)
    for record in records:
        of[record.topic, record.partition].append(record)
    async with AIOKafkaProducer(bootstrap_servers=broker, linger_ms=20) as producer:
        for last in (
            False,
            True,
        ):  # the last alone: of several the embedded broker counts the first for the end
            sent = [
                (record, await _send(producer, record))
                for some in of.values()
                for record in (some[-1:] if last else some[:-1])
            ]
            await producer.flush()
            for record, future in sent:
                assert (await future).offset == record.offset


async def _send(producer: AIOKafkaProducer, record: Record) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = await producer.send(
        record.topic,
        record.value,
        key=None if record.key is None else record.key.encode(),
        partition=record.partition,
        timestamp_ms=record.timestamp,
        headers=list(record.headers.items()),
    )
    return future


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.name.removesuffix(".jsonl.zst"))
async def test_a_worker_goes_on_from_what_an_older_build_has_left(file: Path, tmp_path: Path) -> None:
    before, records = load(file)
    with EmbeddedBroker() as broker:
        await put_back(broker.address, records)
        now = GoesOn(broker.address, before, tmp_path)
        async with now.running() as client:

            async def incident() -> dict[str, Any]:
                found: dict[str, Any] = (await client.get("/api/v1/incidents/prod-1")).json()
                return found

            async def is_over() -> dict[str, Any] | None:
                found = await incident()
                return found if found["state"] in _OVER else None

            async def is_told() -> bool:
                return now.resolved_at_all()

            found = await incident()
            assert (found["state"], found["acknowledged_by"]) == ("acknowledged", WHO)
            feeding = asyncio.create_task(now.feed())
            try:
                over = await until(is_over, 60.0, "prod-1 is over")
                await until(is_told, 20.0, "all receivers hear of that")
            finally:
                feeding.cancel()
            check_incident(found, over)
        check_receivers(now)
        await check_log(broker.address, records)
        await check_slis(broker.address, before, records, tmp_path)


def check_incident(before: dict[str, Any], after: dict[str, Any]) -> None:
    """What people and the older build have said of the incident stands."""
    for field in (
        "id",
        "epoch",
        "opened_at",
        "acknowledged_at",
        "acknowledged_by",
        "declared_at",
        "declared_by",
    ):
        assert after[field] == before[field]
    assert [(note["by"], note["text"]) for note in after["notes"]] == [(WHO, NOTE)]
    assert after["recovering_at"] < after["resolved_at"]


def check_receivers(now: GoesOn) -> None:
    """Nobody is woken again, and what the older build had opened at the receivers is closed there."""
    (alert,) = now.sandbox.pagerduty.alerts
    assert (alert.triggers, now.sandbox.pagerduty.woken) == (1, [])
    assert {one.body["event_action"] for one in now.sandbox.pagerduty.requests} == {"resolve"}
    assert len(now.sandbox.slack.roots) == 1


async def check_log(broker: str, records: Iterable[Record]) -> None:
    """Every change of the incident is told once."""
    old = [record.value for record in records if record.topic == "incident-log"]
    lines = [one.value for one in await read(broker, "incident-log")]
    assert lines[: len(old)] == old
    kinds = [json.loads(value or b"")["type"] for value in lines]
    assert len(set(lines)) == len(lines)
    for kind in ("opened", "declared", "acknowledged", "note", "recovering", "resolved"):
        assert kinds.count(kind) == 1, kinds
    assert await read(broker, "incident-commands.dead") == []


async def check_slis(broker: str, before: Deployment, records: Iterable[Record], folder: Path) -> None:
    """The indicators of both builds are those of a replay of the log."""
    (folder / "policy.yaml").write_text(before.policy)
    arguments = ("--format", "jsonl", "--sli-every", "5s", "--policy", str(folder / "policy.yaml"))
    status, answer, complaints = await asyncio.to_thread(
        run_to_end, {"BROKER": broker}, "replay", "topic:login-events", *arguments
    )
    assert status == 0, complaints
    lines = [json.loads(line) for line in answer.splitlines()]
    of = {(one["at"], one["scope"], one["window"]): one for one in lines if one["type"] == "sli"}
    published = {(one["at"], one["scope"], one["window"]): one for one in await published_slis(broker, "")}
    last = min(max(at for at, _, _ in said) for said in (of, published))
    assert last > max(json.loads(one.value or b"")["at"] for one in records if one.topic == "sli")
    assert _until(published, last) == _until(of, last)


def _until(slis: Mapping[tuple[str, str, str], Any], last: str) -> dict[tuple[str, str, str], Any]:
    return {place: one for place, one in slis.items() if place[0] <= last}
