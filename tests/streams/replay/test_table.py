"""What a replay found, as a table."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from detectors.engine.state import StepResult
from detectors.incidents import Transition
from detectors.instants import format_instant
from streams.evaluate.evaluator import Verdict
from streams.replay.summary import Summary
from streams.replay.table import ReplayTable
from tests.sinks.samples import OPENED, incident


def filled(**changes: object) -> ReplayTable:
    after = incident(peak_users_impacted=2_104_000, **changes)
    table = ReplayTable()
    opened = Transition(
        kind="opened",
        at=OPENED,
        incident=after,
        from_state=None,
        from_severity=None,
        from_scope=None,
        reason="because",
    )
    brought = StepResult(OPENED, "prod", transitions=[opened])
    table.add(Verdict(brought))
    return table


def shown(width: int = 200, **changes: object) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    filled(**changes).show(Summary(), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_people_who_were_counted_stand_alone_and_an_estimate_with_its_error() -> None:
    assert " 2,104,000  2026-" in shown()
    assert " 2,104,000 ±0.19%  2026-" in shown(peak_users_impacted_error=0.0019)


def test_times_count_from_the_first_failure_and_no_line_is_broken_in_80_columns() -> None:
    lines = shown(80).splitlines()
    (incident_line,) = [line for line in lines if "prod-7" in line and "because" not in line]
    assert max(map(len, lines)) <= 80
    assert incident_line.split() == [
        *("prod-7", "prod/ssoe", "1", "2,104,000", format_instant(incident().first_bad_at)),
        *("+30", "s", "nobody", "open"),
    ]


def test_in_a_pipe_each_row_and_sentence_is_a_line_without_frames(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    filled(scope="prod/*/a-provider-whose-name-is-longer-than-any-terminal-would-like-it-to-be").show(
        Summary()
    )
    said = capsys.readouterr().out
    assert not set("│┃━┏") & set(said)
    assert [
        line.split()[0] for line in said.splitlines() if "longer-than-any" in line and "because" not in line
    ] == ["prod-7"]
    assert said.splitlines()[-1].endswith("events/s")
