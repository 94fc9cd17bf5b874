"""How do a webhook's receiver and a workflow of Teams behave? They take what is posted, and keep it as it came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from detectors.instants import format_instant
from sinks.sandbox.receiver import Receiver

__all__ = ["Arrived", "InboxSandbox"]


@dataclass(frozen=True)
class Arrived:
    """One message: its arrival (ms), its headers in lower case, and its body as it came."""

    at: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


class InboxSandbox(Receiver):
    """Takes posts at ``/hook`` and answers with ``status``; a repeat of a ``webhook-id`` is taken and not kept."""

    name = "inbox"

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        status: int = 202,
    ) -> None:
        super().__init__(clock=clock, sleep=sleep)
        self.messages: list[Arrived] = []
        self._status = status

    @property
    def hook(self) -> str:
        """The address to post to."""
        return f"{self.url}/hook"

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hook", self._take)]

    def view(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "messages": [{"at": format_instant(one.at), "body": one.json} for one in reversed(self.messages)]
        }

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        identity = headers.get("webhook-id")
        if identity is None or all(one.headers.get("webhook-id") != identity for one in self.messages):
            self.messages.append(Arrived(self._clock(), headers, await request.read()))
            self.note("a message")
        return web.Response(status=self._status)
