"""A restart over TLS takes about as long as one without, and no one is told that the watch is blind meanwhile."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.e2e.harness.deployment import QUICK, Deployment, deployed
from tests.e2e.harness.watch import Traffic, blind_alerts, make_topics
from tests.support.brokers import ApacheKafka
from tests.support.kafka.setup import Listener

pytestmark = [pytest.mark.blind, pytest.mark.timeout(400)]

RESTARTS = 4
MOST_TIMES = 1.5
NOISE = 0.5  # seconds: what a start differs by from one time to the next


async def restarted(deployment: Deployment) -> tuple[float, float]:
    """Seconds from SIGTERM to the end, and from the start to ready."""
    status, stopping = await deployment.worker.stop(60.0)
    assert status == 0, deployment.worker.said()[-3000:]
    began = time.monotonic()
    deployment.worker.start()
    await deployment.worker.ready(90.0)
    return stopping, time.monotonic() - began


async def test_a_restart_over_tls_takes_at_most_half_as_long_again_as_one_without(
    secured_kafka: ApacheKafka, topic_prefix: str, tmp_path: Path
) -> None:
    taken: dict[Listener, list[float]] = {Listener.SASL_PLAINTEXT: [], Listener.SASL_SSL: []}
    async with AsyncExitStack() as stack:
        deployments = {}
        for listener in taken:
            prefix, folder = f"{topic_prefix}{listener.lower()}.", tmp_path / listener
            folder.mkdir()
            settings = secured_kafka.worker_settings(listener)
            made = deployed(secured_kafka.address, prefix, folder, policy=QUICK, settings=settings)
            deployment = await stack.enter_async_context(made)
            await make_topics(deployment)
            secured_kafka.admin.allow_what_a_worker_needs(prefix)
            await stack.enter_async_context(Traffic(deployment))
            deployment.worker.start()
            await deployment.worker.ready(90.0)
            deployments[listener] = deployment
        for _ in range(RESTARTS):
            for listener, deployment in deployments.items():
                taken[listener].append(sum(await restarted(deployment)))
        said = [alert.summary for one in deployments.values() for alert in blind_alerts(one).values()]
    plain, encrypted = min(taken[Listener.SASL_PLAINTEXT]), min(taken[Listener.SASL_SSL])
    print(f"restart over TLS {encrypted:.1f} s, without {plain:.1f} s: {encrypted / plain:.2f}; all {taken}")
    assert said == []
    assert encrypted <= MOST_TIMES * plain + NOISE, taken
    assert max(taken[Listener.SASL_SSL]) <= 3 * max(taken[Listener.SASL_PLAINTEXT]) + NOISE, taken
