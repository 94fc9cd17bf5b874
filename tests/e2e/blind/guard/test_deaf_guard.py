"""A guard that cannot read says itself, and in words, what keeps it out; and it blames no worker for that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streams.kafka.embedded_broker import EmbeddedBroker, free_port
from tests.e2e.harness.deployment import Deployment, deployed
from tests.e2e.harness.watch import BLIND_AFTER, QUICKLY_BLIND, blind_alerts, make_topics, told_blind
from tests.e2e.harness.worker import until
from tests.support.brokers import ApacheKafka
from tests.support.kafka.setup import PASSWORD, WORKER, Listener

pytestmark = [pytest.mark.blind, pytest.mark.timeout(240)]

SOON = BLIND_AFTER + 40.0  # seconds; a loaded machine takes most of them to start Python


@asynccontextmanager
async def guarded(
    kafka: ApacheKafka, prefix: str, folder: Path, listener: Listener, **sasl: str
) -> AsyncIterator[Deployment]:
    """A guard with all rights, on topics that stand, which has just been started; no worker runs."""
    async with deployed(
        kafka.address,
        prefix,
        folder,
        *("--role", "guard"),
        policy=QUICKLY_BLIND,
        settings=kafka.worker_settings(listener, **sasl),
    ) as deployment:
        await make_topics(deployment)
        kafka.admin.allow_what_a_worker_needs(prefix)
        deployment.worker.start()
        yield deployment


async def told(deployment: Deployment, *words: str) -> None:
    """Wait until the guard says with the words that the watch is blind of the broker, and of nothing else."""
    await told_blind(deployment, "broker", *words, within=SOON)
    assert set(blind_alerts(deployment)) == {"broker"}
    assert "Traceback" not in deployment.worker.said()


async def hears_again(deployment: Deployment) -> None:
    """Wait until the guard takes that back, and says what it sees now: that no worker runs."""

    async def look() -> bool:
        return blind_alerts(deployment)["broker"].status == "resolved"

    await until(look, SOON, "that the guard hears again", deployment.worker)
    await told_blind(deployment, "lag", "no worker has written", within=SOON)


@pytest.mark.ci
async def test_a_guard_whose_broker_is_away_says_so_until_it_is_there(
    topic_prefix: str, tmp_path: Path
) -> None:
    port = free_port()
    arguments = ("--role", "guard")
    broker = f"127.0.0.1:{port}"
    async with deployed(broker, topic_prefix, tmp_path, *arguments, policy=QUICKLY_BLIND) as deployment:
        deployment.worker.start()
        await told(deployment, str(port), "nothing listens")
        with EmbeddedBroker(port):
            await hears_again(deployment)


async def test_a_guard_with_a_wrong_password_says_so_until_the_broker_takes_it(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    secured_kafka.admin.set_scram_password(WORKER, "another")
    scram = {"mechanism": "SCRAM-SHA-512", "password": PASSWORD}
    async with guarded(secured_kafka, topic_prefix, tmp_path, Listener.SASL_SSL, **scram) as deployment:
        await told(deployment, "password")
        assert PASSWORD not in deployment.worker.said()
        secured_kafka.admin.set_scram_password(WORKER, PASSWORD)
        await hears_again(deployment)


async def test_a_guard_that_does_not_trust_the_authority_says_so(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    async with guarded(secured_kafka, topic_prefix, tmp_path, Listener.FOREIGN) as deployment:
        await told(deployment, "certificate", "authority")


@pytest.mark.parametrize("operation", ["READ", "DESCRIBE"])
async def test_a_guard_that_may_not_read_names_the_right_until_it_is_given(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path, operation: str
) -> None:
    topic = topic_prefix + "watch-state"
    secured_kafka.admin.deny((operation,), "TOPIC", topic)
    async with guarded(secured_kafka, topic_prefix, tmp_path, Listener.SASL_PLAINTEXT) as deployment:
        await told(deployment, "right read", topic)
        secured_kafka.admin.forgive("TOPIC", topic)
        await hears_again(deployment)
