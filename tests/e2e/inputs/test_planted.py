"""What producers write of people, wherever they write it, leaves the input topic by no door of a worker."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from detectors.instants import format_instant
from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import Deployment, deployed, login, now
from tests.e2e.harness.planted import HEADERS, KEY, PERSONAL, found, records
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

_INPUT = "planted.login-events"
#: Pages without an end, and those that need more than names.
_UNASKED = ("/api/v1/stream", "/charts/", "/assets/")


async def _produced(deployment: Deployment) -> int:
    """Produce an outage of SSOe amid planted records; return how many of all must be rejected at least."""
    planted = list(records("planted"))
    async with AIOKafkaProducer(bootstrap_servers=deployment.broker) as producer:
        for value in planted:
            await producer.send(_INPUT, value, key=KEY, headers=HEADERS)
        for n in range(60):
            personal: dict[str, Any] = {**PERSONAL}
            value = login(f"e{n}", flow_id=f"f:{n}", outcome="failure", error_code="007", **personal)
            await producer.send(_INPUT, value, key=KEY, headers=HEADERS)
    return sum(b'"duration_ms": "' in value for value in planted)


async def _on_topics(deployment: Deployment) -> dict[str, list[bytes | str | None]]:
    """Topic -> all that its records hold."""
    async with AIOKafkaConsumer(bootstrap_servers=deployment.broker) as consumer:
        names = sorted(name for name in await consumer.topics() if name.startswith(deployment.prefix))
    assert len(names) > 10
    there: dict[str, list[bytes | str | None]] = {"names": list(names)}
    for name in names:
        for one in await deployment.on(name.removeprefix(deployment.prefix)):
            there.setdefault(name, []).extend((one.key, one.value, *one.headers, *one.headers.values()))
    return there


async def _answers(deployment: Deployment) -> dict[str, str]:
    """Path -> what each page and each route of the API answers."""
    _, document = await deployment.worker.get("/openapi.json")
    filled = {"{month}": format_instant(now())[:7], "{name}": "ssoe", "{id}": "prod-1"}
    answers: dict[str, str] = {}
    for path, operations in document["paths"].items():
        if "get" not in operations or path.startswith(_UNASKED):
            continue
        for name, value in filled.items():
            path = path.replace(name, value)
        for asked in (path, f"{path}?history=true") if path == "/api/v1/slis" else (path,):
            answers[asked] = await until(partial(_answer, deployment, asked), 60.0, asked)
    return answers


async def _answer(deployment: Deployment, path: str) -> str | None:
    """What is answered, as text; None if nothing is, as a report takes long on a machine that does much else."""
    status, body = await deployment.worker.get(path)
    assert status in (0, 200, 303, 404), path
    return json.dumps(body, ensure_ascii=False) if status else None


async def test_no_door_tells_what_producers_write_of_people(
    embedded_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with deployed(embedded_broker.address, "planted.", tmp_path) as deployment:
        deployment.worker.start()
        await deployment.worker.ready()
        rejected = await _produced(deployment)
        incident = await deployment.incident_in("prod-1", ["open"], 30.0)
        await deployment.all_told()

        async def all_aside() -> bool:
            return len(await deployment.on("login-events.rejected")) >= rejected

        await until(all_aside, 20.0, "the rejected", deployment.worker)
        assert incident["scope"] == "prod"
        assert deployment.sandbox.pagerduty.woken

        topics = await _on_topics(deployment)
        planted = set().union(*map(found, topics.pop(_INPUT)))
        assert len(planted) == 8  # what is looked for can be found
        told: dict[str, set[str]] = {
            name: set().union(*map(found, contents)) for name, contents in topics.items()
        }
        told |= {path: found(answer) for path, answer in (await _answers(deployment)).items()}
        told["the log"] = found(deployment.worker.said())
        for receiver in deployment.sandbox.receivers:
            sent: list[Any] = [(one.path, one.query, one.body) for one in receiver.requests]
            assert sent
            told[receiver.name] = found(json.dumps(sent, ensure_ascii=False))
        assert {place: parts for place, parts in told.items() if parts} == {}
