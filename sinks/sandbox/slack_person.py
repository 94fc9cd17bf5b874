"""How does a person use Slack? They press a button of a message, fill its field, or type a command: signed requests."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx

from sinks.sandbox.slack import Message

__all__ = ["SlackPerson", "sign"]


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Slack's signature, version 0, of a body; ``timestamp`` in seconds."""
    signed = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class SlackPerson:
    """One person in a workspace whose app sends to ``url``.

    Args:
        http: makes the requests.
        url: of the app's webhook.
        secret: the app's signing secret.
        clock: ms since the epoch.
        user, name, team: who it is.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        url: str,
        secret: str,
        clock: Callable[[], int],
        user: str = "U0ADA",
        name: str = "ada",
        team: str = "T0SANDBOX",
    ) -> None:
        self._http = http
        self._url = url
        self._secret = secret
        self._clock = clock
        self._user, self._name, self._team = user, name, team
        self._acts = 0

    def shown(self, message: Message) -> list[str]:
        """The actions that a message offers."""
        return [element["action_id"] for element in _elements(message)]

    async def press(self, message: Message, action: str, *, times: int = 1) -> httpx.Response:
        """Press a button, several times in impatience; the last answer.

        Raises:
            LookupError: the message has no such button.
        """
        element = _element(message, action)
        return await self._act(message, {"action_id": action, "value": element["value"]}, times)

    async def write(self, message: Message, text: str) -> httpx.Response:
        """Write a note into the field of a message and press Enter.

        Raises:
            LookupError: the message has no field.
        """
        block = next(one for one in message.blocks if one["type"] == "input")
        return await self._act(
            message, {"action_id": "note", "block_id": block["block_id"], "value": text}, 1
        )

    async def type(self, text: str, command: str = "/watch") -> httpx.Response:
        """Type a command."""
        self._acts += 1
        fields = {
            "command": command,
            "text": text,
            "user_id": self._user,
            "user_name": self._name,
            "team_id": self._team,
            "trigger_id": f"{self._clock()}.{self._acts}",
        }
        return await self._send(fields)

    async def _act(self, message: Message, action: dict[str, Any], times: int) -> httpx.Response:
        self._acts += 1
        stamp = f"{self._clock() // 1000}.{self._acts:06d}"
        payload = {
            "type": "block_actions",
            "user": {"id": self._user, "username": self._name, "team_id": self._team},
            "team": {"id": self._team},
            "channel": {"id": message.channel},
            "container": {"message_ts": message.ts},
            "actions": [{"action_ts": stamp, "block_id": "b1", **action}],
        }
        for _ in range(times):
            answer = await self._send({"payload": json.dumps(payload)})
        return answer

    async def _send(self, fields: dict[str, str]) -> httpx.Response:
        body = urlencode(fields).encode()
        timestamp = self._clock() // 1000
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": str(timestamp),
            "X-Slack-Signature": sign(self._secret, timestamp, body),
        }
        return await self._http.post(self._url, content=body, headers=headers)


def _elements(message: Message) -> list[dict[str, Any]]:
    found = []
    for block in message.blocks:
        if block["type"] == "actions":
            found += block["elements"]
        elif block["type"] == "input":
            found.append(block["element"])
    return found


def _element(message: Message, action: str) -> dict[str, Any]:
    for element in _elements(message):
        if element["action_id"] == action:
            return element
    raise LookupError(f"the message offers no {action}")
