"""Whatever a command prints for people it prints as JSON where it is asked to, and nothing beside that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from streams.cli.main import main
from tests.e2e.harness.deployment import login
from tests.streams.cli.test_acts import run
from tests.streams.http.serving import TOKEN, an_incident, serving
from tests.streams.reports.logs import incident
from tests.support.oracle import NOON

NOW = ["--now", "2026-12-02T00:00:00Z"]
#: Commands that print what is no table and no answer, and why nobody needs that as JSON.
WITHOUT = {
    "completion": "prints what a shell reads",
    "dead-letters drop": "says by its status whether each was dropped",
    "dead-letters retry": "says by its status whether each is tried again",
    "demo": "plays; its topics, API and receivers have all as JSON",
    "exercise": "plays; its topics, API and receivers have all as JSON",
    "produce": "writes to a topic",
    "run": "runs; LOG_FORMAT=json",
    "simulate": "prints JSON anyway",
    "status-page": "writes files",
    "tail": "writes to a topic",
}


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def test_every_command_has_json_or_a_reason_why_not() -> None:
    without = {
        path
        for path, command in commands(main)
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == WITHOUT.keys()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    made = {
        "log.jsonl": b"\n".join(msgspec.json.encode(one) for one in incident("prod-1", 0, acked=2, over=20)),
        "events.jsonl": b"\n".join(login(str(n), at=NOON + 1_000 * n) for n in range(20)),
        "policy.yaml": b"severity: {severity_1_over: 40, severity_2_over: 50}\n",
        "tests.yaml": b'tests: [{name: calm, series: ["prod/sis/* sign_in success 1/s x 1m"],'
        b" absent: [{incidents: [{}]}]}]",
    }
    for name, text in made.items():
        (tmp_path / name).write_bytes(text)
    return {name: str(tmp_path / name) for name in made}


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        ("replay {events.jsonl}", {"type", "events", "accepted"}),
        ("lint {policy.yaml}", {"rule", "severity", "message", "file", "line"}),
        ("lint --rules", {"rule", "severity", "summary"}),
        (
            "explain prod-1 --log {log.jsonl}",
            {"incident", "scope", "began_at", "figures", "fired", "sections"},
        ),
        ("report mtta --month 2026-11 --log {log.jsonl}", {"data"}),
        ("incidents list --log {log.jsonl}", {"incident", "epoch", "scope", "severity", "opened_at"}),
        ("incidents show prod-1 --log {log.jsonl}", {"episodes", "similar", "rederived"}),
        ("incidents export --log {log.jsonl}", {"type", "at", "incident", "kind"}),
        ("policy explain", {"severities", "clocks", "runbooks"}),
        ("slo export", {"apiVersion", "kind", "metadata"}),
        ("map --list", set()),
        ("map keycloak {events.jsonl}", {"record"}),
        ("health", {"asked", "well", "said"}),
        ("test {tests.yaml}", {"type", "name", "passed", "failures", "timeline"}),
    ],
)
def test_what_a_reading_command_prints_is_json_with_these_keys(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch, arguments: str, keys: set[str]
) -> None:
    monkeypatch.setenv("WATCHOFFICER_PORT", "1")  # nobody serves there
    words = [files[one[1:-1]] if one.startswith("{") else one for one in arguments.split()]
    timed = ("replay", "explain", "report")
    shown = CliRunner().invoke(main, [*words, "--json", *(NOW if words[0] in timed else [])])
    assert keys <= set(_keys(shown.stdout)), shown.output


def _keys(text: str) -> Iterator[str]:
    """The keys of the last document: of its first object, where it is a list."""
    try:
        documents = [json.loads(text)]
    except ValueError:
        documents = [json.loads(line) for line in text.splitlines()]
    last: Any = documents[-1]
    yield from (last[0] if isinstance(last[0], dict) else {}) if isinstance(last, list) else last


async def test_what_was_accepted_and_what_is_kept_quiet_are_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHOFFICER_API_TOKEN", TOKEN)
    async with serving() as served:
        served.feed(an_incident(17))
        for words in (
            ["ack", "prod-17"],
            ["retire", "csp", "mhv"],
            ["mute", "add", "prod/sis", "2h", "--text", "T"],
        ):
            # the worker of this test logs to the same place
            accepted = json.loads((await run(served, *words, "--json")).stdout.splitlines()[-1])
            assert accepted["id"] in {one.id for one in served.submitted}
