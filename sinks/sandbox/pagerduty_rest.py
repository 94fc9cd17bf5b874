"""How does PagerDuty's REST API behave? Incidents are listed and changed, notes are written, with a token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from sinks.sandbox.pagerduty_alert import Alert

__all__ = ["RestRoutes"]

_PRIORITIES = [{"id": f"PRIO{n}", "type": "priority", "name": f"P{n}"} for n in range(1, 6)]


class RestRoutes:
    """The part of the REST API that a monitoring client uses.

    Args:
        alerts: the account's incidents, each with its alert, the oldest first.
        shown: an incident as the API shows it.
        token: the only token that is accepted.

    Attributes:
        windows: the maintenance windows that are open or to come, as the API shows them.
    """

    def __init__(
        self, alerts: Sequence[Alert], shown: Callable[[Alert], dict[str, Any]], token: str | None
    ) -> None:
        self._alerts = alerts
        self._shown = shown
        self._token = token
        self.windows: list[dict[str, Any]] = []

    def routes(self) -> list[web.RouteDef]:
        """The routes; all refuse a request without the token."""
        return [
            web.get("/incidents", self._admitted(self._list)),
            web.get("/incidents/{id}", self._admitted(self._get)),
            web.put("/incidents/{id}", self._admitted(self._change)),
            web.get("/incidents/{id}/notes", self._admitted(self._notes)),
            web.post("/incidents/{id}/notes", self._admitted(self._note)),
            web.get("/priorities", self._admitted(self._priorities)),
            web.get("/maintenance_windows", self._admitted(self._windows)),
            web.get("/abilities", self._admitted(self._abilities)),
        ]

    def _admitted(
        self, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def admitted(request: web.Request) -> web.Response:
            if self._token is None or request.headers.get("Authorization") != f"Token token={self._token}":
                raise web.HTTPUnauthorized(reason="the token is not known")
            if request.method != "GET" and "@" not in request.headers.get("From", ""):
                raise web.HTTPBadRequest(reason="From must be the e-mail address of a user")
            return await handler(request)

        return admitted

    def _found(self, request: web.Request) -> Alert:
        for alert in self._alerts:
            if alert.id == request.match_info["id"]:
                return alert
        raise web.HTTPNotFound(reason="no such incident")

    async def _list(self, request: web.Request) -> web.Response:
        key = request.query.get("incident_key")
        found = [one for one in reversed(self._alerts) if key in (None, one.dedup_key)]
        return web.json_response({"incidents": [self._shown(one) for one in found[:25]], "more": False})

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response({"incident": self._shown(self._found(request))})

    async def _change(self, request: web.Request) -> web.Response:
        alert, asked = self._found(request), (await _body(request)).get("incident", {})
        alert.summary = asked.get("title", alert.summary)
        alert.priority = (asked.get("priority") or {}).get("id", alert.priority)
        return web.json_response({"incident": self._shown(alert)})

    async def _notes(self, request: web.Request) -> web.Response:
        return web.json_response({"notes": [{"content": note} for note in self._found(request).notes]})

    async def _note(self, request: web.Request) -> web.Response:
        content = (await _body(request)).get("note", {}).get("content")
        if not isinstance(content, str) or not content:
            raise web.HTTPBadRequest(reason="a note needs content")
        self._found(request).notes.append(content)
        return web.json_response({"note": {"content": content}}, status=201)

    async def _windows(self, request: web.Request) -> web.Response:
        offset, limit = int(request.query.get("offset", "0")), int(request.query.get("limit", "25"))
        shown = self.windows[offset : offset + limit]
        return web.json_response({"maintenance_windows": shown, "more": offset + limit < len(self.windows)})

    async def _priorities(self, request: web.Request) -> web.Response:
        return web.json_response({"priorities": _PRIORITIES})

    async def _abilities(self, request: web.Request) -> web.Response:
        return web.json_response({"abilities": ["sso", "urgencies"]})


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(await request.read())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(reason="the body is no JSON object")
    return body
