"""How does what people ask for over HTTP become a record on ``incident-inputs``, and what became of it?

202 says that the broker has the input; evaluation applies it at its next T. `GET /api/v1/inputs/{id}` says then whether
it applied.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import web
from aiokafka.errors import KafkaError

from detectors.incidents import IncidentInput
from detectors.policy.policy import Policy
from detectors.process.actions import BY_KIND, OF_INCIDENTS, PATHS, Action
from detectors.process.vocabulary import InputKind
from detectors.values import OTHER
from streams.http.access.gate import actor
from streams.http.bodies import ActBody, given_of, made
from streams.http.requests import input_id, json_body, parsed
from streams.http.responses import ApiError, json_response
from streams.http.views import Views
from streams.kafka.refused.failures import is_too_large

__all__ = ["InputDoor", "SubmitInput"]

_BROKER_PATIENCE = 4.0  # seconds for the broker's acknowledgement; PagerDuty waits 5 s for ours

log = structlog.get_logger(__name__)

#: Puts an input on the topic; returns when the broker has acknowledged it.
SubmitInput = Callable[[IncidentInput], Awaitable[object]]


#: The id of a mute, a maintenance or a correction: its environment and a number.
_COVER = re.compile(r"[a-z0-9_.:-]{1,64}-c[1-9][0-9]{0,17}")
#: What an answer says of an input that was accepted.
_NAMES = ("id", "kind", "incident", "scope", "axis", "value", "item")


class InputDoor:
    """Takes inputs over HTTP.

    Args:
        views: what is known of the topics.
        submit_input: raises `KafkaError`, `OSError` or `TimeoutError` if the broker does not have it.
        policy: returns the policy that is in force.
        clock: ms since the epoch.
    """

    def __init__(
        self,
        views: Views,
        submit_input: SubmitInput,
        policy: Callable[[], Policy],
        *,
        clock: Callable[[], int],
    ) -> None:
        self._views = views
        self._submit_input = submit_input
        self._policy = policy
        self._clock = clock

    async def state(self, request: web.Request) -> web.Response:
        """What became of an input."""
        known = self._views.inputs.get(request.match_info["id"])
        if known is not None:
            return json_response(known)
        raise self._missing("no such input, or it is long ago")

    async def act(self, request: web.Request) -> web.Response:
        """Do one of the acts on an incident (``process.actions``)."""
        action = OF_INCIDENTS[request.match_info["action"]]
        body = parsed(ActBody, await json_body(request))
        given = given_of(action, body)
        incident = self.known(request)
        if incident["state"] == "closed" and not action.late:
            raise ApiError(409, "conflict", f"{incident['id']} is closed")
        env = str(incident["id"]).rpartition("-")[0]
        return await self._take(request, action.kind, body, env=env, incident=incident["id"], **given)

    async def declare(self, request: web.Request) -> web.Response:
        """Declare an outage of a scope: of its incident, or of one that the declaration opens."""
        return await self._of_scope(request, BY_KIND["declare"]._replace(about="scope"))

    async def report(self, request: web.Request) -> web.Response:
        """Take a report that sign-in fails."""
        return await self._of_scope(request, BY_KIND["report"], default="prod")

    async def deploy(self, request: web.Request) -> web.Response:
        """Take it that a version of a service has gone into use."""
        return await self._of_scope(request, BY_KIND["deploy"], default="prod")

    async def keep_quiet(self, request: web.Request) -> web.Response:
        """Mute a scope, announce maintenance of it, or take a span of it out of the SLA account."""
        kind = next(kind for kind, path in PATHS.items() if path == request.match_info["covers"])
        return await self._of_scope(request, BY_KIND[kind])

    async def end(self, request: web.Request) -> web.Response:
        """End a mute, a maintenance or a correction before its time."""
        item = request.match_info["id"]
        body = parsed(ActBody, await json_body(request))
        given = given_of(BY_KIND["unmute"]._replace(needs=()), body)
        if _COVER.fullmatch(item) is None:
            raise ApiError(
                404, "not_found", f"no such one: ids of {request.match_info['covers']} are like prod-c1"
            )
        env = item.rpartition("-c")[0]
        return await self._take(request, "unmute", body, env=env, item=item, **given)

    async def _of_scope(
        self, request: web.Request, action: Action, *, default: str | None = None
    ) -> web.Response:
        body = parsed(ActBody, await json_body(request))
        given = given_of(action, body)
        scope = default if "scope" not in body.model_fields_set else body.scope
        if scope is None:
            raise ApiError(400, "bad_request", f"scope: {action.word} needs it")
        env = scope.partition("/")[0]
        return await self._take(request, action.kind, body, env=env, scope=scope, **given)

    async def retire(self, request: web.Request) -> web.Response:
        """Take it that nobody will use a value any more."""
        body = parsed(ActBody, await json_body(request))
        given = given_of(BY_KIND["retire"], body)
        axis, value = given["axis"], given["value"]
        policy = self._policy()
        if axis not in policy.axes:
            raise ApiError(400, "bad_request", f"axis: is one of {', '.join(policy.axes)}")
        if value == OTHER:
            raise ApiError(400, "bad_request", f"value: {OTHER} stands for many values")
        given["value"] = policy.canonical_value(axis, value)
        return await self._take(request, "retire", body, env=body.env or "prod", **given)

    async def _take(
        self, request: web.Request, kind: InputKind, body: ActBody, **fields: Any
    ) -> web.Response:
        asked = {"id": input_id(request), "kind": kind, "by": actor(request) or body.by, "at": self._clock()}
        return await self.accept(made(**asked, **fields))

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
