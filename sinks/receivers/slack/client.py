"""How are commands sent to Slack, and what do its answers mean, which have HTTP 200 even where they are errors?

A bot token is required: incoming webhooks return no timestamp, so they allow neither edits nor threads. Slack
has no idempotency keys; if an answer is lost, a line of a thread may be posted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.answers import (
    Answer,
    Delivered,
    Receipts,
    Refused,
    Retry,
    unexpected,
    wait_asked_for,
    without_secrets,
)
from sinks.receivers.http import call
from sinks.receivers.slack import wording
from sinks.wording import UNNAMED, ScopeNames, one_line, truncate

__all__ = ["Slack"]

# Errors with HTTP 200 that are temporary. Any other error needs a change on this side: a dead letter.
_TEMPORARY = frozenset(
    {
        "accesslimited",
        "fatal_error",
        "internal_error",
        "org_login_required",  # the workspace is being moved
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
_THROTTLED = frozenset({"ratelimited", "rate_limited"})
_ROOT_GONE = frozenset({"message_not_found", "thread_not_found"})


class Slack:
    """Posts to one channel with a bot token. For GovSlack the base is ``https://slack-gov.com/api/``."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        token: SecretStr,
        channel: str,
        base_url: str = "https://slack.com/api/",
        names: ScopeNames = UNNAMED,
    ) -> None:
        self._http = http
        self._token = token
        self._channel = channel
        self._base = base_url.rstrip("/") + "/"
        self._names = names
        self._workspace: str | None = None

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command. If the incident's message has been deleted, post it again."""
        root, datadog = receipts("slack"), receipts("datadog")
        found = {"datadog": datadog.get("event_url", ""), "datadog_incident": datadog.get("incident_url", "")}
        channel = root.get("channel") or self._channel
        try:
            request = wording.render(
                command, channel=channel, root_ts=root.get("ts"), found=found, names=self._names
            )
            answer = await self.post(request)
            if isinstance(answer, Refused) and answer.why in _ROOT_GONE and not request.root:
                answer = await self.post(
                    wording.render(command, channel=self._channel, found=found, names=self._names)
                )
        except ValueError as error:
            return Refused(str(error))
        return answer

    async def post(self, request: wording.Request) -> Answer:
        """Make one rendered call."""
        if request.root and self._workspace is None:
            await self._ask_for_workspace()
        answer = await self._call(request.method, request.body)
        if not isinstance(answer, dict):
            return answer
        ts, channel = str(answer.get("ts", "")), str(answer.get("channel", ""))
        if not request.root:
            return Delivered({"edited": ts} if request.method == "chat.update" else {"reply_ts": ts})
        if not (ts and channel):
            return unexpected("ok without the timestamp of the message")
        receipt = {"ts": ts, "channel": channel}
        if self._workspace:
            receipt["permalink"] = f"{self._workspace}archives/{channel}/p{ts.replace('.', '')}"
        return Delivered(receipt)

    async def _ask_for_workspace(self) -> None:
        """Ask for the workspace's address, for links to threads; a failure delays nothing."""
        answer = await self._call("auth.test", {})
        if isinstance(answer, dict):
            self._workspace = str(answer.get("url", "")).rstrip("/") + "/" if answer.get("url") else ""

    async def _call(self, method: str, body: Mapping[str, Any]) -> dict[str, Any] | Retry | Refused:
        answer = await call(
            self._http,
            "POST",
            self._base + method,
            body=msgspec.json.encode(body),
            headers={
                "Authorization": f"Bearer {self._token.get_secret_value()}",
                "Content-Type": "application/json; charset=utf-8",
            },
            secrets=(self._token,),
        )
        if not isinstance(answer, httpx.Response):
            return answer
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            return unexpected(f"HTTP {answer.status_code} that is no answer of Slack's")
        if said.get("ok") is True:
            return said
        error = without_secrets(str(said.get("error", "unknown_error")), (self._token,))
        error = truncate(one_line(error), 100)
        if error in _THROTTLED:
            return Retry(wait_asked_for(answer.headers), error, throttled=True, kind="throttled")
        return Retry(wait_asked_for(answer.headers), error) if error in _TEMPORARY else Refused(error)
