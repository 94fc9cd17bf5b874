"""How do the success ratio of a scope and the people who failed look over time, as a plot for a terminal?

Columns are equal spans of time; a column shows the last value within it, and nothing where there is none. Heights are
in eighths of a line (U+2581 to U+2588).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detectors.instants import MINUTE
from sinks.wording import duration_words, time_words
from streams.explain.case_file import Sample

__all__ = ["Happening", "Plot", "plot"]

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_NOTHING = "·"
#: Steps between the times on the axis, ms.
_TICKS = tuple(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440))


@dataclass(frozen=True)
class Happening:
    """Something to be marked: at what instant (ms), by what letter, and what it stands for."""

    at: int
    letter: str
    words: str


@dataclass(frozen=True)
class Plot:
    """Lines of text, all of one width.

    Attributes:
        success, people: from top to bottom.
        most: people at the top.
        marks: the happenings' letters.
        axis: times.
        span: how much time a column is, in words.
    """

    success: tuple[str, ...]
    people: tuple[str, ...]
    most: int
    marks: str
    axis: str
    span: str


def plot(
    samples: Sequence[Sample],
    happenings: Sequence[Happening],
    *,
    begin: int,
    end: int,
    width: int = 72,
    height: int = 4,
) -> Plot | None:
    """Draw samples from ``begin`` to ``end`` (ms); None where there is nothing to be drawn.

    Args:
        width: in columns.
        height: in lines, of each of the two.
    """
    within = [sample for sample in samples if begin <= sample.at <= end]
    if len(within) < 2 or end <= begin:
        return None
    step = max(-(-(end - begin) // width), 1)
    columns: list[Sample | None] = [None] * width
    for sample in within:
        columns[min((sample.at - begin) // step, width - 1)] = sample
    shares = [
        sample.good / (sample.good + sample.bad) if sample is not None and sample.good + sample.bad else None
        for sample in columns
    ]
    most = max(sample.people for sample in within)
    people = [None if sample is None else sample.people / max(most, 1) for sample in columns]
    marks = [" "] * width
    for happening in happenings:
        place = (happening.at - begin) // step
        if 0 <= place < width:
            while place < width - 1 and marks[place] != " ":
                place += 1
            marks[place] = happening.letter
    return Plot(
        _bars(_filled(shares), height),
        _bars(_filled(people), height),
        most,
        "".join(marks),
        _axis(begin, step, width),
        duration_words(step),
    )


def _filled(values: Sequence[float | None]) -> list[float | None]:
    """Gaps between columns that have a value are filled from the left where samples are fewer than columns."""
    known = sum(value is not None for value in values)
    if known * 2 > len(values):
        return list(values)
    out: list[float | None] = []
    last: float | None = None
    final = max((i for i, value in enumerate(values) if value is not None), default=-1)
    for i, value in enumerate(values):
        last = value if value is not None else last
        out.append(last if i <= final else None)
    return out


def _bars(shares: Sequence[float | None], height: int) -> tuple[str, ...]:
    """Lines from top to bottom. What is more than nothing shows at least an eighth."""
    lines = []
    for line in range(height - 1, -1, -1):
        text = ""
        for share in shares:
            if share is None:
                text += _NOTHING if line == 0 else " "
                continue
            eighths = round(share * height * 8)
            if share > 0:
                eighths = max(eighths, 1)
            if share < 1:
                eighths = min(eighths, height * 8 - 1)
            text += _EIGHTHS[min(max(eighths - line * 8, 0), 8)]
        lines.append(text)
    return tuple(lines)


def _axis(begin: int, step: int, width: int) -> str:
    """Times at round instants, each beginning below its column."""
    span = step * width
    tick = next((one for one in _TICKS if span // one <= max(width // 12, 1)), _TICKS[-1])
    axis = [" "] * width
    at = -(-begin // tick) * tick
    while at < begin + span:
        words = time_words(at)[:5]
        place = (at - begin) // step
        if place + len(words) <= width and all(
            c == " " for c in axis[max(place - 1, 0) : place + len(words)]
        ):
            axis[place : place + len(words)] = words
        at += tick
    return "".join(axis)
