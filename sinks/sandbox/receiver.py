"""What do all sandboxes share? An HTTP server that records its requests and fails on demand."""

from __future__ import annotations

import asyncio
import html
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from aiohttp import web

from detectors.instants import format_instant
from sinks.html import Html
from sinks.sandbox.faces import STYLE

__all__ = ["Moment", "Received", "Receiver"]

_SECRET_FIELDS = frozenset({"routing_key"})
_SHOWN = 200  # requests on the page
_BODY_LIMIT = 4 * 1024 * 1024
_HTML = b"<html><body><h1>502 Bad Gateway</h1>The proxy that answers here is none of the receiver's.</body></html>"


@dataclass(frozen=True)
class Received:
    """One request: its arrival (ms), its content, and the status of the answer (0: none was sent)."""

    at: int
    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int


@dataclass(frozen=True)
class Moment:
    """An event at a receiver, for a timeline: its instant (ms), the receiver, and its description."""

    at: int
    sink: str
    what: str


@dataclass(frozen=True)
class _Fault:
    kind: Literal["answer", "cut", "half", "stall", "drip"]
    path: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    every: float = 0.0


class Receiver:
    """A receiver on loopback. Its clock and its sleep are injected.

    Subclasses add their routes in ``routes`` and describe their state in ``view``.
    """

    name = ""
    #: Paths below which its links lead people; they see there what they see at ``/``.
    places: tuple[str, ...] = ()

    def __init__(self, *, clock: Callable[[], int], sleep: Callable[[float], Awaitable[None]]) -> None:
        self.requests: list[Received] = []
        self.moments: list[Moment] = []
        self._clock = clock
        self._sleep = sleep
        self._faults: deque[_Fault] = deque()
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self._url: str | None = None

    def routes(self) -> list[web.RouteDef]:
        """The routes of the receiver's API."""
        raise NotImplementedError

    def view(self) -> dict[str, list[dict[str, Any]]]:
        """What a person may want to see: tables by name."""
        raise NotImplementedError

    def face(self) -> Html | None:
        """What it got as a person would see it; None: there is nothing to see beside ``view``."""
        return None

    def rejection(self, status: int, why: str) -> dict[str, Any]:
        """The body of an error, in the receiver's own form."""
        return {"errors": [why]}

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end.

        Raises:
            RuntimeError: not started.
        """
        if self._url is None:
            raise RuntimeError(f"the {self.name} sandbox is not started")
        return self._url

    def application(self) -> web.Application:
        """What answers requests; ``start`` serves it."""
        app = web.Application(middlewares=[self._pass], client_max_size=_BODY_LIMIT)
        shown = (web.get(f"{place}{{rest:.*}}", self._show) for place in self.places)
        app.add_routes([web.get("/", self._show), *shown, *self.routes()])
        return app

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, on a free port unless told otherwise; the base URL."""
        self._stopping.clear()
        self._runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address = self._runner.addresses[0]
        self._url = f"http://{address[0]}:{address[1]}"
        return self._url

    async def stop(self) -> None:
        """Close all connections and free the port. Harmless if not started."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def fail(
        self,
        times: int = 1,
        *,
        status: int = 503,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        path: str = "/",
    ) -> None:
        """The next ``times`` requests under ``path`` are not processed, but answered with ``status``.

        Args:
            headers: of the answer: a Retry-After, the Date of a wrong clock.
            body: of the answer, such as a page of HTML or 30 MB; an error in the receiver's own form by default.
        """
        self._faults.extend([_Fault("answer", path, status, dict(headers or {}), body)] * times)

    def html(self, times: int = 1, *, status: int = 200, path: str = "/") -> None:
        """A proxy answers the next ``times`` requests in the receiver's place."""
        self.fail(times, status=status, headers={"Content-Type": "text/html"}, body=_HTML, path=path)

    def huge(self, times: int = 1, *, status: int = 502, size: int = 30 << 20, path: str = "/") -> None:
        """The next ``times`` requests are not processed, but answered with ``size`` bytes of HTML."""
        self.fail(times, status=status, body=_HTML * (size // len(_HTML)), path=path)

    def half(self, times: int = 1, *, path: str = "/") -> None:
        """The next ``times`` requests under ``path`` are processed, and their answers end in the middle."""
        self._faults.extend([_Fault("half", path)] * times)

    def drip(self, times: int = 1, *, every: float = 4.0, path: str = "/") -> None:
        """The next ``times`` requests are processed, and answered with one byte each ``every`` seconds without end."""
        self._faults.extend([_Fault("drip", path, every=every)] * times)

    def cut(self, times: int = 1, *, path: str = "/") -> None:
        """The next ``times`` requests under ``path`` are processed, then cut off without an answer."""
        self._faults.extend([_Fault("cut", path)] * times)

    def stall(self, times: int = 1, *, path: str = "/") -> None:
        """The next ``times`` requests under ``path`` are processed and never answered."""
        self._faults.extend([_Fault("stall", path)] * times)

    def note(self, what: str) -> None:
        """Put a moment on the timeline."""
        self.moments.append(Moment(self._clock(), self.name, what))

    @web.middleware
    async def _pass(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        if request.path == "/" or request.path.startswith(self.places):
            shown: web.StreamResponse = await handler(request)
            return shown
        at, body = self._clock(), await request.read()
        fault = self._take_fault(request.path)
        response: web.StreamResponse
        if fault is not None and fault.body is not None:
            response = web.Response(status=fault.status, headers=fault.headers, body=fault.body)
        elif fault is not None and fault.kind == "answer":
            response = self._reject(fault.status, "as the test asked", fault.headers)
        else:
            response = await self._process(request, handler)
        answered = 0 if fault is not None and fault.kind != "answer" else response.status
        try:
            decoded = msgspec.json.decode(body) if body else None
        except ValueError:
            decoded = body.decode("utf-8", "replace")
        self.requests.append(
            Received(at, request.method, request.path, dict(request.query), decoded, answered)
        )
        if fault is not None and answered == 0:
            return await self._mistreat(request, fault, response)
        return response

    async def _mistreat(
        self, request: web.Request, fault: _Fault, response: web.StreamResponse
    ) -> web.StreamResponse:
        """Answer a request that was processed in a way that tells nobody so."""
        if fault.kind == "stall":
            await self._stopping.wait()
        elif fault.kind in ("half", "drip"):
            response = web.StreamResponse(status=response.status, headers={"Content-Length": "1000000"})
            await response.prepare(request)
            await response.write(b"{")
            while fault.kind == "drip" and not self._stopping.is_set():
                await self._sleep(fault.every)
                await response.write(b" ")
        if request.transport is not None:
            request.transport.abort()
        return response

    async def _process(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            return self._reject(error.status, error.reason)
        return response

    def _reject(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> web.Response:
        return web.json_response(self.rejection(status, why), status=status, headers=headers)

    def _take_fault(self, path: str) -> _Fault | None:
        for fault in self._faults:
            if path.startswith(fault.path):
                self._faults.remove(fault)
                return fault
        return None

    async def _show(self, request: web.Request) -> web.Response:
        tables = self.view()
        if "text/html" not in request.headers.get("Accept", ""):
            return web.json_response({"name": self.name, **tables, "requests": self._listed()})
        tables["requests"] = self._listed()
        parts = [f"<h2>{html.escape(name)}</h2>{_table(rows)}" for name, rows in tables.items()]
        face, raw = self.face(), "".join(parts)
        body = raw if face is None else f"{face}<details><summary>As it came</summary>{raw}</details>"
        page = _PAGE.format(title=html.escape(f"Sandbox {self.name}"), style=STYLE, body=body)
        return web.Response(text=page, content_type="text/html")

    def _listed(self) -> list[dict[str, Any]]:
        return [
            {
                "at": format_instant(each.at),
                "request": f"{each.method} {each.path}",
                "answered": each.status,
                "body": _without_secrets(each.body),
            }
            for each in reversed(self.requests[-_SHOWN:])
        ]


def _without_secrets(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: "***" if name in _SECRET_FIELDS else value for name, value in body.items()}
    return body


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{lines}</table>"


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>body{{font:15px/1.4 system-ui,sans-serif;margin:2rem;max-width:90rem}}
table{{border-collapse:collapse}}td,th{{border-bottom:1px solid #ccc;padding:.3rem .6rem;text-align:left;
vertical-align:top;overflow-wrap:anywhere}}{style}</style>
<h1>{title}</h1>{body}</html>"""
