"""What is served over HTTP: the console, the metrics, the API, PagerDuty's webhooks, the front end's statuses.

Everything is answered from memory (`Views`), so every worker answers for all. A write is a record on
``incident-inputs``: 202 says that the broker has it, and evaluation applies it at its next T.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal, Protocol

import structlog
from aiohttp import web
from aiokafka.errors import KafkaError
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from detectors.incidents import IncidentInput
from detectors.instants import format_instant
from detectors.policy.policy import Policy
from detectors.values import OTHER, normalised
from sinks.banner.keys import BannerKeys
from sinks.banner.statuses import statuses
from sinks.console import page
from sinks.metrics.prometheus import Metrics
from streams.http.auth import refusal
from streams.http.health import HealthPages
from streams.http.pagerduty_webhook import Ignored, PagerDutyIncidents, is_signed, read_webhook
from streams.http.requests import flag, input_id, json_body, number, parsed, raw_body
from streams.http.responses import ApiError, Handler, answered, json_response
from streams.http.views import Views
from streams.kafka.refused.failures import is_too_large
from streams.records.fields import Env, Scope, Value
from streams.records.models import NAME_LIMIT, TEXT_LIMIT
from streams.watchdog.report import Report

__all__ = ["HttpSettings", "SubmitInput", "routes"]

_BROKER_PATIENCE = 4.0  # seconds for the broker's acknowledgement; PagerDuty waits 5 s for ours

log = structlog.get_logger(__name__)

#: Puts an input on the topic; returns when the broker has acknowledged it.
SubmitInput = Callable[[IncidentInput], Awaitable[object]]


class PagerDutySettings(Protocol):
    """What is needed of PagerDuty's settings."""

    @property
    def webhook_secret(self) -> SecretStr | None: ...


class HttpSettings(Protocol):
    """What is needed of the settings."""

    @property
    def api_token(self) -> SecretStr | None: ...
    @property
    def bind(self) -> str: ...
    @property
    def pagerduty(self) -> PagerDutySettings: ...


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    by: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)] = "somebody"
    text: Annotated[str, Field(max_length=TEXT_LIMIT)] = ""


class _Note(_Body):
    text: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT)]


class _Report(_Body):
    scope: Scope = "prod"


class _Retire(_Body):
    axis: str
    value: Value
    env: Env = "prod"


_ACTIONS: Mapping[str, tuple[Literal["acknowledge", "note", "declare", "resolve"], type[_Body]]] = {
    "ack": ("acknowledge", _Body),
    "note": ("note", _Note),
    "declare": ("declare", _Body),
    "resolve": ("resolve", _Body),
}


def routes(
    views: Views,
    metrics: Metrics,
    report: Callable[[], Report],
    submit_input: SubmitInput,
    settings: HttpSettings,
    policy: Policy,
    *,
    clock: Callable[[], int],
) -> list[web.RouteDef]:
    """All routes, each of which answers its errors as JSON.

    Args:
        views: what is known of the topics.
        metrics: of this process.
        report: takes a snapshot of how this process gets on.
        submit_input: raises `KafkaError`, `OSError` or `TimeoutError` if the broker does not have it.
        settings: as far as HTTP needs them.
        policy: the policy.
        clock: ms since the epoch, injected time where time is injected.
    """
    api = _Api(views, metrics, submit_input, settings, policy, clock=clock)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/", api.console),
        ("GET", "/metrics", api.metrics),
        *HealthPages(report).table(),
        ("GET", "/api/v1/slis", api.slis),
        ("GET", "/api/v1/incidents", api.incidents),
        ("GET", "/api/v1/incidents/{id}", api.incident),
        ("POST", "/api/v1/incidents/{id}/{action:ack|note|declare|resolve}", api.act),
        ("POST", "/api/v1/reports", api.report),
        ("POST", "/api/v1/retire", api.retire),
        ("POST", "/webhooks/pagerduty", api.pagerduty),
        ("GET", "/v0/backend_statuses", api.backend_statuses),
    ]
    return [
        web.get(path, answered(handler)) if method == "GET" else web.post(path, answered(handler))
        for method, path, handler in table
    ]


