"""However early it is told to end, or whatever is wrong with its command line, it ends at once and says why."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from streams.kafka.embedded_broker import EmbeddedBroker
from tests.e2e.harness.worker import Worker, run_to_end, until

pytestmark = pytest.mark.e2e


async def test_a_worker_that_is_still_starting_ends_in_order(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    worker = Worker({"BROKER": embedded_broker.address, "TOPIC_PREFIX": topic_prefix}, tmp_path / "log")
    worker.start()
    try:

        async def joins() -> bool:
            return "topics_created" in worker.said()

        await until(joins, 40.0, "the first group", worker)
        status, seconds = await worker.stop()
    finally:
        worker.kill()
    assert status == 0, worker.said()[-3000:]
    assert seconds < 10


async def test_a_broker_that_is_not_there_is_waited_for_until_the_end(tmp_path: Path) -> None:
    worker = Worker({"BROKER": "127.0.0.1:1"}, tmp_path / "log")
    worker.start()
    try:

        async def waits() -> bool:
            return "broker_unavailable" in worker.said()

        await until(waits, 40.0, "the first attempt", worker)
        status, seconds = await worker.stop()
    finally:
        worker.kill()
    assert status == 0
    assert seconds < 10


@pytest.mark.parametrize("role", ["all", "guard"])
@pytest.mark.parametrize("held_before", [False, True])
async def test_a_broker_that_answers_nothing_holds_up_no_end(
    topic_prefix: str, tmp_path: Path, role: str, *, held_before: bool
) -> None:
    with EmbeddedBroker() as broker:
        settings = {"BROKER": broker.address, "TOPIC_PREFIX": topic_prefix}
        worker = Worker(settings, tmp_path / "log", "--role", role)
        assert broker.pid is not None
        try:
            if not held_before:
                worker.start()

                async def joined() -> bool:
                    status, body = await worker.get("/readyz")
                    return status == 200 if role == "all" else status > 0 and "not been read" not in str(body)

                await until(joined, 60.0, "readiness", worker)
            os.kill(broker.pid, signal.SIGSTOP)
            if held_before:
                worker.start()

            async def serves() -> bool:
                return (await worker.get("/healthz"))[0] == 200

            await until(serves, 40.0, "HTTP", worker)
            await asyncio.sleep(2.0)
            status, seconds = await worker.stop()
        finally:
            worker.kill()
            os.kill(broker.pid, signal.SIGCONT)
    assert status == 0, worker.said()[-3000:]
    assert seconds < 9.5  # the rest of ten seconds is for a machine that is busier than this one


class Door:
    """The broker's address for those who only begin: it lets some in, sends some away, and then lets all in."""

    def __init__(self, broker: str, let_in: int, sent_away: int) -> None:
        self._host, _, port = broker.partition(":")
        self._port = int(port)
        self._let_in, self._until = let_in, let_in + sent_away
        self.knocks = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.knocks += 1
        try:
            if self._let_in < self.knocks <= self._until:
                return
            inside, outside = await asyncio.open_connection(self._host, self._port)
            await asyncio.gather(_passed_on(reader, outside), _passed_on(inside, writer))
        finally:
            writer.close()


async def _passed_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    try:
        while some := await source.read(1 << 16):
            to.write(some)
            await to.drain()
    except ConnectionError:
        pass
    finally:
        to.close()


async def test_a_broker_that_goes_away_while_a_worker_starts_is_waited_for_too(
    embedded_broker: EmbeddedBroker, topic_prefix: str, tmp_path: Path
) -> None:
    door = Door(embedded_broker.address, let_in=2, sent_away=4)
    server = await asyncio.start_server(door.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    worker = Worker({"BROKER": f"{host}:{port}", "TOPIC_PREFIX": topic_prefix}, tmp_path / "log")
    async with server:
        worker.start()
        try:
            await worker.ready(60.0)
            assert "broker_unavailable" in worker.said()
            status, seconds = await worker.stop()
        finally:
            worker.kill()
    assert status == 0, worker.said()[-3000:]
    assert seconds < 10


async def test_a_port_that_is_taken_is_one_line_and_nothing_is_started(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    settings = {"BROKER": embedded_broker.address, "TOPIC_PREFIX": topic_prefix, "LOG_FORMAT": "json"}
    settings |= {"PAGERDUTY__ROUTING_KEY": "x" * 32, "DATADOG__API_KEY": "x", "DATADOG__APP_KEY": "x"}
    settings |= {"PAGERDUTY__WEBHOOK_SECRET": "x", "SLACK__TOKEN": "x", "SLACK__CHANNEL": "C0"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, told = await asyncio.to_thread(run_to_end, settings, "run", "--port", str(port))
    assert status == 2
    # Which receivers are off is told first, in JSON.
    said = [line for line in told.splitlines() if not line.startswith("{")]
    assert said == [f"127.0.0.1 port {port}: Address already in use; choose another with --port"]
