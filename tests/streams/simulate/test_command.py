"""`watchofficer simulate` as a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from detectors.instants import DAY, HOUR, MINUTE, parse_instant
from streams.cli.simulate import latest_start, simulate_command
from streams.simulate import SCENARIOS, simulate

PEAK = parse_instant("2026-10-06T14:00:00-04:00")


def run(out: str, **more: Any) -> int:
    arguments: dict[str, Any] = {
        "scenario": "ssoe_outage",
        "seed": 1,
        "start": PEAK,
        "duration": 11 * MINUTE,
        "rate": 0.5,
        "truth": None,
        "history_file": None,
    }
    return simulate_command(out=out, **{**arguments, **more})


def test_it_writes_events_truth_and_history(tmp_path: Path) -> None:
    out, truth, history = (tmp_path / name for name in ("e.jsonl", "t.jsonl", "h.jsonl"))
    assert run(str(out), truth=str(truth), history_file=str(history)) == 0
    played = simulate("ssoe_outage", 1, PEAK, 11 * MINUTE, 0.5)
    assert out.read_bytes().splitlines() == list(played.lines())
    assert [msgspec.json.decode(line) for line in truth.read_bytes().splitlines()] == played.truth()
    assert len(history.read_bytes().splitlines()) == len(list(played.history()))


def test_it_lists_the_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("-", scenario="list") == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == list(SCENARIOS)
    assert "Every ssoe callback fails, at once." in "".join(printed)
    assert {line.split()[2] for line in printed} == {"2024", "today"}


def test_another_world_may_be_asked_for(tmp_path: Path) -> None:
    out, history = tmp_path / "e.jsonl", tmp_path / "h.jsonl"
    assert run(str(out), world="today", history_file=str(history)) == 0
    assert b'"step":"authorize_sso"' in out.read_bytes()
    assert {msgspec.json.decode(line)["v"] for line in history.read_bytes().splitlines()} == {2}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scenario": "ssoe_outag"}, "did you mean ssoe_outage?"),
        ({"scenario": "ssoe_outag", "start": None}, "did you mean ssoe_outage?"),
        ({"rate": -1.0}, "a rate > 0"),
        ({"world": "2020"}, "no world '2020'; there are today, 2024"),
        ({"scenario": "new_provider", "world": "2024"}, "no scope 'prod/*/clear' in the world 2024"),
        ({"truth": "/nowhere/truth.jsonl"}, "/nowhere/truth.jsonl: No such file or directory"),
    ],
)
def test_what_the_user_got_wrong_is_one_line_and_status_2(
    wrong: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(tmp_path / "e.jsonl"), **wrong) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-11-23T15:00:00-05:00", "2026-11-23T14:00:00-05:00"),
        ("2026-11-23T14:59:59-05:00", "2026-11-22T14:00:00-05:00"),
        ("2026-11-01T12:00:00-05:00", "2026-10-31T14:00:00-04:00"),
    ],
)
def test_by_default_the_run_is_the_latest_that_is_over_by_now(now: str, start: str) -> None:
    chosen = SCENARIOS["ssoe_outage"]
    assert latest_start(chosen, HOUR, parse_instant(now)) == parse_instant(start)


def test_without_a_start_it_plays_its_own_hour_in_the_recent_past(tmp_path: Path) -> None:
    import time

    out, truth = tmp_path / "e.jsonl", tmp_path / "t.jsonl"
    assert run(str(out), start=None, duration=None, rate=None, truth=str(truth)) == 0
    now = time.time_ns() // 1_000_000
    (record,) = [msgspec.json.decode(line) for line in truth.read_bytes().splitlines()]
    assert record["severity"] == 1
    assert now - 2 * DAY < parse_instant(record["end"]) < now
