"""How are commands sent to PagerDuty, and which answer of its Events API v2 means that an event was accepted?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Receipts, Refused, unexpected
from sinks.receivers.http import call, json_of
from sinks.receivers.links import found_links
from sinks.receivers.pagerduty import wording
from sinks.wording import UNNAMED, ScopeNames

__all__ = ["PagerDuty"]


class PagerDuty:
    """Sends commands to one integration (routing key) of PagerDuty."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        routing_key: SecretStr,
        base_url: str = "https://events.pagerduty.com",
        client: str = "watchofficer",
        names: ScopeNames = UNNAMED,
    ) -> None:
        self._http = http
        self._key = routing_key
        self._base = base_url.rstrip("/")
        self._client = client
        self._names = names

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command. An accepted event (202) is not yet an alert; PagerDuty guarantees no more."""
        if command.action == "change":
            return await self._post(
                "/v2/change/enqueue", wording.render_change(command, client=self._client), {}
            )
        try:
            found = found_links(receipts)
            event = wording.render(command, client=self._client, found=found, names=self._names)
        except ValueError as error:
            return Refused(str(error))
        answer = await self.enqueue(event)
        if isinstance(answer, Delivered) and command.action == "trigger":
            answer.receipt["shows"] = " ".join(found)
        return answer

    async def enqueue(self, event: Mapping[str, Any]) -> Answer:
        """Send one rendered event."""
        return await self._post("/v2/enqueue", event, {"dedup_key": str(event["dedup_key"])})

    async def _post(self, path: str, event: Mapping[str, Any], receipt: dict[str, str]) -> Answer:
        """Send an event; ``receipt`` is what is returned once it is accepted."""
        body = msgspec.json.encode({"routing_key": self._key.get_secret_value(), **event})
        answer = await call(self._http, "POST", self._base + path, body=body, secrets=(self._key,))
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 202 or not _accepted(answer):
            # A proxy on the way answered in PagerDuty's place.
            return unexpected(
                f"HTTP {answer.status_code} that is not PagerDuty's: it says 202, with status success"
            )
        return Delivered(receipt)


def _accepted(answer: httpx.Response) -> bool:
    """Whether PagerDuty itself says that it has accepted an event."""
    said = json_of(answer)
    return isinstance(said, dict) and said.get("status") == "success"
