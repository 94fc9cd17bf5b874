"""What does Datadog get? An event for each change (Events v2), an incident for each declared outage (Incidents v2).

Incidents have no idempotency key. Every created incident therefore has the dedup key in its title, and a
creation is always preceded by a search of the newest incidents. The search finds an incident that was
created although its answer was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import httpx
import msgspec
from pydantic import SecretStr

from detectors.incidents import Command, Incident
from detectors.instants import HOUR, format_instant
from sinks.receivers.answers import Answer, Delivered, Receipts, Refused, Retry, call, spent_for
from sinks.wording import (
    UNNAMED,
    ScopeNames,
    capitalised,
    day_words,
    headline,
    links_of,
    one_line,
    people_words,
    state_words,
    truncate,
)

__all__ = ["Datadog", "Request", "render"]

EVENT_TITLE_LIMIT = 500
EVENT_MESSAGE_LIMIT = 4000
EVENT_LINK_LIMIT = 20
LINK_TITLE_LIMIT = 300
LINK_URL_LIMIT = 2048
TAG_LIMIT = 200
AGGREGATION_KEY_LIMIT = 100
INCIDENT_TITLE_LIMIT = 500
CELL_LIMIT = 4000
#: Datadog rejects events with an older timestamp.
EVENT_AGE_LIMIT = 18 * HOUR
#: How many of the newest incidents a creation searches: those of two months at the rate that VA publishes.
SEARCHED = 100

# The titles' shape is VA's own incident template.
_DEGRADED = "{service} is experiencing degraded service"
_RECOVERED = "{service} has recovered"
_LINK_CATEGORIES = {"runbook": "runbook", "console": "dashboard"}
_STATES = {
    "open": "active",
    "acknowledged": "active",
    "recovering": "stable",
    "resolved": "resolved",
    # "completed" follows the post-mortem, and only a person sets it.
    "closed": "resolved",
}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request: its host (``intake`` for events, ``api`` for all else), and its JSON body."""

    host: Literal["intake", "api"]
    method: Literal["POST", "PATCH"]
    path: str
    body: dict[str, Any]


def render(
    command: Command,
    *,
    now: int,
    incident_id: str | None = None,
    found: Mapping[str, str] | None = None,
    notify: tuple[str, ...] = (),
    names: ScopeNames = UNNAMED,
) -> Request:
    """The request for a command.

    Args:
        now: ms; an event older than ``EVENT_AGE_LIMIT`` is sent without its own time.
        incident_id: the incident that an ``incident_update`` or ``incident_resolve`` changes.
        found: links that other receivers have returned (``links_of``).
        notify: handles (``@slack-…``) that Datadog notifies of a new incident.
        names: what people call the values of scopes.

    Raises:
        ValueError: the dedup key is empty or too long, Datadog has no such action, or an id is missing.
    """
    key = command.dedup_key
    if not 1 <= len(key) <= AGGREGATION_KEY_LIMIT:
        raise ValueError(f"a dedup key has 1 to {AGGREGATION_KEY_LIMIT} characters, not {len(key)}")
    if command.action == "event":
        return Request(
            host="intake",
            method="POST",
            path="/api/v2/events",
            body=_event(command, names, now=now, found=found),
        )
    if command.action == "incident_create":
        return Request(
            host="api",
            method="POST",
            path="/api/v2/incidents",
            body=_create(command, names, found=found, notify=notify),
        )
    if command.action not in ("incident_update", "incident_resolve"):
        raise ValueError(f"Datadog knows no action {command.action!r}")
    if not incident_id:
        raise ValueError(f"{command.action} needs the id of the incident")
    return Request(
        host="api",
        method="PATCH",
        path=f"/api/v2/incidents/{incident_id}",
        body=_update(command, names, incident_id),
    )


def _event(
    command: Command, names: ScopeNames, *, now: int, found: Mapping[str, str] | None
) -> dict[str, Any]:
    incident = command.incident
    over = command.level == "ok"
    attributes: dict[str, Any] = {
        "title": _title(incident, names, _RECOVERED if over else _DEGRADED, EVENT_TITLE_LIMIT),
        "category": "alert",
        "aggregation_key": command.dedup_key,
        "message": truncate(_story(command, names), EVENT_MESSAGE_LIMIT),
        "tags": _tags(incident),
        "attributes": {
            "status": command.level,
            "priority": incident.priority.removeprefix("P"),
            "custom": {
                "incident": incident.id,
                "epoch": incident.epoch,
                "scope": incident.scope,
                "state": incident.state,
                "severity": incident.severity,
                "people_impacted": incident.users_impacted,
                "basis": incident.basis,
                "kind": command.kind,
            },
        },
    }
    links = [
        {
            "category": _LINK_CATEGORIES.get(link.name, "resource"),
            "title": truncate(link.title, LINK_TITLE_LIMIT),
            "url": link.url,
        }
        for link in links_of(incident, found)
        if len(link.url) <= LINK_URL_LIMIT and not link.name.startswith("datadog")
    ]
    if links:
        attributes["attributes"]["links"] = links[:EVENT_LINK_LIMIT]
    if now - command.at < EVENT_AGE_LIMIT:
        attributes["timestamp"] = format_instant(command.at)
    return {"data": {"type": "event", "attributes": attributes}}


