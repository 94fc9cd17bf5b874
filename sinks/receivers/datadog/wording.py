"""How does a command become a request to Datadog?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from detectors.incidents import Command, Incident
from detectors.instants import HOUR, format_instant
from sinks.receivers.datadog.fields import FieldRule, fields_of
from sinks.wording import (
    UNNAMED,
    ScopeNames,
    capitalised,
    common_words,
    day_words,
    headline,
    links_of,
    one_line,
    people_words,
    state_words,
    truncate,
)

__all__ = ["Request", "render", "token_of"]

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
    fields: Mapping[str, FieldRule] | None = None,
    people: Mapping[str, str] | None = None,
) -> Request:
    """The request for a command.

    Args:
        now: ms; an event older than ``EVENT_AGE_LIMIT`` is sent without its own time.
        incident_id: the incident that an ``incident_update`` or ``incident_resolve`` changes.
        found: links that other receivers have returned (``links_of``).
        notify: handles (``@slack-…``) that Datadog notifies of a new incident.
        names: what people call the values of scopes.
        fields: further fields of incidents, by name.
        people: name -> id in Datadog, of those who may be an incident's commander.

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
    if command.action == "change":
        return Request(host="intake", method="POST", path="/api/v2/events", body=_change(command, now=now))
    more = fields_of((fields or {}).items(), command.incident, names)
    commander = _commander(command.incident, people or {})
    if command.action == "incident_create":
        created = _create(command, names, more, found=found, notify=notify)
        created["data"].update(commander)
        return Request(host="api", method="POST", path="/api/v2/incidents", body=created)
    if command.action not in ("incident_update", "incident_resolve"):
        raise ValueError(f"Datadog knows no action {command.action!r}")
    if not incident_id:
        raise ValueError(f"{command.action} needs the id of the incident")
    changed = _update(command, names, more, incident_id)
    changed["data"].update(commander)
    return Request(host="api", method="PATCH", path=f"/api/v2/incidents/{incident_id}", body=changed)


def _commander(incident: Incident, people: Mapping[str, str]) -> dict[str, Any]:
    """The relationship that names the commander; nothing where nobody is, or whose id in Datadog is not known.

    ``PagerDuty: Ada Byron`` is known as ``Ada Byron`` too.
    """
    name = incident.process.roles.get("commander", "")
    known = people.get(name) or people.get(name.partition(": ")[2])
    if known is None:
        return {}
    return {"relationships": {"commander_user": {"data": {"type": "users", "id": known}}}}


