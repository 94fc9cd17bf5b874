"""What does Datadog get? An event for each change (Events v2), an incident for each declared outage (Incidents v2).

Incidents have no idempotency key. Every created incident therefore has the dedup key in its title, and a
creation is always preceded by a search of the newest incidents. The search finds an incident that was
created although its answer was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec
import structlog
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Receipts, Refused, Retry, spent_for, unexpected
from sinks.receivers.datadog.fields import FieldRule
from sinks.receivers.datadog.todos import missing_todos, path_of_todos
from sinks.receivers.datadog.wording import Request, render, token_of
from sinks.receivers.http import ANSWER_BYTES, call, json_of
from sinks.receivers.links import found_links
from sinks.wording import UNNAMED, ScopeNames

__all__ = ["Datadog"]

_log = structlog.get_logger(__name__)

#: How many of the newest incidents a creation searches: those of two months at the rate that VA publishes.
SEARCHED = 100
#: The most that is read of their list, bytes: 20 KB for each.
_LIST_BYTES = 2 << 20
#: The one status by which Datadog says that it has done what was asked.
_DOCUMENTED = {
    "event": 202,
    "change": 202,
    "incident_create": 201,
    "incident_update": 200,
    "incident_resolve": 200,
}
#: Actions that tell of something and change no incident.
_EVENTS = ("event", "change")


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
        fields: Mapping[str, FieldRule] | None = None,
        people: Mapping[str, str] | None = None,
    ) -> None:
        self._people = dict(people or {})
        self._fields = dict(fields or {})
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
            if command.action in (*_EVENTS, "incident_create"):
                incident_id = None
            else:
                incident_id = receipts("datadog").get("incident_id")
            if command.action.startswith("incident_") and incident_id is None:
                return await self._create_or_find(command, receipts)
            answer = await self._tell(command, receipts, incident_id)
            if (
                isinstance(answer, Delivered)
                and incident_id is not None
                and command.incident.process.follow_ups
            ):
                return await self._put_down(command, incident_id) or answer
            return answer
        except ValueError as error:
            return Refused(str(error))

    async def validated(self) -> str | Retry | Refused:
        """Which keys Datadog knows, as a clause, or why it does not accept them; nothing is sent beside the keys."""
        path = "/api/v1/validate" if self._app_key is None else "/api/v2/validate_keys"
        answer = await self._call("GET", "api", path)
        if not isinstance(answer, httpx.Response):
            return answer
        if not _is_object(answer):
            return unexpected(f"HTTP {answer.status_code} that is not Datadog's")
        return (
            "the API key is known"
            if self._app_key is None
            else "the API key and the application key are known"
        )

    async def _create_or_find(self, command: Command, receipts: Receipts) -> Answer:
        if self._app_key is None:
            return Refused("incidents need an application key, and none is configured")
        found = await self._find(command)
        if isinstance(found, Retry | Refused):
            return found
        if not found:
            if command.action == "incident_resolve":
                return Refused("there is no incident to resolve: it was never created here")
            created = msgspec.structs.replace(command, action="incident_create")
            answer = await self._tell(created, receipts, None)
            if not isinstance(answer, Delivered):
                return answer
            found = answer.receipt
        # Some of what an incident has, such as the begin of its impact, no creation takes.
        creates = command.action == "incident_create"
        if creates:
            command = msgspec.structs.replace(command, action="incident_update")
        answer = await self._tell(command, receipts, found["incident_id"])
        if isinstance(answer, Refused) and creates:
            _log.warning("datadog_change_refused", why=answer.why)  # the incident stands all the same
            return Delivered(found)
        return (
            Delivered({**found, **answer.receipt}, answer.pause) if isinstance(answer, Delivered) else answer
        )

    async def _put_down(self, command: Command, incident_id: str) -> Retry | None:
        """Bring the todos of an incident up to date; why that has to be tried again, if so.

        A refusal is logged: the incident itself is told. Datadog marks todos as unstable.
        """
        listed = await self._call("GET", "api", path_of_todos(incident_id), answer_bytes=_LIST_BYTES)
        answer: httpx.Response | Retry | Refused = listed
        if isinstance(listed, httpx.Response):
            try:
                missing = missing_todos(command.incident, incident_id, json_of(listed))
            except (ValueError, KeyError, TypeError, AttributeError):
                return unexpected("the list of todos cannot be read")
            for todo in missing:
                answer = await self._call(todo.method, "api", todo.path, body=msgspec.json.encode(todo.body))
                if not isinstance(answer, httpx.Response):
                    break
                if answer.status_code != todo.documented or not _is_object(answer):
                    return unexpected(f"HTTP {answer.status_code} that is not Datadog's, to a todo")
        if isinstance(answer, Refused):
            _log.warning("datadog_todos_refused", why=answer.why)
        return answer if isinstance(answer, Retry) else None

    async def _tell(self, command: Command, receipts: Receipts, incident_id: str | None) -> Answer:
        """Send a request; one that is refused with the organisation's fields is sent without them."""
        answer = await self._deliver(self._render(command, receipts, incident_id, self._fields), command)
        with_fields = bool(self._fields) and command.action not in _EVENTS
        if isinstance(answer, Refused) and with_fields and answer.why.startswith("HTTP 400"):
            _log.warning("datadog_fields_refused", why=answer.why, remedy="mend WATCHOFFICER_DATADOG__FIELDS")
            answer = await self._deliver(self._render(command, receipts, incident_id, {}), command)
        return answer

    def _render(
        self,
        command: Command,
        receipts: Receipts,
        incident_id: str | None,
        fields: Mapping[str, FieldRule],
    ) -> Request:
        return render(
            command,
            now=self._clock(),
            incident_id=incident_id,
            found=found_links(receipts),
            notify=self._notify,
            names=self._names,
            fields=fields,
            people=self._people,
        )

    async def _deliver(self, request: Request, command: Command) -> Answer:
        answer = await self._call(
            request.method, request.host, request.path, body=msgspec.json.encode(request.body)
        )
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != _DOCUMENTED[command.action] or not _is_object(answer):
            # A proxy on the way answered in Datadog's place.
            return unexpected(
                f"HTTP {answer.status_code} that is not Datadog's: it says {_DOCUMENTED[command.action]}"
            )
        receipt = self._receipt(answer, command)
        if command.action == "incident_create" and "incident_id" not in receipt:
            # The incident exists, but its id is unknown: the next attempt finds it by its title.
            return unexpected(f"HTTP {answer.status_code} without the id of the new incident")
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
            answer_bytes=_LIST_BYTES,
        )
        if not isinstance(answer, httpx.Response):
            return answer
        try:
            listed = json_of(answer)["data"]["attributes"]["incidents"]
            for entry in listed:
                data = entry["data"]
                if token_of(command) in data["attributes"]["title"]:
                    return self._incident_receipt(data)
        except (ValueError, KeyError, TypeError):
            return unexpected("the list of incidents cannot be read")
        return {}

    async def _call(
        self,
        method: str,
        host: str,
        path: str,
        *,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        answer_bytes: int = ANSWER_BYTES,
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
            answer_bytes=answer_bytes,
        )

    def _receipt(self, response: httpx.Response, command: Command) -> dict[str, str]:
        try:
            answer = json_of(response)
            if command.action not in _EVENTS:
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


def _is_object(answer: httpx.Response) -> bool:
    """Whether an answer is a JSON object; an event is accepted without one too."""
    if answer.status_code == _DOCUMENTED["event"] and not answer.content:
        return True
    return isinstance(json_of(answer), dict)
