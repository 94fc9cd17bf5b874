"""What do receivers answer? The shipped clients talk to the shipped sandboxes, in virtual time and without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from types import SimpleNamespace
from typing import Any, Literal

import httpx
from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Receipts, SinkClient
from sinks.sandbox import Sandbox
from streams.dispatch.receivers import http_client
from tests.simulation.cluster.storage import Digest
from tests.simulation.loop import NETWORK, VirtualLoop, current_process
from tests.sinks.clients import clients_of

__all__ = ["MOODS", "Mood", "Receivers"]

#: How a receiver answers: as it should; throttled; broken; never, without or after having done what was asked; late.
Mood = Literal["well", "429", "500", "deaf", "mute", "late"]
MOODS: tuple[Mood, ...] = ("429", "500", "deaf", "mute", "late")

_TRIP = (0.002, 0.2)  # one way, seconds
_LATE = (2.0, 9.0)  # seconds
_GIVES_UP = 10.0  # seconds after which a client takes a request for unanswered
_BASE = "http://{}.sandbox"


class Receivers:
    """PagerDuty, Datadog and Slack.

    Args:
        loop: whose time it is.
        wall: ms since the epoch.
        digest: takes in every request that is carried out.

    Attributes:
        moods: by sink; "well" where none is named.
        answers: how often each mood was met.
        sent: all commands in the order in which they were sent, as often as they were.
    """

    def __init__(self, loop: VirtualLoop, wall: Callable[[], int], digest: Digest) -> None:
        self.sandbox = Sandbox.make(clock=wall, sleep=asyncio.sleep)
        self.moods: dict[str, Mood] = {}
        self.answers: dict[str, int] = {}
        self.sent: list[Command] = []
        self._loop = loop
        self._wall = wall
        self._digest = digest
        self._apps: dict[str, web.Application] = {}
        for receiver in self.sandbox.receivers:
            receiver._url = _BASE.format(receiver.name)
            app = self._apps[receiver.name] = receiver.application()
            app.freeze()

    def clients(
        self, random: Random, *, rest: bool = False
    ) -> tuple[httpx.AsyncClient, Mapping[str, SinkClient]]:
        """The clients of one process, and what they send through; ``rest``: with a token of PagerDuty's REST API."""
        http = http_client(transport=_Transport(self, random))
        clients = clients_of(self.sandbox, http, self._wall, rest=rest)
        return http, {sink: _Noted(client, self.sent) for sink, client in clients.items()}

    def send(self, request: httpx.Request, body: bytes, random: Random) -> asyncio.Future[httpx.Response]:
        """Send a request of the running process; a future of the answer.

        Raises:
            CancelledError: the process is dead.
        """
        process = current_process()
        if process is not None and process.dead:
            raise asyncio.CancelledError
        answer: asyncio.Future[httpx.Response] = self._loop.create_future()
        self._loop.call_later(_GIVES_UP, self._give_up, answer, request, context=NETWORK)
        self._loop.call_later(
            random.uniform(*_TRIP), self._arrive, request, body, answer, random, context=NETWORK
        )
        return answer

    def _give_up(self, answer: asyncio.Future[httpx.Response], request: httpx.Request) -> None:
        if not answer.done():
            answer.set_exception(httpx.ReadTimeout("no answer", request=request))

    def _arrive(
        self, request: httpx.Request, body: bytes, answer: asyncio.Future[httpx.Response], random: Random
    ) -> None:
        name = request.url.host.partition(".")[0]
        mood = self.moods.get(name, "well")
        self.answers[mood] = self.answers.get(mood, 0) + 1
        back = random.uniform(*(_LATE if mood == "late" else _TRIP))
        if mood in ("429", "500"):
            headers = {"Retry-After": "2"} if mood == "429" else {}
            self._later(back, answer, httpx.Response(int(mood), headers=headers, json={"error": mood}))
        elif mood != "deaf":
            work = self._carry_out(name, request, body, answer, back, mute=mood == "mute")
            self._doing = self._loop.create_task(work, context=NETWORK)

    async def _carry_out(
        self,
        name: str,
        request: httpx.Request,
        body: bytes,
        answer: asyncio.Future[httpx.Response],
        back: float,
        *,
        mute: bool,
    ) -> None:
        self._digest.note(name, self._wall(), request.method, str(request.url), body)
        said = await _handled(self._apps[name], request, body)
        if not mute:
            self._later(back, answer, said)

    def _later(self, seconds: float, answer: asyncio.Future[httpx.Response], said: httpx.Response) -> None:
        def settle() -> None:
            if not answer.done():
                answer.set_result(said)

        self._loop.call_later(seconds, settle, context=NETWORK)


async def _handled(app: web.Application, request: httpx.Request, body: bytes) -> httpx.Response:
    """What an application answers."""
    nowhere: Any = SimpleNamespace(get_extra_info=lambda *_: None, abort=lambda: None)
    protocol: Any = SimpleNamespace(
        ssl_context=None,
        peername=None,
        sockname=None,
        _reading_paused=False,
        resume_reading=lambda *_, **__: None,
        max_field_size=8190,
        max_line_length=8190,
        max_headers=128,
    )
    payload = StreamReader(protocol, 1 << 22, loop=asyncio.get_running_loop())
    payload.feed_data(body)
    payload.feed_eof()
    path = request.url.raw_path.decode()
    asked: Any = make_mocked_request(
        request.method,
        path,
        request.headers,
        app=app,
        writer=nowhere,
        protocol=protocol,
        transport=nowhere,
        payload=payload,
        client_max_size=1 << 22,
    )
    found: Any = await app.router.resolve(asked)
    found.add_app(app)
    asked._match_info = found
    # The one middleware of a sandbox notes each request.
    said: Any = await app.middlewares[0](asked, found.handler)
    return httpx.Response(said.status, headers=list(said.headers.items()), content=said.body or b"")


class _Noted:
    """A client; what is sent through it is noted."""

    def __init__(self, client: SinkClient, sent: list[Command]) -> None:
        self._client = client
        self._sent = sent

    async def send(self, command: Command, receipts: Receipts) -> Answer:
        """Send a command."""
        self._sent.append(command)
        return await self._client.send(command, receipts)


class _Transport(httpx.AsyncBaseTransport):
    """Hands the requests of one process over."""

    def __init__(self, receivers: Receivers, random: Random) -> None:
        self._receivers = receivers
        self._random = random

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and wait for its answer."""
        body = await request.aread()
        return await self._receivers.send(request, body, self._random)
