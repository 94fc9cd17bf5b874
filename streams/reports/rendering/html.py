"""How is a report written in HTML? As one page that needs no other file and runs no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape

from sinks.wording import one_line
from streams.reports.document import Bars, Calendar, Cell, Item, Report, Sentence, Table, Trend
from streams.reports.rendering.charts import svg

__all__ = ["html"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --faint: #5c5c5c; --rule: #d0d0d0; --bar: #005ea2;
  --met: #b8dcc0; --missed: #e5a000; --much: #b50909; --unknown: #e6e6e6; }
@media (prefers-color-scheme: dark) { :root { --ink: #f0f0f0; --paper: #1b1b1b; --faint: #b0b0b0; --rule: #4a4a4a;
  --bar: #73b3e7; --met: #2e5c3a; --unknown: #3a3a3a; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 50rem;
  margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; } th, td { text-align: left;
  padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } caption, figcaption { text-align: left;
  font-weight: 600; } sup a, ol { color: var(--faint); } figure { margin: 1rem 0; }
svg { max-width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--faint); } .axis { stroke: var(--rule); }
.bar { fill: var(--bar); } .line { fill: none; stroke: var(--bar); stroke-width: 2; }
.mark { stroke: var(--much); stroke-dasharray: 3 3; } .met { fill: var(--met); } .missed { fill: var(--missed); }
.missed-much { fill: var(--much); } .unknown { fill: var(--unknown); }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'"


def html(report: Report) -> str:
    """Return a report as an HTML page."""
    numbers = {source: n for n, source in enumerate(report.sources(), 1)}
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_plain(report.title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(_body(report, numbers))
        + "\n</main></body></html>\n"
    )


def _body(report: Report, numbers: dict[str, int]) -> Iterator[str]:
    yield f"<h1>{_plain(report.title)}</h1>"
    yield f"<p>{_told(report.about, numbers)}</p>"
    for section in report.sections:
        yield f"<h2>{_plain(section.title)}</h2>"
        for item in section.items:
            yield _item(item, numbers)
    yield "<h2>Sources</h2><ol>"
    for source, number in numbers.items():
        yield f'<li id="source-{number}">{_plain(source)}</li>'
    yield "</ol>"


def _item(item: Item, numbers: dict[str, int]) -> str:
    if isinstance(item, Sentence):
        return f"<p>{_told(item, numbers)}</p>"
    mark = _mark(numbers[item.source])
    if isinstance(item, Table):
        head = "".join(f'<th scope="col">{_plain(column)}</th>' for column in item.columns)
        rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in item.rows)
        caption = f"<caption>{_plain(item.title)} {mark}</caption>" if item.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    assert isinstance(item, Bars | Calendar | Trend)
    return f"<figure><figcaption>{_plain(item.title)} {mark}</figcaption>{svg(item)}</figure>"


def _told(sentence: Sentence, numbers: dict[str, int]) -> str:
    return f"{_plain(sentence.text)} {_mark(numbers[sentence.source])}"


def _mark(number: int) -> str:
    return f'<sup><a href="#source-{number}">{number}</a></sup>'


def _cell(cell: Cell) -> str:
    if isinstance(cell, int | float):
        return f'<td class="number">{cell:,}</td>'
    return f"<td>{'' if cell is None else _plain(cell)}</td>"


def _plain(text: str) -> str:
    return escape(one_line(text))
