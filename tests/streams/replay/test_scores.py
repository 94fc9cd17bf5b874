"""`replay --truth` and `replay --compare`: what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from detectors.instants import MINUTE, parse_instant
from streams.cli.main import main
from streams.simulate import Episode, simulate

PEAK = parse_instant("2026-10-06T14:00:00-04:00")
LABEL = {
    "kind": "outage",
    "scope": "prod/ssoe",
    "start": "2026-10-06T18:01:30Z",
    "end": "2026-10-06T18:03:30Z",
    "severity": 2,
    "users": 50,
    "page": True,
}
OUTAGE = Episode(
    effect="failure",
    scope="prod/ssoe",
    at=90_000,
    lasts=120_000,
    steps=("callback",),
    errors="ssoe_down",
)
#: Nobody is ever woken: every incident is severity 3.
SLEEPY = "severity: {severity_1_over: 900000, severity_2_over: 800000}\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events of an outage at a modest rate, the truth about them and another policy."""
    folder = tmp_path_factory.mktemp("events")
    simulation = simulate("healthy", 1, PEAK, 5 * MINUTE, 1.5, episodes=[OUTAGE])
    simulation.write(str(folder / "events.jsonl"), str(folder / "truth.jsonl"))
    (folder / "sleepy.yaml").write_text(SLEEPY)
    return folder


@pytest.fixture(scope="module")
def compared(files: Path) -> list[dict[str, Any]]:
    """The answer to the question what the other policy would change, without the truth."""
    return lines(replay(files, "--compare", str(files / "sleepy.yaml"), "--format", "jsonl"))


def replay(folder: Path, *more: str, stdin: bytes | None = None) -> Result:
    events = "-" if stdin is not None else str(folder / "events.jsonl")
    arguments = ["replay", events, "--now", "2026-10-07T00:00:00Z", *more]
    return CliRunner().invoke(main, arguments, input=stdin)


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def without_seconds(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in objects if one["type"] != "summary"]


def test_the_score_follows_the_summary(files: Path) -> None:
    found = lines(replay(files, "--truth", str(files / "truth.jsonl"), "--format", "jsonl"))
    types = [one["type"] for one in found]
    assert types[types.index("summary") :] == ["summary", "answer", "score"]
    answer, score = found[-2:]
    assert answer["label"]["scope"] == answer["scope"] == "prod/ssoe"
    assert answer["met"] is True
    assert (score["recall"], score["precision"], score["labels"]) == (1.0, 1.0, 1)
    assert score["to_page"]["worst_s"] == answer["to_page_s"]


def test_incidents_without_a_label_are_listed_as_false(files: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_text(json.dumps({**LABEL, "scope": "prod/sis"}) + "\n")
    found = lines(replay(files, "--truth", str(tmp_path / "truth.jsonl"), "--format", "jsonl"))
    assert [one["type"] for one in found[-3:]] == ["answer", "false", "score"]
    assert found[-2]["scope"] == "prod/ssoe"
    assert (found[-1]["recall"], found[-1]["false_pages"]) == (0.0, 1)


def test_a_policy_that_wakes_nobody_makes_the_page_vanish(compared: list[dict[str, Any]]) -> None:
    change, comparison = compared[-2:]
    assert (change["type"], change["incident"], change["page"]) == ("change", "moves", "vanishes")
    assert change["moved"]["pages"] == [1, 0]
    assert comparison["pages"] == {"appears": 0, "vanishes": 1, "moves": 0, "stays": 0}
    assert comparison["policy"] != comparison["other_policy"]


def test_with_the_truth_both_policies_are_scored(files: Path) -> None:
    more = (
        "--compare",
        str(files / "sleepy.yaml"),
        "--truth",
        str(files / "truth.jsonl"),
        "--format",
        "jsonl",
    )
    scores = [one for one in lines(replay(files, *more)) if one["type"] == "score"]
    assert [one["recall"] for one in scores] == [1.0, 0.0]
    assert len({one["policy"] for one in scores}) == 2


def test_what_can_be_read_only_once_is_compared_all_the_same(
    files: Path, compared: list[dict[str, Any]]
) -> None:
    more = ("--compare", str(files / "sleepy.yaml"), "--format", "jsonl")
    piped = replay(files, *more, stdin=(files / "events.jsonl").read_bytes())
    assert without_seconds(lines(piped)) == without_seconds(compared)


def test_the_tables_tell_of_answers_figures_and_changes(files: Path) -> None:
    result = replay(files, "--truth", str(files / "truth.jsonl"), "--compare", str(files / "sleepy.yaml"))
    assert result.exit_code == 0
    for words in (
        "Held against the truth",
        "paged",
        "recall",
        "By the other policy",
        "Pages: 0 appear, 1 vanish",
    ):
        assert words in result.stdout


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"scope": "prod//idme"}, "scope"),
        ({"start": "2026-10-06 18:01"}, "start"),
        ({"end": "2026-10-06T18:01:30Z"}, "end must be after"),
        ({"severity": 4}, "severity"),
        ({"page": "yes"}, "page"),
        ({"kind": None}, "kind"),
    ],
)
def test_a_bad_label_is_named_by_file_line_and_field(
    change: dict[str, Any], complaint: str, files: Path, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.jsonl"
    truth.write_text(json.dumps(LABEL) + "\n" + json.dumps(LABEL | change) + "\n")
    result = replay(files, "--truth", str(truth))
    assert result.exit_code == 2
    assert f"{truth}:2: " in result.stderr
    assert complaint in result.stderr
    assert result.stdout == ""


def test_a_missing_truth_file_is_said_before_anything_is_replayed(files: Path) -> None:
    result = replay(files, "--truth", "nowhere.jsonl")
    assert result.exit_code == 2
    assert "nowhere.jsonl" in result.stderr
    assert result.stdout == ""


def test_fields_that_nobody_has_to_know_may_be_left_out(files: Path, tmp_path: Path) -> None:
    label = {name: LABEL[name] for name in ("kind", "scope", "start", "end")}
    (tmp_path / "truth.jsonl").write_text(json.dumps({**label, "note": "by hand"}) + "\n")
    score = lines(replay(files, "--truth", str(tmp_path / "truth.jsonl"), "--format", "jsonl"))[-1]
    assert (score["recall"], score["answered"], score["severity"]) == (None, 1, [])


@pytest.mark.long
def test_recorded_facts_give_under_any_policy_what_the_events_give(files: Path, tmp_path: Path) -> None:
    facts, sleepy = str(tmp_path / "facts"), ("--policy", str(files / "sleepy.yaml"))
    told: list[list[dict[str, Any]]] = []
    for policy in ((), sleepy):
        written = ("--write-facts", facts) if not told else ()
        of_events = lines(replay(files, "--format", "jsonl", *policy, *written))
        assert any(one["type"] == "transition" for one in of_events)
        arguments = [
            "replay",
            "--facts",
            facts,
            "--now",
            "2026-10-07T00:00:00Z",
            "--format",
            "jsonl",
            *policy,
        ]
        assert without_seconds(lines(CliRunner().invoke(main, arguments))) == without_seconds(of_events)
        told.append(of_events)
    assert told[0] != told[1]