def _create(
    command: Command, names: ScopeNames, *, found: Mapping[str, str] | None, notify: tuple[str, ...]
) -> dict[str, Any]:
    incident = command.incident
    places = "\n".join(f"- [{link.title}]({link.url})" for link in links_of(incident, found))
    story = truncate(_story(command, names), CELL_LIMIT) + (f"\n\n{places}" if places else "")
    attributes: dict[str, Any] = {
        "title": _incident_title(command, names),
        "fields": _fields(incident),
        "initial_cells": [{"cell_type": "markdown", "content": {"content": story}, "important": True}],
        **_impact(incident, names),
    }
    if notify:
        attributes["notification_handles"] = [
            {"display_name": handle.removeprefix("@"), "handle": handle} for handle in notify
        ]
    return {"data": {"type": "incidents", "attributes": attributes}}


def _update(command: Command, names: ScopeNames, incident_id: str) -> dict[str, Any]:
    incident = command.incident
    attributes: dict[str, Any] = {"fields": _fields(incident), **_impact(incident, names)}
    if attributes["customer_impacted"]:
        attributes["customer_impact_start"] = format_instant(incident.first_bad_at)
    if command.action == "incident_resolve":
        attributes["fields"]["state"]["value"] = "resolved"
        if attributes["customer_impacted"]:
            attributes["customer_impact_end"] = format_instant(incident.resolved_at or command.at)
    if command.kind == "scope":
        # Otherwise the title stays, because a person may have edited it.
        attributes["title"] = _incident_title(command, names)
    return {"data": {"type": "incidents", "id": incident_id, "attributes": attributes}}


def _fields(incident: Incident) -> dict[str, Any]:
    return {
        "severity": {"type": "dropdown", "value": incident.datadog_severity},
        "state": {"type": "dropdown", "value": _STATES[incident.state]},
    }


def _impact(incident: Incident, names: ScopeNames) -> dict[str, Any]:
    if incident.env != "prod":
        return {"customer_impacted": False}
    scope = (
        f"{capitalised(people_words(incident))}, {names.words(incident.scope)},"
        f" since {day_words(incident.first_bad_at)}"
    )
    return {"customer_impacted": True, "customer_impact_scope": scope}


def _title(incident: Incident, names: ScopeNames, template: str, limit: int) -> str:
    return truncate(template.format(service=capitalised(names.words(incident.scope))), limit)


def _incident_title(command: Command, names: ScopeNames) -> str:
    token = _token(command)
    return _title(command.incident, names, _DEGRADED, INCIDENT_TITLE_LIMIT - len(token) - 1) + " " + token


def _token(command: Command) -> str:
    """The part of an incident's title by which a search recognises it."""
    return f"[{command.dedup_key}]"


def _tags(incident: Incident) -> list[str]:
    _, _, rest = incident.scope.partition("/")
    method, _, csp = rest.partition("/")
    tags = {
        "env": incident.env,
        "service": "sign-in",
        "auth_method": method if method != "*" else "",
        "csp": csp,
        "severity": str(incident.severity),
        "incident": incident.id,
        "policy": incident.policy_hash,
    }
    named = [f"{name}:{value}" for name, value in tags.items() if value]
    return [truncate(tag, TAG_LIMIT) for tag in [*named, *(f"detector:{cause}" for cause in incident.causes)]]


def _story(command: Command, names: ScopeNames) -> str:
    incident = command.incident
    lines = [
        f"SEV {incident.severity}: {headline(incident, names)}, {people_words(incident)}.",
        one_line(incident.sentence),
        f"State: {state_words(incident)}. First failure: {day_words(incident.first_bad_at)}.",
        f"Why now: {one_line(command.reason)}" if command.reason else "",
        f"Fail-over: {one_line(incident.fail_over)}" if incident.fail_over else "",
        f"Also failing: {', '.join(incident.narrower)}" if incident.narrower else "",
    ]
    return "\n".join(line for line in lines if line)


