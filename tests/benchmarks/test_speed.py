"""The benchmarks of speed and memory, each run once on next to nothing, so that they keep running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reporting.figures import read

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("name", "arguments", "figures"),
    [
        (
            "evaluate_step",
            ("--people", "200", "--seconds", "20", "--steps", "3"),
            ["evaluate_step", "evaluate_step_scopes"],
        ),
        ("ingest", ("--events", "40000"), ["ingest"]),
        (
            "memory",
            ("--people", "300", "--seconds", "3", "--crowd", "5000", "--exactly", "1000", "--crowds", "1"),
            ["memory", "memory_both_methods", "memory_crowd", "memory_error"],
        ),
        (
            "replay",
            ("--start", "2026-11-23T14:30:00Z", "--hours", "1", "--rate", "0.3"),
            ["replay", "replay_without_detectors"],
        ),
        ("restart", ("--seconds", "20", "--per-second", "50"), ["restart"]),
        ("startup", (), ["startup_help", "startup_run"]),
    ],
)
@pytest.mark.timeout(240)
def test_a_benchmark_reports_its_figures(
    name: str, arguments: tuple[str, ...], figures: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--runs", "1", "--results", str(tmp_path)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = read(tmp_path)
    assert [one.name for one in found] == figures
    assert all(one.value > 0 and one.machine.cores >= 1 for one in found)
    assert all(one.title in done.stdout for one in found)
