"""How is an incident shown on a page of Statuspage, and found again after a lost answer?

Statuspage has no idempotency. The key of incident and epoch rides in the metadata, and the page's unresolved incidents
are listed before one is created. They also say which components another incident of ours still holds down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import msgspec
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Receipts, Refused, Retry, unexpected
from sinks.receivers.http import call, json_of
from sinks.receivers.statuspage.wording import (
    OPERATIONAL,
    ComponentStatus,
    components_of,
    key_in,
    render,
    status_of,
    statuses_in,
    worst,
)
from sinks.wording import UNNAMED, ScopeNames

__all__ = ["Statuspage"]

#: What a list of unresolved incidents may hold, bytes: each has its updates with it.
_LIST_BYTES = 2 << 20


class Statuspage:
    """Shows incidents on one page: an incident with updates, and a status for the component of each banner key.

    Args:
        http: makes the requests.
        api_key: of the account.
        page: the page's id.
        title: of every incident; a person has approved it.
        components: banner key -> id of the component.
        keys: (scope, ms) -> the banner keys that an incident on the scope sets then.
        base_url: of the API.
        names: what people call the values of scopes.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        api_key: SecretStr,
        page: str,
        title: str,
        components: Mapping[str, str],
        keys: Callable[[str, int], Sequence[str]],
        base_url: str = "https://api.statuspage.io",
        names: ScopeNames = UNNAMED,
    ) -> None:
        self._http = http
        self._api_key = api_key
        self._incidents = f"{base_url.rstrip('/')}/v1/pages/{page}/incidents"
        self._title = title
        self._components = components
        self._keys = keys
        self._names = names

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command. An incident that affects no component of the page is not shown."""
        known = receipts(command.sink)
        mine = self._affected(command)
        before = tuple(known.get("components", "").split())
        if not mine and not before:
            return Delivered({"status": "not shown"})
        listed = await self._unresolved()
        if not isinstance(listed, list):
            return listed
        identity = known.get("incident_id") or next(
            (str(one["id"]) for one in listed if key_in(one) == command.dedup_key), None
        )
        if identity is None and command.action == "resolve":
            return Refused("there is no incident to resolve: it was never shown, or a person has resolved it")
        status = status_of(command.incident)
        said = known.get("status") == status and command.action != "open"
        request = render(
            # One that is not there yet is created, whatever the command says.
            command if identity is not None else msgspec.structs.replace(command, action="open"),
            title=self._title,
            components=self._statuses(command, mine, before, listed),
            own=components_of(command.incident, mine),
            says=not said,
            names=self._names,
        )
        answer = await self._call(
            "POST" if identity is None else "PATCH",
            self._incidents if identity is None else f"{self._incidents}/{identity}",
            body=msgspec.json.encode(request),
        )
        return self._receipt(answer, identity, status, mine)

    def _affected(self, command: Command) -> tuple[str, ...]:
        keys = self._keys(command.incident.scope, command.at)
        return tuple(sorted({self._components[key] for key in keys if key in self._components}))

    def _statuses(
        self,
        command: Command,
        mine: Sequence[str],
        before: Sequence[str],
        listed: Sequence[Mapping[str, Any]],
    ) -> dict[str, ComponentStatus]:
        """The status of each component that the incident affects or has affected, with other incidents of ours."""
        statuses = {**dict.fromkeys(before, OPERATIONAL), **components_of(command.incident, mine)}
        for other in listed:
            if key_in(other) in (None, command.dedup_key):
                continue
            for component, status in statuses_in(other).items():
                if component in statuses:
                    statuses[component] = worst(statuses[component], status)
        return statuses

    async def _unresolved(self) -> list[Mapping[str, Any]] | Retry | Refused:
        answer = await self._call("GET", f"{self._incidents}/unresolved", answer_bytes=_LIST_BYTES)
        if not isinstance(answer, httpx.Response):
            return answer
        try:
            listed = json_of(answer)
        except ValueError:
            return unexpected("the list of unresolved incidents cannot be read")
        if not isinstance(listed, list) or not all(isinstance(one, dict) and "id" in one for one in listed):
            return unexpected("the list of unresolved incidents cannot be read")
        return listed

    async def _call(
        self, method: str, url: str, *, body: bytes | None = None, answer_bytes: int = 64 << 10
    ) -> httpx.Response | Retry | Refused:
        return await call(
            self._http,
            method,
            url,
            body=body,
            headers={"Authorization": f"OAuth {self._api_key.get_secret_value()}"},
            secrets=(self._api_key,),
            answer_bytes=answer_bytes,
        )

    def _receipt(
        self, answer: httpx.Response | Retry | Refused, identity: str | None, status: str, mine: Sequence[str]
    ) -> Answer:
        if not isinstance(answer, httpx.Response):
            return answer
        expected = 201 if identity is None else 200
        if answer.status_code != expected:
            return unexpected(f"HTTP {answer.status_code}, where Statuspage says {expected}")
        receipt = {"status": status, "components": " ".join(mine)}
        if identity is None:
            try:
                identity = str(json_of(answer)["id"])
            except (ValueError, KeyError, TypeError):
                # It is there, but under which id? The next attempt finds it by its key.
                return unexpected("an answer without the id of the new incident")
        return Delivered({"incident_id": identity, **receipt})