class Datadog:
    """Sends commands to one Datadog organisation.

    ``base_url`` replaces both hosts of ``site`` (for a proxy or a sandbox). Events need only the API key;
    incidents need the application key too and are refused without it.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        api_key: SecretStr,
        app_key: SecretStr | None = None,
        site: str = "datadoghq.com",
        base_url: str | None = None,
        notify: tuple[str, ...] = (),
        names: ScopeNames = UNNAMED,
        clock: Callable[[], int],
    ) -> None:
        self._http = http
        self._api_key = api_key
        self._app_key = app_key
        base = base_url.rstrip("/") if base_url else None
        self._hosts = {
            "api": base or f"https://api.{site}",
            "intake": base or f"https://event-management-intake.{site}",
        }
        self._app_url = base or f"https://app.{site}"
        self._notify = notify
        self._names = names
        self._clock = clock

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command. An update of an incident with an unknown id searches for it, or creates it."""
        try:
            if command.action in ("event", "incident_create"):
                incident_id = None
            else:
                incident_id = receipts("datadog").get("incident_id")
            if command.action.startswith("incident_") and incident_id is None:
                return await self._create_or_find(command, receipts)
            return await self._deliver(self._render(command, receipts, incident_id), command)
        except ValueError as error:
            return Refused(str(error))

    async def _create_or_find(self, command: Command, receipts: Receipts) -> Answer:
        if self._app_key is None:
            return Refused("incidents need an application key, and none is configured")
        found = await self._find(command)
        if isinstance(found, Retry | Refused):
            return found
        if found:
            if command.action == "incident_create":
                return Delivered(found)
            answer = await self._deliver(self._render(command, receipts, found["incident_id"]), command)
            if isinstance(answer, Delivered):
                return Delivered({**found, **answer.receipt}, answer.pause)
            return answer
        if command.action == "incident_resolve":
            return Refused("there is no incident to resolve: it was never created here")
        created = msgspec.structs.replace(command, action="incident_create")
        return await self._deliver(self._render(created, receipts, None), created)

    def _render(self, command: Command, receipts: Receipts, incident_id: str | None) -> Request:
        slack = receipts("slack").get("permalink")
        event = receipts("datadog").get("event_url")
        found = {name: url for name, url in (("slack", slack), ("datadog", event)) if url}
        return render(
            command,
            now=self._clock(),
            incident_id=incident_id,
            found=found,
            notify=self._notify,
            names=self._names,
        )

    async def _deliver(self, request: Request, command: Command) -> Answer:
        answer = await self._call(
            request.method, request.host, request.path, body=msgspec.json.encode(request.body)
        )
        if not isinstance(answer, httpx.Response):
            return answer
        receipt = self._receipt(answer, command)
        if command.action == "incident_create" and "incident_id" not in receipt:
            # The incident exists, but its id is unknown: the next attempt finds it by its title.
            return Retry(None, f"HTTP {answer.status_code} without the id of the new incident")
        return Delivered(receipt, spent_for(answer.headers))

    async def _find(self, command: Command) -> dict[str, str] | Retry | Refused:
        """The receipt of the newest incident whose title holds the dedup key; empty if there is none.

        The query uses only documented facets; the title is compared here.
        """
        answer = await self._call(
            "GET",
            "api",
            "/api/v2/incidents/search",
            params={
                "query": "state:(active OR stable OR resolved OR completed)",
                "sort": "-created",
                "page[size]": str(SEARCHED),
            },
        )
        if not isinstance(answer, httpx.Response):
            return answer
        try:
            listed = answer.json()["data"]["attributes"]["incidents"]
            for entry in listed:
                data = entry["data"]
                if _token(command) in data["attributes"]["title"]:
                    return self._incident_receipt(data)
        except (ValueError, KeyError, TypeError):
            return Retry(None, "the list of incidents cannot be read")
        return {}

    async def _call(
        self,
        method: str,
        host: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response | Retry | Refused:
        headers = {"DD-API-KEY": self._api_key.get_secret_value()}
        secrets = [self._api_key]
        if host == "api" and self._app_key is not None:
            headers["DD-APPLICATION-KEY"] = self._app_key.get_secret_value()
            secrets.append(self._app_key)
        return await call(
            self._http,
            method,
            self._hosts[host] + path,
            body=body,
            headers=headers,
            params=params,
            secrets=secrets,
        )

    def _receipt(self, response: httpx.Response, command: Command) -> dict[str, str]:
        try:
            answer = response.json()
            if command.action != "event":
                return self._incident_receipt(answer["data"])
            event = answer["data"]["attributes"]["attributes"]["evt"]
            url = (answer.get("links") or {}).get("self")
            return {"event_id": str(event["id"]), **({"event_url": str(url)} if url else {})}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _incident_receipt(self, data: Mapping[str, Any]) -> dict[str, str]:
        receipt = {"incident_id": str(data["id"])}
        public = (data.get("attributes") or {}).get("public_id")
        if public is not None:
            receipt["incident_url"] = f"{self._app_url}/incidents/{public}"
        return receipt
