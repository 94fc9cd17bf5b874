"""`watchofficer map` and `--mapping`, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.cli.main import main
from tests.streams.mappings.samples import sis

NOW = ["--now", "2026-11-23T16:00:00Z"]
MINUTE = 60


def ran(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, list(arguments))


def log_of_an_outage(tmp_path: Path) -> Path:
    """Half an hour of lines; id.me fails from the tenth to the twentieth minute, all else is well."""
    lines: list[dict[str, Any]] = []
    for second in range(30 * MINUTE):
        for csp in ("idme", "logingov"):
            fails = csp == "idme" and 10 * MINUTE <= second < 20 * MINUTE
            words, more = (
                ("callback error", {"errors": "x", "error_code": "007"}) if fails else ("callback", {})
            )
            at = f"2026-11-23T15:{second // MINUTE:02d}:{second % MINUTE:02d}.000Z"
            line = sis(words, type=csp, client_id="vaweb", icn=f"{csp}{second}", **more)
            lines.append({**line, "timestamp": at, "request_id": f"{csp}-{second}"})
        lines.append({"timestamp": at, "message": "Completed 200 OK"})
    file = tmp_path / "production.log"
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


def test_replay_finds_the_outage_in_a_producer_s_own_lines(tmp_path: Path) -> None:
    file = log_of_an_outage(tmp_path)
    found = ran("replay", "--mapping", "vets-api-sis", str(file), "--format", "jsonl", *NOW)
    assert found.exit_code == 0, found.output
    objects = [json.loads(line) for line in found.stdout.splitlines()]
    (opened,) = (one for one in objects if one["type"] == "transition" and one["from"] is None)
    assert opened["scope"] in ("prod/*/idme", "prod/sis/idme")
    assert "2026-11-23T15:10:" in opened["at"]
    assert objects[-1]["accepted"] == 3_600
    assert "3,600 events of 5,400 records" in found.stderr
    assert "other-lines (1,800)" in found.stderr
    assert "no secret" in found.stderr


def test_what_cannot_be_read_is_rejected_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "odd.log"
    good = json.dumps({"id": "1", "time": 1763910245123, "type": "LOGIN"})
    file.write_text(f"{good}\nno json\n{good.replace('1763910245123', '[]')}\n")
    found = ran("replay", "--mapping", "keycloak", str(file), "--now", "2025-11-23T16:00:00Z")
    assert f"{file}:2" in found.stderr
    assert f"{file}:3" in found.stderr


def test_map_shows_what_becomes_of_each_record(tmp_path: Path) -> None:
    file = tmp_path / "some.log"
    lines = [sis("callback", icn="1V2"), sis("brand new thing"), sis("attribute validator error")]
    file.write_text("\n".join([*map(json.dumps, lines), "no json of this", '{"broken":']))
    found = ran("map", "vets-api-sis", str(file), "--format", "json")
    assert found.exit_code == 0
    told = [json.loads(line) for line in found.stdout.splitlines()]
    assert told[0]["event"]["step"] == "callback"
    assert [one.get("skipped") for one in told[1:3]] == ["unlisted", "attribute-validator"]
    assert told[3] == {"record": 3, "skipped": "unmatched", "shape": "no json of this"}
    assert told[4] == {"record": 4, "rejected": "not JSON"}
    assert "no rule knows: [SignInService] # brand new thing (1)" in found.stderr
    assert "never found: " in found.stderr
    assert "1V2" not in found.output


def test_a_mapping_of_which_nothing_comes_is_status_1_and_2_without_a_record(tmp_path: Path) -> None:
    file = tmp_path / "other.log"
    file.write_text('{"message": "nothing"}\n')
    assert ran("map", "vets-api-sis", str(file)).exit_code == 1
    file.write_text("")
    found = ran("map", "vets-api-sis", str(file))
    assert found.exit_code == 2
    assert "What to do: give records as the producer writes them" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["map", "no-such-mapping", "x"], "mappings that ship: auth0"),
        (["map"], "Missing argument 'MAPPING'"),
        (["map", "keycloak"], "Missing argument 'EVENTS...'"),
        (["replay", "--mapping", "no-such", "x"], "mappings that ship"),
        (["produce", "--mapping", "keycloak", "x"], "WATCHOFFICER_HASH_KEY must be set"),
    ],
)
def test_what_cannot_be_mapped_is_said_in_a_line(arguments: list[str], said: str) -> None:
    found = ran(*arguments)
    assert found.exit_code == 2
    assert said in found.output
    assert "Traceback" not in found.output


def test_a_short_hash_key_is_refused_and_never_shown() -> None:
    found = ran("map", "keycloak", "x", WATCHOFFICER_HASH_KEY="hunter2")
    assert found.exit_code == 2
    assert "at least 32 bytes" in found.output
    assert "hunter2" not in found.output


def test_lint_tells_what_is_wrong_with_a_mapping_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nfields:\n  step: {path: a, const: b}\n")
    found = ran("lint", str(file))
    assert found.exit_code == 1
    assert f"{file}:3: fields.step[0]: error: must have one of path, const and template" in found.stdout
    file.write_text("name: mine\nfields:\n  step: {path: a}\n")
    assert "lacks occurred_at" in ran("lint", str(file)).stdout
    shipped = Path("streams/mappings/shipped/keycloak.yaml")
    assert ran("lint", str(shipped)).exit_code == 0


@pytest.mark.parametrize("known", [False, True])
def test_events_that_say_not_whose_they_are_are_told_before_anybody_relies_on_them(
    tmp_path: Path, known: bool
) -> None:
    record = {"id": "e1", "time": "2026-11-23T15:04:05Z", "result": "ok"} | ({"icn": "1"} if known else {})
    log, mapping = tmp_path / "production.log", tmp_path / "my.yaml"
    log.write_text(json.dumps(record))
    mapping.write_text(ran("map", "--suggest", str(log)).stdout)
    found = ran("map", str(mapping), str(log))
    assert found.exit_code == 0, found.output
    assert ("no event says whose it is" in found.stderr) == (not known)
