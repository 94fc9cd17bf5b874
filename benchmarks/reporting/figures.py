"""What is the result of a benchmark? One figure of repeated runs, its reference value, and the machine.

Every benchmark prints its figures and, given ``--results FOLDER``, writes each as ``FOLDER/<name>.json``.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

__all__ = [
    "Figure",
    "Goal",
    "Machine",
    "add_options",
    "figure",
    "machine",
    "number",
    "read",
    "report",
    "write",
]


class Machine(msgspec.Struct, frozen=True):
    """The machine of a measurement. A benchmark that uses only one of the cores states this in its note."""

    processor: str
    cores: int
    memory_mb: int
    system: str
    python: str

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.memory_mb} MB, {self.system}, {self.python}"


class Goal(msgspec.Struct, frozen=True):
    """A goal: the value, or its ratio to the ceiling or peer, must lie on one side of a bound."""

    side: Literal["at least", "at most"]
    bound: float
    of: Literal["value", "ratio"] = "value"

    def met(self, measured: float) -> bool:
        """Return whether a measured value or ratio meets the goal."""
        return measured >= self.bound if self.side == "at least" else measured <= self.bound


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure.

    Attributes:
        name: the name of the figure and of its file, such as ``ingest`` or ``peers_bytewax``.
        title: what was measured, as the table states it.
        value: the median of the runs.
        unit: the unit of ``value``, such as ``events/s``, ``ms``, ``MB``.
        goal: the goal; None if there is none.
        compared_with: what ``ceiling`` is, such as ``aiokafka getmany + msgspec decode``; "" without one.
        ceiling: the median of the ceiling or peer, measured in the same runs, in the unit of ``value``; None without.
        ratio: the median over the runs of value ÷ ceiling (``inverse``: of ceiling ÷ value, "times as fast as" for
            values that are better when smaller); None without a ceiling.
        runs: the value of each run.
        spread: the least and the greatest of ``runs``.
        note: what a reader of the figure must know, such as the CPU time of the broker; "" without.
        points: curves: (x, y) by the name of the line, such as cost against the number of people.
        machine: the machine on which it was measured.
    """

    name: str
    title: str
    value: float
    unit: str
    goal: Goal | None
    compared_with: str
    ceiling: float | None
    ratio: float | None
    runs: tuple[float, ...]
    spread: tuple[float, float]
    note: str
    points: dict[str, list[tuple[float, float]]] = {}
    machine: Machine

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        measured = self.value if self.goal.of == "value" else self.ratio
        return measured is not None and self.goal.met(measured)

    @property
    def goal_text(self) -> str:
        """The goal in words, such as ``≥ 0.65 × the ceiling`` or ``≤ 50 ms``; "" without a goal."""
        if self.goal is None:
            return ""
        sign = "≥" if self.goal.side == "at least" else "≤"
        return f"{sign} {self.goal.bound:g} {'× ' + self.compared_with if self.goal.of == 'ratio' else self.unit}"

    def __str__(self) -> str:
        lines = [f"{self.title}: {number(self.value)} {self.unit}"]
        if len(self.runs) > 1:
            least, most = (number(one) for one in self.spread)
            lines[0] += f" (median of {len(self.runs)} runs, {least} to {most})"
        if self.ceiling is not None and self.ratio is not None:
            lines.append(
                f"  {self.compared_with}: {number(self.ceiling)} {self.unit}; ratio {self.ratio:.3g}"
            )
        if self.goal is not None:
            lines.append(f"  goal {self.goal_text}: {'met' if self.met else 'NOT met'}")
        if self.note:
            lines.append(f"  {self.note}")
        lines += [
            f"  {line}: " + ", ".join(f"{x:g} → {number(y)}" for x, y in points)
            for line, points in self.points.items()
        ]
        return "\n".join([*lines, f"  {self.machine}"])


def figure(
    name: str,
    title: str,
    unit: str,
    runs: Sequence[float],
    *,
    goal: Goal | None = None,
    compared_with: str = "",
    ceilings: Sequence[float] = (),
    inverse: bool = False,
    note: str = "",
    points: dict[str, list[tuple[float, float]]] | None = None,
) -> Figure:
    """Build the figure of repeated runs on this machine, with the fields of ``Figure``.

    Args:
        ceilings: the value of the ceiling or peer in each run; () without one.

    Raises:
        ValueError: there are no runs, or not as many ceilings as runs.
    """
    if not runs or (ceilings and len(ceilings) != len(runs)):
        raise ValueError(f"{len(runs)} runs and {len(ceilings)} ceilings")
    ratios = [c / r if inverse else r / c for r, c in zip(runs, ceilings, strict=False)]
    return Figure(
        name=name,
        title=title,
        value=statistics.median(runs),
        unit=unit,
        goal=goal,
        compared_with=compared_with,
        ceiling=statistics.median(ceilings) if ceilings else None,
        ratio=statistics.median(ratios) if ratios else None,
        runs=tuple(runs),
        spread=(min(runs), max(runs)),
        note=note,
        points=points or {},
        machine=machine(),
    )


def machine() -> Machine:
    """Return the properties of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Machine(
        _processor(), os.cpu_count() or 1, memory, f"{platform.system()} {platform.machine()}", python
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def add_options(parser: argparse.ArgumentParser, *, runs: int) -> None:
    """Add the options of every benchmark: ``--runs`` and ``--results``."""
    parser.add_argument("--runs", type=int, default=runs, help="how often it is measured; the median counts")
    parser.add_argument("--results", type=Path, help="folder to write the figures to, as JSON")


def report(figures: Iterable[Figure], results: Path | None) -> None:
    """Print the figures, and write them to ``results`` if this is a folder."""
    for one in figures:
        print(one, flush=True)
        if results is not None:
            write(one, results)


def write(one: Figure, folder: Path) -> None:
    """Write ``<name>.json`` into a folder, which is created if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(one), indent=2)
    (folder / f"{one.name}.json").write_bytes(text + b"\n")


def read(folder: Path) -> list[Figure]:
    """Return all figures in a folder, ordered by name."""
    files = sorted(folder.glob("*.json"))
    return [msgspec.json.decode(file.read_bytes(), type=Figure) for file in files]


def number(value: float) -> str:
    """Return the value in at least three digits, with thousands separators."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
