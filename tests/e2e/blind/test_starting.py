"""A worker that cannot begin answers HTTP at once, says in words what to do, pages, and begins when it can."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.kafka.embedded_broker import EmbeddedBroker, free_port
from tests.e2e.harness.deployment import Deployment, deployed
from tests.e2e.harness.watch import QUICKLY_BLIND, blind_alerts, make_topics, sees_again, told_blind
from tests.e2e.harness.worker import until
from tests.support.brokers import ApacheKafka
from tests.support.kafka.setup import PASSWORD, WORKER, Listener

pytestmark = [pytest.mark.blind, pytest.mark.timeout(240)]

HTTP_SECONDS = 30.0  # of which a loaded machine takes most to start Python


@asynccontextmanager
async def started(
    kafka: ApacheKafka, prefix: str, folder: Path, listener: Listener, **sasl: str
) -> AsyncIterator[Deployment]:
    """A worker with the least rights, on topics that stand, which has just been started."""
    settings = kafka.worker_settings(listener, **sasl)
    async with deployed(kafka.address, prefix, folder, policy=QUICKLY_BLIND, settings=settings) as deployment:
        await make_topics(deployment)
        kafka.admin.allow_the_least(prefix)
        deployment.worker.start()
        yield deployment


async def answers_http(deployment: Deployment) -> str:
    """The body of `/readyz`, which must be 503 within seconds, beside `/healthz` and `/metrics` with 200."""
    began = time.monotonic()

    async def look() -> Any:
        status, body = await deployment.worker.get("/readyz")
        return (status, body) if status else None

    status, body = await until(look, HTTP_SECONDS, "an answer over HTTP", deployment.worker)
    assert status == 503, (body, time.monotonic() - began)
    assert (await deployment.worker.get("/healthz"))[0] == 200
    assert (await deployment.worker.get("/metrics"))[0] == 200
    return str(body)


async def told(deployment: Deployment, *words: str) -> None:
    """Wait until the watch is said to be blind with the words, for whatever reason has them."""
    await answers_http(deployment)
    why = "broker"

    async def look() -> bool:
        return bool(blind_alerts(deployment))

    await until(look, 90.0, f"a page that says {words}", deployment.worker)
    why = next(iter(blind_alerts(deployment)))
    await told_blind(deployment, why, *words)
    assert '"Traceback' not in deployment.worker.said()
    assert "Traceback (most recent" not in deployment.worker.said()


@pytest.mark.ci
async def test_a_broker_that_is_away_is_told_until_it_is_there(topic_prefix: str, tmp_path: Path) -> None:
    port = free_port()
    async with deployed(f"127.0.0.1:{port}", topic_prefix, tmp_path, policy=QUICKLY_BLIND) as deployment:
        deployment.worker.start()
        await told(deployment, str(port))
        with EmbeddedBroker(port):
            await sees_again(deployment, 90.0)


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        (Listener.EXPIRED, ("certificate", "expired")),
        (Listener.FOREIGN, ("certificate", "authority")),
        (Listener.MISNAMED, ("certificate", "name")),
    ],
)
async def test_each_bad_certificate_is_told_apart(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path, listener: Listener, words: tuple[str, ...]
) -> None:
    async with started(secured_kafka, topic_prefix, tmp_path, listener) as deployment:
        await told(deployment, *words)


@pytest.mark.ci
async def test_a_wrong_password_is_told_until_the_broker_takes_it(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    secured_kafka.admin.set_scram_password(WORKER, "another")
    scram = {"mechanism": "SCRAM-SHA-512", "password": PASSWORD}
    async with started(secured_kafka, topic_prefix, tmp_path, Listener.SASL_SSL, **scram) as deployment:
        await told(deployment, "password")
        assert PASSWORD not in deployment.worker.said()
        secured_kafka.admin.set_scram_password(WORKER, PASSWORD)
        await sees_again(deployment, 90.0)


@pytest.mark.parametrize(
    ("operation", "resource", "name"),
    [
        ("WRITE", "TOPIC", "incidents"),
        ("READ", "TOPIC", "login-events"),
        ("READ", "GROUP", "watchofficer-ingest"),
    ],
)
async def test_a_right_that_is_missing_is_named_until_it_is_given(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path, operation: str, resource: str, name: str
) -> None:
    secured_kafka.admin.deny((operation,), resource, topic_prefix + name)
    async with started(secured_kafka, topic_prefix, tmp_path, Listener.SASL_PLAINTEXT) as deployment:
        await told(deployment, operation, topic_prefix + name)
        secured_kafka.admin.forgive(resource, topic_prefix + name)
        await sees_again(deployment, 90.0)
