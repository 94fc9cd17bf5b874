"""How do end-to-end tests deploy a worker? With topics of its own, and sandbox receivers in the tests' process."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from sinks.sandbox import Sandbox
from streams.runtime.clocks import RealClock
from streams.runtime.progress import Why
from tests.e2e.harness.topics import OnTopic, read
from tests.e2e.harness.worker import Worker, until
from tests.support.oracle import written

__all__ = ["CONSOLE", "QUICK", "SLI_EVERY", "TOKEN", "Deployment", "deployed", "login", "now"]

TOKEN = "a-token-of-the-test"
WEBHOOK_SECRET = "a-webhook-secret-of-the-test"
SLI_EVERY = 5_000
CONSOLE = "https://watch.test"

#: The policy that ships, with the waits that stand for people shortened, and outages of dozens taken for severe.
QUICK = f"""
sli_every: 5s
severity: {{severity_1_over: 60, severity_2_over: 20}}
priority: {{over: [60, 20]}}
lifecycle: {{recovering_after: 3s, recover_for: 6s, reopen_within: 10s, warning_waits: 3s}}
notify: {{console_url: "{CONSOLE}"}}
"""

now = RealClock()


def login(event_id: str, *, at: int | None = None, **fields: Any) -> bytes:
    """Return a login event that happens now, or at ``at`` (ms)."""
    event: dict[str, Any] = {"schema_version": 1, "event_id": event_id, "occurred_at": written(at or now())}
    event |= {"env": "prod", "auth_method": "ssoe", "step": "callback", "outcome": "success", "csp": "idme"}
    return json.dumps(event | fields).encode()


@dataclass
class Deployment:
    """A worker with its broker and receivers, and methods by which tests observe them."""

    broker: str
    prefix: str
    sandbox: Sandbox
    worker: Worker
    settings: dict[str, str]
    folder: Path

    async def on(self, topic: str) -> list[OnTopic]:
        """Read the records of a topic, named without the prefix."""
        return await read(self.broker, self.prefix + topic)

    async def produce(self, values: Iterable[bytes | None], **options: Any) -> None:
        """Write login events to the input topic, without keys, one after another."""
        async with AIOKafkaProducer(bootstrap_servers=self.broker, **options) as producer:
            for value in values:
                await producer.send(self.prefix + "login-events", value, key=b"of the test")

    async def incident(self, incident_id: str) -> dict[str, Any] | None:
        """Return an incident as the API returns it; None if there is none."""
        status, body = await self.worker.get(f"/api/v1/incidents/{incident_id}")
        return body if status == 200 else None

    async def incident_in(self, incident_id: str, states: Iterable[str], within: float) -> dict[str, Any]:
        """Wait until an incident is in one of the states, and return it."""
        wanted = set(states)

        async def look() -> dict[str, Any] | None:
            found = await self.incident(incident_id)
            return found if found is not None and found["state"] in wanted else None

        return await until(look, within, f"{incident_id} in {sorted(wanted)}", self.worker)

    async def all_told(self, within: float = 30.0) -> None:
        """Wait until every command on the outbox has been delivered or given up."""

        async def told() -> bool:
            asked = {one.json()["id"] for one in await self.on("incident-commands")}
            return asked <= {one.json()["command_id"] for one in await self.on("incident-deliveries")}

        await until(told, within, "the end of every command", self.worker)

    async def leftovers_resolved(self, within: float = 30.0) -> None:
        """Wait until the worker has resolved what a dead one may have left open, so that faults hit what comes next."""
        kinds = len(Why) + 1

        async def resolved() -> bool:
            requests = [one.body for one in self.sandbox.pagerduty.requests if one.path.startswith("/v2/")]
            keys = {str(body["dedup_key"]) for body in requests if body["event_action"] == "resolve"}
            return sum(key.startswith("watchofficer:blind") for key in keys) == kinds

        await until(resolved, within, "the resolution of what may have been left open", self.worker)

    async def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Return the metrics of `/metrics`: (name, labels) -> value."""
        status, text = await self.worker.get("/metrics")
        assert status == 200
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's series with these labels; 0 without any."""
        wanted = set(labels.items())
        page = await self.metrics()
        return sum(value for (its, has), value in page.items() if its == name and wanted <= has)


@asynccontextmanager
async def deployed(
    broker: str,
    prefix: str,
    folder: Path,
    *arguments: str,
    policy: str = QUICK,
    acknowledge_after: float | None = None,
    without: Iterable[str] = (),
    settings: Mapping[str, str] = MappingProxyType({}),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Deployment]:
    """A worker that is not started yet, with the receivers it will find. All end with the context.

    Args:
        arguments: of the command line, beside the policy.
        policy: what differs from the policy that ships.
        acknowledge_after: seconds after which whoever is woken acknowledges.
        without: settings that are left out.
        settings: go before those made here; how the worker alone reaches the broker, for instance.
        variables: environment variables of the worker that are no settings.
    """
    receivers = Sandbox.make(
        sleep=asyncio.sleep,
        clock=now,
        webhook_secrets=("an older secret", WEBHOOK_SECRET),
        acknowledge_after=acknowledge_after,
    )
    (folder / "policy.yaml").write_text(policy)
    async with receivers:
        made = {
            "BROKER": broker,
            "TOPIC_PREFIX": prefix,
            "API_TOKEN": TOKEN,
            "LOG_FORMAT": "json",
            "PAGERDUTY__WEBHOOK_SECRET": WEBHOOK_SECRET,
            **receivers.settings(),
            **settings,
        }
        made = {name: value for name, value in made.items() if name not in set(without)}
        policy_file = str(folder / "policy.yaml")
        inherited = {**os.environ, **variables}
        log = folder / "worker.log"
        worker = Worker(made, log, "--policy", policy_file, *arguments, inherited=inherited)
        receivers.pagerduty.webhook_url = f"{worker.url}/webhooks/pagerduty"
        try:
            yield Deployment(broker, prefix, receivers, worker, made, folder)
        finally:
            worker.kill()
