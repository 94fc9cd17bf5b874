"""The report says what came out, and does not hide what went wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from benchmarks.quality.cases import Case
from benchmarks.quality.findings import findings
from benchmarks.quality.report import GOALS, write_report
from benchmarks.quality.runs import Run
from benchmarks.reporting.plots import Row, strips
from detectors.backtest.labels import Label
from detectors.backtest.outcomes import Outcome
from detectors.instants import HOUR
from tests.detectors.backtest.made import label, outcome, scored

_SVG = "{http://www.w3.org/2000/svg}"


def run(labels: list[Label], outcomes: list[Outcome], *, suite: str = "library", seed: int = 101) -> Run:
    """A run of an outage of ssoe at peak, total and sudden."""
    case = Case(suite, "ssoe_outage", seed)  # type: ignore[arg-type]
    return Run(
        case=case,
        description="Every ssoe callback fails, at once.",
        starts="2026-10-06T14:00:00-04:00",
        duration=HOUR,
        rate=2.5,
        total=True,
        at_peak=True,
        at_night=False,
        events=1000,
        seconds=1.0,
        score=scored(labels, outcomes),
    )


def verdicts(runs: list[Run]) -> dict[str, bool | None]:
    values = {goal.name: (goal, goal.of(runs)) for goal in GOALS}
    return {name: None if value is None else goal.met(value) for name, (goal, value) in values.items()}


def test_a_perfect_run_meets_every_goal() -> None:
    assert set(verdicts([run([label()], [outcome(opened=10.05)])]).values()) == {True}


@pytest.mark.parametrize(
    ("outcomes", "unmet"),
    [
        ([], {"recall"}),
        ([outcome(opened=10.05), outcome("prod/sis", 20, incident="prod-2")], {"false pages"}),
        ([outcome("prod", opened=10.05)], {"right scope"}),
        ([outcome(opened=10.05, severity=2)], {"right peak severity"}),
        ([outcome(opened=10.5)], {"severity 1, delay to page, median"}),
        (
            [outcome(opened=11)],
            {"severity 1, delay to page, median", "severity 1, delay to page, worst"},
        ),
        (
            [outcome(opened=10.05), outcome("prod/ssoe/idme", 20, incident="prod-2", pages=())],
            {"one incident for one outage"},
        ),
        ([outcome(opened=10.05, resolved=61)], {"resolved in time, except at night"}),
    ],
)
def test_each_goal_can_be_missed(outcomes: list[Outcome], unmet: set[str]) -> None:
    found = verdicts([run([label()], outcomes)])
    assert {name for name, met in found.items() if met is False} == unmet


def test_only_total_outages_at_peak_count_for_the_delay() -> None:
    slow = run([label()], [outcome(opened=12)])
    for other in (replace(slow, total=False), replace(slow, at_peak=False)):
        assert verdicts([other])["severity 1, delay to page, worst"] is None
    assert verdicts([slow])["severity 1, delay to page, worst"] is False


def test_a_night_may_take_longer_to_be_over() -> None:
    night = replace(run([label()], [outcome(opened=10.05, resolved=90)]), at_peak=False, at_night=True)
    assert verdicts([night])["resolved in time, except at night"] is None
    assert not list(findings([night]))


def test_the_report_names_faults_and_keeps_the_raw_results(tmp_path: Path) -> None:
    runs = [run([label()], [outcome(opened=10.05)]), run([label()], [outcome("prod/sis")], seed=102)]
    write_report(runs, tmp_path, "abc123")
    page = (tmp_path / "quality.md").read_text()
    assert "| recall | ≥ 0.995 | 0.500 |" in page
    assert "### Missed (1)" in page
    assert "ssoe_outage-102" in page
    assert "`abc123`" in page
    raw = msgspec.json.decode((tmp_path / "quality" / "results.json").read_bytes(), type=list[Run])
    assert raw == runs
    for image in ("delays", "recovery"):
        assert f"(quality/{image}.svg)" in page
        ElementTree.parse(tmp_path / "quality" / f"{image}.svg")


def test_every_table_of_the_report_has_as_many_cells_in_every_row(tmp_path: Path) -> None:
    runs = [
        run([label(), label("prod/sis", severity=2)], [outcome("prod")]),
        run([label(kind="funnel")], [outcome(causes=("funnel",), resolved=None)]),
        run([], [outcome(pages=())], suite="days"),
    ]
    write_report(runs, tmp_path, "abc123")
    width = None
    for line in (tmp_path / "quality.md").read_text().splitlines():
        if line.startswith("| "):
            assert width in (None, line.count("|"))
            width = line.count("|")
        else:
            width = None


def test_findings_name_what_is_wrong_with_a_run() -> None:
    runs = [
        run([label()], []),
        run([label()], [outcome(pages=())]),
        run([label(page=False, severity=3)], [outcome(severity=3)]),
        run([label()], [outcome(), outcome(opened=20, incident="prod-2")]),
        run([label()], [outcome(resolved=20), outcome(opened=22, epoch=1)]),
        run([label()], [outcome("prod")]),
        run([label()], [outcome(severity=2)]),
        run([label()], [outcome(resolved=70)]),
        run([label()], [outcome(opened=11)]),
        run([], [outcome()]),
        run([], [outcome(pages=())]),
    ]
    assert [[what for what, _ in findings([one])] for one in runs] == [
        ["missed"],
        ["nobody woken"],
        ["woken in vain"],
        ["duplicate"],
        ["reopened"],
        ["wrong scope"],
        ["wrong severity"],
        ["ending"],
        ["slow page"],
        ["false page"],
        ["false incident"],
    ]
    assert not list(findings([run([label()], [outcome(opened=10.05)])]))


def test_a_plot_has_a_point_for_each_value_at_its_place() -> None:
    svg = ElementTree.fromstring(
        strips("T", "s", [Row("a <b>", [(1, "x"), (100, "y"), (None, "z")]), Row("no", [])])
    )
    points = [float(circle.attrib["cx"]) for circle in svg.iter(f"{_SVG}circle")]
    assert len(points) == 3
    assert points == sorted(points)
    assert [title.text for title in svg.iter(f"{_SVG}title")] == ["x", "y", "z"]
    texts = [text.text for text in svg.iter(f"{_SVG}text")]
    assert "a <b> (3)" in texts
    assert "never" in texts
    assert not any(text and text.startswith("no (") for text in texts)


def test_recovery_before_the_end_of_a_label_is_told_with_its_minutes() -> None:
    (found,) = findings([run([label()], [outcome(resolved=30)])])
    assert found[0] == "ending"
    assert "early, -10 min" in found[1]
