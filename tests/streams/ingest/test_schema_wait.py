"""An input whose schemas cannot be had waits, says so, and goes on once they can; the other inputs go on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaProducer

from streams.ingest.service import Ingest
from streams.ingest.settings import IngestSettings
from streams.kafka.admin import create_missing
from streams.kafka.clients import KafkaClients
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.producer import BatchProducer
from streams.kafka.topics import PARTITIONS, Topics
from streams.mappings.inputs import Input
from streams.mappings.mapping import compile_mapping
from streams.mappings.schemas.registry import Registry
from streams.mappings.schemas.store import Schemas
from streams.runtime.clocks import RealClock, Timing
from streams.runtime.progress import Progress, Why
from streams.settings.policy_file import default_policy
from tests.streams.ingest.deployment import event
from tests.streams.mappings.schemas.records import MAPPING, SIGN_IN, RegistryServer, framed, registry, sign_in

_PATIENCE = 50.0  # seconds


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


async def test_only_the_input_without_its_schemas_waits(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    with registry() as server:
        server.put(7, SIGN_IN)
        server.status = 503
        await _run(embedded_broker.address, topic_prefix, server)
    assert set(server.asked) == {7}


async def _run(address: str, prefix: str, server: RegistryServer) -> None:
    topics, kafka = Topics(prefix), {"bootstrap_servers": address}
    theirs = f"{prefix}sign-ins"
    await create_missing(topics, kafka, input_partitions=1)
    now = RealClock()()
    async with AIOKafkaProducer(**kafka) as sender:
        for n in range(3):
            await sender.send_and_wait(theirs, framed(7, sign_in(now + n)), partition=0)
            await sender.send_and_wait(topics.login_events, event(f"e{n}"), partition=0)
    mapping = compile_mapping(MAPPING, "m.yaml", schemas=Schemas(Registry(server.url)))
    inputs = Input(topics.login_events), Input(theirs, (mapping,))
    settings = IngestSettings(topics, prefix, PARTITIONS, session_ms=6_000, start="earliest", inputs=inputs)
    clients, failed, timing = KafkaClients(kafka), list[BaseException](), Timing()
    progress, producer = Progress(timing.monotonic), BatchProducer(clients)
    ingest = Ingest(
        settings, default_policy(), producer, timing, failed.append, clients=clients, progress=progress
    )

    def told() -> list[str]:
        return [one.sentence for one in progress.obstacles() if one.why is Why.PARTITION]

    await producer.start()
    try:
        await ingest.start()
        why = f"the schema registry at {server.url} gives no schemas: status 503"
        said = f"partition 0 of {theirs} is not read on: {why}"
        await until(lambda: ingest.folded == 3 and said in told())
        server.status = 200
        await until(lambda: ingest.folded == 6 and said not in told())
    finally:
        await ingest.stop()
        await producer.stop()
    assert failed == []
