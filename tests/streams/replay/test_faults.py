"""Which records `replay` names as rejected or late, where they stand, and when it says that nothing was judged."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from detectors.instants import DAY, HOUR, MINUTE, SECOND
from streams.cli.main import main
from streams.replay.entries import Spool
from streams.replay.places import NotedPlaces, PlacedEntries
from streams.replay.replay import Replay
from streams.replay.summary import FAULTS_SHOWN
from streams.settings.policy_file import default_policy
from tests.streams.events.strategies import event_bytes
from tests.support.oracle import NOON, written


def login(n: int, at: int = NOON, **fields: object) -> bytes:
    """The n-th event, ``n`` seconds after ``at``."""
    stated = {
        "event_id": f"e{n}",
        "occurred_at": written(at + n * SECOND),
        "user_hash": f"u{n}",
        "csp": "idme",
    }
    return event_bytes(**stated | fields)


def replay(*files: Path | str, stdin: bytes | None = None, more: tuple[str, ...] = ()) -> Result:
    arguments = ["replay", *map(str, files), "--now", written(NOON + HOUR), "--format", "jsonl", *more]
    return CliRunner().invoke(main, arguments, input=stdin)


def test_the_first_rejected_are_named_by_line_reason_and_what_to_send(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    good = [login(n) for n in range(10)]
    file.write_bytes(
        b"\n".join([good[0], b"", b"Zaphod", *good[1:], b" \r", login(11, env=["Zaphod"])]) + b"\n"
    )
    result = replay(file)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "2 rejected:",
        f"  {file}:3: not_json: send one JSON object in each record, nothing before or after it",
        f"  {file}:14: wrong_type: send env as a string, not as an array",
    ]
    assert "Zaphod" not in result.output


def test_of_many_rejected_the_first_are_shown(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"\n\n" + login(0) + b"\n"))
    (tmp_path / "b").write_bytes(b"\n".join([login(1), *[b"{}"] * 7]))
    result = replay(tmp_path / "a.gz", tmp_path / "b")
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[0] == f"7 rejected, the first {FAULTS_SHOWN}:"
    detail = "missing_field: send schema_version: it is missing or null"
    assert lines[1:] == [f"  {tmp_path}/b:{n}: {detail}" for n in range(2, 7)]


def test_partitions_of_a_dump_and_of_files_name_the_lines_of_their_files(tmp_path: Path) -> None:
    values = [login(0), b"{}", login(1), login(2, csp=7)]
    envelopes = [
        json.dumps(
            {"topic": "t", "partition": n % 2, "offset": n, "ts": NOON, "payload": value.decode()}
        ).encode()
        for n, value in enumerate(values)
    ]
    (tmp_path / "dump").write_bytes(b"\n".join([envelopes[0], b"", *envelopes[1:], b"no envelope"]))
    (tmp_path / "plain").write_bytes(b"\n" + login(3) + b"\n[]")
    result = replay(tmp_path / "dump", tmp_path / "plain", more=("--partitioned",))
    places = sorted(line.split(": ")[0].strip() for line in result.stderr.splitlines()[1:])
    assert places == [f"{tmp_path}/dump:{n}" for n in (3, 5, 6)] + [f"{tmp_path}/plain:3"]


def test_what_can_be_read_only_once_is_named_as_well(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("{}")
    more = ("--compare", str(tmp_path / "other.yaml"))
    result = replay("-", stdin=login(0) + b"\n{}\n", more=more)
    assert result.exit_code == 0
    assert result.stderr.count("standard input:2: missing_field") == 1


def test_records_of_a_topic_are_named_by_offset_and_marks_do_not_count() -> None:
    spool = Spool()
    for offset, value in ((17, login(0)), (20, b"{"), (21, login(1)), (40, None)):
        spool.append((NOON, value))
        spool.places.note(offset, "t/0, offset {}".format)
    run = Replay([spool.placed()], default_policy(), now=NOON)
    assert list(run.run()) == []
    assert [fault[:2] for fault in run.summary.first_rejected] == [
        ("t/0, offset 20", "not_json"),
        ("t/0, offset 40", "empty"),
    ]


@pytest.mark.parametrize("form", ["jsonl", "table"])
def test_where_nothing_is_accepted_it_is_said_why_and_what_to_do(form: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\n".join([b"ada@example.org signed in", b"{}", b"Ada"]))
    result = replay(tmp_path / "a", more=("--format", form))
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "3 rejected:",
        f"  {tmp_path}/a:1: not_json: send one JSON object in each record, nothing before or after it",
        f"  {tmp_path}/a:2: missing_field: send schema_version: it is missing or null",
        f"  {tmp_path}/a:3: not_json: send one JSON object in each record, nothing before or after it",
        "Nothing was judged: 3 of 3 records were rejected (2 not_json, 1 missing_field).",
        "What to do: give login events as JSON, one object in each line, or a dump of kcat -J; their schema is "
        "deploy/schemas/login-event.schema.json.",
    ]
    assert "ada" not in result.output.lower().replace(str(tmp_path).lower(), "")


@pytest.mark.parametrize(
    ("value", "reason", "remedy"),
    [
        (login(0, env=1), "wrong_type", "change the producer as the lines above say"),
        (login(0, at=NOON - 40 * DAY), "past", "compared with --now"),
        (login(0, at=NOON + 2 * HOUR), "future", "compared with --now"),
        (b"[]", "not_an_object", "one object in each line"),
    ],
)
def test_what_to_do_follows_from_the_most_frequent_reason(
    value: bytes, reason: str, remedy: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(value)
    result = replay(tmp_path / "a")
    assert result.exit_code == 2
    assert f"Nothing was judged: the only record was rejected (1 {reason})." in result.stderr
    assert remedy in result.stderr.splitlines()[-1]


def test_an_input_without_records_is_nothing_judged(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\n \n")
    result = replay(tmp_path / "a")
    assert result.exit_code == 2
    assert result.stderr.startswith("Nothing was judged: the input holds no record.\nWhat to do: give a file")


@pytest.mark.parametrize(("late", "status"), [(90, 2), (89, 0)])
def test_a_run_with_nearly_all_events_late_is_nothing_judged(late: int, status: int, tmp_path: Path) -> None:
    events = [login(n) for n in range(100 - late)]
    events += [login(n, at=NOON - 3 * MINUTE) for n in range(100, 100 + late // 2)]
    events += [login(n, at=NOON - 5 * HOUR) for n in range(200, 200 + late - late // 2)]
    (tmp_path / "a").write_bytes(b"\n".join(events))
    result = replay(tmp_path / "a")
    assert result.exit_code == status, result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert (summary["late"], summary["too_late"]) == (late // 2, late - late // 2)
    if not status:
        assert result.stderr == ""
        return
    lines = result.stderr.splitlines()
    assert lines[0].startswith(
        "Hardly anything was judged in time: of 100 accepted events 45 are late and 45 too late"
    )
    assert lines[1] == f"  {tmp_path}/a:11: late: it stands behind events that happened later"
    assert len(lines) == 2 + FAULTS_SHOWN
    assert lines[-1].startswith("What to do: give --sort, which reads files in the order of occurred_at")


def test_late_events_behind_copies_are_named_by_their_own_lines(tmp_path: Path) -> None:
    late = [login(n, at=NOON - 5 * HOUR) for n in range(20)]
    (tmp_path / "a").write_bytes(b"\n".join([login(0), login(0), b"{}", *late[1:]]))
    lines = replay(tmp_path / "a").stderr.splitlines()
    assert lines[1].startswith(f"  {tmp_path}/a:3: missing_field")
    assert lines[3] == f"  {tmp_path}/a:4: too_late: it stands behind events that happened later"


def test_iterating_over_placed_entries_is_iterating_over_the_entries() -> None:
    entries = iter([(None, b"1"), (None, b"2")])
    placed = PlacedEntries(entries, NotedPlaces())
    assert iter(placed) is entries
    assert next(placed) == (None, b"1")


def test_events_that_leave_out_what_judging_needs_are_told_with_what_to_map(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    silent: dict[str, Any] = {
        "user_hash": None,
        "flow_id": None,
        "csp": None,
        "env": "live",
        "auth_method": "saml",
    }
    file.write_bytes(b"\n".join(login(n, **silent) for n in range(500)))
    result = replay(file)
    assert result.exit_code == 0
    head, *lines = result.stderr.splitlines()
    looked = "250 of 500 events were looked at"
    assert head == f"This input can be read, but not judged well ({looked}; docs/sources.md):"
    assert [line.rpartition(": ")[2].split(",")[0] for line in lines] == [
        "map user_hash",
        "if it is production",
        "map auth_method",
        "map csp",
    ]
    assert "(but of live)" in lines[1]
    file.write_bytes(b"\n".join([*(login(n, **silent) for n in range(20)), login(20)]))
    assert replay(file).stderr == ""


def test_of_few_events_only_whose_they_are_is_told(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(login(0, user_hash=None, flow_id=None, csp=None, env="live"))
    assert [line.rpartition(": ")[2] for line in replay(file).stderr.splitlines()[1:]] == [
        "map user_hash, or flow_id"
    ]


def test_an_alias_of_an_environment_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(login(n, env="Production") for n in range(30)))
    assert replay(file).stderr == ""
