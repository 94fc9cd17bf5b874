"""How do all figures get into the README and docs/speed.md? ``make bench`` runs one benchmark after another.

Each benchmark runs in a process of its own with a time limit. A benchmark that fails is reported, its old figures are
dropped, so that the pages show only measured figures, and the other benchmarks continue. ``--only`` measures some
benchmarks and keeps the figures of the others; ``--render`` measures nothing and writes the pages from existing
results.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import growth
from benchmarks.reporting.figures import Figure, number, read
from benchmarks.reporting.plots import Bar, bars

__all__ = [
    "BEGIN",
    "BENCHMARKS",
    "END",
    "Benchmark",
    "NoPlace",
    "main",
    "measure",
    "page",
    "put",
    "render",
    "section",
]

ROOT = Path(__file__).resolve().parents[1]
#: The folder of results, failures and plots, from which alone ``docs/speed.md`` and the README are written.
FOLDER = ROOT / "docs" / "speed"
BEGIN, END = "<!-- speed: written by make bench -->", "<!-- end of speed -->"
_FAILED = "failed.txt"
_GIVE_UP = 60.0  # seconds between asking a process to stop, with its children, and killing it


@dataclass(frozen=True)
class Benchmark:
    """A benchmark of the table.

    Attributes:
        module: the name of its module in this folder, with which the names of its figures begin.
        limit: seconds after which the benchmark is stopped.
        arguments: its arguments, chosen so that all benchmarks together take 18 minutes on a quick machine.
    """

    module: str
    limit: float
    arguments: tuple[str, ...] = ()


#: All benchmarks, in the order of the tables.
BENCHMARKS = (
    Benchmark("ingest", 360, ("--events", "600000", "--kafka")),
    Benchmark("peers", 600, ("--runs", "2")),
    Benchmark("two_workers", 360, ("--runs", "2", "--kafka")),
    Benchmark("event_to_page", 420, ("--runs", "3")),
    Benchmark("replay", 400),
    Benchmark("evaluate_step", 360, ("--runs", "1", "--steps", "150")),
    Benchmark("memory", 380),
    Benchmark("restart", 300, ("--runs", "2")),
    Benchmark("startup", 120),
    Benchmark("consoles", 110),
    Benchmark("growth", 180),
)


class NoPlace(Exception):
    """The README has no place for the table. The message names what is missing."""


# -- measuring ------------------------------------------------------------------------------------------------


def measure(
    benchmarks: Sequence[Benchmark], folder: Path, more: Sequence[str] = (), package: str = "benchmarks"
) -> dict[str, str]:
    """Run benchmarks, each in a process, and write the figures of those that succeed into a folder.

    Args:
        benchmarks: the benchmarks, which run one after another.
        folder: the folder of their figures; old figures of these benchmarks are removed first.
        more: additional arguments for all of them.
        package: the package that holds their modules.

    Returns:
        module -> the reason why the benchmark has no figures.
    """
    failed: dict[str, str] = {}
    began = time.monotonic()
    for n, one in enumerate(benchmarks):
        print(
            f"\n== {one.module} ({n + 1} of {len(benchmarks)}, {time.monotonic() - began:.0f} s so far)",
            flush=True,
        )
        for file in _files(one, folder):
            file.unlink()
        with tempfile.TemporaryDirectory(prefix="watchofficer-bench-") as fresh:
            command = [
                sys.executable,
                "-m",
                f"{package}.{one.module}",
                "--results",
                fresh,
                *one.arguments,
                *more,
            ]
            why = _run(command, one.limit)
            found = sorted(Path(fresh).glob("*.json"))
            if why is None and not found:
                why = "it wrote no figures"
            if why is not None:
                failed[one.module] = why
                print(f"{one.module} FAILED: {why}", flush=True)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            for file in found:
                shutil.copy(file, folder / file.name)
    return failed


def _run(command: Sequence[str], limit: float) -> str | None:
    """Run a process and show its output; return None, or the reason why it failed."""
    if (
        signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    ):  # a job in the background, whose children would ignore it too
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, said = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # lets the process stop its children
        try:
            process.communicate(timeout=_GIVE_UP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return f"it took longer than {limit:.0f} s"
    except BaseException:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_GIVE_UP)
        raise
    if process.returncode == 0:
        return None
    print(said[-4000:], file=sys.stderr, flush=True)
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"exit status {process.returncode}"


def _files(benchmark: Benchmark, folder: Path) -> list[Path]:
    return [file for file in folder.glob("*.json") if file.stem.startswith(benchmark.module)]


def _owner(name: str) -> Benchmark | None:
    """Return the benchmark that a figure belongs to."""
    return next((one for one in BENCHMARKS if name.startswith(one.module)), None)


# -- the pages ------------------------------------------------------------------------------------------------


def _in_order(found: Sequence[Figure]) -> list[Figure]:
    """Return the figures ordered by benchmark, then by name."""

    def place(one: Figure) -> tuple[int, str]:
        owner = _owner(one.name)
        return (BENCHMARKS.index(owner) if owner else len(BENCHMARKS), one.name)

    return sorted(found, key=place)


def _amount(value: float, unit: str) -> str:
    return f"{number(value)} {unit}"


def _verdict(one: Figure) -> str:
    return {None: "", True: "yes", False: "**no**"}[one.met]


def _table(found: Sequence[Figure], *, spread: bool) -> list[str]:
    lines = [
        "| figure | measured | in the same run | ratio | goal | met |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        measured = _amount(one.value, one.unit)
        if spread and len(one.runs) > 1:
            measured += f" ({number(one.spread[0])} to {number(one.spread[1])}, {len(one.runs)} runs)"
        beside = "" if one.ceiling is None else f"{one.compared_with}: {_amount(one.ceiling, one.unit)}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}" if one.ratio < 10 else f"{one.ratio:.0f}"
        goal = one.goal_text
        if one.goal is not None and one.goal.of == "ratio":
            goal = f"ratio {'≥' if one.goal.side == 'at least' else '≤'} {one.goal.bound:g}"
        lines.append(f"| {one.title} | {measured} | {beside} | {ratio} | {goal} | {_verdict(one)} |")
    return lines


def _failures(failed: dict[str, str]) -> list[str]:
    return [f"* `benchmarks/{module}.py` could not be measured: {why}" for module, why in failed.items()]


def section(found: Sequence[Figure], failed: dict[str, str]) -> str:
    """Return the README's section: the figures that have a goal, and a plot of how far they are from it."""
    with_goals = [one for one in _in_order(found) if one.goal is not None]
    if not with_goals:
        return "\n".join(["", "Nothing has been measured yet: `make bench`.", *_failures(failed), ""])
    machines = sorted({str(one.machine) for one in with_goals})
    return "\n".join(
        [
            "",
            *_table(with_goals, spread=False),
            "",
            *([*_failures(failed), ""] if failed else []),
            f"Medians, on {'; '.join(machines)}. The way each was measured, its spread and its note: "
            "[docs/speed.md](docs/speed.md).",
            "",
            "![How far each figure is from its goal](docs/speed/goals.svg)",
            "",
        ]
    )


