"""How does what people ask for over HTTP become a record on ``incident-inputs``, and what became of it?

202 says that the broker has the input; evaluation applies it at its next T. `GET /api/v1/inputs/{id}` says then whether
it applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

import structlog
from aiohttp import web
from aiokafka.errors import KafkaError
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from detectors.incidents import IncidentInput
from detectors.policy.policy import Policy
from detectors.values import OTHER
from streams.http.auth import refusal
from streams.http.requests import input_id, json_body, parsed
from streams.http.responses import ApiError, json_response
from streams.http.views import Views
from streams.kafka.refused.failures import is_too_large
from streams.records.fields import Env, Scope, Value
from streams.records.models import NAME_LIMIT, TEXT_LIMIT

__all__ = ["InputDoor", "SubmitInput"]

_BROKER_PATIENCE = 4.0  # seconds for the broker's acknowledgement; PagerDuty waits 5 s for ours

log = structlog.get_logger(__name__)

#: Puts an input on the topic; returns when the broker has acknowledged it.
SubmitInput = Callable[[IncidentInput], Awaitable[object]]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    by: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)] = "somebody"
    text: Annotated[str, Field(max_length=TEXT_LIMIT)] = ""


class _Note(_Body):
    text: Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT)]


class _Report(_Body):
    scope: Scope = "prod"


class _Declare(_Body):
    scope: Scope


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


#: What an answer says of an input that was accepted.
_NAMES = ("id", "kind", "incident", "scope", "axis", "value")


class InputDoor:
    """Takes inputs over HTTP.

    Args:
        views: what is known of the topics.
        submit_input: raises `KafkaError`, `OSError` or `TimeoutError` if the broker does not have it.
        token: that writes need; None where none is configured.
        bind: the address that is served.
        policy: the policy.
        clock: ms since the epoch.
    """

    def __init__(
        self,
        views: Views,
        submit_input: SubmitInput,
        policy: Policy,
        *,
        token: SecretStr | None,
        bind: str,
        clock: Callable[[], int],
    ) -> None:
        self._views = views
        self._submit_input = submit_input
        self._policy = policy
        self._token = token
        self._bind = bind
        self._clock = clock

    async def state(self, request: web.Request) -> web.Response:
        """What became of an input."""
        known = self._views.inputs.get(request.match_info["id"])
        if known is not None:
            return json_response(known)
        raise self._missing("no such input, or it is long ago")

    async def act(self, request: web.Request) -> web.Response:
        """Acknowledge, note, declare or resolve an incident."""
        self._admit(request)
        kind, model = _ACTIONS[request.match_info["action"]]
        body = parsed(model, await json_body(request))
        incident = self.known(request)
        if incident["state"] == "closed" and kind != "note":
            raise ApiError(409, "conflict", f"{incident['id']} is closed")
        env = str(incident["id"]).rpartition("-")[0]
        return await self.accept(
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

    async def declare(self, request: web.Request) -> web.Response:
        """Declare an outage of a scope: of its incident, or of one that the declaration opens."""
        return await self._of_scope(request, "declare", _Declare)

    async def report(self, request: web.Request) -> web.Response:
        """Take a report that sign-in fails."""
        return await self._of_scope(request, "report", _Report)

    async def _of_scope(
        self, request: web.Request, kind: Literal["declare", "report"], model: type[_Declare | _Report]
    ) -> web.Response:
        self._admit(request)
        body = parsed(model, await json_body(request))
        return await self.accept(
            IncidentInput(
                id=input_id(request),
                env=body.scope.partition("/")[0],
                kind=kind,
                scope=body.scope,
                by=body.by,
                text=body.text,
                at=self._clock(),
            )
        )

    async def retire(self, request: web.Request) -> web.Response:
        """Take it that nobody will use a value any more."""
        self._admit(request)
        body = parsed(_Retire, await json_body(request))
        if body.axis not in self._policy.axes:
            raise ApiError(400, "bad_request", f"axis: is one of {', '.join(self._policy.axes)}")
        if body.value == OTHER:
            raise ApiError(400, "bad_request", f"value: {OTHER} stands for many values")
        return await self.accept(
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

    async def accept(self, *values: IncidentInput) -> web.Response:
        """Put inputs on the topic. A repeat of those that were put there before one failed changes nothing."""
        for value in values:
            await self._put(value)
        accepted = [
            {name: of for name in _NAMES if (of := getattr(value, name)) is not None} for value in values
        ]
        return json_response(
            {"accepted": accepted[0], **({"also": accepted[1:]} if accepted[1:] else {})}, 202
        )

    async def _put(self, value: IncidentInput) -> None:
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
        self._views.note_input(value)
        log.info("input_accepted", input=value.id, kind=value.kind, incident=value.incident, via=value.via)

    def known(self, request: web.Request) -> dict[str, Any]:
        """The incident that a request names."""
        incident = self._views.incident(request.match_info["id"])
        if incident is not None:
            return incident
        raise self._missing("no such incident")

    def _missing(self, why: str) -> ApiError:
        if not self._views.ready:
            return ApiError(
                503, "service_unavailable", "the incidents are still being read", {"Retry-After": "2"}
            )
        return ApiError(404, "not_found", why)

    def _admit(self, request: web.Request) -> None:
        refused = refusal(request.headers, request.remote, token=self._token, bind=self._bind)
        if refused is not None:
            headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else None
            code = "unauthorized" if refused.status == 401 else "forbidden"
            raise ApiError(refused.status, code, refused.message, headers)
