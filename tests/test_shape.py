"""How large modules, functions and folders are, what a module exports, and whether its first line says what it is."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("detectors", "sinks", "streams")
LINES_OF_A_FILE, LINES_OF_A_FUNCTION, PARAMETERS, MODULES_OF_A_FOLDER = 400, 60, 6, 12
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One module of the repository: its dotted name, its file and its syntax tree."""

    name: str
    file: Path
    tree: ast.Module

    @property
    def ships(self) -> bool:
        return self.name.partition(".")[0] in SHIPPED

    @property
    def exports(self) -> list[str] | None:
        """What ``__all__`` says; None without one."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return list(ast.literal_eval(node.value))
        return None


def modules(root: Path) -> dict[str, Module]:
    """The modules of all packages under a folder, by name."""
    found = {}
    for package in (*SHIPPED, "tests", "benchmarks"):
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, file, ast.parse(file.read_text()))
    return found


def past_the_surface(all_of: dict[str, Module]) -> list[str]:
    """Each import of a name that the ``__all__`` of its module does not have."""
    found = []
    for module in all_of.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ImportFrom) or node.module not in all_of:
                continue
            given = all_of[node.module]
            names = [one.name for one in node.names if f"{node.module}.{one.name}" not in all_of]
            exports = given.exports if given.exports is not None or given.ships else names
            found += [
                f"{module.name} takes {name} of {node.module}"
                for name in names
                if name not in (exports or ()) or name.startswith("_")
            ]
    return found


def functions(all_of: dict[str, Module]) -> Iterator[tuple[str, Function]]:
    for module in all_of.values():
        for node in ast.walk(module.tree):
            if isinstance(node, Function):
                yield f"{module.name}.{node.name}", node


def parameters(function: Function) -> int:
    """How many may be given by position, ``self`` and ``cls`` aside."""
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    return len([name for name in names if name not in ("self", "cls")])


@pytest.fixture(scope="module")
def everything() -> dict[str, Module]:
    """The modules of this repository: parsed for these tests alone, as their trees are a million objects."""
    return modules(ROOT)


def test_no_module_takes_a_name_that_another_does_not_export(everything: dict[str, Module]) -> None:
    assert past_the_surface(everything) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from sinks.given import told", []),
        ("from sinks.given import kept", ["streams.taker takes kept of sinks.given"]),
        ("from sinks.given import _own", ["streams.taker takes _own of sinks.given"]),
    ],
)
def test_a_name_that_is_not_exported_is_found(line: str, found: list[str], tmp_path: Path) -> None:
    for package in ("sinks", "streams"):
        (tmp_path / package).mkdir()
    (tmp_path / "sinks" / "given.py").write_text('__all__ = ["told"]\ntold = kept = _own = 1\n')
    (tmp_path / "streams" / "taker.py").write_text(line)
    assert past_the_surface(modules(tmp_path)) == found


def test_every_module_that_ships_says_what_it_exports(everything: dict[str, Module]) -> None:
    silent = [one.name for one in everything.values() if one.ships and one.exports is None]
    assert [name for name in silent if everything[name].file.name not in ("__init__.py", "__main__.py")] == []


def test_what_is_exported_is_there(everything: dict[str, Module]) -> None:
    for module in everything.values():
        bound = (
            {name.id for node in ast.walk(module.tree) for name in [node] if isinstance(name, ast.Name)}
            | {node.name for node in module.tree.body if isinstance(node, Function | ast.ClassDef)}
            | {
                one.asname or one.name
                for node in module.tree.body
                if isinstance(node, ast.ImportFrom)
                for one in node.names
            }
        )
        assert set(module.exports or ()) <= bound, module.name


def test_the_first_line_of_every_module_is_a_sentence(everything: dict[str, Module]) -> None:
    first = {
        one.name: (ast.get_docstring(one.tree) or "").partition("\n\n")[0]
        for one in everything.values()
        if one.tree.body or one.ships
    }
    assert {name: line for name, line in first.items() if not line.endswith((".", "?", "::"))} == {}


def test_no_file_no_function_and_no_list_of_parameters_is_too_long(everything: dict[str, Module]) -> None:
    files = {one.name: len(one.file.read_text().splitlines()) for one in everything.values()}
    assert {name: lines for name, lines in files.items() if lines > LINES_OF_A_FILE} == {}
    found = list(functions(everything))
    lines = {name: (one.end_lineno or one.lineno) - one.lineno + 1 for name, one in found}
    assert {name: count for name, count in lines.items() if count > LINES_OF_A_FUNCTION} == {}
    given = {name: parameters(one) for name, one in found}
    assert {name: count for name, count in given.items() if count > PARAMETERS} == {}


def test_no_folder_has_more_than_a_dozen_modules(everything: dict[str, Module]) -> None:
    modules = [one for one in everything.values() if one.file.name != "__init__.py"]
    of = Counter(str(one.file.parent.relative_to(ROOT)) for one in modules)
    assert {folder: count for folder, count in of.items() if count > MODULES_OF_A_FOLDER} == {}