def page(found: Sequence[Figure], failed: dict[str, str]) -> str:
    """Return the text of docs/speed.md."""
    ordered = _in_order(found)
    machines = sorted({str(one.machine) for one in ordered})
    lines = [
        "# How fast it is",
        "",
        "Written by `make bench`, which runs all benchmarks named below; each also runs alone, for example as",
        "`python -m benchmarks.ingest`. A figure and the one beside it are measured in the same run, on the same bytes",
        "and the same broker, which is the embedded one unless stated. Values are medians of repeated runs, with the",
        "least and the greatest. What depends on the machine has a goal as a ratio to what stands beside it.",
        "",
        *[f"Machine: {machine}.\n" for machine in machines],
        *_table(ordered, spread=True),
        "",
        *([*_failures(failed), ""] if failed else []),
        "![How far each figure is from its goal](speed/goals.svg)",
        "",
    ]
    for benchmark in BENCHMARKS:
        mine = [one for one in ordered if _owner(one.name) is benchmark]
        if mine:
            file = f"benchmarks/{benchmark.module}"
            file += "/__main__.py" if (ROOT / file).is_dir() else ".py"
            lines += [f"## {file}", ""]
            lines += [f"* {one.title}{': ' + one.note if one.note else ''}." for one in mine]
            lines += [""]
        if benchmark.module == "growth" and mine:
            lines += ["![Cost against what grows](speed/growth.svg)", ""]
    return "\n".join(lines).rstrip() + "\n"


