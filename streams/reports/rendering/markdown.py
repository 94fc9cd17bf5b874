"""How is a report written in Markdown? Sources are numbered, and listed at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sinks.wording import one_line
from streams.reports.document import Bars, Calendar, Cell, Item, Report, Sentence, Table, Trend

__all__ = ["markdown"]

_BAR = 24  # characters of the longest bar
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def markdown(report: Report) -> str:
    """Return a report as Markdown."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    numbers = {source: n for n, source in enumerate(report.sources(), 1)}
    yield from (f"# {_plain(report.title)}", "", _told(report.about, numbers), "")
    for section in report.sections:
        yield from (f"## {_plain(section.title)}", "")
        before: Item | None = None
        for item in section.items:
            if before is not None and not (isinstance(item, Sentence) and isinstance(before, Sentence)):
                yield ""
            yield from _item(item, numbers)
            before = item
        yield ""
    yield from ("## Sources", "")
    for source, number in numbers.items():
        yield f"{number}. {_plain(source)}"


def _item(item: Item, numbers: dict[str, int]) -> Iterator[str]:
    mark = f"[{numbers[item.source]}]"
    if isinstance(item, Sentence):
        yield f"- {_told(item, numbers)}"
    elif isinstance(item, Table):
        if item.title:
            yield from (f"**{_plain(item.title)}** {mark}", "")
        yield f"| {' | '.join(map(_plain, item.columns))} |"
        yield f"|{'|'.join('---' for _ in item.columns)}|"
        for row in item.rows:
            yield f"| {' | '.join(map(_cell, row))} |"
    elif isinstance(item, Bars):
        yield from (f"**{_plain(item.title)}** {mark}", "", "```")
        most, width = max(item.values, default=0.0), max(map(len, item.labels), default=0)
        for label, value in zip(item.labels, item.values, strict=True):
            yield f"{label:>{width}}  {'█' * round(_BAR * value / most if most else 0)} {value:g}".rstrip()
        yield "```"
    elif isinstance(item, Calendar):
        yield from (f"**{_plain(item.title)}** {mark}", "", "| day | share | |", "|---|---|---|")
        for day, share in item.days:
            known = "not known" if share is None else f"{share:.3%}"
            missed = "" if share is None or share >= item.goal else "below the objective"
            yield f"| {day} | {known} | {missed} |"
    elif isinstance(item, Trend):
        yield from (f"**{_plain(item.title)}** {mark}", "", f"| after | {item.unit} |", "|---|---|")
        for seconds, value in item.points:
            yield f"| {seconds / 60:.1f} min | {f'{value:.1%}' if item.unit == 'percent' else f'{value:,.0f}'} |"


def _told(sentence: Sentence, numbers: dict[str, int]) -> str:
    return f"{_plain(sentence.text)} [{numbers[sentence.source]}]"


def _cell(cell: Cell) -> str:
    return "" if cell is None else _plain(f"{cell:,}" if isinstance(cell, int) else str(cell))


def _plain(text: str) -> str:
    """Return text on one line in which nothing is markup, whatever a person has written."""
    return _SPECIAL.sub(r"\\\1", one_line(text))
