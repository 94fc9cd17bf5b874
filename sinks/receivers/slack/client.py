"""How are commands sent to Slack, and what do its answers mean, which have HTTP 200 even where they are errors?

A bot token is required: incoming webhooks return no timestamp, so they allow neither edits nor threads. Slack
has no idempotency keys. Each message therefore carries its command as metadata, which nobody sees, and where an answer
may have been lost, here or before a restart, the message is looked for before it is posted again (scope
``channels:history`` or ``groups:history``; without it a message may be posted twice).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx
import msgspec
import structlog
from pydantic import SecretStr

from detectors.incidents import Command
from detectors.instants import MINUTE
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
from sinks.receivers.http import call, json_of
from sinks.receivers.links import found_links
from sinks.receivers.slack import wording
from sinks.receivers.slack.lookup import find
from sinks.wording import UNNAMED, ScopeNames, one_line, truncate

__all__ = ["Slack"]

_log = structlog.get_logger(__name__)

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
#: The most that is read of a page of messages, bytes.
_PAGE_BYTES = 2 << 20
#: A command that is younger, ms, was not sent by an earlier run.
_FRESH = 15_000
#: For how long, ms, messages go without pictures after Slack could not fetch one.
_NO_PICTURES = 10 * MINUTE
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
        clock: Callable[[], int] | None = None,
        buttons: bool = False,
    ) -> None:
        self._http = http
        self._token = token
        self._channel = channel
        self._base = base_url.rstrip("/") + "/"
        self._names = names
        self._clock = clock
        self._buttons = buttons
        self._workspace: str | None = None
        self._no_pictures_before = 0  # ms
        self._lost: set[str] = set()  # commands whose messages may stand though no answer said so

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Deliver one command. If the incident's message has been deleted, post it again."""
        root = receipts("slack")
        found = found_links(receipts, besides="slack")
        try:
            answer = await self._deliver(command, root, found)
        except ValueError as error:
            return Refused(str(error))
        if isinstance(answer, Delivered) and ("ts" in answer.receipt or "edited" in answer.receipt):
            answer.receipt["shows"] = " ".join(found)
        return answer

    async def _deliver(self, command: Command, root: Mapping[str, str], found: Mapping[str, str]) -> Answer:
        """Deliver one command to an incident's message.

        Args:
            root: what Slack has returned for that message; empty before it stands.
            found: the links that other receivers have returned.

        Raises:
            ValueError: Slack has no such action.
        """
        channel = root.get("channel") or self._channel
        render = partial(wording.render, command, found=found, names=self._names)
        request = render(channel=channel, root_ts=root.get("ts"), buttons=self._buttons)
        answer = await self._found(command, request, channel)
        if isinstance(answer, Delivered) and request.root and command.action != "post":
            # The root stands already, of a command whose answer was lost: this one belongs to its thread.
            told = await self.post(render(channel=channel, root_ts=answer.receipt["ts"]))
            return Delivered({**answer.receipt, **told.receipt}) if isinstance(told, Delivered) else told
        if answer is None:
            answer = await self.post(request)
            self._remember(command, answer)
        if isinstance(answer, Refused) and answer.why in _ROOT_GONE and not request.root:
            answer = await self.post(render(channel=self._channel, buttons=self._buttons))
        return answer

    def _remember(self, command: Command, answer: Answer) -> None:
        """Note whether the message of a command may stand though no answer says so."""
        if isinstance(answer, Retry) and not answer.throttled:
            self._lost.add(command.id)
        else:
            self._lost.discard(command.id)

    async def _found(self, command: Command, request: wording.Request, channel: str) -> Answer | None:
        """The message of a command that was posted before, though its answer was lost; None if there is none.

        A command that is older than some seconds may have been sent before a restart.
        """
        old = self._clock is not None and self._clock() - command.at > _FRESH
        if request.method != "chat.postMessage" or not (old or command.id in self._lost):
            return None
        metadata = request.body.get("metadata")
        if metadata is None:
            return None
        answer = await find(self._ask, command, channel, request.body.get("thread_ts"))
        if not isinstance(answer, str):
            return answer if isinstance(answer, Retry) else None  # what may not be looked for is posted
        self._lost.discard(command.id)
        if request.root:
            if self._workspace is None:
                await self._ask_for_workspace()
            return Delivered(self._receipt(answer, channel))
        return Delivered({"reply_ts": answer})

    async def post(self, request: wording.Request) -> Answer:
        """Make one rendered call."""
        if request.root and self._workspace is None:
            await self._ask_for_workspace()
        answer = await self._call(request.method, self._shown(request.body))
        if answer == Refused("invalid_blocks") and wording.has_picture(request.body):
            # Slack fetches a picture before it takes the message, and refuses a message whose picture it cannot have.
            self._no_pictures_before = max(self._now() + _NO_PICTURES, 1)
            _log.warning(
                "slack_cannot_fetch_pictures", remedy="let it reach /charts/, or unset the chart key"
            )
            answer = await self._call(request.method, self._shown(request.body))
        if not isinstance(answer, dict):
            return answer
        ts, channel = str(answer.get("ts", "")), str(answer.get("channel", ""))
        if not request.root:
            return Delivered({"edited": ts} if request.method == "chat.update" else {"reply_ts": ts})
        if not (ts and channel):
            return unexpected("ok without the timestamp of the message")
        return Delivered(self._receipt(ts, channel))

    def _now(self) -> int:
        return self._clock() if self._clock is not None else 0

    def _shown(self, body: dict[str, Any]) -> dict[str, Any]:
        """A message as it is sent: without its picture, where Slack could not fetch one some minutes ago."""
        return wording.without_pictures(body) if self._now() < self._no_pictures_before else body

    def _receipt(self, ts: str, channel: str) -> dict[str, str]:
        """What later commands need of an incident's message."""
        receipt = {"ts": ts, "channel": channel}
        if self._workspace:
            receipt["permalink"] = f"{self._workspace}archives/{channel}/p{ts.replace('.', '')}"
        return receipt

    async def _ask_for_workspace(self) -> None:
        """Ask for the workspace's address, for links to threads; a failure delays nothing."""
        answer = await self._call("auth.test", {})
        if isinstance(answer, dict):
            self._workspace = str(answer.get("url", "")).rstrip("/") + "/" if answer.get("url") else ""

    async def identity(self) -> str | Retry | Refused:
        """Whose token it is, as a clause, or why Slack does not accept it; nothing is posted."""
        answer = await self._call("auth.test", {})
        if not isinstance(answer, dict):
            return answer
        user, team = (truncate(one_line(str(answer.get(name, "?"))), 80) for name in ("user", "team"))
        return f"the token is that of {user} in {team}"

    async def _call(self, method: str, body: Mapping[str, Any]) -> dict[str, Any] | Retry | Refused:
        answer = await call(
            self._http,
            "POST",
            self._base + method,
            body=msgspec.json.encode(body),
            headers={**self._bearer(), "Content-Type": "application/json; charset=utf-8"},
            secrets=(self._token,),
        )
        return self._said(answer)

    async def _ask(self, method: str, params: Mapping[str, str]) -> dict[str, Any] | Retry | Refused:
        """Call a method that reads."""
        answer = await call(
            self._http,
            "GET",
            self._base + method,
            headers=self._bearer(),
            params=params,
            secrets=(self._token,),
            answer_bytes=_PAGE_BYTES,
        )
        return self._said(answer)

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.get_secret_value()}"}

    def _said(self, answer: httpx.Response | Retry | Refused) -> dict[str, Any] | Retry | Refused:
        """What Slack says, if it says that all is well."""
        if not isinstance(answer, httpx.Response):
            return answer
        said = json_of(answer)
        if not isinstance(said, dict):
            return unexpected(f"HTTP {answer.status_code} that is no answer of Slack's")
        if said.get("ok") is True:
            return said
        error = without_secrets(str(said.get("error", "unknown_error")), (self._token,))
        error = truncate(one_line(error), 100)
        if error in _THROTTLED:
            return Retry(wait_asked_for(answer.headers), error, throttled=True, kind="throttled")
        return Retry(wait_asked_for(answer.headers), error) if error in _TEMPORARY else Refused(error)