def goals(found: Sequence[Figure]) -> str:
    """Draw how far each figure is from its goal, as SVG; right of the line is better than the goal."""
    rows = []
    for one in _in_order(found):
        if one.goal is None:
            continue
        measured = one.value if one.goal.of == "value" else one.ratio
        if not measured or measured <= 0:
            continue
        share = measured / one.goal.bound if one.goal.side == "at least" else one.goal.bound / measured
        unit = "×" if one.goal.of == "ratio" else one.unit
        sign = "≥" if one.goal.side == "at least" else "≤"
        text = f"{number(measured)} {unit} ({sign} {one.goal.bound:g})"
        rows.append(Bar(one.name.replace("_", " "), share, text, bool(one.met)))
    return bars("How many times better than asked for", rows, goal="the goal")


def put(text: str, content: str) -> str:
    """Return a text with ``content`` between its markers.

    Raises:
        NoPlace: the text does not have each marker once and in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise NoPlace(f"the README must have one line {BEGIN!r} and after it one line {END!r}")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{content}\n{END}{after}"


def render(root: Path) -> None:
    """Write the pages and the plots from the results.

    Raises:
        NoPlace: the README does not have each marker once and in order.
    """
    folder = root / "docs" / "speed"
    folder.mkdir(parents=True, exist_ok=True)
    found, failed = read(folder), _read_failed(folder)
    readme = root / "README.md"
    readme.write_text(put(readme.read_text(), section(found, failed)))
    (root / "docs" / "speed.md").write_text(page(found, failed))
    (folder / "goals.svg").write_text(goals(found))
    grown = [one for one in found if one.name.startswith("growth")]
    if grown:
        (folder / "growth.svg").write_text(growth.plot(grown))


def _read_failed(folder: Path) -> dict[str, str]:
    file = folder / _FAILED
    lines = file.read_text().splitlines() if file.exists() else []
    return {module: why for module, _, why in (line.partition(": ") for line in lines)}


def _write_failed(folder: Path, failed: dict[str, str]) -> None:
    file = folder / _FAILED
    if failed:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{module}: {why}\n" for module, why in failed.items()))
    else:
        file.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the pages; the exit status is 1 if a benchmark could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.table", description=(__doc__ or "").split("\n")[0]
    )
    names = [one.module for one in BENCHMARKS]
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="BENCHMARK", help=f"of {', '.join(names)}"
    )
    parser.add_argument("--runs", type=int, help="of each figure, instead of what each takes by itself")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    failed = _read_failed(FOLDER)
    if not options.render:
        chosen = [one for one in BENCHMARKS if options.only is None or one.module in options.only]
        failed = {module: why for module, why in failed.items() if module not in {c.module for c in chosen}}
        failed |= measure(chosen, FOLDER, ["--runs", str(options.runs)] if options.runs else [])
        _write_failed(FOLDER, failed)
    render(ROOT)
    print(f"\n{ROOT / 'docs' / 'speed.md'} and the README are written.")
    for one in _in_order(read(FOLDER)):
        if one.met is False:
            print(f"goal not met: {one.title}")
    print("\n".join(_failures(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
