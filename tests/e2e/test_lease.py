"""A worker that stood still gives everything back and goes on, in the same process, and counts every event once."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families as parsed

from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from tests.e2e.harness.worker import Worker, until

pytestmark = pytest.mark.e2e

EVENTS = 40


async def produce(broker: EmbeddedBroker, topics: Topics, name: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.address) as producer:
        for number in range(EVENTS):
            event = {
                "schema_version": 1,
                "event_id": f"{name}-{number}",
                "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "env": "prod",
                "auth_method": "ssoe",
                "step": "callback",
                "outcome": "success",
            }
            await producer.send_and_wait(topics.login_events, json.dumps(event).encode())


async def metrics(worker: Worker) -> dict[str, float]:
    """Name of a metric -> the sum of its samples."""
    async with httpx.AsyncClient(base_url=worker.url, timeout=5.0, trust_env=False, verify=False) as client:
        try:
            text = (await client.get("/metrics")).text
        except httpx.TransportError:
            return {}
    sums: dict[str, float] = {}
    for family in parsed(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return sums


@pytest.mark.long
async def test_a_worker_that_stood_still_claims_everything_anew_in_the_same_process(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    topics = Topics(topic_prefix)
    worker = Worker({"BROKER": embedded_broker.address, "TOPIC_PREFIX": topic_prefix}, tmp_path / "log")
    worker.start()
    try:
        await worker.ready(90.0)
        pid = worker.pid
        await produce(embedded_broker, topics, "before")
        assert worker.process is not None
        worker.process.send_signal(signal.SIGSTOP)
        frozen = time.monotonic()
        await produce(embedded_broker, topics, "meanwhile")
        await asyncio.sleep(max(0.0, frozen + 8 - time.monotonic()))  # longer than the lease, 6 s
        worker.process.send_signal(signal.SIGCONT)

        async def lost() -> bool:
            return (await metrics(worker)).get("watchofficer_leases_lost_total") == 1

        await until(lost, 60.0, "the loss of the lease", worker)
        await worker.ready(90.0)
        await produce(embedded_broker, topics, "after")

        async def all_counted() -> bool:
            return (await metrics(worker)).get("watchofficer_login_events_total") == 3 * EVENTS

        await until(all_counted, 60.0, "all events", worker)
        assert worker.pid == pid
        status, _ = await worker.stop()
    finally:
        worker.kill()
    assert status == 0
    assert "lease_lost" in worker.said()
    assert "Traceback" not in worker.said()
