"""Lines by HTTP: acknowledged before they are accepted, named alike when they come again, bounded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
from pydantic import SecretStr

from streams.runtime.health import Health
from streams.runtime.progress import Progress
from streams.tail.delivery import Line
from streams.tail.http_door import HttpDoor
from streams.watchdog.announcer import Announcer
from streams.watchdog.watchdog import Watchdog, WatchdogTime

TOKEN = {"Authorization": "Bearer hunter2"}


class Given:
    """A door, and what came through it."""

    client: httpx.AsyncClient

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.aside: Counter[str] = Counter()
        self.free = asyncio.Event()
        self.free.set()
        times = WatchdogTime(clock=lambda: 0, monotonic=lambda: 0.0)
        watchdog = Watchdog(
            Progress(times.monotonic),
            Health(times.monotonic),
            Announcer([], times.monotonic),
            blind_after=60,
            times=times,
        )
        self.door = HttpDoor(
            "127.0.0.1",
            0,
            self._deliver,
            lambda why, count: self.aside.update({why: count}),
            token=SecretStr("hunter2"),
            report=watchdog.report,
            patience=0.01,
        )

    async def _deliver(self, lines: Sequence[Line]) -> int:
        await self.free.wait()
        self.lines += lines
        return len(lines)


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    one = Given()
    await one.door.start()
    running = asyncio.create_task(one.door.run())
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{one.door.port}", trust_env=False, verify=False
    ) as one.client:
        yield one
    one.free.set()
    await one.door.stop()
    await running


async def post(given: Given, body: bytes, **headers: str) -> httpx.Response:
    return await given.client.post("/ingest", content=body, headers={**TOKEN, **headers})


async def test_lines_are_accepted_once_they_are_acknowledged(given: Given) -> None:
    answer = await post(given, b'{"a":1}\n\n{"a":2}')
    assert answer.status_code == 202
    assert answer.json() == {"lines": 2, "records": 2, "too_long": 0}
    assert [line.text for line in given.lines] == [b'{"a":1}', b'{"a":2}']


async def test_a_body_that_comes_again_is_named_alike_and_another_is_not(given: Given) -> None:
    for body in (b"one\ntwo", b"one\ntwo", b"one\nthree"):
        await post(given, body)
    names = [line.position for line in given.lines]
    assert names[:2] == names[2:4]
    assert not set(names[:2]) & set(names[4:])


async def test_the_client_s_key_names_its_lines(given: Given) -> None:
    for key in ("first", "second", "first"):
        await post(given, b"one", **{"Idempotency-Key": key})
    first, second, again = (line.position for line in given.lines)
    assert first == again != second


async def test_without_the_broker_s_answer_the_client_keeps_its_lines(given: Given) -> None:
    given.free.clear()
    for _ in range(16):
        answer = await post(given, b"one")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    answer = await post(given, b"one")  # the others still wait
    assert answer.json()["error"]["message"].startswith("too many requests wait")
    given.free.set()
    while len(given.lines) < 16:
        await asyncio.sleep(0)
    assert (await post(given, b"one")).status_code == 202


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Authorization": "Bearer wrong"}, b"x", 401),
        ({"Content-Encoding": "gzip"}, b"x", 415),
        ({"Idempotency-Key": "\x7f"}, b"x", 400),
    ],
)
async def test_what_is_not_taken_is_no_line(
    given: Given, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert (await post(given, body, **headers)).status_code == status
    assert given.lines == []


async def test_a_line_that_is_too_long_is_counted_and_the_others_come(given: Given) -> None:
    answer = await post(given, b"x" * (600 << 10) + b"\nshort")
    assert answer.json() == {"lines": 1, "records": 1, "too_long": 1}
    assert given.aside["too long"] == 1
