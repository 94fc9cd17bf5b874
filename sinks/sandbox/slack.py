"""How does Slack behave? A sandbox with chat.postMessage, chat.update and auth.test; errors have HTTP 200."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from detectors.instants import format_instant
from sinks.html import Html
from sinks.sandbox.faces import channel
from sinks.sandbox.receiver import Receiver

__all__ = ["Message", "SlackSandbox"]

_BODY_LIMIT = 12 * 1024
_DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")
_LINK = re.compile(r"<(https?://[^|>]*)\|([^>]*)>")


@dataclass
class Message:
    """One message with its present text, and its texts before each edit."""

    ts: str
    channel: str
    at: int
    text: str
    blocks: list[dict[str, Any]]
    thread_ts: str | None = None
    broadcast: bool = False
    edits: list[str] = field(default_factory=list)
    metadata: dict[str, Any] | None = None

    @property
    def words(self) -> str:
        """The text that a person reads: that of the blocks, with dates and links as Slack shows them."""
        texts = list(_texts(self.blocks)) or [self.text]
        words = _LINK.sub(r"\2", _DATE.sub(r"\1", "\n".join(texts)))
        return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


class SlackSandbox(Receiver):
    """One workspace with one channel, known by its id or its name.

    ``refuse`` makes the next calls fail as Slack fails: HTTP 200 with ``ok: false``.
    """

    name = "slack"
    places = ("/archives/",)

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        token: str | None = None,
        channel_id: str = "C0SANDBOX",
        channel_name: str = "#identity-alerts",
    ) -> None:
        super().__init__(clock=clock, sleep=sleep)
        self.messages: list[Message] = []
        self._token = token
        self._channel_id = channel_id
        self._channels = {channel_id, channel_name, channel_name.removeprefix("#")}
        #: Whether it cannot fetch the pictures of messages, and so refuses these, as Slack does.
        self.blind = False
        self._refusals: list[str] = []
        self._posted = 0

    @property
    def base_url(self) -> str:
        """The URL that a client uses in place of ``https://slack.com/api/``."""
        return f"{self.url}/api/"

    def refuse(self, error: str, times: int = 1) -> None:
        """Refuse the next ``times`` posts or edits with an error of Slack's, such as ``channel_not_found``."""
        self._refusals.extend([error] * times)

    def delete(self, ts: str) -> None:
        """Delete a message, as a person would."""
        self.messages = [message for message in self.messages if message.ts != ts]

    def thread(self, ts: str) -> list[Message]:
        """The replies to a message, in order."""
        return [message for message in self.messages if message.thread_ts == ts]

    @property
    def roots(self) -> list[Message]:
        """The messages outside threads, in order."""
        return [message for message in self.messages if message.thread_ts is None]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/auth.test", self._auth_test),
            web.post("/api/chat.postMessage", self._post),
            web.post("/api/chat.update", self._update),
            web.get("/api/conversations.history", self._history),
            web.get("/api/conversations.replies", self._replies),
        ]

    def rejection(self, status: int, why: str) -> dict[str, Any]:
        return {"ok": False, "error": "ratelimited" if status == 429 else why}

    def face(self) -> Html:
        return channel(self.messages)

    def view(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "messages": [
                {
                    "at": format_instant(message.at),
                    "where": "in the thread and the channel"
                    if message.broadcast
                    else "in the thread"
                    if message.thread_ts
                    else "in the channel",
                    "text": message.words,
                    "edits": len(message.edits),
                }
                for message in reversed(self.messages)
            ]
        }

    async def _auth_test(self, request: web.Request) -> web.Response:
        error = self._unauthorised(request)
        if error is not None:
            return _error(error)
        return web.json_response(
            {"ok": True, "url": f"{self.url}/", "team": "Sandbox", "user": "watchofficer"}
        )

    async def _post(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        error = self._unauthorised(request) or self._fault(body)
        thread = body.get("thread_ts")
        if error is None and thread is not None and not any(m.ts == thread for m in self.roots):
            error = "thread_not_found"
        if error is not None:
            return _error(error)
        self._posted += 1
        ts = f"{self._clock() // 1000}.{self._posted:06d}"
        message = Message(
            ts=ts,
            channel=self._channel_id,
            at=self._clock(),
            text=body.get("text", ""),
            blocks=body.get("blocks", []),
            thread_ts=thread,
            broadcast=bool(body.get("reply_broadcast")) and thread is not None,
            metadata=body.get("metadata"),
        )
        self.messages.append(message)
        self.note(("reply: " if thread else "posted: ") + message.words.partition("\n")[0])
        return web.json_response({"ok": True, "channel": self._channel_id, "ts": ts, "message": body})

    async def _update(self, request: web.Request) -> web.Response:
        body = await self._body(request)
        error = self._unauthorised(request) or self._fault(body)
        message = next((m for m in self.messages if m.ts == body.get("ts")), None)
        if error is None and message is None:
            error = "message_not_found"
        elif error is None and body.get("channel") != self._channel_id:
            error = "channel_not_found"  # an edit takes the id alone, not the name
        if error is not None or message is None:
            return _error(error or "message_not_found")
        message.edits.append(message.text)
        message.text, message.blocks = body.get("text", ""), body.get("blocks", [])
        self.note("edited: " + message.words.partition("\n")[0])
        return web.json_response(
            {"ok": True, "channel": self._channel_id, "ts": message.ts, "text": message.text}
        )

    async def _history(self, request: web.Request) -> web.Response:
        oldest = request.query.get("oldest", "0")
        listed = [m for m in reversed(self.roots) if float(m.ts) > float(oldest)]
        return self._page(request, listed)

    async def _replies(self, request: web.Request) -> web.Response:
        ts = request.query.get("ts", "")
        listed = [m for m in self.messages if ts in (m.ts, m.thread_ts)]
        if not listed:
            return _error("thread_not_found")
        return self._page(request, listed)

    def _page(self, request: web.Request, messages: list[Message]) -> web.Response:
        """A page of messages; metadata only to those who ask for it."""
        error = self._unauthorised(request)
        if error is None and request.query.get("channel") != self._channel_id:
            error = "channel_not_found"  # a list takes the id alone, not the name
        if error is not None:
            return _error(error)
        limit, begin = int(request.query.get("limit", "100")), int(request.query.get("cursor") or "0")
        shown = [_as_listed(m, request.query) for m in messages[begin : begin + limit]]
        more = begin + limit < len(messages)
        cursor = {"next_cursor": str(begin + limit) if more else ""}
        said = {"ok": True, "messages": shown, "has_more": more, "response_metadata": cursor}
        return web.json_response(said)

    async def _body(self, request: web.Request) -> dict[str, Any]:
        try:
            body = msgspec.json.decode(await request.read())
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def _unauthorised(self, request: web.Request) -> str | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return "not_authed"
        return "invalid_auth" if self._token is not None and token != self._token else None

    def _fault(self, body: dict[str, Any]) -> str | None:
        if self._refusals:
            return self._refusals.pop(0)
        if body.get("channel") not in self._channels:
            return "channel_not_found"
        if not body.get("text") and not body.get("blocks"):
            return "no_text"
        if len(msgspec.json.encode(body)) > _BODY_LIMIT:
            return "msg_too_long"
        blocks = body.get("blocks", [])
        unseen = self.blind and any(block.get("type") == "image" for block in blocks)
        return None if _valid_blocks(blocks) and not unseen else "invalid_blocks"


def _as_listed(message: Message, query: Mapping[str, str]) -> dict[str, Any]:
    """A message as a list shows it."""
    listed: dict[str, Any] = {"type": "message", "ts": message.ts, "text": message.text}
    if message.thread_ts is not None:
        listed["thread_ts"] = message.thread_ts
    if query.get("include_all_metadata") == "true" and message.metadata is not None:
        listed["metadata"] = message.metadata
    return listed


def _error(error: str) -> web.Response:
    return web.json_response({"ok": False, "error": error})


def _valid_blocks(blocks: Any) -> bool:
    if not isinstance(blocks, list) or len(blocks) > 50:
        return False
    return all(isinstance(block, dict) and _valid_block(block) for block in blocks)


def _valid_block(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "header":
        text = block.get("text", {})
        return text.get("type") == "plain_text" and 1 <= len(text.get("text", "")) <= 150
    if kind == "section":
        fields = block.get("fields", [])
        parts = ([block["text"]] if "text" in block else []) + fields
        sized = all(1 <= len(part.get("text", "")) <= (2000 if part in fields else 3000) for part in parts)
        return bool(parts) and len(fields) <= 10 and sized
    if kind == "context":
        return 1 <= len(block.get("elements", [])) <= 10
    if kind == "actions":
        return 1 <= len(block.get("elements", [])) <= 25
    if kind == "image":
        return 1 <= len(block.get("image_url", "")) <= 3000 and 1 <= len(block.get("alt_text", "")) <= 2000
    return kind in ("divider", "input")


def _texts(blocks: list[dict[str, Any]]) -> list[str]:
    texts = []
    for block in blocks:
        parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        texts += [
            part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
        ]
    return texts
