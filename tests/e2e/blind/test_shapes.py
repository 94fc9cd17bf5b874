"""Topics of another shape than ours and idle connections: the watch works, or is refused before anything starts."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from tests.e2e.harness.deployment import Deployment, deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, Traffic
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.blind, pytest.mark.timeout(240)]

CONNECTIONS, DESCRIPTORS = 300, 256


async def ready_or_refused(deployment: Deployment) -> bool:
    """Whether the worker gets ready; where not, it must end with status 2 and few words.

    Raises:
        AssertionError: neither.
    """
    before = len(deployment.worker.said())

    async def look() -> bool:
        ended = deployment.worker.exit_status is not None
        return ended or (await deployment.worker.get("/readyz"))[0] == 200

    await until(look, 60.0, "ready, or a refusal")
    said = deployment.worker.said()[before:]
    if deployment.worker.exit_status is None:
        return True
    assert deployment.worker.exit_status == 2, said[-3000:]
    assert "Traceback" not in said
    return False


@pytest.mark.parametrize(("written", "now"), [("1s", "5s"), ("5s", "1s")])
async def test_a_step_of_another_length_works_on_topics_that_are_there_or_is_refused(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path, written: str, now: str
) -> None:
    policy = f"{QUICKLY_BLIND}step: {written}\n"
    async with deployed(embedded_broker.address, topic_prefix, tmp_path, policy=policy) as deployment:
        worker = deployment.worker
        worker.start()
        await worker.ready()
        async with Traffic(deployment, failing=frozenset({"sis"})):
            await deployment.incident_in("prod-1", ["open"], 60.0)
            await worker.stop()
            (tmp_path / "policy.yaml").write_text(f"{QUICKLY_BLIND}step: {now}\n")
            worker.start()
            ready = await ready_or_refused(deployment)
        if ready:
            async with Traffic(deployment):
                await deployment.incident_in("prod-1", ["resolved", "closed"], 90.0)


@pytest.mark.parametrize("partitions", [1, 6])
async def test_topics_of_other_numbers_of_partitions_work_or_are_refused(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path, partitions: int
) -> None:
    async with deployed(embedded_broker.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        admin = AIOKafkaAdminClient(bootstrap_servers=deployment.broker)
        await admin.start()
        try:
            names = Topics(topic_prefix).all()
            await admin.create_topics(
                [NewTopic(name, partitions, 1, topic_configs=settings) for name, settings in names.items()]
            )
        finally:
            await admin.close()
        deployment.worker.start()
        if await ready_or_refused(deployment):
            for env in ("prod", "staging", "dev"):
                async with Traffic(
                    deployment, *range(partitions), failing=frozenset({"ssoe"}), env=env, each=4
                ):
                    await deployment.incident_in(f"{env}-1", ["open"], 60.0)


async def test_idle_connections_beyond_its_descriptors_take_the_worker_from_nobody(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(embedded_broker.address, topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        worker = deployment.worker
        worker.start()
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        await worker.ready()
        with ExitStack() as idle:
            for _ in range(CONNECTIONS):
                one = idle.enter_context(socket.socket())
                one.settimeout(5.0)
                one.connect(("127.0.0.1", worker.port))
            for _ in range(5):
                assert (await worker.get("/readyz"))[0] == 200
                await asyncio.sleep(1.0)
            async with Traffic(deployment, failing=frozenset({"ssoe"})):
                await deployment.incident_in("prod-1", ["open"], 40.0)
        worker.check()
