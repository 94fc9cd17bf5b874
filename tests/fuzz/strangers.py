"""`python -m tests.fuzz.strangers`: does a worker's HTTP server answer, whatever strangers do to it on loopback?

The server runs in a process of its own, on the event loop of a worker, and the strangers in another. While they are
busy, `/readyz` and `/metrics` are asked for on new connections; what counts is how long the slowest answer took, and
how the memory of the server has grown. Between two probes the same is asked of a server that nobody besieges and that
does nothing else: its slowest answer says how long the machine itself lets a process wait.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.streams.http.serving import TOKEN

__all__ = ["SIEGES", "Result", "Servers", "besieged", "servers"]

_WITHIN = 1.0  # seconds in which a probe must be answered
_GROWTH = 64 << 20  # bytes by which the memory may grow over a siege
_PROBES = (b"/readyz", b"/metrics")
#: A server that answers whatever comes, and does nothing else.
_BESIDE = """
import asyncio

async def answer(reader, writer):
    await reader.read(4096)
    writer.write(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    writer.close()

async def serve():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(serve())
"""
_BEARER = f"Authorization: Bearer {TOKEN}\r\n".encode()


@dataclass
class Siege:
    """A server under siege.

    Attributes:
        port: of the server.
        many: how many connections a siege makes.
    """

    port: int
    many: int
    made: int = 0

    async def open(self, n: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection, from one of many addresses of this machine."""
        local = (f"127.0.{n // 200 % 250}.{n % 200 + 2}", 0)
        connected = await asyncio.open_connection("127.0.0.1", self.port, local_addr=local, limit=1 << 12)
        self.made += 1
        return connected

    async def each(self, do: Callable[[int], Awaitable[None]], at_once: int) -> None:
        """Do something ``many`` times, ``at_once`` at a time; a connection that the server ends is no error."""
        numbers = iter(range(self.many))

        async def go_on() -> None:
            for n in numbers:
                try:
                    await do(n)
                except (OSError, asyncio.IncompleteReadError):
                    continue

        await asyncio.gather(*(go_on() for _ in range(at_once)))

    async def send(self, n: int, *parts: bytes, pause: float = 0.2, read: bool = True) -> None:
        """Send parts with pauses between them, and read to the end of what is answered, or nothing of it."""
        reader, writer = await self.open(n)
        try:
            if not read:
                writer.transport.pause_reading()  # type: ignore[attr-defined]
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            if read:
                while await asyncio.wait_for(reader.read(1 << 12), 2.0):
                    pass
        except TimeoutError:
            pass
        finally:
            writer.transport.abort()


async def slow_heads(siege: Siege) -> None:
    """Heads that come byte by byte."""
    head = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
    parts = [bytes((byte,)) for byte in head]
    await siege.each(lambda n: siege.send(n, *parts, pause=0.3), siege.many)


async def slow_bodies(siege: Siege) -> None:
    """Bodies that come byte by byte, at doors that need no token."""
    head = b"POST /webhooks/pagerduty HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
    await siege.each(lambda n: siege.send(n, head, *[b"x"] * 20, pause=0.4), siege.many)


async def answers_not_taken(siege: Siege) -> None:
    """Large answers, asked for again and again, that nobody reads."""
    ask = b"GET /api/v1/slis?history=true HTTP/1.1\r\nHost: 127.0.0.1\r\n" + _BEARER + b"\r\n"
    await siege.each(lambda n: siege.send(n, ask * 2, *[b""] * 8, pause=1.0, read=False), 200)


async def streams_not_read(siege: Siege) -> None:
    """Streams of events that nobody reads."""
    ask = b"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n" + _BEARER + b"\r\n"
    await siege.each(lambda n: siege.send(n, ask, *[b""] * 8, pause=1.0, read=False), siege.many)


async def idle_connections(siege: Siege) -> None:
    """Connections that say nothing."""
    await siege.each(lambda n: siege.send(n, b"", pause=8.0), siege.many)


async def wrong_tokens(siege: Siege) -> None:
    """Wrong tokens, of many addresses."""

    def ask(n: int) -> bytes:
        return b"GET /api/v1/incidents HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer wrong-%d\r\n\r\n" % n

    await siege.each(lambda n: siege.send(n, ask(n), pause=0.0), 50)


async def bombs(siege: Siege) -> None:
    """Heads and bodies that are too large, lie about their length, or are compressed."""
    post = b"POST /webhooks/slack HTTP/1.1\r\nHost: x\r\n"
    some = (
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        post + b"Content-Length: 99999999999\r\n\r\n" + b"x" * 300_000,
        post + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        post + b"Content-Encoding: gzip\r\nContent-Length: 100000\r\n\r\n" + b"\x1f\x8b" * 50_000,
        post + b"Transfer-Encoding: chunked\r\n\r\n" + b"FFFFFFFFFFFFFFFF\r\n" + b"x" * 100_000,
        post + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 70_000 + b"0\r\n\r\n",
        post + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    )
    await siege.each(lambda n: siege.send(n, some[n % len(some)], pause=0.0), 50)


async def odd_requests(siege: Siege) -> None:
    """Requests on one connection without waiting, HTTP/1.0, and lines that are no requests."""
    ask = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
    some = (
        ask * 200,
        b"GET /readyz HTTP/1.0\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: [\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 5_000,
        b"GET /%00%ff%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"BREW /coffee HTCPCP/1.0\r\n\r\n",
        bytes(range(256)) * 40,
    )
    await siege.each(lambda n: siege.send(n, some[n % len(some)], pause=0.0), 50)


#: Name -> the siege, and the part of all connections that it makes.
SIEGES: dict[str, tuple[Callable[[Siege], Awaitable[None]], float]] = {
    "heads byte by byte": (slow_heads, 0.2),
    "bodies byte by byte": (slow_bodies, 0.2),
    "answers that nobody takes": (answers_not_taken, 0.02),
    "streams that nobody reads": (streams_not_read, 0.1),
    "connections that say nothing": (idle_connections, 1.0),
    "wrong tokens": (wrong_tokens, 0.5),
    "bombs": (bombs, 0.05),
    "odd requests": (odd_requests, 0.2),
}


@dataclass(frozen=True)
class Result:
    """How a siege went.

    Attributes:
        made: how many connections were made.
        slowest: the slowest answer to a probe, seconds.
        probes: how many probes were answered with 200 or 503.
        wrong: probes that were not.
        grown: bytes by which the memory of the server has grown.
        beside: the slowest answer of the server that nobody besieges, seconds.
        cpu: CPU time of the server for each connection that was made, seconds.
        worked: the most CPU time that the server used while a probe waited, seconds: what is left of ``slowest`` on a
            machine that does nothing else.
    """

    made: int
    slowest: float
    probes: int
    wrong: int
    grown: int
    beside: float
    cpu: float
    worked: float

    @property
    def held(self) -> bool:
        """Whether the server has held."""
        return self.probes > 0 and not self.wrong and self.slowest < _WITHIN and self.grown < _GROWTH


@dataclass(frozen=True)
class Servers:
    """Two servers, each in a process of its own, and where strangers are.

    Attributes:
        pid: the process that is besieged.
        port: of it.
        beside: the port of the server that nobody besieges.
        strangers: in which the besiegers run.
    """

    pid: int
    port: int
    beside: int
    strangers: Executor


@dataclass
class _Probes:
    """Answers: how long each took, seconds, and whether it is one."""

    besieged: list[tuple[float, bool]] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))


