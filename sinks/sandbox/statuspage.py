"""How does Statuspage behave? A sandbox with incidents that have updates, components, and metadata."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from sinks.sandbox.receiver import Receiver

__all__ = ["PublicIncident", "StatuspageSandbox"]

_STATUSES = frozenset({"investigating", "identified", "monitoring", "resolved"})
_IMPACTS = frozenset({"none", "minor", "major", "critical", "maintenance"})
_COMPONENT = frozenset(
    {"operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"}
)


@dataclass
class PublicIncident:
    """One incident of the page; ``updates`` are the texts that subscribers got, oldest first."""

    id: str
    name: str
    status: str
    impact: str
    metadata: dict[str, Any]
    updates: list[str] = field(default_factory=list)

    def listed(self) -> dict[str, Any]:
        """The incident as the API lists it."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "impact_override": self.impact,
            "metadata": self.metadata,
            "incident_updates": [{"body": text} for text in reversed(self.updates)],
        }


class StatuspageSandbox(Receiver):
    """One page. Every update with a text reaches its subscribers."""

    name = "statuspage"

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        api_key: str,
        page: str,
        components: Iterable[str],
    ) -> None:
        super().__init__(clock=clock, sleep=sleep)
        self.incidents: dict[str, PublicIncident] = {}
        self.components = dict.fromkeys(components, "operational")
        self._api_key = api_key
        self._page = page

    def routes(self) -> list[web.RouteDef]:
        base = f"/v1/pages/{self._page}/incidents"
        return [
            web.get(f"{base}/unresolved", self._unresolved),
            web.post(base, self._create),
            web.patch(base + "/{id}", self._change),
        ]

    def rejection(self, status: int, why: str) -> dict[str, Any]:
        return {"error": why}

    def view(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "incidents": [one.listed() for one in self.incidents.values()],
            "components": [{"id": name, "status": status} for name, status in self.components.items()],
        }

    async def _unresolved(self, request: web.Request) -> web.Response:
        self._authorise(request)
        found = [one.listed() for one in self.incidents.values() if one.status != "resolved"]
        return web.json_response(found)

    async def _create(self, request: web.Request) -> web.Response:
        self._authorise(request)
        given = await self._given(request)
        if not given.get("name"):
            raise web.HTTPUnprocessableEntity(reason="name can't be blank")
        identity = f"p{len(self.incidents) + 1:011d}"
        self.incidents[identity] = PublicIncident(identity, given["name"], "investigating", "none", {})
        self._apply(self.incidents[identity], given)
        return web.json_response(self.incidents[identity].listed(), status=201)

    async def _change(self, request: web.Request) -> web.Response:
        self._authorise(request)
        given = await self._given(request)
        incident = self.incidents.get(request.match_info["id"])
        if incident is None:
            raise web.HTTPNotFound(reason="no such incident")
        self._apply(incident, given)
        return web.json_response(incident.listed())

    def _apply(self, incident: PublicIncident, given: dict[str, Any]) -> None:
        incident.name = given.get("name", incident.name)
        incident.status = given.get("status", incident.status)
        incident.impact = given.get("impact_override", incident.impact)
        incident.metadata = given.get("metadata", incident.metadata)
        if given.get("body"):
            incident.updates.append(given["body"])
            self.note(f"{incident.status}: {given['body']}")
        self.components.update(given.get("components", {}))

    def _authorise(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"OAuth {self._api_key}":
            raise web.HTTPUnauthorized(reason="could not authenticate")

    async def _given(self, request: web.Request) -> dict[str, Any]:
        try:
            given: dict[str, Any] = msgspec.json.decode(await request.read(), type=dict[str, Any])["incident"]
        except (ValueError, KeyError):
            raise web.HTTPBadRequest(reason="incident is missing") from None
        valid = (
            given.get("status", "resolved") in _STATUSES
            and given.get("impact_override", "none") in _IMPACTS
            and set(given.get("components", {}).values()) <= _COMPONENT
            and set(given.get("components", {})) <= set(self.components)
        )
        if not valid:
            raise web.HTTPUnprocessableEntity(reason="a value that is none")
        return given
