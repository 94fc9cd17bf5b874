"""Who may import whom: the contracts of pyproject.toml and the rules for tests hold, and can fail."""

from __future__ import annotations

import ast
import logging.config
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("streams", "sinks", "detectors")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def rooms(package: str) -> list[list[str]]:
    """The layers of a package from the top down, each a list of siblings."""
    (contract,) = [one for one in CONTRACTS if one.get("containers") == [package]]
    return [[room.strip() for room in layer.split("|")] for layer in contract["layers"]]


def upward() -> Iterator[tuple[str, str]]:
    """For each boundary of layers and each pair of siblings: a module, and an import that it may not have."""
    for package in SHIPPED:
        layers = rooms(package)
        for above, below in pairwise(layers):
            yield f"{package}.{below[0]}", f"import {package}.{above[-1]}"
        for siblings in layers:
            for one, other in pairwise(siblings):
                yield f"{package}.{one}", f"import {package}.{other}"


def forbidden() -> Iterator[tuple[str, str]]:
    """For each package and each module that it may not import: that import."""
    for contract in CONTRACTS:
        for package in contract.get("source_modules", ()):
            for name in contract["forbidden_modules"]:
                yield f"{package}.{rooms(package)[-1][0]}", f"import {name}"


BETWEEN = [
    (f"{below}.{rooms(below)[-1][0]}", f"import {above}.{rooms(above)[-1][0]}")
    for above, below in pairwise(SHIPPED)
]
BROKEN = [*BETWEEN, *upward()]


@pytest.fixture(autouse=True)
def _loggers_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The linter sets up logging for its own process, and disables all loggers that there are."""
    monkeypatch.setattr(logging.config, "dictConfig", lambda config: None)


def test_the_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


@pytest.fixture
def skeleton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages of the same rooms under names of their own, empty, with the same contracts."""
    text = (ROOT / "pyproject.toml").read_text()
    text = text[text.index("[tool.importlinter]") :]
    for package in SHIPPED:
        text = text.replace(f'"{package}"', f'"{renamed(package, tmp_path)}"')
        folder = tmp_path / renamed(package, tmp_path)
        folder.mkdir()
        (folder / "__init__.py").touch()
        for room in (room for layer in rooms(package) for room in layer):
            (folder / f"{room}.py").touch()
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def renamed(name: str, folder: Path) -> str:
    """A module of this repository as the skeleton in a folder has it: packages of one name are imported once only."""
    package, dot, room = name.partition(".")
    suffix = "".join(letter if letter.isalnum() else "_" for letter in folder.name)
    return f"{package}_of_{suffix}{dot}{room}" if package in SHIPPED else name


def put(skeleton: Path, module: str, line: str) -> None:
    """Add an import to a module of the skeleton."""
    name = line.removeprefix("import ")
    file = skeleton / (renamed(module, skeleton).replace(".", "/") + ".py")
    file.write_text(file.read_text() + f"import {renamed(name, skeleton)}\n")


def test_a_skeleton_without_imports_breaks_nothing(skeleton: Path) -> None:
    assert lint_imports(str(skeleton / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize(("module", "line"), BROKEN, ids=[f"{module}: {line}" for module, line in BROKEN])
def test_an_arrow_that_runs_up_or_sideways_is_found(
    module: str, line: str, skeleton: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(skeleton, module, line)
    assert lint_imports(str(skeleton / "pyproject.toml"), no_cache=True) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_every_import_that_is_forbidden_is_found(skeleton: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for module, line in forbidden():
        put(skeleton, module, line)
    assert lint_imports(str(skeleton / "pyproject.toml"), no_cache=True) == 1
    said = capsys.readouterr().out
    for module, line in forbidden():
        assert f"{renamed(module, skeleton)} -> {line.removeprefix('import ')} " in said


# -- modules, tests and benchmarks ----------------------------------------------------------------------------


@cache
def imports(root: Path) -> dict[str, set[str]]:
    """Each module of all packages under a folder, with the modules that it imports when it is imported itself."""
    files = {
        file: file.relative_to(root).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for package in (*SHIPPED, "tests", "benchmarks")
        for file in (root / package).rglob("*.py")
    }
    known = set(files.values())
    found: dict[str, set[str]] = {}
    for file, module in files.items():
        found[module] = set()
        for node in _at_once(ast.parse(file.read_text()).body):
            if isinstance(node, ast.Import):
                found[module] |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{one.name}" for one in node.names} & known
                found[module] |= inner or {str(node.module)}
        found[module] -= {module}
    return found


def _at_once(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run on import; what is for type checkers alone does not."""
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        for inner in ("body", "orelse", "handlers", "finalbody"):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _at_once(getattr(node, inner, []))


def circle(root: Path) -> list[str]:
    """Modules that import each other in a circle; none if there is no circle."""
    arrows = imports(root)
    try:
        TopologicalSorter({module: of & arrows.keys() for module, of in arrows.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def strangers(root: Path) -> list[str]:
    """Each import by which what ships knows tests or benchmarks, or these know each other but for what they share."""
    found = []
    for module, of in imports(root).items():
        room = module.partition(".")[0]
        for name in sorted(of):
            other = name.partition(".")[0]
            allowed = {
                "tests": room != "benchmarks" or name.startswith("tests.support."),
                "benchmarks": module.startswith(("benchmarks", "tests.benchmarks.")),
            }.get(other, True)
            if (
                name.startswith("streams.cli")
                and room not in ("tests",)
                and not module.startswith("streams.cli")
            ):
                allowed = False
            if not allowed or (room in SHIPPED and other in ("tests", "benchmarks")):
                found.append(f"{module} imports {name}")
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(ROOT) == []


def test_tests_and_benchmarks_share_nothing_but_tests_support() -> None:
    assert strangers(ROOT) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("streams/one.py", "from tests.support.brokers import embedded_broker"),
        ("sinks/one.py", "import benchmarks.table"),
        ("benchmarks/one.py", "from tests.e2e.harness.worker import until"),
        ("tests/one.py", "from benchmarks.reporting.figures import read"),
        ("streams/one.py", "from streams.cli.main import main"),
        ("benchmarks/one.py", "from streams.cli.main import main"),
    ],
)
def test_what_is_not_to_be_known_is_found(module: str, line: str, tmp_path: Path) -> None:
    (tmp_path / module).parent.mkdir()
    (tmp_path / module).write_text(line)
    assert len(strangers(tmp_path)) == 1


def test_a_circle_of_modules_is_found(tmp_path: Path) -> None:
    (tmp_path / "streams").mkdir()
    (tmp_path / "streams" / "one.py").write_text("import streams.other")
    (tmp_path / "streams" / "other.py").write_text("from streams import one")
    assert {"streams.one", "streams.other"} <= set(circle(tmp_path))
