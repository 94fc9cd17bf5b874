"""What do tests of a blind watch share? Traffic that goes on, and what people were told of the watch itself."""

from __future__ import annotations

import asyncio
import itertools
import time
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaProducer

from sinks.sandbox.pagerduty import Alert
from streams.kafka.admin import create_missing
from streams.kafka.topics import Topics
from tests.e2e.harness.deployment import QUICK, Deployment, login
from tests.e2e.harness.worker import until

__all__ = [
    "BLIND_AFTER",
    "QUICKLY_BLIND",
    "Told",
    "Traffic",
    "blind_alerts",
    "make_topics",
    "sees_again",
    "told_blind",
]

BLIND_AFTER = 10.0  # seconds
QUICKLY_BLIND = QUICK + "blind_after: 10s\n"
_KEY = "watchofficer:blind"
_EACH_SECONDS = 0.25


class Told(NamedTuple):
    """What people are told of a blind watch.

    Attributes:
        alert: in PagerDuty.
        slack: the text of the message in Slack.
        readyz: the body of `/readyz`.
        after: seconds from when a test began to wait until all three were there.
    """

    alert: Alert
    slack: str
    readyz: str
    after: float


def blind_alerts(deployment: Deployment) -> dict[str, Alert]:
    """The alerts about the watch itself that PagerDuty has had: why -> the last of them."""
    alerts = deployment.sandbox.pagerduty.alerts
    return {one.dedup_key[len(_KEY) + 1 :]: one for one in alerts if one.dedup_key.startswith(_KEY)}


async def told_blind(deployment: Deployment, why: str, *words: str, within: float | None = None) -> Told:
    """Wait until PagerDuty, Slack and `/readyz` say that the watch is blind, each with the words.

    Args:
        deployment: whose worker is to be blind.
        why: the last part of the key in PagerDuty.
        words: parts of what is said, in any case.
        within: seconds; a minute more than ``BLIND_AFTER`` by default.
    """
    began = time.monotonic()

    def said(text: str) -> bool:
        return all(word.lower() in text.lower() for word in words)

    async def look() -> Told | None:
        alert = blind_alerts(deployment).get(why)
        status, readyz = await deployment.worker.get("/readyz")
        slack = [
            one.words for one in deployment.sandbox.slack.messages if "blind" in one.words and said(one.words)
        ]
        if alert is None or alert.status == "resolved" or not said(_all_of(alert)):
            return None
        if not slack or status != 503 or not said(str(readyz)):
            return None
        return Told(alert, slack[-1], str(readyz), time.monotonic() - began)

    try:
        return await until(look, within or BLIND_AFTER + 60.0, f"blind of {why}: {words}", deployment.worker)
    except AssertionError as error:
        raise AssertionError(f"{await _what_was_said(deployment)}\n{error}") from None


async def sees_again(deployment: Deployment, within: float = 60.0) -> None:
    """Wait until every alert about the watch itself is resolved and the worker is ready."""

    async def look() -> bool:
        alerts = blind_alerts(deployment).values()
        ready = (await deployment.worker.get("/readyz"))[0] == 200
        return ready and all(alert.status == "resolved" for alert in alerts)

    try:
        await until(look, within, "that it sees again", deployment.worker)
    except AssertionError as error:
        raise AssertionError(f"{await _what_was_said(deployment)}\n{error}") from None


def _all_of(alert: Alert) -> str:
    return f"{alert.summary} {alert.events}"


async def _what_was_said(deployment: Deployment) -> str:
    alerts = {why: f"{one.status}: {one.summary}" for why, one in blind_alerts(deployment).items()}
    slack = [one.words for one in deployment.sandbox.slack.messages if "blind" in one.words]
    return f"PagerDuty: {alerts}\nSlack: {slack}\n/readyz: {await deployment.worker.get('/readyz')}"


async def make_topics(deployment: Deployment) -> None:
    """Create the topics of the deployment, as an administrator would."""
    await create_missing(Topics(deployment.prefix), {"bootstrap_servers": deployment.broker})


class Traffic:
    """Sign-ins by SSOe and SiS, on each partition, four times a second, while the context is open.

    Args:
        deployment: whose input topic gets them.
        partitions: the partitions that get some.
        failing: of the ways to sign in, those by which all fail from now on; may be changed meanwhile.
        env: of all events.
        each: sign-ins by each way, in each partition, each time.

    Attributes:
        failing: see above.
        spoilt: fields that all events have besides, which makes them unreadable or not; may be changed meanwhile.
    """

    def __init__(
        self,
        deployment: Deployment,
        *partitions: int,
        failing: frozenset[str] = frozenset(),
        env: str = "prod",
        each: int = 2,
    ) -> None:
        self.failing = failing
        self.spoilt: dict[str, Any] = {}
        self._deployment = deployment
        self._partitions = partitions or (0, 1, 2, 3)
        self._env = env
        self._each = each
        self._numbers = itertools.count()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._produce(), name="traffic")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _produce(self) -> None:
        await make_topics(self._deployment)  # a broker may else make one of its own sort of the first record
        async with AIOKafkaProducer(bootstrap_servers=self._deployment.broker) as producer:
            while True:
                for partition, value in self.once():
                    await producer.send(self._deployment.prefix + "login-events", value, partition=partition)
                await asyncio.sleep(_EACH_SECONDS)

    def once(self) -> list[tuple[int, bytes]]:
        """The sign-ins of one time: partition, value."""
        made = []
        for partition, method, _ in itertools.product(self._partitions, ("ssoe", "sis"), range(self._each)):
            failed = {"outcome": "failure", "error_code": "007"} if method in self.failing else {}
            name = f"{self._env}-{id(self)}-{next(self._numbers)}"
            # Without a flow of their own, the failures could all be those of one machine that asks.
            fields = {
                "auth_method": method,
                "env": self._env,
                "flow_id": f"f:{name}",
                **failed,
                **self.spoilt,
            }
            made.append((partition, login(name, **fields)))
        return made
