"""After SIGTERM a worker flushes all that it has read; after a second one it ends at once, and loses nothing either."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from streams.kafka.clients import KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topic_reader import TopicReader
from streams.segments.codec import Frontier, decode
from tests.e2e.harness.deployment import Deployment, deployed, login
from tests.e2e.harness.topics import expected_slis, published_slis
from tests.faults.campaign.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

EVENTS = 400


async def written_to(deployment: Deployment) -> int:
    """Return the number of input records before the frontiers."""
    reached: dict[int, int] = {}
    reader = TopicReader(KafkaClients({"bootstrap_servers": deployment.broker}))
    async for record in reader.read(TopicPartition(deployment.prefix + "sli-segments", 0)):
        said = decode(record.value)
        if isinstance(said, Frontier):
            reached[int(said.partition)] = max(reached.get(int(said.partition), 0), said.next_offset)
    return sum(reached.values())


async def signalled(deployment: Deployment) -> tuple[int, float]:
    """Send SIGTERM; return the exit status and the seconds until the end."""
    process = deployment.worker.process
    assert process is not None
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status = await asyncio.to_thread(process.wait, 30)
    return status, time.monotonic() - began


@pytest.fixture
def own_broker() -> Iterator[EmbeddedBroker]:
    """Start an embedded broker that a test may stop and continue."""
    with EmbeddedBroker() as broker:
        yield broker


@contextmanager
def hanging(broker: EmbeddedBroker) -> Iterator[None]:
    """Let a broker answer nobody; connections stay open."""
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


async def test_what_was_read_is_written_before_a_worker_ends(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(embedded_broker.address, topic_prefix, tmp_path) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        await deployment.produce(login(f"e{number}") for number in range(EVENTS))
        await asyncio.sleep(1.0)  # a fetch comes within half a second; a flush may not have
        status, seconds = await signalled(deployment)
        assert status == 0, deployment.worker.said()[-3000:]
        assert seconds < 10.0
        assert await written_to(deployment) == EVENTS
        assert '"level": "error"' not in deployment.worker.said()


@pytest.mark.long
async def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(
    own_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(own_broker.address, topic_prefix, tmp_path) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        await deployment.produce(login(f"e{number}") for number in range(EVENTS))
        process = deployment.worker.process
        assert process is not None
        with hanging(own_broker):  # so that it cannot end in order before the second signal
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(1.0)
            assert process.poll() is None
            status, seconds = await signalled(deployment)
        assert status == 1
        assert seconds < 1.0

        deployment.worker.start()
        await deployment.worker.ready()
        await asyncio.sleep(5.0)
        await deployment.produce([login("the last one")])  # indicators are expected up to the last event

        async def everything_is_judged() -> bool:
            expected = await expected_slis(deployment.broker, deployment.prefix, 5_000)
            found = await published_slis(deployment.broker, deployment.prefix)
            until = expected[-1]["at"] if expected else ""
            return bool(expected) and [one for one in found if one["at"] <= until] == expected

        await until(everything_is_judged, 60.0, deployment.worker.said, every=1.0)
