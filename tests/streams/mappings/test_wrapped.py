"""What stands around records in files and topics as people have them: envelopes, byte-order marks, whole documents."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from streams.cli.main import main
from streams.mappings.mapping import RecordMapping
from streams.mappings.shipped import load_mapping
from streams.replay.entries import SourceError
from streams.replay.files import open_lines
from tests.streams.mappings.samples import sis

LINE = json.dumps(sis("callback error", type="idme", client_id="vaweb", error_code="007"))
KEYCLOAK = load_mapping("keycloak")
EVENTS = [{"id": f"k{n}", "time": 1_790_000_000_000 + n, "type": "LOGIN"} for n in range(3)]


@pytest.fixture(scope="module")
def mapping() -> RecordMapping:
    return load_mapping("vets-api-sis")


@pytest.mark.parametrize(
    "wrapped",
    [
        "\ufeff" + LINE,
        json.dumps({"log": LINE + "\n", "stream": "stdout", "time": "2026-11-23T15:04:05.2Z"}),
        "2026-11-23T15:04:05.223456789Z stdout F " + LINE,
        "<134>1 2026-11-23T15:04:05Z host vets-api 1 - - " + LINE,
        json.dumps({"detail-type": "a line", "source": "vets", "detail": json.loads(LINE)}),
    ],
    ids=["byte-order mark", "docker", "cri", "syslog", "eventbridge"],
)
def test_what_a_runtime_puts_around_a_line_is_taken_off(mapping: RecordMapping, wrapped: str) -> None:
    expected = mapping.made(LINE.encode(), "t/0/0").events
    assert len(expected) == 1
    assert mapping.made(wrapped.encode(), "t/0/0").events == expected


def test_a_line_of_rails_in_plain_text_has_its_time_and_its_request(mapping: RecordMapping) -> None:
    said = "I, [2026-11-23T15:04:05.123456 #7]  INFO -- : [0a1b2c3d-1] [SignInService] [V0::SignInController] callback"
    (event,) = map(json.loads, mapping.made(f'{said} -- {{ :type => "idme" }}'.encode(), "t/0/0").events)
    assert event["occurred_at"] == "2026-11-23T15:04:05.123Z"
    assert (event["event_id"], event["csp"]) == ("0a1b2c3d-1:callback", "idme")


def test_an_array_of_too_many_events_is_rejected_rather_than_cut() -> None:
    okta = load_mapping("okta")
    many: list[Any] = [{}] * 10_001
    for record in (many, {"data": {"events": many}}):
        assert "more than 10,000" in (okta.made(json.dumps(record).encode(), "t/0/0").unreadable or "")


@given(st.integers(1_000_000_000, 4_000_000_000))
def test_a_number_of_seconds_is_no_time_in_milliseconds(second: int) -> None:
    for time, known in ((second, False), (second * 1_000, True)):
        made = KEYCLOAK.made(json.dumps(EVENTS[0] | {"time": time}).encode(), "t/0/0")
        assert ("occurred_at" in json.loads(made.events[0])) is known


def read(file: Path) -> list[Any]:
    with open_lines(str(file)) as lines:
        return [json.loads(line) for line in lines]


LINES = "".join(json.dumps(one) + "\n" for one in EVENTS).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("crlf.jsonl", b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n")),
        ("packed-without-a-suffix", gzip.compress(LINES, mtime=0)),
        ("pretty.json", json.dumps(EVENTS, indent=2).encode()),
        ("array.json", b"[" + b",\n".join(LINES.splitlines()) + b"]\n"),
    ],
)
def test_a_file_yields_its_records_however_it_was_exported(tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert read(file) == EVENTS


def test_the_one_array_in_an_exported_object_yields_an_object_for_each_element(tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps({"count": 3, "Records": EVENTS}, indent=1))
    assert read(file) == [{"count": 3, "Records": [one]} for one in EVENTS]
    whole = {"specversion": "1.0", "type": "login", "data": EVENTS[0], "tags": [1, 2]}
    file.write_text(json.dumps(whole, indent=1))
    assert read(file) == [whole]


@pytest.mark.parametrize("first", ['{"id": "cut off",', "[", '{"a": [', json.dumps(["x" * (600 << 10)])])
def test_a_first_line_that_only_begins_like_a_document_costs_no_other(tmp_path: Path, first: str) -> None:
    file = tmp_path / "cut.jsonl"
    file.write_text(first + "\n" + LINES.decode())
    with open_lines(str(file)) as lines:
        assert [*lines][1:] == LINES.splitlines()


def test_utf_16_is_refused_with_what_converts_it(tmp_path: Path) -> None:
    file = tmp_path / "powershell.json"
    file.write_text(json.dumps(EVENTS), encoding="utf-16")
    with pytest.raises(SourceError, match="iconv -f UTF-16"):
        read(file)


def test_an_element_of_a_document_is_named_where_it_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps([EVENTS[0], EVENTS[1] | {"time": None}], indent=2))
    found = CliRunner().invoke(
        main, ["replay", "--mapping", "keycloak", str(file), "--now", "2026-09-21T15:00:00Z"]
    )
    assert f"{file}: element 2" in found.stderr


def test_an_export_that_comes_newest_first_is_judged_in_the_order_of_time(tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    events = [{"id": f"k{n}", "time": 1_790_000_000_000 + n * 60_000, "type": "LOGIN"} for n in range(200)]
    file.write_text(json.dumps(events[::-1], indent=1))
    arguments = [
        "replay",
        "--mapping",
        "keycloak",
        str(file),
        "--now",
        "2026-09-21T18:00:00Z",
        "--format",
        "jsonl",
    ]
    for options, late in ((["--sort"], 0), ([], 199)):
        found = CliRunner().invoke(main, [*arguments, *options])
        summary = json.loads(found.stdout.splitlines()[-1])
        assert (summary["accepted"], summary["late"] + summary["too_late"]) == (200, late)