def _cpu(pid: int) -> float:
    """Seconds of CPU time that the main thread of a process has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def _started(*command: str) -> Iterator[tuple[int, int]]:
    """While a server runs that prints its port: its process id and the port."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def servers() -> Iterator[Servers]:
    """While both servers run."""
    with (
        _started("-m", "tests.fuzz.served") as (pid, port),
        _started("-c", _BESIDE) as (_, beside),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as strangers,
    ):
        yield Servers(pid, port, beside, strangers)


async def _probe(port: int, path: bytes) -> tuple[float, bool]:
    """How long an answer took, and whether it is one."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + _BEARER)
                writer.write(b"Connection: close\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return time.monotonic() - began, False
    return time.monotonic() - began, answer[9:12] in (b"200", b"503")


@asynccontextmanager
async def _probing(at: Servers) -> AsyncIterator[_Probes]:
    found = _Probes()

    async def probe() -> None:
        while True:
            for path in _PROBES:
                before = _cpu(at.pid)
                found.besieged.append(await _probe(at.port, path))
                found.worked.append(_cpu(at.pid) - before)
                found.beside.append((await _probe(at.beside, path))[0])
            await asyncio.sleep(0.1)

    task = asyncio.create_task(probe())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _to_its_end(laid: Awaitable[None]) -> None:
    await laid


def _laid(name: str, many: int, port: int) -> int:
    """Lay a siege to its end, and return how many connections it made; this runs in the strangers' process."""
    lay, part = SIEGES[name]
    siege = Siege(port, max(20, round(many * part)))
    asyncio.run(_to_its_end(lay(siege)))
    return siege.made


async def besieged(name: str, many: int, at: Servers) -> Result:
    """Lay one siege to a server.

    Args:
        name: of the siege.
        many: the connections of all sieges.
        at: the servers.
    """
    memory, cpu = _memory(at.pid), _cpu(at.pid)
    async with _probing(at) as probes:
        made = await asyncio.get_running_loop().run_in_executor(at.strangers, _laid, name, many, at.port)
    answered = [took for took, right in probes.besieged if right]
    return Result(
        made,
        max(took for took, _ in probes.besieged),
        len(answered),
        len(probes.besieged) - len(answered),
        _memory(at.pid) - memory,
        max(probes.beside),
        (_cpu(at.pid) - cpu) / made,
        max(probes.worked),
    )


async def _all(many: int, only: str) -> int:
    bad = 0
    with servers() as at:
        for name in SIEGES:
            if only not in name:
                continue
            began = time.monotonic()
            found = await besieged(name, many, at)
            bad += not found.held
            print(
                f"{name}: {found.made} connections in {time.monotonic() - began:.0f} s, {found.probes} probes,"
                f" the slowest {found.slowest * 1_000:.0f} ms, for {found.worked * 1_000:.0f} ms of CPU time"
                f" ({found.beside * 1_000:.0f} ms of a server that nobody besieges), {found.wrong} without an answer,"
                f" {found.cpu * 1e6:.0f} us of CPU time a connection,"
                f" memory {found.grown / (1 << 20):+.0f} MiB, load {os.getloadavg()[0]:.1f}"
                f"{'' if found.held else ' NOT HELD'}",
                flush=True,
            )
    return bad


def main() -> int:
    """Lay all sieges; 1 if the server has not held one of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.strangers", description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000, help="at most (default: %(default)s)")
    parser.add_argument("--only", default="", help="the sieges whose names hold this text alone")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return 1 if asyncio.run(_all(given.connections, given.only)) else 0


if __name__ == "__main__":
    sys.exit(main())
