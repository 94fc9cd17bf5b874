"""`watchofficer report` and `watchofficer incidents`, as a user calls them on recorded lines."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from streams.cli.main import main
from tests.streams.reports.logs import incident, line

NOW = ["--now", "2026-12-02T00:00:00Z"]


@pytest.fixture
def log(tmp_path: Path) -> str:
    lines = [
        *incident("prod-1", 0, acked=2, over=20),
        *incident("prod-2", 60, acked=None, over=30),
        {"type": "refused", "at": "2026-11-10T15:00:00Z", "incident": None, "kind": "note", "reason": "no"},
        line("note", 3, by="Bo", reason="Called IAM."),
    ]
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(one) for one in lines))
    return str(file)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_the_response_times_of_a_month_from_a_file(log: str) -> None:
    found = ran("report", "mtta", "--month", "2026-11", "--log", log, "--format", "json", *NOW)
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["data"]["time_to_acknowledge_seconds"]["mean"] == 120


def test_what_replay_prints_can_be_reported_on(tmp_path: Path) -> None:
    file = tmp_path / "replay.jsonl"
    states = [(None, "open", 0), ("open", "acknowledged", 4), ("acknowledged", "recovering", 9)]
    states += [("recovering", "resolved", 24), ("resolved", "open", 30), ("open", "open", 31)]
    lines = [
        {**line("transition", at), "from": before, "to": after, "severity": 1 if at == 31 else 2}
        for before, after, at in states
    ]
    lines.append({"type": "summary", "events": 9, "at": "2026-11-10T15:00:00Z"})
    file.write_bytes(b"\n".join(msgspec.json.encode(one) for one in lines))
    found = json.loads(ran("incidents", "list", "--log", str(file), "--format", "json").stdout)
    assert [(one["epoch"], one["peak_severity"], one["resolved_at"]) for one in found] == [
        (0, 2, "2026-11-10T15:24:00Z"),
        (1, 1, None),
    ]
    assert found[0]["acknowledged_at"] == "2026-11-10T15:04:00Z"


def test_incidents_are_listed_shown_and_exported(log: str) -> None:
    listed = ran("incidents", "list", "--log", log)
    assert "prod-1" in listed.stdout
    assert "prod-2" in listed.stdout
    assert max(map(len, listed.stdout.splitlines())) <= 80
    shown = ran("incidents", "show", "prod-1", "--log", log)
    assert "Called IAM." in shown.stdout
    exported = ran("incidents", "export", "prod-2", "--log", log)
    assert {json.loads(one)["incident"] for one in exported.stdout.splitlines()} == {"prod-2"}
    again = ran("incidents", "list", "--log", log, "--since", "2026-11-10T15:30:00Z")
    assert "prod-1" not in again.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "mtta", "--month", "2026-13"], "write a month as YYYY-MM"),
        (["report", "mtta", "--month", "2026-11", "--from", "2026-11-01T00:00:00Z"], "either --month"),
        (["report", "mtta", "--to", "2026-11-01T00:00:00Z"], "give --from as well"),
        (["report", "postmortem"], "name the incident"),
        (
            ["report", "postmortem", "--incident", "prod-9"],
            "no incident prod-9 in the log; the last ones are: prod-1",
        ),
        (["incidents", "show", "prod-9"], "there is no incident prod-9"),
    ],
)
def test_what_cannot_be_reported_is_said_in_a_line(log: str, arguments: list[str], said: str) -> None:
    found = ran(*arguments, "--log", log)
    assert found.exit_code == 2
    assert said in found.stderr
    assert "Traceback" not in found.output


def test_a_log_without_an_incident_says_so(tmp_path: Path) -> None:
    file = tmp_path / "empty.jsonl"
    file.write_text("")
    found = ran("incidents", "list", "--log", str(file))
    assert (found.exit_code, found.stdout) == (0, "No incident.\n")
    assert ran("incidents", "list", "--log", str(file), "--format", "json").stdout.strip() == "[]"


def test_a_file_that_is_no_log_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text('{"no": "line"}\n')
    found = ran("report", "mtta", "--log", str(file))
    assert found.exit_code == 2
    assert f"{file}:1: not a line of the incident log" in found.stderr
