"""What does a report consist of, whichever form it is written in?

Every sentence names the source of its numbers, so that a reader can look them up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Bars", "Calendar", "Cell", "Item", "Report", "Section", "Sentence", "Table", "Trend"]

Cell = str | int | float | None


@dataclass(frozen=True)
class Sentence:
    """A sentence, and where its numbers come from."""

    text: str
    source: str


@dataclass(frozen=True)
class Table:
    """Rows under the names of columns, and where the numbers come from. ``title`` may be empty."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    source: str
    title: str = ""


@dataclass(frozen=True)
class Bars:
    """A bar for each label; values are at least 0."""

    title: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    source: str


@dataclass(frozen=True)
class Calendar:
    """A share, 0 to 1, for each day; None for a day of which nothing is known. Below ``goal`` a day is marked."""

    title: str
    days: tuple[tuple[str, float | None], ...]
    goal: float
    source: str


@dataclass(frozen=True)
class Trend:
    """A line through points (seconds after the first, value), with marks (seconds, words)."""

    title: str
    points: tuple[tuple[float, float], ...]
    marks: tuple[tuple[float, str], ...]
    source: str
    unit: Literal["percent", "count"] = "count"


Item = Sentence | Table | Bars | Calendar | Trend


@dataclass(frozen=True)
class Section:
    """A part of a report under a heading."""

    title: str
    items: Sequence[Item]


@dataclass
class Report:
    """A report: ``data`` has its figures for programs, in the units that their names state."""

    title: str
    about: Sentence
    sections: list[Section] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def sources(self) -> list[str]:
        """Return each source once, in the order of its first use; the number of a source is its place from 1 on."""
        used = [self.about.source, *(item.source for section in self.sections for item in section.items)]
        return list(dict.fromkeys(used))

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs: title, figures, and each sentence with its source."""
        return {
            "title": self.title,
            "about": {"text": self.about.text, "source": self.about.source},
            "data": self.data,
            "sentences": [{"text": one.text, "source": one.source} for one in self._sentences()],
        }

    def _sentences(self) -> Iterator[Sentence]:
        for section in self.sections:
            yield from (item for item in section.items if isinstance(item, Sentence))