def _event(
    command: Command, names: ScopeNames, *, now: int, found: Mapping[str, str] | None
) -> dict[str, Any]:
    incident = command.incident
    over = command.level == "ok"
    attributes: dict[str, Any] = {
        "title": _title(incident, names, _RECOVERED if over else _DEGRADED, EVENT_TITLE_LIMIT),
        "category": "alert",
        "aggregation_key": command.dedup_key,
        # Between two of %%% Datadog reads Markdown.
        "message": truncate(_story(command, names).replace("%%%", "%"), EVENT_MESSAGE_LIMIT),
        "tags": _tags(incident, names),
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


def _change(command: Command, *, now: int) -> dict[str, Any]:
    """A change event: the watch judges by another policy."""
    attributes: dict[str, Any] = {
        "title": truncate(command.reason, EVENT_TITLE_LIMIT),
        "category": "change",
        "aggregation_key": command.dedup_key,
        "tags": ["source:watchofficer"],
        "attributes": {
            "changed_resource": {"name": "watchofficer policy", "type": "configuration"},
            "new_value": {"policy": command.incident.policy_hash},
        },
    }
    if now - command.at < EVENT_AGE_LIMIT:
        attributes["timestamp"] = format_instant(command.at)
    return {"data": {"type": "event", "attributes": attributes}}


def _create(
    command: Command,
    names: ScopeNames,
    more: Mapping[str, Any],
    *,
    found: Mapping[str, str] | None,
    notify: tuple[str, ...],
) -> dict[str, Any]:
    incident = command.incident
    places = "\n".join(f"- [{link.title}]({link.url})" for link in links_of(incident, found))
    story = truncate(_markdown(_story(command, names)), CELL_LIMIT) + (f"\n\n{places}" if places else "")
    attributes: dict[str, Any] = {
        "title": _incident_title(command, names),
        "fields": {**_fields(incident), **more},
        "initial_cells": [{"cell_type": "markdown", "content": {"content": story}, "important": True}],
        **_impact(incident, names),
    }
    if notify:
        attributes["notification_handles"] = [
            {"display_name": handle.removeprefix("@"), "handle": handle} for handle in notify
        ]
    return {"data": {"type": "incidents", "attributes": attributes}}


def _update(command: Command, names: ScopeNames, more: Mapping[str, Any], incident_id: str) -> dict[str, Any]:
    incident = command.incident
    attributes: dict[str, Any] = {
        "fields": {**_fields(incident), **more},
        "detected": format_instant(incident.opened_at),
        **_impact(incident, names),
    }
    if attributes["customer_impacted"]:
        attributes["customer_impact_start"] = format_instant(incident.first_bad_at)
    if command.action == "incident_resolve":
        attributes["fields"]["state"]["value"] = "resolved"
        attributes["fields"]["severity"]["value"] = _worst(incident)
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


def _worst(incident: Incident) -> str:
    """The severity that is left standing once all is over: the worst that the incident has had."""
    at_peak = {1: "SEV-2", 2: "SEV-3"}.get(incident.peak_severity) if incident.env == "prod" else None
    return min(incident.datadog_severity, at_peak or incident.datadog_severity)


def _impact(incident: Incident, names: ScopeNames) -> dict[str, Any]:
    if incident.env != "prod":
        return {"customer_impacted": False}
    scope = (
        f"{capitalised(people_words(incident))}, {names.words(incident.scope)},"
        f" since {day_words(incident.first_bad_at)}"
    )
    return {"customer_impacted": True, "customer_impact_scope": scope}


def _title(incident: Incident, names: ScopeNames, template: str, limit: int) -> str:
    return truncate(template.format(service=names.mark + capitalised(names.words(incident.scope))), limit)


def _incident_title(command: Command, names: ScopeNames) -> str:
    token = token_of(command)
    return _title(command.incident, names, _DEGRADED, INCIDENT_TITLE_LIMIT - len(token) - 1) + " " + token


def token_of(command: Command) -> str:
    """The part of an incident's title by which a search recognises it."""
    return f"[{command.dedup_key}]"


def _tags(incident: Incident, names: ScopeNames) -> list[str]:
    tags = {
        "env": incident.env,
        "service": "sign-in",
        **names.named(incident.scope),
        "severity": str(incident.severity),
        "incident": incident.id,
        "policy": incident.policy_hash,
    }
    named = [f"{name}:{value}" for name, value in tags.items() if value]
    return [truncate(tag, TAG_LIMIT) for tag in [*named, *(f"detector:{cause}" for cause in incident.causes)]]


def _markdown(text: str) -> str:
    """A text as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)


def _story(command: Command, names: ScopeNames) -> str:
    incident = command.incident
    lines = [
        f"SEV {incident.severity}: {headline(incident, names)}, {people_words(incident)}.",
        one_line(incident.sentence),
        f"State: {state_words(incident)}. First failure: {day_words(incident.first_bad_at)}.",
        f"Why now: {one_line(command.reason)}" if command.reason else "",
        f"In common: {common_words(incident.common)}." if incident.common else "",
        f"Fail-over: {one_line(incident.fail_over)}" if incident.fail_over else "",
        f"Also failing: {', '.join(incident.narrower)}" if incident.narrower else "",
    ]
    return "\n".join(line for line in lines if line)
