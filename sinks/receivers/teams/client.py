"""How is a card sent to Microsoft Teams? To the address of a workflow, which says 202 as soon as it has the card."""

from __future__ import annotations

import httpx
import msgspec
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Receipts, unexpected
from sinks.receivers.http import call
from sinks.receivers.teams.wording import render
from sinks.wording import UNNAMED, ScopeNames

__all__ = ["Teams"]


class Teams:
    """Posts cards to one channel, through a workflow ("when a Teams webhook request is received").

    No message can be looked for: after a lost answer the card is sent again, and may stand there twice.

    Args:
        http: makes the requests.
        url: of the workflow; its query holds the key, so that all of it is a secret.
        names: what people call the values of scopes.
    """

    def __init__(self, http: httpx.AsyncClient, *, url: SecretStr, names: ScopeNames = UNNAMED) -> None:
        self._http = http
        self._url = url
        self._names = names

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command. 202 means that the flow has the card; whether it posts it, nobody is told."""
        body = msgspec.json.encode(render(command, self._names))
        answer = await call(self._http, "POST", self._url.get_secret_value(), body=body, secrets=(self._url,))
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 202:
            return unexpected(f"HTTP {answer.status_code}, where a workflow says 202")
        return Delivered()
