"""A server with all routes on a free loopback port; the test feeds its views and plays the broker."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from detectors.incidents import Incident, IncidentInput
from detectors.policy.policy import Policy
from sinks.banner import banner
from sinks.metrics.prometheus import Metrics
from sinks.receivers.slack.config import SlackSettings
from streams.http.api import routes
from streams.http.charts import Charts
from streams.http.responses import json_errors
from streams.http.views import Views
from streams.records.models import encode_incident
from streams.runtime.health import Health
from streams.runtime.progress import Progress
from streams.settings.api_tokens import ApiToken
from streams.settings.policy_file import default_policy
from streams.watchdog.announcer import Announcer
from streams.watchdog.report import Report
from streams.watchdog.watchdog import Watchdog, WatchdogTime

__all__ = ["NOW", "SECRET", "TOKEN", "HttpSettings", "Serving", "an_incident", "dumps", "serving", "sign"]

NOW = 1_795_446_300_000  # 2026-11-23T15:05:00Z
TOKEN = "a-token-of-the-test"
SECRET = "a-secret-of-the-test"
SLACK = SlackSettings(signing_secret=SecretStr(SECRET))


@dataclass(frozen=True)
class PagerDutySettings:
    webhook_secret: SecretStr | None = None
    on: bool = True


@dataclass(frozen=True)
class HttpSettings:
    api_tokens: tuple[ApiToken, ...] = ()
    banner_origins: tuple[str, ...] = ()
    bind: str = "127.0.0.1"
    pagerduty: PagerDutySettings = PagerDutySettings(SecretStr(SECRET))
    slack: SlackSettings = SLACK
    broker: tuple[str, ...] = ("127.0.0.1:1",)
    topic_prefix: str = ""

    def tokens(self) -> tuple[ApiToken, ...]:
        return self.api_tokens


@dataclass
class Serving:
    """What a test sees: the client, what was submitted, and what it may change."""

    client: TestClient[web.Request, web.Application]
    views: Views
    metrics: Metrics
    health: Health
    progress: Progress
    report: Callable[[], Report]
    charts: Charts
    submitted: list[IncidentInput] = field(default_factory=list)
    failure: Exception | None = None
    monotonic: float = 0.0
    now: int = NOW
    policy: Policy | None = None

    async def submit(self, value: IncidentInput) -> None:
        if self.failure is not None:
            raise self.failure
        self.submitted.append(value)

    def feed(self, *incidents: Incident) -> None:
        for incident in incidents:
            self.views.apply("incidents", incident.id.encode(), encode_incident(incident))

    def feed_banner(self, *incidents: Incident, at: int = NOW) -> None:
        for state in banner.banners(default_policy(), "prod", incidents, at).values():
            self.views.apply("banner-state", state.key.encode(), banner.encode(state))

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON answer; the headers' names with _ for -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.post(path, json=body, headers=given) as response:
            return response.status, await response.json()

    async def webhook(
        self, body: bytes, *, signature: str | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Send what PagerDuty would, signed unless a signature is given."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given["X-PagerDuty-Signature"] = sign(body) if signature is None else signature
        async with self.client.post("/webhooks/pagerduty", data=body, headers=given) as response:
            return response.status, await response.json()


def sign(body: bytes, secret: str = SECRET) -> str:
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@asynccontextmanager
async def serving(
    *,
    token: str | None = TOKEN,
    tokens: tuple[ApiToken, ...] = (),
    bind: str = "127.0.0.1",
    secret: str | None = SECRET,
    patience: float = 0.0,
    slack: SlackSettings = SLACK,
    banner_origins: tuple[str, ...] = (),
    policy: Policy | None = None,
    chart_key: str | None = None,
) -> AsyncIterator[Serving]:
    views, health = Views(), Health(lambda: served.monotonic)
    progress = Progress(lambda: served.monotonic)
    times = WatchdogTime(clock=lambda: NOW, monotonic=lambda: served.monotonic)
    announcer = Announcer((), times.monotonic)
    watchdog = Watchdog(progress, health, announcer, blind_after=60.0, times=times)
    metrics = Metrics(clock=lambda: NOW, version="1.2.3", policy="0123")
    settings = HttpSettings(
        (*((ApiToken("operator", "respond", SecretStr(token), shared=True),) if token else ()), *tokens),
        banner_origins,
        bind,
        PagerDutySettings(SecretStr(secret) if secret else None),
        slack,
    )
    key = SecretStr(chart_key) if chart_key is not None else None

    def in_force() -> Policy:
        return served.policy or policy or default_policy()

    charts = Charts(views, in_force, key, clock=lambda: served.now)
    application = web.Application(middlewares=[json_errors])
    application.add_routes(
        routes(
            views,
            metrics,
            watchdog.report,
            lambda v: served.submit(v),
            settings,
            in_force,
            clock=lambda: NOW,
            charts=charts,
            patience=patience,
        )
    )
    async with TestClient(TestServer(application, host="127.0.0.1")) as client:
        served = Serving(client, views, metrics, health, progress, watchdog.report, charts)
        views.ready = True
        yield served


def an_incident(number: int = 17, **changes: Any) -> Incident:
    values: dict[str, Any] = {
        "id": f"prod-{number}",
        "env": "prod",
        "epoch": 1,
        "scope": "prod/ssoe",
        "state": "open",
        "causes": ("outage",),
        "sentence": "SSOe fails.",
        "severity": 1,
        "peak_severity": 1,
        "priority": "P1",
        "datadog_severity": "SEV-1",
        "basis": "observed",
        "users_impacted": 1204,
        "peak_users_impacted": 1204,
        "first_bad_at": NOW - 60_000,
        "opened_at": NOW - 50_000,
        "updated_at": NOW,
        "failing_ratio": 0.8,
    }
    return Incident(**values | changes)


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()
