"""Three nodes of Apache Kafka, of which one dies in the middle of an outage: the watch goes on, and pages once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka.clients import KafkaClients
from streams.kafka.topics import PARTITIONS
from tests.e2e.harness.deployment import SLI_EVERY, Deployment, deployed, login, now
from tests.e2e.harness.judged_again import judged_again
from tests.e2e.harness.worker import until
from tests.support.brokers import ApacheKafka
from tests.support.kafka.node import docker_answers
from tests.support.kafka.trio import rack_of, trio_of_brokers

pytestmark = [pytest.mark.kafka, pytest.mark.long, pytest.mark.timeout(500)]

_PREFIX = "three."
_TOPIC = "three.login-events"
_DIES = 1  # the node in the worker's own rack


class Traffic:
    """Sign-ins by two providers, of which one fails while ``failing``; each is written until it is acknowledged."""

    def __init__(self, broker: str) -> None:
        self.failing = self.ended = False
        self._broker = broker

    async def flow(self) -> None:
        """Produce until ended."""
        draw, count = random.Random(16), 0
        async with AIOKafkaProducer(
            bootstrap_servers=self._broker, acks="all", enable_idempotence=True
        ) as producer:
            while not self.ended:
                for csp in ("idme", "logingov"):
                    count += 1
                    failed: dict[str, Any] = {}
                    if self.failing and csp == "idme":
                        failed = {"outcome": "failure", "error_code": "007"}
                    one = login(f"e{count}", csp=csp, user_hash=f"h:{count}", **failed)
                    await producer.send(_TOPIC, one, key=b"%d" % draw.randrange(9))
                await asyncio.sleep(0.05)


async def _replicas(broker: str) -> dict[str, set[tuple[int, ...]]]:
    """Topic -> the numbers of replicas of its partitions, and of those in sync."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(_PREFIX)]
        return {
            topic["topic"]: {(len(one["replicas"]), len(one["isr"])) for one in topic["partitions"]}
            for topic in await admin.describe_topics(names)
        }
    finally:
        await admin.close()


async def _read_from(broker: str) -> set[int]:
    """The nodes that are no leaders and from which a worker in the rack is told to read; it has read something."""
    clients = KafkaClients({"bootstrap_servers": broker.split(",")}, rack=rack_of(_DIES))
    member: Any = clients.group_member("three-nodes", 10_000)
    await member.start()
    try:
        member.assign([TopicPartition(_TOPIC, n) for n in range(PARTITIONS)])
        read = 0
        for _ in range(20):
            read += sum(map(len, (await member.getmany(timeout_ms=200)).values()))
        assert read
        return {
            node for node, _ in member._fetcher._preferred_read_replica.values()
        }  # nothing public tells it
    finally:
        await member.stop()


async def _plays(deployment: Deployment, traffic: Traffic, nodes: list[ApacheKafka]) -> None:
    worker = deployment.worker
    worker.start()
    await worker.ready(120.0)
    flow = asyncio.create_task(traffic.flow())
    try:
        await asyncio.sleep(2.0)
        assert await _read_from(deployment.broker) == {_DIES + 1}
        traffic.failing = True
        await asyncio.sleep(0.5)
        await asyncio.to_thread(nodes[_DIES].kill)

        async def paged() -> bool:
            return bool(deployment.sandbox.pagerduty.woken)

        await until(paged, 90.0, "the page", worker)
        traffic.failing = False
        await deployment.incident_in("prod-1", ["resolved", "closed"], 90.0)
    finally:
        traffic.ended = True
        await flow
    await worker.evaluated(now(), 90.0)


async def test_a_node_that_dies_in_an_outage_costs_neither_a_verdict_nor_a_second_page(
    tmp_path: Path,
) -> None:
    if docker_answers():
        pytest.skip("containers of three brokers do not reach each other")
    with trio_of_brokers(tmp_path / "kafka") as nodes:
        broker = ",".join(node.address for node in nodes)
        settings = {"CLIENT_RACK": rack_of(_DIES)}
        async with deployed(broker, _PREFIX, tmp_path, settings=settings) as deployment:
            await _plays(deployment, Traffic(broker), nodes)
            assert {size for sizes in (await _replicas(broker)).values() for size in sizes} == {(3, 2)}
            assert [one.dedup_key for one in deployment.sandbox.pagerduty.woken] == ["watchofficer:prod-1:0"]
            again = await judged_again(deployment.settings, SLI_EVERY, 40.0)
            assert again.faults == []
