"""A producer's own records beside login events: an outage pages, kills lose nothing, and replay says the same."""

from __future__ import annotations

import asyncio
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import SLI_EVERY, Deployment, deployed, login, now
from tests.e2e.harness.judged_again import judged_again
from tests.e2e.harness.worker import Worker, until
from tests.streams.mappings.schemas.records import MAPPING, SIGN_IN, framed, sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

_PREFIX = "mapped."
_TOPIC = "mapped.keycloak"
_MAPPING = f"keycloak={_TOPIC}"
_AVRO = "mapped.avro"
_KILLS = 3


class Traffic:
    """Sign-ins through Keycloak, which fail while ``failing``, and login events of ssoe."""

    def __init__(self, broker: str) -> None:
        self.failing = False
        self._broker = broker
        self._ended = False

    def stop(self) -> None:
        """End after the next event."""
        self._ended = True

    async def flow(self) -> None:
        """Produce until stopped."""
        draw, count = random.Random(3), 0
        async with AIOKafkaProducer(bootstrap_servers=self._broker) as producer:
            while not self._ended:
                count += 1
                one: dict[str, Any] = {"type": "LOGIN", "time": now(), "clientId": "account"}
                if self.failing:
                    one |= {"type": "LOGIN_ERROR", "error": "identity_provider_error"}
                one |= {"userId": f"u{draw.randrange(2_000)}", "details": {"identity_provider": "idme"}}
                for value in ([one], {"operationType": "CREATE"}, one | {"type": "A_NEW_TYPE"}, "no event")[
                    : 1 if count % 5 else 4
                ]:
                    await producer.send(_TOPIC, json.dumps(value).encode(), key=b"%d" % draw.randrange(9))
                if not count % 5:
                    await producer.send(_AVRO, framed(7, sign_in(now())), key=b"%d" % draw.randrange(9))
                event = login(f"e{count}", user_hash=f"h:{draw.randrange(2_000)}")
                await producer.send(f"{_PREFIX}login-events", event, key=b"%d" % draw.randrange(9))
                await asyncio.sleep(0.05)


async def _pages(deployment: Deployment, traffic: Traffic, draw: random.Random) -> None:
    """Play an outage of Keycloak that pages, kill the worker at any instants, and wait until all has been evaluated."""
    worker = deployment.worker
    worker.start()
    await worker.ready()
    flow = asyncio.create_task(traffic.flow())
    try:
        await asyncio.sleep(4.0)
        traffic.failing = True
        await asyncio.sleep(draw.uniform(0.0, 2.0))
        await _killed(worker, draw)

        async def paged() -> bool:
            return bool(deployment.sandbox.pagerduty.woken)

        await until(paged, 60.0, "the page", worker)
        for _ in range(_KILLS - 1):
            await asyncio.sleep(draw.uniform(0.0, 2.0))
            await _killed(worker, draw)
        await worker.ready()
    finally:
        traffic.stop()
        await flow
    await worker.evaluated(now(), 60.0)


async def _killed(worker: Worker, draw: random.Random) -> None:
    """Kill the worker and start it again; it may not have been ready yet for the next kill."""
    worker.kill()
    await asyncio.sleep(draw.uniform(0.0, 2.0))
    worker.start()
    if draw.random() < 0.7:
        await worker.ready()


@pytest.mark.long
async def test_an_outage_in_mapped_records_pages_and_replay_of_the_topics_says_the_same(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=embedded_broker.address)
    await admin.start()
    stamped = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic(name, 2, 1, topic_configs=stamped) for name in (_TOPIC, _AVRO)])
    await admin.close()
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "7.avsc").write_text(json.dumps(SIGN_IN))
    (tmp_path / "avro.yaml").write_text(MAPPING)
    avro = f"{tmp_path / 'avro.yaml'}={_AVRO}"
    settings = {
        "INPUTS": f"login-events,{_MAPPING},{avro}",
        "HASH_KEY": "no secret, and of thirty-two bytes and more",
        "SCHEMA_REGISTRY__FOLDER": str(tmp_path / "schemas"),
    }
    async with deployed(embedded_broker.address, _PREFIX, tmp_path, settings=settings) as deployment:
        seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
        print(f"SEED={seed} draws the same kills")
        await _pages(deployment, Traffic(embedded_broker.address), random.Random(seed))
        (woken,) = deployment.sandbox.pagerduty.woken
        assert woken.dedup_key == "watchofficer:prod-1:0"
        skipped = {
            rule: await deployment.metric("watchofficer_input_events_total", input=_TOPIC, rule=rule)
            for rule in ("admin-events", "other-types", "not_json")
        }
        assert all(skipped.values()), skipped
        assert await deployment.metric("watchofficer_input_events_total", input=_AVRO) > 10
        again = await judged_again(
            deployment.settings, SLI_EVERY, 40.0, _TOPIC, _AVRO, mappings=(_MAPPING, avro)
        )
        assert again.faults == []
