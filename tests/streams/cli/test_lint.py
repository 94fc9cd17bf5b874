"""`watchofficer lint` on the command line: what is printed, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from detectors.lint.lint import RULES
from streams.cli.main import main

CLEAN = "severity: {severity_2_over: 25}\n"
SPOTTED = "banner: {valid_for: 90s}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clean.yaml").write_text(CLEAN)
    (tmp_path / "spotted.yaml").write_text(SPOTTED)
    return tmp_path


def test_a_clean_policy_is_status_0(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "clean.yaml"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 errors, 0 warnings\n")


def test_findings_are_status_1_and_told_a_line_each(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "clean.yaml", "spotted.yaml"])
    assert result.exit_code == 1
    assert result.stdout.startswith("spotted.yaml:1: banner.valid_for: warning: 90s is less than twice")
    assert result.stdout.count("\n") == 1
    assert result.stderr == "0 errors, 1 warning\n"


def test_what_cannot_be_read_is_status_2_and_the_others_are_linted_all_the_same(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "missing.yaml", "spotted.yaml"])
    assert result.exit_code == 2
    assert "missing.yaml:1: cannot be read: No such file or directory" in result.stderr
    assert "[banner-expires-soon]" in result.stdout


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param("a: [\n", "invalid", id="no YAML"),
        pytest.param("outage: {min_peple: 3}\n", "unknown-name", id="no policy"),
        pytest.param("fields: 3\n", "invalid", id="no mapping"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_finding_whatever_it_is(folder: Path, text: str, rule: str) -> None:
    (folder / "wrong.yaml").write_text(text)
    result = CliRunner().invoke(main, ["lint", "wrong.yaml", "--json"])
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert {(one["file"], one["severity"], one["rule"]) for one in findings} == {
        ("wrong.yaml", "error", rule)
    }


def test_findings_as_json_lines(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "spotted.yaml", "--format", "jsonl"])
    (line,) = result.stdout.splitlines()
    finding = json.loads(line)
    assert (finding["type"], finding["rule"], finding["line"]) == ("finding", "banner-expires-soon", 1)


def test_for_a_given_traffic_it_says_how_long_each_kind_of_trouble_takes(folder: Path) -> None:
    told = CliRunner().invoke(main, ["lint", "clean.yaml", "--peak", "12000"])
    assert told.exit_code == 0
    assert "clean.yaml: outage of 100% is seen after 2s, where 12,000 an hour sign in\n" in told.stdout
    assert "clean.yaml: silence of 100% is seen after 39s, where 12,000 an hour sign in\n" in told.stdout
    lines = CliRunner().invoke(main, ["lint", "clean.yaml", "--peak", "60", "--format", "jsonl"]).stdout
    found = {
        (one["kind"], one["share"]): one["seconds"]
        for one in map(json.loads, lines.splitlines())
        if one["type"] == "delay"
    }
    assert found["outage", 1.0] < found["outage", 0.5] < found["outage", 0.25]
    assert found["silence", 0.5] is None, "60 an hour are too few to tell a half from chance"
    busy = CliRunner().invoke(main, ["lint", "clean.yaml", "--peak", "12000", "--format", "jsonl"]).stdout
    seen = {
        (one["kind"], one["share"]): one["seconds"]
        for one in map(json.loads, busy.splitlines())
        if one["type"] == "delay"
    }
    for kind in ("silence", "funnel", "latency"):
        assert 0 < seen[kind, 1.0] < seen[kind, 0.7] < seen[kind, 0.5] < 900
    assert found["outage", 0.01] is None, "of 42 who return in an hour none may fail"
    assert "delay" not in CliRunner().invoke(main, ["lint", "spotted.yaml", "--format", "jsonl"]).stdout
    broken = CliRunner().invoke(main, ["lint", "-", "--peak", "60"], input="outage: {min_peple: 3}\n")
    assert "is seen after" not in broken.stdout


def test_a_policy_from_standard_input(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "-"], input=SPOTTED)
    assert (result.exit_code, result.stdout[:9]) == (1, "<stdin>:1")


def test_the_rules_are_listed(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "--rules"])
    assert result.exit_code == 0
    assert {rule.id for rule in RULES} <= {line.split()[0] for line in result.stdout.splitlines()}


def test_without_a_policy_it_is_wrong_usage(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint"])
    assert result.exit_code == 2
    assert "Missing argument" in result.stderr
