"""What is served over HTTP: the console, metrics, the API, webhooks of PagerDuty and Slack, the front end's statuses.

Everything is answered from memory (`Views`), so every worker answers for all. A write is a record on
``incident-inputs`` (`InputDoor`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from aiohttp import web
from pydantic import SecretStr

from detectors.instants import format_instant
from detectors.policy.policy import Policy
from detectors.process.actions import OF_INCIDENTS, PATHS
from sinks.metrics.prometheus import Metrics
from sinks.wording import ScopeNames
from streams.http.access.gate import Gate
from streams.http.access.login import LoginPage
from streams.http.charts import Charts
from streams.http.inputs import InputDoor, SubmitInput
from streams.http.openapi.page import OpenApiPage
from streams.http.pagerduty.door import PATIENCE, PagerDutyDoor
from streams.http.pages.banner import BannerPages
from streams.http.pages.conduct import conduct_of
from streams.http.pages.console import ConsolePages
from streams.http.pages.covers import CoverPages
from streams.http.pages.health import HealthPages
from streams.http.pages.inputs import InputPages
from streams.http.reporting.pages import ReportPages, ReportSettings, command_of
from streams.http.requests import flag, number
from streams.http.responses import Handler, answered, json_response
from streams.http.runbooks import RunbookPages, runbook_of
from streams.http.slack.door import SlackDoor, SlackDoorSettings
from streams.http.status.page import StatusPages
from streams.http.views import Views
from streams.settings.api_tokens import ApiToken
from streams.watchdog.report import Report

__all__ = ["HttpSettings", "routes"]


_ROUTE = {"GET": web.get, "POST": web.post, "OPTIONS": web.options}
_COVERS = "{covers:mutes|maintenance|corrections}"


class PagerDutySettings(Protocol):
    """What is needed of PagerDuty's settings."""

    @property
    def webhook_secret(self) -> SecretStr | None: ...
    @property
    def on(self) -> bool: ...


class HttpSettings(ReportSettings, Protocol):
    """What is needed of the settings."""

    def tokens(self) -> Sequence[ApiToken]: ...
    @property
    def banner_origins(self) -> Sequence[str]: ...
    @property
    def bind(self) -> str: ...
    @property
    def pagerduty(self) -> PagerDutySettings: ...
    @property
    def slack(self) -> SlackDoorSettings: ...


def routes(
    views: Views,
    metrics: Metrics,
    report: Callable[[], Report],
    submit_input: SubmitInput,
    settings: HttpSettings,
    policy: Callable[[], Policy],
    *,
    clock: Callable[[], int],
    charts: Charts,
    inputs_health: Callable[[], object] = list,
    patience: float = PATIENCE,
) -> list[web.RouteDef]:
    """All routes, each of which answers its errors as JSON.

    Args:
        views: what is known of the topics.
        metrics: of this process.
        report: takes a snapshot of how this process gets on.
        submit_input: raises `KafkaError`, `OSError` or `TimeoutError` if the broker does not have it.
        settings: as far as HTTP needs them.
        policy: returns the policy that is in force, which all that is served follows.
        clock: ms since the epoch, injected time where time is injected.
        charts: of outages.
        inputs_health: how each input of this process stands.
        patience: seconds for which a webhook waits for what another one may say.
    """
    gate = Gate(settings.tokens(), bind=settings.bind, clock=clock)
    door = InputDoor(views, submit_input, policy, clock=clock)
    api = _Api(views, metrics, door, policy, clock=clock, pages=settings.pagerduty.on)
    table: list[tuple[str, str, Handler]] = [
        *ConsolePages(views, policy, report, metrics, pages_on=settings.pagerduty.on, clock=clock).table(),
        ("GET", "/metrics", api.metrics),
        *InputPages(inputs_health, clock).table(),
        *RunbookPages(views, policy, clock=clock).table(),
        *ReportPages(partial(command_of, settings), policy, clock).table(),
        ("GET", "/api/v1/slis", api.slis),
        ("GET", "/api/v1/incidents", api.incidents),
        ("GET", "/api/v1/incidents/{id}", api.incident),
        ("POST", "/api/v1/incidents", door.declare),
        ("POST", f"/api/v1/incidents/{{id}}/{{action:{'|'.join(OF_INCIDENTS)}}}", door.act),
        ("POST", "/api/v1/reports", door.report),
        ("POST", "/api/v1/retire", door.retire),
        ("POST", f"/api/v1/{PATHS['deploy']}", door.deploy),
        ("GET", f"/api/v1/{_COVERS}", CoverPages(views.covers).show),
        ("POST", f"/api/v1/{_COVERS}", door.keep_quiet),
        ("POST", f"/api/v1/{_COVERS}/{{id}}/end", door.end),
        ("GET", "/api/v1/inputs/{id:.+}", door.state),
        *_webhooks(views, metrics, door, settings, policy, clock=clock, patience=patience),
        *charts.table(),
        *_for_everybody(gate, views, report, settings, policy, clock),
    ]
    table += OpenApiPage(tuple(table)).table()
    return [_ROUTE[row[0]](row[1], answered(gate.guarded(*row))) for row in table]


