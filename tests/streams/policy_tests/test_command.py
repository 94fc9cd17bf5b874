"""`watchofficer test` on the command line: what is printed, the exit status, JUnit XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from click.testing import CliRunner, Result

from detectors.instants import parse_instant
from streams.cli.main import main
from streams.policy_tests.document import DEFAULT_START
from streams.policy_tests.events import history_of
from streams.policy_tests.notation import parse_flow
from streams.settings.policy_file import default_policy

GOOD = """\
tests:
  - name: one person who tries often pages nobody
    series: ["prod/ssoe/idme callback failure 007 30 events people=same x 1m"]
    absent: [{notifications: [{sink: pagerduty}]}]
  - name: many people who fail page somebody
    series: ["prod/ssoe/idme callback success 2/s x 1m, failure 007 2/s x 30s"]
    expect: [{within: 1m..1m20s, notifications: [{sink: pagerduty, action: trigger}]}]
"""
BAD = """\
tests:
  - name: "what is <expected> & is not so"
    series: ["prod/ssoe/idme callback success 2/s x 1m"]
    expect: [{at: 1m, incidents: [{scope: prod}]}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "broken.yaml").write_text(GOOD.replace("callback failure", "calback failure"))
    return tmp_path


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["test", *arguments])


def test_tests_that_pass_are_status_0(folder: Path) -> None:
    result = ran("good.yaml")
    assert result.exit_code == 0
    first, second, end = result.stdout.splitlines()
    assert first.startswith("ok    good.yaml:2: one person who tries often pages nobody (")
    assert second.startswith("ok    good.yaml:5: many people who fail page somebody (")
    assert end == "2 passed, 0 failed"


def test_a_failure_is_status_1_with_a_diff_and_what_happened(folder: Path) -> None:
    result = ran("bad.yaml", "good.yaml")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("FAIL  bad.yaml:2: what is <expected> & is not so (")
    assert lines[1:6] == [
        "      line 4, expect[0].incidents[0] at 1m",
        "        expected  scope prod",
        "        got       no incident",
        "      what happened:",
        "        nothing",
    ]
    assert lines[-1] == "2 passed, 1 failed"


def test_a_file_that_cannot_be_read_is_status_2_and_the_others_run_all_the_same(folder: Path) -> None:
    result = ran("broken.yaml", "missing.yaml", "good.yaml")
    assert result.exit_code == 2
    assert "broken.yaml:3: tests[0].series[0]: has 'calback'" in result.stderr
    assert "missing.yaml:1: cannot be read: No such file or directory" in result.stderr
    assert result.stdout.endswith("2 passed, 0 failed\n")


def test_only_some_tests_are_run_on_request(folder: Path) -> None:
    assert ran("good.yaml", "bad.yaml", "--only", "MANY people").stdout.endswith("1 passed, 0 failed\n")


def test_what_happened_is_told_on_request(folder: Path) -> None:
    lines = ran("good.yaml", "--only", "many", "--timeline").stdout.splitlines()
    assert lines[1] == "      what happened:"
    assert "prod-1 opened prod/ssoe " in lines[2]
    assert any("pagerduty trigger" in line for line in lines[3:])


def test_tests_are_of_the_policy_that_is_given(folder: Path) -> None:
    (folder / "lax.yaml").write_text(
        "outage: {min_people: 1000}\n"
        "burn_rate: {rules: [{long: 1h, short: 5m, factor: 14.4, min_people: 1000}]}\n"
    )
    result = ran("good.yaml", "--policy", "lax.yaml")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "1 passed, 1 failed")


def test_junit_xml_says_what_passed_and_what_failed(folder: Path) -> None:
    ran("good.yaml", "bad.yaml", "--junit", "report.xml")
    good, bad = ElementTree.parse(folder / "report.xml").getroot()
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in (good, bad)] == [
        ("good.yaml", "2", "0"),
        ("bad.yaml", "1", "1"),
    ]
    assert [case.find("failure") for case in good] == [None, None]
    (case,) = bad
    assert (case.get("name"), case.get("line")) == ("what is <expected> & is not so", "2")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "expect[0].incidents[0] at 1m: expected scope prod, got no incident"
    assert "expected  scope prod" in (failure.text or "")


def test_a_report_that_cannot_be_written_is_status_2(folder: Path) -> None:
    result = ran("good.yaml", "--only", "one person", "--junit", "nowhere/report.xml")
    assert (result.exit_code, result.stderr) == (2, "nowhere/report.xml: No such file or directory\n")


def silent(folder: Path, history: str) -> Path:
    file = folder / "silent.yaml"
    file.write_text(
        "tests:\n  - name: silence\n    series: ['prod/ssoe/idme sign_in success 2/s x 5m']\n    until: 8m\n"
        f"    history: {history}\n    expect: [{{at: 8m, incidents: [{{causes: silence}}]}}]\n"
    )
    return file


def test_a_history_may_come_from_a_file_beside_the_tests(folder: Path) -> None:
    flows = [parse_flow("prod/ssoe/idme sign_in success 2/s")]
    records = history_of(flows, parse_instant(DEFAULT_START), default_policy())
    (folder / "usual.jsonl").write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in records))
    silent(folder, "usual.jsonl")
    assert ran("silent.yaml").exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "usual.jsonl: No such file or directory"),
        ("{", "usual.jsonl:1: not a record of sli-history"),
        ('{"env": "prod", "at": "2026-11-20T00:01:00Z", "scopes": {}}', "usual.jsonl:1: not a record"),
        ("[]", "usual.jsonl:1: not a record of sli-history"),
    ],
)
def test_a_history_that_cannot_be_read_is_status_2(folder: Path, text: str | None, said: str) -> None:
    if text is not None:
        (folder / "usual.jsonl").write_text(text)
    silent(folder, "usual.jsonl")
    result = ran("silent.yaml")
    assert result.exit_code == 2
    assert said in result.stderr
