"""`kill -9` in the middle of an outage, and a restart: nobody is woken twice, and nothing is counted twice or lost."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.deployment import SLI_EVERY, Deployment, deployed, login, now
from tests.e2e.harness.topics import expected_slis, published_slis
from tests.e2e.harness.worker import run_to_end, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("kill"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(240),
]

_A_SECOND = 20  # events


@dataclass
class Survived:
    """The deployment after the outage, and its policy file."""

    deployment: Deployment
    killed_at: int
    ready_again_at: int


class Traffic:
    """Sign-ins on prod/ssoe and prod/sis, some late and some twice; those of ssoe fail while ``failing``."""

    def __init__(self, deployment: Deployment) -> None:
        self.failing = False
        self._deployment = deployment
        self._draw = random.Random(5)
        self._stop = False

    def stop(self) -> None:
        """End after the next event."""
        self._stop = True

    async def flow(self) -> int:
        """Produce until stopped; return the number of records."""
        draw, count = self._draw, 0
        async with AIOKafkaProducer(bootstrap_servers=self._deployment.broker) as producer:
            while not self._stop:
                method = draw.choice(("ssoe", "ssoe", "sis"))
                fails = self.failing and method == "ssoe"
                event = login(
                    f"e{count}",
                    at=now() - (draw.choice((500, 4_000, 9_000)) if draw.random() < 0.1 else 0),
                    auth_method=method,
                    csp=draw.choice(("idme", "logingov", None)),
                    user_hash=f"h:{draw.randrange(3000)}",
                    duration_ms=draw.randrange(1000),
                    **({"outcome": "failure", "error_code": "007"} if fails else {}),
                )
                for _ in range(2 if draw.random() < 0.1 else 1):
                    await producer.send(
                        f"{self._deployment.prefix}login-events", event, key=b"%d" % draw.randrange(40)
                    )
                count += 1
                await asyncio.sleep(1 / _A_SECOND)
        return count


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def survived(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Survived]:
    """The deployment after an outage in which the worker was killed once it had paged."""
    folder = tmp_path_factory.mktemp("kill")
    async with deployed(embedded_broker.address, "kill.", folder) as deployment:
        worker, pagerduty = deployment.worker, deployment.sandbox.pagerduty
        worker.start()
        await worker.ready()
        traffic = Traffic(deployment)
        flow = asyncio.create_task(traffic.flow())
        try:
            await asyncio.sleep(5.0)
            traffic.failing = True

            async def paged() -> bool:
                return bool(pagerduty.woken)

            await until(paged, 40.0, "the page", worker)
            await asyncio.sleep(1.5)
            killed_at = now()
            worker.kill()
            await asyncio.sleep(3.0)  # nobody watches; events keep coming
            worker.start()
            await worker.ready()
            ready_again_at = now()
            traffic.failing = False
            await deployment.incident_in("prod-1", ["resolved", "closed"], 90.0)
        finally:
            traffic.stop()
            await flow
        await worker.evaluated(now(), 30.0)
        await deployment.all_told()
        yield Survived(deployment, killed_at, ready_again_at)


async def test_nobody_is_woken_a_second_time(survived: Survived) -> None:
    pagerduty = survived.deployment.sandbox.pagerduty
    assert [woken.dedup_key for woken in pagerduty.woken] == ["watchofficer:prod-1:0"]
    assert pagerduty.woken[0].at < survived.killed_at


async def test_the_incident_goes_on_and_resolves(survived: Survived) -> None:
    incidents = [one.json() for one in await survived.deployment.on("incidents")]
    assert {(one["id"], one["epoch"], one["scope"]) for one in incidents} == {("prod-1", 0, "prod/ssoe")}
    assert incidents[-1]["state"] in ("resolved", "closed")
    assert incidents[-1]["resolved_reason"] == "recovered"
    (alert,) = survived.deployment.sandbox.pagerduty.alerts
    assert alert.status == "resolved"
    assert alert.resolved_at is not None
    assert alert.resolved_at > survived.ready_again_at


async def test_every_change_is_made_once_and_told_once(survived: Survived) -> None:
    deployment = survived.deployment
    deliveries = [one.json() for one in await deployment.on("incident-deliveries")]
    ids = [one["command_id"] for one in deliveries if one["outcome"] == "delivered"]
    # A crash between sending and recording repeats a receiver's last command; nothing is left out.
    assert len(ids) - len(set(ids)) <= 3
    commands = {one.json()["id"] for one in await deployment.on("incident-commands")}
    # A message that is edited because a link has become known is the deliverer's own, and no command of the watch.
    assert {one["command_id"] for one in deliveries if ":links-" not in one["command_id"]} == commands
    roots = deployment.sandbox.slack.roots
    assert len(roots) == 1
    changes = {
        (line["type"], line["at"])
        for line in (one.json() for one in await deployment.on("incident-log"))
        if line["type"] in ("opened", "recovering", "resolved")
    }
    assert sorted(kind for kind, _ in changes) == ["opened", "recovering", "resolved"]


async def test_the_indicators_are_those_of_the_oracle(survived: Survived) -> None:
    deployment = survived.deployment
    expected = await expected_slis(deployment.broker, deployment.prefix, SLI_EVERY)
    published = await published_slis(deployment.broker, deployment.prefix)
    last = expected[-1]["at"]
    assert [value for value in published if value["at"] <= last] == expected


async def test_replay_of_the_topic_says_what_was_said_live(survived: Survived) -> None:
    deployment = survived.deployment
    policy = str(deployment.folder / "policy.yaml")
    arguments = ("replay", f"topic:{deployment.prefix}login-events", "--policy", policy)
    status, said, complained = await asyncio.to_thread(
        run_to_end, deployment.settings, *arguments, "--sli-every", "5s", "--format", "jsonl"
    )
    assert status == 0, complained
    lines: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    replayed = [line for line in lines if line["type"] == "sli"]
    last = replayed[-1]["at"]
    published = await published_slis(deployment.broker, deployment.prefix)
    order = ("5m", "15m", "1h")
    replayed.sort(key=lambda line: (line["at"], line["scope"], order.index(line["window"])))
    assert [value for value in published if value["at"] <= last] == replayed

    def turns(some: list[dict[str, Any]]) -> list[tuple[str, ...]]:
        found = [
            (one["at"], str(one["from"]), one["to"], str(one["severity"]), one["reason"]) for one in some
        ]
        return list(dict.fromkeys(found))

    live = [one.json() for one in await deployment.on("incident-log")]
    life = ("opened", "severity", "scope", "recovering", "relapsed", "resolved")
    said_live = turns([line for line in live if line["type"] in life])
    assert len(said_live) >= 3
    assert turns([one for one in lines if one["type"] == "transition" and one["to"] != "closed"]) == said_live


async def test_the_counters_on_the_page_count_every_event_once(survived: Survived) -> None:
    deployment = survived.deployment
    # Copies on other partitions are events of their own; those of a partition count once.
    places = {(one.partition, one.json()["event_id"]) for one in await deployment.on("login-events")}

    async def counted() -> float:
        return await deployment.metric("watchofficer_login_events_total", env="prod")

    async def all_counted() -> bool:
        return await counted() >= len(places)

    await until(all_counted, 20.0, "all events in the metrics", deployment.worker)
    assert await counted() == len(places)


async def test_the_end_is_in_order_and_quick(survived: Survived) -> None:
    status, seconds = await survived.deployment.worker.stop()
    assert status == 0, survived.deployment.worker.said()[-3000:]
    assert seconds < 10
