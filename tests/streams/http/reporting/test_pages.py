"""The reports of a month over HTTP: made by a process, one at a time, and kept for a while."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from detectors.instants import MINUTE, SECOND
from detectors.policy.policy import Policy
from streams.http.reporting.pages import ReportPages, command_of, months_of
from streams.http.responses import answered
from streams.kafka.admin import create_missing
from streams.kafka.embedded_broker import EmbeddedBroker
from streams.kafka.topics import Topics
from streams.settings.policy_file import default_policy, read_policy
from tests.streams.http.serving import NOW, HttpSettings, Serving, an_incident

Client = TestClient[web.Request, web.Application]


class Program:
    """A program that writes down that it was run, and then does what it is told."""

    def __init__(self, folder: Path, then: str) -> None:
        self.runs, self._then = folder / "runs", then
        self.runs.write_text("")

    def __call__(self, kind: str, month: str, now: int) -> tuple[list[str], dict[str, str]]:
        script = (
            f"import sys, time\nopen({str(self.runs)!r}, 'a').write({kind + month!r} + '\\n')\n{self._then}"
        )
        return [sys.executable, "-S", "-c", script], {}

    def count(self) -> int:
        return self.runs.read_text().count("\n")


@asynccontextmanager
async def serving(
    command: Callable[[str, str, int], Any],
    *,
    now: Callable[[], int] = lambda: NOW,
    policy: Callable[[], Policy] = default_policy,
    patience: float = 60.0,
) -> AsyncIterator[Client]:
    application = web.Application()
    pages = ReportPages(command, policy, now, patience=patience)
    application.add_routes([web.get(path, answered(handler)) for _, path, handler in pages.table()])
    async with TestClient(TestServer(application)) as client:
        yield client


async def status_of(client: Client, path: str) -> int:
    async with client.get(path) as response:
        await response.read()
        return response.status


async def test_the_command_makes_the_page_which_loads_nothing_but_its_style(
    embedded_broker: EmbeddedBroker, topic_prefix: str
) -> None:
    settings = HttpSettings(broker=(embedded_broker.address,), topic_prefix=topic_prefix)
    await create_missing(Topics(topic_prefix), {"bootstrap_servers": embedded_broker.address})
    path = "/reports/2026-11/mtta"
    async with serving(lambda *given: command_of(settings, *given)) as client, client.get(path) as response:
        text, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert response.status == 200
    assert "<h1>" in text
    assert "2026-11" in text
    style = re.findall(r"style-src ('sha256-[^']+')", policy)
    assert style == re.findall(r"style-src ('sha256-[^']+')", text)
    assert "unsafe-inline" not in policy + text
    assert not re.search(r"<script|\son\w+=|\sstyle=", text)


async def test_a_report_is_made_by_the_policy_that_is_in_force(tmp_path: Path) -> None:
    program = Program(tmp_path, "print(sys.stdin.read())")
    other = read_policy("time_zone: Europe/Paris\n", "test.yaml")
    async with (
        serving(program, policy=lambda: other) as client,
        client.get("/reports/2026-11/sla") as response,
    ):
        assert read_policy(await response.text(), "what the process was given") == other


async def test_readers_share_a_process_until_a_minute_has_passed(tmp_path: Path) -> None:
    program, now = Program(tmp_path, "print('<style>a</style>')"), [NOW]
    async with serving(program, now=lambda: now[0]) as client:
        paths = ["/reports/2026-11/mtta"] * 4
        assert await asyncio.gather(*(status_of(client, path) for path in paths)) == [200] * 4
        now[0] += MINUTE - SECOND
        assert await status_of(client, paths[0]) == 200
        assert program.count() == 1
        now[0] += SECOND
        assert await status_of(client, paths[0]) == 200
        assert program.count() == 2


@pytest.mark.parametrize(
    "path", ["/reports/2026-12/mtta", "/reports/2026-13/sla", "/reports/x/sla", "/reports/2026-11/x"]
)
async def test_what_is_no_month_or_no_report_runs_nothing(tmp_path: Path, path: str) -> None:
    program = Program(tmp_path, "print(1)")
    async with serving(program) as client:
        assert await status_of(client, path) == 404
        assert await status_of(client, "/reports/2026-11/sla?env=dev") == 400
    assert program.count() == 0


@pytest.mark.parametrize(
    "then",
    [
        pytest.param("sys.exit(2)", id="fails"),
        pytest.param("pass", id="prints nothing"),
        pytest.param("while True: print('x' * 1_000_000)", id="never ends printing"),
    ],
)
async def test_a_report_that_cannot_be_made_is_told_with_the_command_that_says_why(
    tmp_path: Path, then: str
) -> None:
    async with serving(Program(tmp_path, then)) as client, client.get("/reports/2026-11/sla") as response:
        told = (await response.json())["error"]["message"]
    assert (response.status, response.headers["Retry-After"]) == (503, "60")
    assert "watchofficer report sla --month 2026-11" in told


async def test_a_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    async with serving(Program(tmp_path, "time.sleep(600)"), patience=0.0) as client:
        assert await status_of(client, "/reports/2026-11/sla") == 503


async def test_history_links_the_months_that_have_reports(served: Serving) -> None:
    served.feed(an_incident())
    async with served.client.get("/history") as response:
        text = await response.text()
    assert 'href="/reports/2026-11/mtta"' in text
    assert 'href="/reports/2026-11/sla"' in text


def test_service_levels_are_linked_as_far_as_days_are_told() -> None:
    old = an_incident(opened_at=NOW - 900 * 24 * 60 * MINUTE)
    elsewhere = an_incident(env="staging", opened_at=NOW - 100 * 24 * 60 * MINUTE)
    assert months_of([old, elsewhere], NOW, "America/New_York") == [
        ("2026-11", True),
        ("2026-10", True),
        ("2024-06", False),
    ]


def test_the_broker_is_handed_on() -> None:
    settings = HttpSettings(broker=("a:1", "b:2"), topic_prefix="x.")
    command, env = command_of(settings, "sla", "2026-11", NOW)
    assert command[3:] == [
        "report", "sla", "--month", "2026-11", "--format", "html", "--now", "2026-11-23T15:05:00Z",
        "--policy", "/dev/stdin",
    ]  # fmt: skip
    assert (env["WATCHOFFICER_BROKER"], env["WATCHOFFICER_TOPIC_PREFIX"]) == ("a:1,b:2", "x.")
