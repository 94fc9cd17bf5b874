"""How are the pages served from which VA.gov's front end reads its banners?

``/v0/backend_statuses`` tells what fails for a visitor, ``/login_gov_state_incidents`` what was declared for states. An
answer may be kept for ``MAX_AGE`` seconds, has an ETag, and may be read by the pages of the configured origins.
Where the state of sign-in is unknown (``sinks.banner.statuses``), it has the header ``Watchofficer-State: unknown``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import ETag, web

from detectors.instants import MINUTE, parse_instant
from detectors.policy.policy import Policy
from detectors.values import OTHER, normalised
from sinks.banner.keys import BannerKeys, Visitor
from sinks.banner.statuses import KEPT, Body, Known, known, statuses
from streams.http.responses import ApiError, Handler
from streams.http.status.told import told_to_states
from streams.http.views import Views
from streams.watchdog.report import Report

__all__ = ["MAX_AGE", "BannerPages"]

#: How long an answer may be kept, seconds.
MAX_AGE = 10
_PATH, _STATES_PATH, _ENV = "/v0/backend_statuses", "/login_gov_state_incidents", "prod"
_PARAMETERS = ("auth_method", "csp", "client_id", "strict")
_STATE = "Watchofficer-State"
#: The request headers of VA.gov's front end that a page of another origin must be allowed to send.
_ASKED_WITH = "X-Key-Inflection, Source-App-Name, X-CSRF-Token, Content-Type, If-None-Match"
#: Sign-ins are counted as succeeding over this window, if so many have completed.
_WINDOW, _ENOUGH = "5m", 20


class BannerPages:
    """The pages of the banners.

    Args:
        views: what is known of the topics.
        report: takes a snapshot of how this process gets on.
        policy: returns the policy that is in force.
        origins: of pages that may read the answer in a browser, such as ``https://www.va.gov``; ``*`` for any.
        clock: ms since the epoch.
    """

    def __init__(
        self,
        views: Views,
        report: Callable[[], Report],
        policy: Callable[[], Policy],
        origins: Sequence[str],
        clock: Callable[[], int],
    ) -> None:
        self._views = views
        self._report = report
        self._policy = policy
        self._origins = origins
        self._clock = clock
        self._began = clock()

    def table(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each page."""
        return [
            ("GET", _PATH, self.statuses),
            ("OPTIONS", _PATH, self.permission),
            ("GET", _STATES_PATH, self.states),
            ("OPTIONS", _STATES_PATH, self.permission),
        ]

    async def statuses(self, request: web.Request) -> web.Response:
        """200 with the state of each service, known or not; 503 where it is unknown and ``strict`` is asked for."""
        visitor = self._visitor(request.query, self._clock())

        def body(state: Known, *, is_known: bool) -> Body:
            success = self._success(state) if is_known else {}
            covers = self._views.covers.standing("maintenance")
            return statuses(self._policy(), state, visitor, success=success, covers=covers, began=self._began)

        return self._answer(request, body, _PARAMETERS)

    async def states(self, request: web.Request) -> web.Response:
        """200 with the outages that were declared for states, known or not; 503 as for the statuses."""

        def body(state: Known, *, is_known: bool) -> Body:
            return told_to_states(self._views, self._policy(), state)

        return self._answer(request, body, ("strict",))

    def _answer(
        self, request: web.Request, make: Callable[..., Body], parameters: Sequence[str]
    ) -> web.Response:
        """The answer whose body ``make`` makes of what is known, and of whether that is the state of now."""
        strict = _is_strict(request.query, parameters)
        state = known(self._views.banners(), self._clock(), _ENV)
        is_known = state.is_current and self._views.ready and not self._report().blind
        headers = self._cross_origin(request) | ({} if is_known else {_STATE: "unknown"})
        if strict and not is_known:
            raise ApiError(
                503, "service_unavailable", "the state of sign-in is unknown; see /readyz", headers
            )
        body = make(state, is_known=is_known)
        if request.headers.get("X-Key-Inflection", "").strip().lower() == "camel":
            body = _camel(body)
        encoded = msgspec.json.encode(body)
        tag = hashlib.sha256(encoded + (b"" if is_known else b"unknown")).hexdigest()[:32]
        response = web.Response(body=encoded, content_type="application/json", headers=headers)
        asked = request.if_none_match or ()
        if ETag("*") in asked or tag in {one.value for one in asked}:
            response = web.Response(status=304, headers=headers)
        response.etag = tag
        response.headers["Cache-Control"] = f"public, max-age={MAX_AGE}, stale-if-error={KEPT // 1000}"
        return response

    async def permission(self, request: web.Request) -> web.Response:
        """What a browser asks before it lets a page of another origin read the answer."""
        headers = self._cross_origin(request)
        if "Access-Control-Allow-Origin" in headers:
            headers |= {
                "Access-Control-Allow-Methods": "GET, HEAD",
                "Access-Control-Allow-Headers": _ASKED_WITH,
                "Access-Control-Max-Age": "3600",
            }
        return web.Response(status=204, headers=headers)

    def _visitor(self, query: Mapping[str, str], now: int) -> Visitor:
        """Who asks."""
        keys = BannerKeys(self._policy())
        listed = {"auth_method": keys.methods(now), "csp": keys.providers(now), "client_id": None}
        method, csp, client = (self._value(query, axis, among) for axis, among in listed.items())
        return Visitor(method, csp, client)

    def _value(self, query: Mapping[str, str], axis: str, among: Sequence[str] | None) -> str | None:
        """The value of an axis that a request names; ``among`` which it must be, None for any."""
        given = query.get(axis)
        if given is None:
            return None
        spelt = normalised(given)
        if spelt == OTHER and given.lower() != OTHER:
            raise ApiError(
                400, "bad_request", f"{axis} has 1 to 64 characters of a-z 0-9 _ . : - in any case"
            )
        value = self._policy().canonical_value(axis, spelt)
        if among is not None and value not in among:
            raise ApiError(400, "bad_request", f"{axis} is one of {', '.join(among)}")
        return value

    def _success(self, state: Known) -> dict[str, float]:
        """Scope -> share of the sign-ins that succeeded over five minutes, of scopes where enough completed."""
        assert state.reported is not None
        return {
            sli["scope"]: sli["success_ratio"]
            for sli in self._views.slis()
            if sli["window"] == _WINDOW
            and sli["scope"].startswith(f"{_ENV}/")
            and sli["good"] + sli["bad"] >= _ENOUGH
            and parse_instant(sli["at"]) > state.reported - MINUTE
        }

    def _cross_origin(self, request: web.Request) -> dict[str, str]:
        """Headers that let a page of the request's origin read the answer, if its origin is one of those that may."""
        if not self._origins:
            return {"Vary": "X-Key-Inflection"}
        headers = {"Vary": "X-Key-Inflection, Origin"}
        origin = request.headers.get("Origin", "")
        if "*" in self._origins:
            headers["Access-Control-Allow-Origin"] = "*"
        elif origin in self._origins:
            # VA.gov's front end sends its cookies with every request; they are not read here.
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Credentials"] = "true"
        else:
            return headers
        return headers | {"Access-Control-Expose-Headers": f"ETag, {_STATE}"}


def _is_strict(query: Mapping[str, str], parameters: Sequence[str]) -> bool:
    """Whether an unknown state is an error to who asks."""
    for name in query:
        if name not in parameters:
            raise ApiError(400, "bad_request", f"the parameters are {', '.join(parameters)}")
    if (strict := query.get("strict", "0")) not in ("0", "1"):
        raise ApiError(400, "bad_request", "strict is 1 or 0")
    return strict == "1"


def _camel(value: Any) -> Any:
    """A JSON value with its ``snake_case`` keys in ``camelCase``."""
    if isinstance(value, dict):
        return {re.sub(r"_([a-z])", lambda m: m[1].upper(), key): _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list) else value
