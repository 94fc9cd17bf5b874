"""Alertmanager, the one of Debian, shows an incident as an alert that stands for as long as the incident does."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from pydantic import SecretStr

from detectors.incidents import Command
from detectors.instants import MINUTE, parse_instant
from sinks.receivers.alertmanager.client import Alertmanager
from sinks.receivers.alertmanager.config import AlertmanagerSettings
from sinks.receivers.alertmanager.wording import HOLD, alert, ended
from sinks.receivers.answers import Delivered, Refused, Retry
from streams.settings.settings import SettingsError, read_settings
from tests.sinks.samples import NAMES, command, commands, incident

ACTIONS = ("open", "update", "resolve")
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


def now() -> int:
    return time.time_ns() // 1_000_000


def said(action: str = "open", kind: str = "opened", **about: Any) -> Command:
    at = now()
    fields = {"first_bad_at": at - 30_000, "opened_at": at - 10_000, "updated_at": at, **about}
    return command("alertmanager", action, kind=kind, at=at, incident=incident(**fields))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a running Alertmanager."""
    if PROGRAM is None:
        if os.environ.get("CI"):
            pytest.fail("prometheus-alertmanager is not installed")
        pytest.skip("prometheus-alertmanager is not installed")
    folder = tmp_path_factory.mktemp("alertmanager")
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            PROGRAM,
            f"--config.file={config}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                if httpx.get(f"{url}/-/ready", trust_env=False, verify=False).is_success:
                    break
            except httpx.TransportError:
                pass
            assert process.poll() is None
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def client(http: httpx.AsyncClient, *urls: str, clock: Any = now, **more: Any) -> Alertmanager:
    return Alertmanager(http, urls=urls, names=NAMES, clock=clock, **more)