class _Api:
    def __init__(
        self,
        views: Views,
        metrics: Metrics,
        submit_input: SubmitInput,
        settings: HttpSettings,
        policy: Policy,
        *,
        clock: Callable[[], int],
    ) -> None:
        self._views = views
        self._metrics = metrics
        self._submit_input = submit_input
        self._settings = settings
        self._policy = policy
        self._clock = clock
        self._page = page(policy)
        self._pagerduty_incidents = PagerDutyIncidents()

    async def console(self, request: web.Request) -> web.Response:
        shown = self._page
        return web.Response(
            body=shown.body,
            content_type="text/html",
            charset="utf-8",
            headers={"Content-Security-Policy": shown.content_security_policy, "Cache-Control": "no-cache"},
        )

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
            {"now": format_instant(self._clock()), "incidents": shown[:limit], "total": len(shown)}
        )

    async def incident(self, request: web.Request) -> web.Response:
        incident = self._known(request)
        return json_response(incident | {"log": self._views.incident_log(incident["id"])})

    async def act(self, request: web.Request) -> web.Response:
        self._admit(request)
        kind, model = _ACTIONS[request.match_info["action"]]
        body = parsed(model, await json_body(request))
        incident = self._known(request)
        if incident["state"] == "closed" and kind != "note":
            raise ApiError(409, "conflict", f"{incident['id']} is closed")
        env = str(incident["id"]).rpartition("-")[0]
        return await self._accept(
            IncidentInput(
                id=input_id(request),
                env=env,
                kind=kind,
                incident=incident["id"],
                by=body.by,
                text=body.text,
                at=self._clock(),
            )
        )

    async def report(self, request: web.Request) -> web.Response:
        self._admit(request)
        body = parsed(_Report, await json_body(request))
        return await self._accept(
            IncidentInput(
                id=input_id(request),
                env=body.scope.partition("/")[0],
                kind="report",
                scope=body.scope,
                by=body.by,
                text=body.text,
                at=self._clock(),
            )
        )

    async def retire(self, request: web.Request) -> web.Response:
        self._admit(request)
        body = parsed(_Retire, await json_body(request))
        if body.axis not in self._policy.axes:
            raise ApiError(400, "bad_request", f"axis: is one of {', '.join(self._policy.axes)}")
        if body.value == OTHER:
            raise ApiError(400, "bad_request", f"value: {OTHER} stands for many values")
        return await self._accept(
            IncidentInput(
                id=input_id(request),
                env=body.env,
                kind="retire",
                axis=body.axis,
                value=self._policy.canonical_value(body.axis, body.value),
                by=body.by,
                text=body.text,
                at=self._clock(),
            )
        )

    async def pagerduty(self, request: web.Request) -> web.Response:
        secret = self._settings.pagerduty.webhook_secret
        if secret is None:
            raise ApiError(
                403, "forbidden", "no webhook secret is configured (WATCHOFFICER_PAGERDUTY__WEBHOOK_SECRET)"
            )
        body = await raw_body(request)
        if not is_signed(secret, body, request.headers.get("X-PagerDuty-Signature", "")):
            raise ApiError(401, "unauthorized", "X-PagerDuty-Signature does not sign this body")
        try:
            read = read_webhook(
                body,
                delivery=request.headers.get("X-Webhook-Id"),
                prefix=self._policy.notify.dedup_prefix,
                lookup=self._views.incident,
                known=self._pagerduty_incidents,
                now=self._clock(),
            )
        except ValueError as error:
            raise ApiError(400, "bad_request", str(error)) from None
        if isinstance(read, Ignored):
            return json_response({"ignored": read.reason})
        return await self._accept(read)

    async def backend_statuses(self, request: web.Request) -> web.Response:
        method, client = request.query.get("auth_method"), request.query.get("client_id")
        now = self._clock()
        known = BannerKeys(self._policy).methods(now)
        if method is not None and method not in known:
            raise ApiError(400, "bad_request", f"auth_method is one of {', '.join(known)}")
        if client is not None:
            spelt = normalised(client)
            if spelt == OTHER and client.lower() != OTHER:
                raise ApiError(
                    400, "bad_request", "client_id has 1 to 64 characters of a-z 0-9 _ . : - in any case"
                )
            client = self._policy.canonical_value("client_id", spelt)
        body = statuses(self._policy, self._views.banners(), now, auth_method=method, client=client)
        if request.headers.get("X-Key-Inflection", "").strip().lower() == "camel":
            body = _camel(body)
        return json_response(body, headers={"Vary": "X-Key-Inflection"})

    def _admit(self, request: web.Request) -> None:
        refused = refusal(
            request.headers, request.remote, token=self._settings.api_token, bind=self._settings.bind
        )
        if refused is not None:
            headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else None
            code = "unauthorized" if refused.status == 401 else "forbidden"
            raise ApiError(refused.status, code, refused.message, headers)

    def _known(self, request: web.Request) -> dict[str, Any]:
        incident = self._views.incident(request.match_info["id"])
        if incident is not None:
            return incident
        if not self._views.ready:
            raise ApiError(
                503, "service_unavailable", "the incidents are still being read", {"Retry-After": "2"}
            )
        raise ApiError(404, "not_found", "no such incident")

    async def _accept(self, value: IncidentInput) -> web.Response:
        try:
            async with asyncio.timeout(_BROKER_PATIENCE):
                await self._submit_input(value)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("input_not_accepted", input=value.id, kind=value.kind, error=repr(error))
            if is_too_large(error):
                raise ApiError(
                    413, "request_entity_too_large", "the topic of inputs takes no record as large as this"
                ) from None
            raise ApiError(
                503,
                "service_unavailable",
                "the broker has not acknowledged it; send it again with the same Idempotency-Key",
                {"Retry-After": "5"},
            ) from None
        log.info("input_accepted", input=value.id, kind=value.kind, incident=value.incident, via=value.via)
        accepted = {
            name: getattr(value, name) for name in ("id", "kind", "incident", "scope", "axis", "value")
        }
        return json_response({"accepted": {name: of for name, of in accepted.items() if of is not None}}, 202)


def _camel(value: Any) -> Any:
    """A JSON value with its ``snake_case`` keys in ``camelCase``."""
    if isinstance(value, dict):
        return {re.sub(r"_([a-z])", lambda m: m[1].upper(), key): _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value
