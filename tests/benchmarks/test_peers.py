"""The benchmark beside other stream processors: it measures the right thing, and only right answers."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.peers import from_files, jvm_built
from benchmarks.peers.__main__ import PEERS, compare
from benchmarks.peers.installed import LOCK, interpreter, pinned
from benchmarks.peers.job import OURS, WrongAnswer, check, expected, job_events
from benchmarks.reporting.figures import Goal
from detectors.instants import MINUTE, parse_instant
from streams.events.decode import decode
from streams.events.validation import Rejection

START = parse_instant("2026-11-23T15:00:00Z")


def test_the_events_of_the_job_are_valid_and_come_once_and_some_are_late() -> None:
    events = job_events(5_000, START)
    assert len(events) == 5_000
    assert not [one for one in map(decode, events) if isinstance(one, Rejection)]
    decoded = [json.loads(one) for one in events]
    assert max(Counter(one["event_id"] for one in decoded).values()) == 1
    assert 20 < sum(parse_instant(one["occurred_at"]) < START - MINUTE // 2 for one in decoded) < 100


def test_the_expected_answer_counts_events_and_each_failing_person_once() -> None:
    def event(at: str, method: str, outcome: str, person: str) -> bytes:
        return json.dumps(
            {"occurred_at": at, "auth_method": method, "outcome": outcome, "user_hash": person}
        ).encode()

    events = [
        event("2026-11-23T15:00:59.999Z", "ssoe", "failure", "a"),
        event("2026-11-23T15:00:01Z", "ssoe", "failure", "a"),
        event("2026-11-23T15:00:02Z", "ssoe", "success", "b"),
        event("2026-11-23T15:01:00Z", "ssoe", "failure", "b"),
        event("2026-11-23T15:01:00Z", "sis", "success", "a"),
    ]
    assert expected(events) == [
        [START, "ssoe", 3, 1],
        [START + MINUTE, "sis", 1, 0],
        [START + MINUTE, "ssoe", 1, 1],
    ]


def test_a_wrong_count_ends_the_benchmark_and_the_window_of_the_closing_events_is_no_count() -> None:
    events = job_events(500, START)
    right = expected(events)
    check(OURS, [*right, [START + 60 * MINUTE, "sis", 1, 1]], events)
    with pytest.raises(WrongAnswer, match="counted wrongly"):
        check(OURS, [*right[:-1], [*right[-1][:3], right[-1][3] + 1]], events)
    with pytest.raises(WrongAnswer, match="counted wrongly"):
        check(OURS, right[:-1], events)


def test_every_peer_is_pinned_to_the_version_that_was_asked_for() -> None:
    asked = dict(re.findall(r"^([\w-]+)==(\S+)$", LOCK.with_suffix(".in").read_text(), re.MULTILINE))
    assert set(asked) == {"bytewax", "chdb", "duckdb", "faust-streaming", "quixstreams"}
    assert asked.items() <= pinned().items()


def test_every_peer_has_its_script() -> None:
    scripts = {path.stem for path in Path(LOCK).parent.glob("with_*.py")}
    assert {one.script for one in (OURS, *PEERS, *from_files.ENGINES) if not one.on_jvm} == scripts
    classes = {path.stem for path in (Path(LOCK).parent / "jvm").glob("With*.java")}
    assert {one.script for one in PEERS if one.on_jvm} == classes


@pytest.mark.long
@pytest.mark.e2e
async def test_the_job_is_done_rightly_by_all_that_are_installed(capsys: pytest.CaptureFixture[str]) -> None:
    python = interpreter()
    there = [one for one in PEERS if (jvm_built.built() if one.on_jvm else python)]
    figures = await compare(4_000, 1, python or Path(sys.executable), there)
    assert "watchofficer's ingest: " in capsys.readouterr().out
    assert [one.name for one in figures] == [f"peers_{one.name}" for one in there]
    for one, peer in zip(figures, there, strict=True):
        assert one.goal == Goal("at least", peer.goal, "ratio")
        assert one.ratio is not None
        assert one.ratio > 0


@pytest.mark.long
def test_the_job_is_done_rightly_from_a_file_by_all_that_are_installed() -> None:
    python = interpreter()
    figures = from_files.compare(
        4_000, 1, python or Path(sys.executable), from_files.ENGINES if python else ()
    )
    assert [one.name for one in figures] == (
        ["peers_from_files_duckdb", "peers_from_files_chdb"] if python else []
    )
