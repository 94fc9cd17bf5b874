"""How does Alertmanager hear of an incident, and how does the alert stand for as long as the incident does?

An alert ends five minutes after it was last sent. So the alerts of open incidents are sent again each minute
(``refresh``), by the worker whose outbox they are from. All peers of a cluster get each alert, as none passes it on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import msgspec
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.alertmanager.wording import alert, ended, labels_of
from sinks.receivers.answers import Answer, Delivered, Receipts, Refused, Retry
from sinks.receivers.http import call
from sinks.wording import UNNAMED, ScopeNames

__all__ = ["Alertmanager"]

#: Alerts in one request: each has a few KB.
_BATCH = 100


class Alertmanager:
    """Sends alerts to every peer of one cluster, by its API v2.

    Args:
        http: makes the requests.
        urls: of the peers.
        user, password: for basic authentication, where the peers ask for it.
        names: what people call the values of scopes.
        clock: ms since the epoch.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        urls: Sequence[str],
        user: str | None = None,
        password: SecretStr | None = None,
        names: ScopeNames = UNNAMED,
        clock: Callable[[], int],
    ) -> None:
        self._http = http
        self._urls = tuple(url.rstrip("/") + "/api/v2/alerts" for url in urls)
        self._user = user
        self._password = password
        self._names = names
        self._clock = clock
        self._standing: dict[str, Command] = {}

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command; one peer that takes it is enough, as a refresh follows within a minute.

        Where the labels change (severity, scope), the alert with the labels before is ended.
        """
        self.remember(command)
        now = self._clock()
        labels = labels_of(command, self._names)
        alerts = [alert(command, now=now, names=self._names)]
        before = _labels(receipts(command.sink).get("labels", ""))
        if before and before != labels:
            alerts.append(ended(before, since=command.incident.first_bad_at, now=now))
        answer = await self._post(alerts)
        if answer is not None:
            return answer
        return Delivered({"labels": msgspec.json.encode(labels).decode()})

    def remember(self, command: Command) -> None:
        """Take note of a command of the outbox, also of one that was delivered long ago: its alert may still stand."""
        known = self._standing.get(command.incident_id)
        if known is not None and (known.epoch, known.at) > (command.epoch, command.at):
            return
        if command.action == "resolve":
            self._standing.pop(command.incident_id, None)
        elif command.incident.state not in ("resolved", "closed"):
            self._standing[command.incident_id] = command

    def forget(self, incidents: Callable[[str], bool]) -> None:
        """Leave the alerts of these incidents to another worker."""
        for incident_id in [one for one in self._standing if incidents(one)]:
            del self._standing[incident_id]

    async def refresh(self) -> Answer | None:
        """Send the alerts of all open incidents again; the answer, if no peer took them."""
        now = self._clock()
        standing = sorted(self._standing.items())
        for start in range(0, len(standing), _BATCH):
            batch = [alert(one, now=now, names=self._names) for _, one in standing[start : start + _BATCH]]
            answer = await self._post(batch)
            if answer is not None:
                return answer
        return None

    async def _post(self, alerts: Sequence[Mapping[str, Any]]) -> Retry | Refused | None:
        """Send alerts to every peer at once; None if one took them, else the answer that leaves most hope."""
        body = msgspec.json.encode(alerts)
        answers = await asyncio.gather(*(self._call(url, body) for url in self._urls))
        refusals = [one for one in answers if not isinstance(one, httpx.Response)]
        if len(refusals) < len(answers):
            return None
        return next((one for one in refusals if isinstance(one, Retry)), refusals[0])

    async def _call(self, url: str, body: bytes) -> httpx.Response | Retry | Refused:
        headers: dict[str, str] = {}
        secrets = (self._password,) if self._password is not None else ()
        if self._user is not None and self._password is not None:
            pair = httpx.BasicAuth(self._user, self._password.get_secret_value())
            request = next(pair.auth_flow(httpx.Request("POST", url)))
            headers["Authorization"] = request.headers["Authorization"]
        return await call(self._http, "POST", url, body=body, headers=headers, secrets=secrets)


def _labels(text: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(text, type=dict[str, str]) if text else {}
    except msgspec.DecodeError:
        return {}
