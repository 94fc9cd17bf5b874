"""Who may import whom: the contracts of pyproject.toml hold, and would say so if they did not."""

from __future__ import annotations

from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent


def test_imports_go_from_streams_to_sinks_to_detectors_and_detectors_are_pure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("detectors", "import asyncio"),
        ("detectors", "from time import monotonic"),
        ("detectors", "import sinks"),
        ("sinks", "import aiokafka"),
        ("sinks", "from random import random"),
        ("sinks", "from time import monotonic"),
        ("sinks", "from streams import settings"),
    ],
)
def test_a_forbidden_import_is_found(
    package: str,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The same contracts over packages of other names, one of which breaks them.
    contracts = (ROOT / "pyproject.toml").read_text()
    contracts = contracts[contracts.index("[tool.importlinter]") :]
    for name in ("streams", "sinks", "detectors"):
        other = f"{name}_of_{tmp_path.name.replace('-', '_')}"
        contracts = contracts.replace(f'"{name}"', f'"{other}"')
        line = line.replace(name, other)
        (tmp_path / other).mkdir()
        (tmp_path / other / "__init__.py").touch()
        (tmp_path / other / "settings.py").write_text(line if name == package else "")
    (tmp_path / "pyproject.toml").write_text(contracts)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert lint_imports(str(tmp_path / "pyproject.toml"), no_cache=True) == 1
    assert "BROKEN" in capsys.readouterr().out
