"""What is sent over PagerDuty's REST API: notes, and the title and priority of an incident, which no event changes.

Each request looks for PagerDuty's incident first, by the id that is known or by the alert's key. A note that stands
there already is not written again, as the answer to an earlier attempt may have been lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from pydantic import SecretStr

from detectors.incidents import Command
from detectors.instants import MINUTE
from sinks.receivers.answers import Answer, Delivered, Receipts, Refused, Retry, unexpected
from sinks.receivers.http import call, json_of
from sinks.receivers.links import found_links
from sinks.receivers.pagerduty.wording import note_content, summary
from sinks.wording import UNNAMED, ScopeNames, links_of

__all__ = ["PagerDutyRest"]

#: PagerDuty accepts an event before it makes an incident; one that is missed for so long is not made any more, ms.
_APPEARS_WITHIN = 5 * MINUTE
#: The most that is read of a list.
_LIST_BYTES = 1 << 20


class PagerDutyRest:
    """Sends notes, titles and priorities of one account of PagerDuty.

    Args:
        http: makes requests.
        token: of the REST API.
        sender: e-mail address of the user in whose name changes are made.
        base_url: of the REST API.
        names: what people call the values of scopes.
        clock: ms since the epoch.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        token: SecretStr,
        sender: str,
        base_url: str = "https://api.pagerduty.com",
        names: ScopeNames = UNNAMED,
        clock: Callable[[], int],
    ) -> None:
        self._http = http
        self._token = token
        self._sender = sender
        self._base = base_url.rstrip("/")
        self._names = names
        self._clock = clock
        self._priorities: dict[str, str] | None = None
        self._missed_since: dict[
            str, int
        ] = {}  # dedup key -> when its incident was looked for in vain first, ms

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver a note, or bring title and priority up to date."""
        if command.action not in ("note", "update"):
            return Refused(f"PagerDuty's REST API takes no {command.action}")
        incident = await self._find(command, receipts)
        if not isinstance(incident, str):
            return incident
        path = f"/incidents/{quote(incident, safe='')}"
        if command.action == "note":
            said = command.reason
            if command.kind == "links":
                said = "\n".join(
                    f"{link.title}: {link.url}"
                    for link in links_of(command.incident, found_links(receipts))
                    if link.name == "slack"
                )
            return await self._note(f"{path}/notes", note_content(said), incident)
        return await self._update(path, command, incident)

    async def _find(self, command: Command, receipts: Receipts) -> str | Retry | Refused:
        """PagerDuty's id of the incident that holds the alert of a command."""
        for page in command.incident.pages:
            if page.dedup_key == command.dedup_key and page.incident is not None:
                return page.incident
        listed = await self.list(
            "/incidents", {"incident_key": command.dedup_key, "sort_by": "created_at:desc"}
        )
        if isinstance(listed, Retry | Refused):
            return listed
        found = [one["id"] for one in _listed(listed, "incidents") if isinstance(one.get("id"), str)]
        key, now = command.dedup_key, self._clock()
        if found:
            self._missed_since.pop(key, None)
            return str(found[0])
        if not receipts("pagerduty"):
            return Retry(None, "the page has not gone out yet")
        if now - self._missed_since.setdefault(key, now) < _APPEARS_WITHIN:
            return Retry(None, "PagerDuty has made no incident for the alert yet")
        del self._missed_since[key]
        return Refused("PagerDuty has no incident for the alert")

    async def _note(self, path: str, content: str, incident: str) -> Answer:
        listed = await self.list(path)
        if isinstance(listed, Retry | Refused):
            return listed
        if any(note.get("content") == content for note in _listed(listed, "notes")):
            return Delivered({"pagerduty_incident": incident})
        return await self._change("POST", path, {"note": {"content": content}}, incident)

    async def _update(self, path: str, command: Command, incident: str) -> Answer:
        about: dict[str, Any] = {
            "type": "incident_reference",
            "title": summary(command.incident, self._names),
        }
        if self._priorities is None:
            listed = await self.list("/priorities")
            if isinstance(listed, Retry):
                return listed
            # An account without priorities answers with an error; its titles are kept up to date all the same.
            known = {} if isinstance(listed, Refused) else listed
            self._priorities = {
                str(one.get("name")): str(one.get("id")) for one in _listed(known, "priorities")
            }
        priority = self._priorities.get(command.incident.priority)
        if priority is not None:
            about["priority"] = {"id": priority, "type": "priority_reference"}
        return await self._change("PUT", path, {"incident": about}, incident)

    async def _change(self, method: str, path: str, body: Mapping[str, Any], incident: str) -> Answer:
        answer = await self._call(method, path, body=msgspec.json.encode(body))
        if not isinstance(answer, httpx.Response):
            return answer
        return Delivered({"pagerduty_incident": incident})

    async def list(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> dict[str, Any] | Retry | Refused:
        """The JSON object that a GET answers."""
        answer = await self._call("GET", path, params=params)
        if not isinstance(answer, httpx.Response):
            return answer
        said = json_of(answer)
        return (
            said
            if isinstance(said, dict)
            else unexpected("an answer that is not PagerDuty's: no JSON object")
        )

    async def _call(
        self, method: str, path: str, *, body: bytes | None = None, params: Mapping[str, str] | None = None
    ) -> httpx.Response | Retry | Refused:
        return await call(
            self._http,
            method,
            self._base + path,
            body=body,
            headers={
                "Authorization": f"Token token={self._token.get_secret_value()}",
                "Accept": "application/vnd.pagerduty+json;version=2",
                "From": self._sender,
            },
            params=params,
            secrets=(self._token,),
            answer_bytes=_LIST_BYTES,
        )


def _listed(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects that an answer lists under a name; what is none is passed by."""
    listed = answer.get(name)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