def _webhooks(
    views: Views,
    metrics: Metrics,
    door: InputDoor,
    settings: HttpSettings,
    policy: Callable[[], Policy],
    *,
    clock: Callable[[], int],
    patience: float,
) -> list[tuple[str, str, Handler]]:
    """Where PagerDuty and Slack say what people do there."""
    pagerduty = PagerDutyDoor(
        settings.pagerduty.webhook_secret,
        lambda: policy().notify.dedup_prefix,
        views=views,
        door=door,
        metrics=metrics.webhooks,
        clock=clock,
        patience=patience,
    )
    slack = SlackDoor(settings.slack, policy, views=views, door=door, metrics=metrics.webhooks, clock=clock)
    return [
        ("POST", "/webhooks/pagerduty", pagerduty.receive),
        ("POST", "/webhooks/slack", slack.receive),
    ]


def _for_everybody(
    gate: Gate,
    views: Views,
    report: Callable[[], Report],
    settings: HttpSettings,
    policy: Callable[[], Policy],
    clock: Callable[[], int],
) -> list[tuple[str, str, Handler]]:
    """What the public may read (the status page, the banners, health), and where holders of tokens log in."""
    banners = BannerPages(views, report, policy, settings.banner_origins, clock)
    return [
        *LoginPage(gate).table(),
        *HealthPages(report).table(),
        *StatusPages(views, report, policy, clock).table(),
        *banners.table(),
    ]


class _Api:
    def __init__(
        self,
        views: Views,
        metrics: Metrics,
        door: InputDoor,
        policy: Callable[[], Policy],
        *,
        clock: Callable[[], int],
        pages: bool,
    ) -> None:
        self._pages = pages
        self._views = views
        self._metrics = metrics
        self._door = door
        self._policy = policy
        self._clock = clock
        self._names = ScopeNames(policy)

    async def metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.render(request.headers.get("Accept"))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def slis(self, request: web.Request) -> web.Response:
        wanted = request.query
        scopes, windows = wanted.getall("scope", []), wanted.getall("window", [])
        env = wanted.get("env")
        shown = [
            sli
            for sli in self._views.slis()
            if (not scopes or sli["scope"] in scopes)
            and (not windows or sli["window"] in windows)
            and (env is None or sli["scope"].partition("/")[0] == env)
        ]
        if flag(wanted.get("history"), "history"):
            shown = [
                sli
                | {
                    "history": [
                        {
                            "at": format_instant(point.at),
                            "success_ratio": point.success_ratio,
                            "users_impacted": point.users_impacted,
                        }
                        for point in self._views.history(sli["scope"], sli["window"])
                    ]
                }
                for sli in shown
            ]
        reached = {name: format_instant(at) for name, at in sorted(self._views.evaluated_to().items())}
        return json_response({"now": format_instant(self._clock()), "evaluated_to": reached, "slis": shown})

    async def incidents(self, request: web.Request) -> web.Response:
        wanted = request.query
        states = {state for value in wanted.getall("state", []) for state in value.split(",")}
        env = wanted.get("env")
        shown = [
            incident
            for incident in self._views.incidents()
            if (not states or incident["state"] in states) and (env is None or incident.get("env") == env)
        ]
        limit = number(wanted.get("limit"), "limit", default=100, most=500)
        return json_response(
            {
                "now": format_instant(self._clock()),
                "incidents": [self._told(one) for one in shown[:limit]],
                "total": len(shown),
            }
        )

    async def incident(self, request: web.Request) -> web.Response:
        incident = self._door.known(request)
        log = self._views.incident_log(incident["id"])
        conduct = conduct_of(incident, self._policy(), self._names, self._clock())
        return json_response(self._told(incident) | {"log": log} | conduct)

    def _told(self, incident: dict[str, Any]) -> dict[str, Any]:
        """The incident with what became of its pages and, if it has one, where its runbook is."""
        where = runbook_of(incident, self._policy())
        runbook = {} if where is None else {"runbook": where}
        return self._views.pages.told(incident, on=self._pages) | runbook