class Receipts:
    """What earlier deliveries brought."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def __call__(self, sink: str) -> Mapping[str, str]:
        return self.known


async def firing(http: httpx.AsyncClient, server: str, incident_id: str) -> list[dict[str, Any]]:
    """The alerts of an incident that stand."""
    answer = await http.get(f"{server}/api/v2/alerts", params={"filter": f'incident="{incident_id}"'})
    found: list[dict[str, Any]] = answer.json()
    return [
        one for one in found if one["status"]["state"] != "resolved" and parse_instant(one["endsAt"]) > now()
    ]


async def test_an_outage_from_opening_to_end(http: httpx.AsyncClient, server: str) -> None:
    watch, receipts = client(http, server), Receipts()
    for command_, severity in (
        (said(id="prod-1"), "critical"),
        (said("update", "severity", id="prod-1", severity=2), "error"),
    ):
        answer = await watch.send(command_, receipts)
        assert isinstance(answer, Delivered), answer
        receipts.known = answer.receipt
        (standing,) = await firing(http, server, "prod-1")  # the alert with the old labels has ended
        assert standing["labels"] == {
            "alertname": "SignInIncident",
            "incident": "prod-1",
            "epoch": "0",
            "env": "prod",
            "scope": "prod/ssoe",
            "auth_method": "ssoe",
            "severity": severity,
            "sla_severity": {"critical": "1", "error": "2"}[severity],
        }
        assert standing["annotations"]["runbook_url"] == "https://runbooks.example/ssoe"
        assert standing["generatorURL"] == "https://watch.example/incidents/prod-7"
        assert 4 * MINUTE < parse_instant(standing["endsAt"]) - now() <= HOLD
    over = said("resolve", "resolved", id="prod-1", severity=2, state="resolved", resolved_at=now())
    assert isinstance(await watch.send(over, receipts), Delivered)
    await asyncio.sleep(0.05)
    assert await firing(http, server, "prod-1") == []


async def test_an_alert_is_sent_again_for_as_long_as_its_incident_is_open(
    http: httpx.AsyncClient, server: str
) -> None:
    at = now()
    watch = client(http, server, clock=lambda: at)
    assert isinstance(await watch.send(said(id="prod-2"), Receipts()), Delivered)
    (before,) = await firing(http, server, "prod-2")
    at += MINUTE
    assert await watch.refresh() is None
    (after,) = await firing(http, server, "prod-2")
    assert parse_instant(after["endsAt"]) - parse_instant(before["endsAt"]) == MINUTE
    assert after["startsAt"] == before["startsAt"]
    assert after["labels"] == before["labels"]


async def test_after_a_restart_the_outbox_says_which_alerts_stand(
    http: httpx.AsyncClient, server: str
) -> None:
    watch = client(http, server)
    for one in (
        said(id="prod-3"),
        said(id="prod-4"),
        said("resolve", "resolved", id="prod-4", state="resolved"),
    ):
        watch.remember(one)
    assert await watch.refresh() is None
    assert len(await firing(http, server, "prod-3")) == 1
    assert await firing(http, server, "prod-4") == []
    watch.forget(lambda incident_id: incident_id == "prod-3")
    requests: list[object] = []
    http.event_hooks = {"request": [_noted(requests)]}
    assert await watch.refresh() is None
    assert requests == []


def _noted(requests: list[object]) -> Any:
    async def note(request: httpx.Request) -> None:
        requests.append(request)

    return note


async def test_of_a_cluster_each_peer_gets_the_alert_and_one_that_is_away_holds_nothing_up(
    http: httpx.AsyncClient, server: str
) -> None:
    watch = client(http, "http://127.0.0.1:1", server)
    assert isinstance(await watch.send(said(id="prod-5"), Receipts()), Delivered)
    assert len(await firing(http, server, "prod-5")) == 1
    alone = await client(http, "http://127.0.0.1:1").send(said(id="prod-5"), Receipts())
    assert isinstance(alone, Retry)
    assert alone.kind == "connect"


async def test_what_an_answer_means() -> None:
    for status, outcome in ((200, Delivered), (400, Refused), (401, Refused), (429, Retry), (503, Retry)):

        def answer(request: httpx.Request, status: int = status) -> httpx.Response:
            assert request.headers["Authorization"].startswith("Basic ")
            return httpx.Response(status, text="hunter2")

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            watch = client(http, "https://am.example", user="u", password=SecretStr("hunter2"))
            said_back = await watch.send(said(), Receipts())
        assert isinstance(said_back, outcome)
        assert isinstance(said_back, Delivered) or "hunter2" not in said_back.why


async def test_the_server_takes_every_alert_whatever_people_write(
    http: httpx.AsyncClient, server: str
) -> None:
    alerts: list[dict[str, Any]] = []

    @given(commands("alertmanager", ACTIONS))
    def draw(drawn: Command) -> None:
        alerts.append(alert(drawn, now=now(), names=NAMES))
        alerts.append(ended(alerts[-1]["labels"], since=drawn.incident.first_bad_at, now=now()))

    draw()
    answer = await http.post(f"{server}/api/v2/alerts", json=alerts)
    assert answer.status_code == 200, answer.text
    wrong = await http.post(f"{server}/api/v2/alerts", json=[{**alerts[0], "labels": {}}])
    assert wrong.status_code == 400  # it does look


def test_settings_name_all_peers() -> None:
    settings = read_settings({"WATCHOFFICER_ALERTMANAGER__URLS": "https://am-1:9093, https://am-2:9093"})
    assert settings.sinks() == {"alertmanager"}
    for wrong in (
        "am-1:9093",
        "http://am.example:9093",
        "https://u:p@am.example",  # pragma: allowlist secret
    ):
        with pytest.raises(SettingsError, match="peer"):
            read_settings({"WATCHOFFICER_ALERTMANAGER__URLS": wrong})


def test_of_alerts_that_wait_the_last_one_is_enough() -> None:
    assert AlertmanagerSettings.overtaken(said(), [said("update", "severity")]) == "superseded"
    assert AlertmanagerSettings.overtaken(said(), []) is None
