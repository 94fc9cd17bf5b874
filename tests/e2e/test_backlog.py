"""A worker that evaluates a long backlog with an outage in it keeps its event loop going round."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.instants import MINUTE
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from tests.e2e.harness.deployment import Deployment, deployed, login, now
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

EVENTS, SPAN = 60_000, 25 * MINUTE
#: No piece of the worker's own work may hold the event loop for longer, CPU seconds: a bucket of the histogram.
MOST = 0.2
WAYS = (("ssoe", "idme"), ("sis", "idme"), ("sis", "logingov"), ("ssoe", "mhv"))


def backlog(until_ms: int) -> Iterator[bytes]:
    """Sign-ins of half an hour by as many people; for a fifth of it nearly nobody comes in by one provider."""
    rng = random.Random(11)
    for number in range(EVENTS):
        method, csp = rng.choice(WAYS)
        fields = {"auth_method": method, "csp": csp, "user_hash": f"{rng.getrandbits(256):064x}"}
        if 0.4 < number / EVENTS < 0.6 and csp == "idme" and rng.random() < 0.8:
            fields |= {"outcome": "failure", "error_code": "007"}
        yield login(f"backlog-{number}", at=until_ms - SPAN + SPAN * number // EVENTS, **fields)


async def held_up(deployment: Deployment) -> tuple[int, int]:
    """How many beats of the event loop there were, and how many of them came too late."""
    page, name = await deployment.metrics(), "watchofficer_loop_stall_seconds"
    beats = page[f"{name}_count", frozenset()]
    in_time = page[f"{name}_bucket", frozenset({("le", str(MOST))})]
    return int(beats), int(beats - in_time)


async def test_no_piece_of_its_work_holds_the_event_loop_for_a_fifth_of_a_second(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    async with deployed(embedded_broker.address, topic_prefix, tmp_path) as deployment:
        await create_missing(Topics(topic_prefix), {"bootstrap_servers": embedded_broker.address})
        await deployment.produce(backlog(now()), linger_ms=20)
        deployment.worker.start()

        async def caught_up() -> bool:
            status, health = await deployment.worker.get("/api/v1/health")
            lags = (
                {} if status == 0 else {env: one["lag_seconds"] for env, one in health["evaluated"].items()}
            )
            return (
                "prod" in lags and max(lags.values()) < 10.0
            )  # the others, without events, may be told first

        await until(caught_up, 150.0, "the end of the backlog", deployment.worker)
        incident = await deployment.incident("prod-1")
        assert incident is not None, deployment.worker.said()[-6000:]  # there was something to evaluate
        beats, late = await held_up(deployment)
        assert beats > 50
        assert late == 0
