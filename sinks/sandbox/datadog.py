"""How does Datadog behave? A sandbox with the Events v2 intake, and Incidents v2: create, read, search, change."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from detectors.instants import HOUR, format_instant, parse_instant
from sinks.html import Html
from sinks.sandbox.faces import incidents
from sinks.sandbox.receiver import Receiver

__all__ = ["DatadogSandbox"]

_SEVERITIES = ("UNKNOWN", "SEV-0", "SEV-1", "SEV-2", "SEV-3", "SEV-4", "SEV-5")
_STATES = ("active", "stable", "resolved", "completed")
_FACET = re.compile(r"(\w+):(?:\(([^)]*)\)|(\S+))")


class DatadogSandbox(Receiver):
    """A fake Datadog: both hosts, events intake and API, under one base URL.

    Attributes:
        events: bodies of accepted events, ``data.attributes``, in order.
        incidents: by id, as the API returns them (``data``).
        changes: the change events that were accepted.
        history: (at, incident id, state, severity) of every creation and change.
        todos: those of each incident, by its id, as the API returns them.
    """

    name = "datadog"
    places = ("/incidents/",)

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        api_key: str | None = None,
        app_key: str | None = None,
    ) -> None:
        super().__init__(clock=clock, sleep=sleep)
        self.events: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.incidents: dict[str, dict[str, Any]] = {}
        self.history: list[tuple[int, str, str, str]] = []
        self.todos: dict[str, list[dict[str, Any]]] = {}
        self.rate_limit_remaining = 1000
        self.rate_limit_reset = 10  # seconds
        self._api_key = api_key
        self._app_key = app_key

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v2/events", self._event),
            web.get("/api/v2/incidents/search", self._search),
            web.post("/api/v2/incidents", self._create),
            web.get("/api/v2/incidents/{id}", self._read),
            web.patch("/api/v2/incidents/{id}", self._change),
            web.get("/api/v2/incidents/{id}/relationships/todos", self._todos_of),
            web.post("/api/v2/incidents/{id}/relationships/todos", self._add_todo),
            web.patch("/api/v2/incidents/{id}/relationships/todos/{todo}", self._change_todo),
            web.get("/api/v1/validate", self._validate),
            web.get("/api/v2/validate_keys", self._validate_keys),
        ]

    def face(self) -> Html:
        return incidents([*self.incidents.values()], self.history, self.events)

    def view(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "incidents": [
                {
                    "public_id": data["attributes"]["public_id"],
                    "title": data["attributes"]["title"],
                    "state": _field(data, "state"),
                    "severity": _field(data, "severity"),
                    "customer_impact_scope": data["attributes"].get("customer_impact_scope", ""),
                }
                for data in reversed(self.incidents.values())
            ],
            "events": [
                {
                    "title": event["title"],
                    "status": event["attributes"]["status"],
                    "aggregation_key": event.get("aggregation_key", ""),
                    "message": event.get("message", ""),
                }
                for event in reversed(self.events)
            ],
        }

    async def _event(self, request: web.Request) -> web.Response:
        body = await self._body(request, app_key=False)
        attributes = _attributes(body, "event")
        fault = _event_fault(attributes, self._clock())
        if fault is not None:
            return self._answer(400, self.rejection(400, fault))
        is_change = attributes["category"] == "change"
        (self.changes if is_change else self.events).append(attributes)
        number = len(self.events) + len(self.changes)
        kind = "change" if is_change else f"event {attributes['attributes']['status']}"
        self.note(f"{kind}: {attributes['title']}")
        return self._answer(
            202,
            {
                "data": {
                    "type": "event",
                    "attributes": {"attributes": {"evt": {"id": str(number), "uid": f"sandbox-{number}"}}},
                },
                "links": {"self": f"{self.url}/#event-{number}"},
            },
        )

    async def _create(self, request: web.Request) -> web.Response:
        attributes = _attributes(await self._body(request), "incidents")
        fault = _incident_fault(attributes, creating=True)
        if fault is not None:
            return self._answer(400, self.rejection(400, fault))
        number = len(self.incidents) + 1
        identifier = f"00000000-0000-4000-8000-{number:012d}"
        fields = {
            "state": _dropdown("active"),
            "severity": _dropdown("UNKNOWN"),
            **attributes.get("fields", {}),
        }
        data = {
            "id": identifier,
            "type": "incidents",
            "attributes": {
                **attributes,
                "fields": fields,
                "public_id": number,
                "created": format_instant(self._clock()),
            },
        }
        self.incidents[identifier] = data
        self._happened(data, f"incident {number} declared: {attributes['title']}")
        return self._answer(201, {"data": data})

    async def _read(self, request: web.Request) -> web.Response:
        await self._body(request)
        data = self.incidents.get(request.match_info["id"])
        if data is None:
            return self._answer(404, self.rejection(404, "no such incident"))
        return self._answer(200, {"data": data})

    async def _change(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        data = self.incidents.get(request.match_info["id"])
        if data is None:
            return self._answer(404, self.rejection(404, "no such incident"))
        attributes = _attributes(body, "incidents")
        if body["data"].get("id") != data["id"]:
            return self._answer(400, self.rejection(400, "data.id must be that of the address"))
        fault = _incident_fault(attributes, creating=False)
        if fault is not None:
            return self._answer(400, self.rejection(400, fault))
        fields = {**data["attributes"]["fields"], **attributes.get("fields", {})}
        data["attributes"] |= {**attributes, "fields": fields, "modified": format_instant(self._clock())}
        self._happened(data, f"incident {data['attributes']['public_id']} is {_field(data, 'state')}")
        return self._answer(200, {"data": data})

    async def _search(self, request: web.Request) -> web.Response:
        await self._body(request)
        query = request.query.get("query")
        if not query:
            return self._answer(400, self.rejection(400, "query is required"))
        found = [data for data in self.incidents.values() if _matches(query, data)]
        if request.query.get("sort") == "-created":
            found.reverse()
        size = int(request.query.get("page[size]", "10"))
        offset = int(request.query.get("page[offset]", "0"))
        listed = [{"data": data} for data in found[offset : offset + size]]
        return self._answer(
            200,
            {
                "data": {
                    "type": "incidents_search_results",
                    "attributes": {"total": len(found), "incidents": listed, "facets": {}},
                }
            },
        )

    async def _todos_of(self, request: web.Request) -> web.Response:
        await self._body(request)
        return self._answer(200, {"data": self.todos.get(request.match_info["id"], [])})

    async def _add_todo(self, request: web.Request) -> web.Response:
        attributes = _attributes(await self._body(request), "incident_todos")
        incident = request.match_info["id"]
        if incident not in self.incidents:
            return self._answer(404, self.rejection(404, "no such incident"))
        if not attributes.get("content") or not isinstance(attributes.get("assignees"), list):
            return self._answer(400, self.rejection(400, "content and assignees are required"))
        held = self.todos.setdefault(incident, [])
        held.append({"id": f"todo-{len(held) + 1}", "type": "incident_todos", "attributes": attributes})
        self.note(f"todo: {attributes['content']}")
        return self._answer(201, {"data": held[-1]})

    async def _change_todo(self, request: web.Request) -> web.Response:
        attributes = _attributes(await self._body(request), "incident_todos")
        for one in self.todos.get(request.match_info["id"], []):
            if one["id"] == request.match_info["todo"]:
                one["attributes"] |= attributes
                return self._answer(200, {"data": one})
        return self._answer(404, self.rejection(404, "no such todo"))

    async def _validate(self, request: web.Request) -> web.Response:
        await self._body(request, app_key=False)
        return self._answer(200, {"valid": True})

    async def _validate_keys(self, request: web.Request) -> web.Response:
        await self._body(request)
        return self._answer(200, {"status": "ok"})

    def _happened(self, data: dict[str, Any], what: str) -> None:
        self.history.append((self._clock(), data["id"], _field(data, "state"), _field(data, "severity")))
        self.note(what)

    async def _body(self, request: web.Request, *, app_key: bool = True) -> dict[str, Any]:
        given = request.headers.get("DD-API-KEY"), request.headers.get("DD-APPLICATION-KEY")
        for key, expected, wanted in ((given[0], self._api_key, True), (given[1], self._app_key, app_key)):
            if wanted and (not key or (expected is not None and key != expected)):
                raise web.HTTPForbidden(reason="Forbidden")
        raw = await request.read()
        if not raw:
            return {}
        try:
            body = msgspec.json.decode(raw)
        except ValueError:
            raise web.HTTPBadRequest(reason="no JSON") from None
        if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
            raise web.HTTPBadRequest(reason="data is required")
        return body

    def _answer(self, status: int, body: dict[str, Any]) -> web.Response:
        headers = {
            "X-RateLimit-Limit": "1000",
            "X-RateLimit-Period": "10",
            "X-RateLimit-Remaining": str(self.rate_limit_remaining),
            "X-RateLimit-Reset": str(self.rate_limit_reset),
            "X-RateLimit-Name": "sandbox",
        }
        return web.json_response(body, status=status, headers=headers)


def _attributes(body: dict[str, Any], kind: str) -> dict[str, Any]:
    data = body.get("data", {})
    if data.get("type") != kind or not isinstance(data.get("attributes"), dict):
        raise web.HTTPBadRequest(reason=f"data.type must be {kind}, with attributes")
    attributes: dict[str, Any] = data["attributes"]
    return attributes


def _event_fault(event: dict[str, Any], now: int) -> str | None:
    limits = {"title": 500, "message": 4000, "aggregation_key": 100}
    for name, limit in limits.items():
        value = event.get(name)
        if value is None and name != "title":
            continue
        if not isinstance(value, str) or not 1 <= len(value) <= limit:
            return f"{name} must have 1 to {limit} characters"
    if event.get("category") not in ("alert", "change"):
        return "category must be alert or change"
    tags = event.get("tags", [])
    if len(tags) > 100 or any(not isinstance(tag, str) or len(tag) > 200 for tag in tags):
        return "at most 100 tags of 200 characters"
    inner = event.get("attributes")
    if event["category"] == "change":
        return _change_fault(inner)
    if not isinstance(inner, dict) or inner.get("status") not in ("error", "warn", "ok"):
        return "attributes.status must be error, warn or ok"
    if inner.get("priority", "5") not in ("1", "2", "3", "4", "5"):
        return 'attributes.priority must be "1" to "5"'
    if len(inner.get("links", [])) > 20:
        return "at most 20 links"
    try:
        if "timestamp" in event and now - parse_instant(event["timestamp"]) > 18 * HOUR:
            return "timestamp is older than 18 hours"
    except (TypeError, ValueError):
        return "timestamp must be ISO 8601"
    return None


def _change_fault(inner: Any) -> str | None:
    changed = inner.get("changed_resource") if isinstance(inner, dict) else None
    if not isinstance(changed, dict) or changed.get("type") not in ("feature_flag", "configuration"):
        return "attributes.changed_resource must name its type: feature_flag or configuration"
    return (
        None
        if 1 <= len(str(changed.get("name", ""))) <= 128
        else "changed_resource.name has 1 to 128 characters"
    )


def _incident_fault(attributes: dict[str, Any], *, creating: bool) -> str | None:
    if creating and (not attributes.get("title") or "customer_impacted" not in attributes):
        return "title and customer_impacted are required"
    if attributes.get("customer_impacted") and not attributes.get("customer_impact_scope"):
        return "customer_impact_scope is required when customers are impacted"
    for name, allowed in (("severity", _SEVERITIES), ("state", _STATES)):
        field = attributes.get("fields", {}).get(name)
        if field is not None and (field.get("type") != "dropdown" or field.get("value") not in allowed):
            return f"fields.{name} must be a dropdown with one of {', '.join(allowed)}"
    return None


def _matches(query: str, data: dict[str, Any]) -> bool:
    """Facets joined by AND, alternatives of one by OR: ``state:(active OR stable) AND severity:SEV-1``."""
    for name, several, one in _FACET.findall(query):
        if _field(data, name) not in ({word.strip() for word in several.split(" OR ")} if several else {one}):
            return False
    return True


def _field(data: dict[str, Any], name: str) -> str:
    return str(data["attributes"]["fields"].get(name, {}).get("value", ""))


def _dropdown(value: str) -> dict[str, str]:
    return {"type": "dropdown", "value": value}
