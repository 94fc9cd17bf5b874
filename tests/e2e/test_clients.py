"""Clients without this project's code can produce with any codec, and read the banner with its headers."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import confluent_kafka
import pytest

from tests.e2e.conftest import Outage
from tests.e2e.harness.deployment import Deployment, login
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("shared"), pytest.mark.asyncio(loop_scope="session")]

LOCAL: dict[str, Any] = {"env": "localhost", "auth_method": "sis"}


async def counted(deployment: Deployment) -> float:
    return await deployment.metric("watchofficer_login_events_total", env="localhost")


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_events_of_confluent_kafka_are_counted_however_it_compresses(
    deployment: Deployment, codec: str
) -> None:
    before = await counted(deployment)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": deployment.broker, "compression.type": codec, "linger.ms": 50}
    )
    refused: list[Any] = []
    for n in range(50):
        event = login(f"{codec} {n}", flow_id=f"f:{n}", **LOCAL)
        producer.produce(
            f"{deployment.prefix}login-events",
            event,
            key=f"f:{n}",
            on_delivery=lambda error, _: refused.append(error) if error else None,
        )
    assert await asyncio.to_thread(producer.flush, 20.0) == 0
    assert refused == []

    async def all_of_them() -> bool:
        return await counted(deployment) == before + 50

    await until(all_of_them, 20.0, f"50 events with {codec}", deployment.worker)


@pytest.mark.timeout(240)
async def test_confluent_kafka_reads_the_banner_as_a_cloud_event(
    deployment: Deployment, outage: Outage
) -> None:
    def newest() -> dict[str, tuple[dict[str, str], dict[str, Any]]]:
        """Read to the end and keep the greatest version of each key, as readers of the banner do."""
        settings = {"bootstrap.servers": deployment.broker, "group.id": uuid.uuid4().hex}
        consumer = confluent_kafka.Consumer(settings | {"auto.offset.reset": "earliest"})
        topic = f"{deployment.prefix}banner-state"
        partitions = consumer.list_topics(topic, 10.0).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in partitions])
        kept: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
        while (message := consumer.poll(3.0)) is not None:
            assert message.error() is None
            key, headers, value = message.key(), message.headers(), message.value()
            assert isinstance(key, bytes)
            assert isinstance(headers, list)
            assert value is not None
            banner = json.loads(value)
            if banner["version"] >= kept.get(key.decode(), ({}, {"version": 0}))[1]["version"]:
                kept[key.decode()] = ({name: _text(header) for name, header in headers}, banner)
        consumer.close()
        return kept

    headers, banner = (await asyncio.to_thread(newest))["prod/ssoe"]
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_type"] == "watchofficer.banner-state.v1"
    assert headers["content-type"] == "application/json"
    assert (banner["key"], banner["state"], banner["schema_version"]) == ("prod/ssoe", "ok", 1)


def _text(header: Any) -> str:
    assert isinstance(header, bytes)
    return header.decode()
