"""The HTTP server: it answers whoever asks, however many connections others leave open."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
import uvloop
from aiohttp import web
from structlog.testing import capture_logs

from streams.http.server import AddressTaken, HttpServer, connection_limit

LIMIT = 12


class Doors:
    """What the routes of a test do: `/ok` answers at once, `/slow` once ``open`` is set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.waiting = asyncio.Event()
        self.now = 1_000.0

    async def ok(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def large(self, request: web.Request) -> web.Response:
        self.waiting.set()
        return web.Response(body=bytes(32 << 20))

    async def taken(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def slow(self, request: web.Request) -> web.Response:
        self.waiting.set()
        await self.open.wait()
        return web.Response(text="slow")


@asynccontextmanager
async def served(doors: Doors, limit: int = LIMIT) -> AsyncIterator[HttpServer]:
    table = [web.get("/ok", doors.ok), web.get("/slow", doors.slow), web.get("/large", doors.large)]
    table.append(web.post("/taken", doors.taken))
    server = HttpServer(table, host="127.0.0.1", port=0, limit=limit, monotonic=lambda: doors.now)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def get(server: HttpServer, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def idle(stack: AsyncExitStack, server: HttpServer) -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    stack.callback(writer.close)
    return reader


async def test_idle_connections_never_keep_a_request_out() -> None:
    doors = Doors()
    async with served(doors) as server, AsyncExitStack() as stack:
        readers = []
        for n in range(5 * LIMIT):
            doors.now += 1
            readers.append(await idle(stack, server))
            if n % 10 == 9:
                assert await get(server, "/ok") == (200, "ok")
        assert await get(server, "/ok") == (200, "ok")
        assert server.connections <= LIMIT
        # the oldest went first
        assert await readers[0].read() == b""
        assert not readers[-1].at_eof()


async def test_a_connection_without_a_request_for_too_long_is_closed_and_one_that_is_served_is_not() -> None:
    doors = Doors()
    async with served(doors) as server, AsyncExitStack() as stack:
        reader = await idle(stack, server)
        asking = asyncio.create_task(get(server, "/slow"))
        await doors.waiting.wait()
        assert server.connections == 2
        doors.now += 74
        server.close_idle()
        assert server.connections == 2
        doors.now += 2
        server.close_idle()
        assert server.connections == 1
        assert await reader.read() == b""
        doors.open.set()
        assert await asking == (200, "slow")


async def test_a_head_that_comes_byte_by_byte_is_not_waited_for_and_keeps_nobody_out() -> None:
    doors = Doors()
    async with served(doors) as server, AsyncExitStack() as stack:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        stack.callback(writer.close)
        for byte in b"GET /ok HTTP/1.1\r\nHost: x":
            writer.write(bytes([byte]))
            await writer.drain()
            assert await get(server, "/ok") == (200, "ok")
            doors.now += 1
        server.close_idle()
        assert await reader.read() == b""


async def test_bodies_that_do_not_come_keep_nobody_out_and_are_no_failure_of_ours() -> None:
    doors = Doors()
    async with served(doors) as server, AsyncExitStack() as stack:
        logs = stack.enter_context(capture_logs())
        readers = []
        for _ in range(2 * LIMIT):
            doors.now += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            stack.callback(writer.close)
            writer.write(b"POST /taken HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
            readers.append(reader)
            while sum(one.waits for one in server._connections) < min(len(readers), LIMIT):
                await asyncio.sleep(0)
        assert all(one.busy for one in server._connections)
        assert await get(server, "/ok") == (200, "ok")
        assert await readers[0].read() == b""
        writer.write(b"x" * 8)  # the youngest has been kept
        assert (await readers[-1].read(15)).startswith(b"HTTP/1.1 200 OK")
        assert logs == []


async def test_an_answer_that_is_not_taken_is_given_up_after_a_minute() -> None:
    doors = Doors()
    async with served(doors) as server, AsyncExitStack() as stack:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        stack.callback(writer.transport.abort)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        await doors.waiting.wait()
        while next(iter(server._connections))._full_since is None:
            await asyncio.sleep(0)
        doors.now += 59
        server.close_idle()
        assert server.connections == 1
        doors.now += 2
        server.close_idle()
        assert server.connections == 0


async def test_no_answer_names_the_software_that_gives_it() -> None:
    async with served(Doors()) as server, aiohttp.ClientSession() as session:
        for path in ("/ok", "/nothing"):
            async with session.get(f"http://127.0.0.1:{server.port}{path}") as response:
                assert "Server" not in response.headers


async def test_heads_are_bounded() -> None:
    async with served(Doors()) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/ok"
        for headers in ({"X-Long": "x" * 10_000}, {f"X-{n}": "x" for n in range(200)}):
            async with session.get(url, headers=headers) as response:
                assert response.status == 400
        assert await get(server, "/ok") == (200, "ok")


async def test_a_body_in_chunks_of_a_byte_is_not_read() -> None:
    head = b"POST /taken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with served(Doors()) as server, AsyncExitStack() as stack:
        for chunks, answers in ((2_000, True), (2_100, False), (40_000, False)):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            stack.callback(writer.close)
            writer.write(head + b"1\r\nx\r\n" * chunks + b"0\r\n\r\n")
            try:
                answer = await reader.read(15)
            except ConnectionResetError:
                answer = b""
            assert (answer == b"HTTP/1.1 200 OK") == answers


async def test_many_requests_on_one_connection_are_no_request_of_many_lines() -> None:
    async with served(Doors()) as server, AsyncExitStack() as stack:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        stack.callback(writer.close)
        ask = b"GET /ok HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100 + b"\r\n"
        for _ in range(60):
            writer.write(ask)
            assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 OK")


async def test_a_connection_that_says_nothing_has_no_parser() -> None:
    doors = Doors()
    async with served(doors) as server, AsyncExitStack() as stack:
        for _ in range(LIMIT):
            await idle(stack, server)
        while server.connections < LIMIT:
            await asyncio.sleep(0)
        assert all(one._handler is None for one in server._connections)
        assert await get(server, "/ok") == (200, "ok")


async def test_a_flood_of_connections_opens_no_more_descriptors_than_are_counted() -> None:
    doors, most, ended = Doors(), 0, False

    def look() -> None:
        nonlocal most
        most = max(most, len(os.listdir("/proc/self/fd")))
        if not ended:
            asyncio.get_running_loop().call_soon(look)

    async with served(doors) as server, AsyncExitStack() as stack:
        for _ in range(20 * LIMIT):  # the kernel takes all of them before the loop goes on
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        before = len(os.listdir("/proc/self/fd"))
        look()
        assert await get(server, "/ok") == (200, "ok")
        ended = True
        assert most - before < 6 * LIMIT  # a descriptor is free when the loop has gone round


async def test_a_request_under_way_is_not_given_up_for_another() -> None:
    doors = Doors()
    async with served(doors, limit=1) as server:
        asking = asyncio.create_task(get(server, "/slow"))
        await doors.waiting.wait()
        with pytest.raises(aiohttp.ClientError):
            await get(server, "/ok")
        doors.open.set()
        assert await asking == (200, "slow")
        assert await get(server, "/ok") == (200, "ok")


async def test_what_is_not_there_is_answered_as_json() -> None:
    async with served(Doors()) as server:
        status, body = await get(server, "/router/")
        assert status == 404
        assert '"error"' in body


async def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = HttpServer([], host="127.0.0.1", port=port)
        said = f"^127.0.0.1 port {port}: Address already in use; choose another with --port$"
        with pytest.raises(AddressTaken, match=said):
            await server.start()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_address_of_another_machine_is_said_with_the_setting_to_change(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def start() -> None:
        with pytest.raises(
            AddressTaken, match=r"^192\.0\.2\.1 port 0: .*; set WATCHOFFICER_BIND to an address of this"
        ):
            await HttpServer([], host="192.0.2.1", port=0).start()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(start())


def test_half_of_the_descriptors_are_left_to_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    for descriptors, connections in ((256, 128), (1_024, 512), (8, 16), (1 << 20, 1_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=descriptors: (soft, soft))
        assert connection_limit() == connections
