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
    (tmp_path / "broken.yaml").write_text("a: [\n")
    return tmp_path


def test_a_clean_policy_is_status_0(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "clean.yaml"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "0 errors, 0 warnings\n")


def test_findings_are_status_1_and_told_a_line_each(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "clean.yaml", "spotted.yaml"])
    assert result.exit_code == 1
    assert result.stdout.startswith("spotted.yaml:1: banner.valid_for: warning: should be at least twice")
    assert result.stdout.count("\n") == 1
    assert result.stderr == "0 errors, 1 warning\n"


def test_what_cannot_be_read_is_status_2_and_the_others_are_linted_all_the_same(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "missing.yaml", "broken.yaml", "spotted.yaml"])
    assert result.exit_code == 2
    assert "missing.yaml:1: cannot be read: No such file or directory" in result.stderr
    assert "broken.yaml:2: is not YAML" in result.stderr
    assert "[banner-expires-soon]" in result.stdout


def test_findings_as_json_lines(folder: Path) -> None:
    result = CliRunner().invoke(main, ["lint", "spotted.yaml", "--format", "jsonl"])
    (line,) = result.stdout.splitlines()
    finding = json.loads(line)
    assert (finding["type"], finding["rule"], finding["line"]) == ("finding", "banner-expires-soon", 1)


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
