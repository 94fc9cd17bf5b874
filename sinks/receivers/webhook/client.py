"""How is a webhook sent, and what do its answers mean? Any 2xx is done, 410 means that nobody listens any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import httpx
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Receipts, Refused
from sinks.receivers.http import call
from sinks.receivers.webhook.signing import key_of, message_id, signed_headers
from sinks.receivers.webhook.wording import Document, Template, render, render_em_event
from sinks.wording import UNNAMED, ScopeNames

__all__ = ["Webhook"]


class Webhook:
    """Sends each change of an incident, signed, to one address.

    Args:
        http: makes the requests.
        url: where to; a redirect is refused.
        secrets: sign each body, the newest first; none for a receiver that asks for a password alone.
        template: ``incident``, the published JSON; ``servicenow``, an event for ServiceNow's Event Management.
        user, password: for basic authentication, where the receiver asks for it.
        document: makes the JSON of an incident.
        names: what people call the values of scopes.
        clock: ms since the epoch, for the timestamp of an attempt.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        url: SecretStr,
        secrets: Sequence[SecretStr] = (),
        template: Template = "incident",
        user: str | None = None,
        password: SecretStr | None = None,
        document: Document,
        names: ScopeNames = UNNAMED,
        clock: Callable[[], int],
    ) -> None:
        self._http = http
        self._url = url
        self._secrets = tuple(secrets)
        self._template = template
        self._user = user
        self._password = password
        self._document = document
        self._names = names
        self._clock = clock

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command; its id is the same on each attempt, the timestamp is that of the attempt."""
        if self._template == "servicenow":
            body = render_em_event(command, self._names)
        else:
            body = render(command, self._document)
        identity = message_id(command.id)
        keys = [key_of(secret.get_secret_value()) for secret in self._secrets]
        headers = (
            signed_headers(identity, self._clock() // 1000, body, keys) if keys else {"webhook-id": identity}
        )
        secrets = [self._url, *self._secrets]
        if self._user is not None and self._password is not None:
            secrets.append(self._password)
            pair = httpx.BasicAuth(self._user, self._password.get_secret_value())
            request = next(pair.auth_flow(httpx.Request("POST", self._url.get_secret_value())))
            headers["Authorization"] = request.headers["Authorization"]
        answer = await call(
            self._http, "POST", self._url.get_secret_value(), body=body, headers=headers, secrets=secrets
        )
        if isinstance(answer, httpx.Response):
            return Delivered({"message_id": identity})
        if isinstance(answer, Refused) and answer.why.startswith("HTTP 410"):
            return Refused(
                f"nobody listens at this address any more: take it out of the settings ({answer.why})"
            )
        return answer
