"""How are the charts of a report drawn? As SVG, with a title for people who do not see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from html import escape

from streams.reports.document import Bars, Calendar, Trend

__all__ = ["svg"]

_WIDTH, _HEIGHT = 720, 200
_LEFT, _TOP, _BOTTOM = 48, 12, 28
_CELL = 20  # of the calendar, with its gap


def svg(chart: Bars | Calendar | Trend) -> str:
    """Return a chart as an SVG element that needs no other file."""
    if isinstance(chart, Calendar):
        weeks = len({_week(day) for day, _ in chart.days})
        size, body = (_LEFT + (weeks + 1) * _CELL, 7 * _CELL + _TOP), _calendar(chart)
    else:
        size, body = (_WIDTH, _HEIGHT), _bars(chart) if isinstance(chart, Bars) else _trend(chart)
    return (
        f'<svg viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" height="{size[1]}" role="img"'
        f' aria-label="{escape(chart.title)}"><title>{escape(chart.title)}</title>{"".join(body)}</svg>'
    )


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _axis(most: float, unit: str) -> Iterator[str]:
    floor = _HEIGHT - _BOTTOM
    yield f'<line class="axis" x1="{_LEFT}" y1="{floor}" x2="{_WIDTH}" y2="{floor}"/>'
    words = (f"{most:.0%}", "0%") if unit == "percent" else (f"{most:,.0f}", "0")
    yield _text(_LEFT - 6, _TOP + 8, words[0], "end")
    yield _text(_LEFT - 6, floor, words[1], "end")


def _bars(chart: Bars) -> Iterator[str]:
    most = max(chart.values, default=0.0) or 1.0
    yield from _axis(most, "count")
    room = (_WIDTH - _LEFT) / max(len(chart.values), 1)
    high, floor = _HEIGHT - _TOP - _BOTTOM, _HEIGHT - _BOTTOM
    for n, (label, value) in enumerate(zip(chart.labels, chart.values, strict=True)):
        x, height = _LEFT + n * room, high * value / most
        yield (
            f'<rect class="bar" x="{x + room * 0.1:.1f}" y="{floor - height:.1f}" width="{room * 0.8:.1f}"'
            f' height="{height:.1f}"><title>{escape(label)}: {value:g}</title></rect>'
        )
        yield _text(x + room / 2, floor + 16, label)


def _trend(chart: Trend) -> Iterator[str]:
    most = 1.0 if chart.unit == "percent" else max((value for _, value in chart.points), default=0.0) or 1.0
    yield from _axis(most, chart.unit)
    times = [at for at, _ in chart.points] + [at for at, _ in chart.marks]
    begin, end = min(times, default=0.0), max(times, default=1.0)
    high, floor = _HEIGHT - _TOP - _BOTTOM, _HEIGHT - _BOTTOM

    def x_of(at: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 8) * (at - begin) / max(end - begin, 1e-9)

    line = " ".join(f"{x_of(at):.1f},{floor - high * value / most:.1f}" for at, value in chart.points)
    yield f'<polyline class="line" points="{line}"/>'
    for at, words in chart.marks:
        x = x_of(at)
        yield (
            f'<line class="mark" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{floor}">'
            f"<title>{escape(words)}</title></line>"
        )
    yield _text(_LEFT, floor + 16, f"{begin / 60:+.0f} min", "start")
    yield _text(_WIDTH - 8, floor + 16, f"{end / 60:+.0f} min", "end")


def _week(day: str) -> tuple[int, int]:
    year, week, _ = date.fromisoformat(day).isocalendar()
    return year, week


def _calendar(chart: Calendar) -> Iterator[str]:
    """A column for each ISO week, a row for each weekday from Monday on; the darker, the fewer succeeded."""
    columns = {week: n for n, week in enumerate(sorted({_week(day) for day, _ in chart.days}))}
    for row, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")):
        yield _text(_LEFT - 6, row * _CELL + 14, name, "end")
    for day, share in chart.days:
        x, y = _LEFT + columns[_week(day)] * _CELL, date.fromisoformat(day).weekday() * _CELL
        words = "not known" if share is None else f"{share:.3%}"
        if share is None:
            kind = "unknown"
        elif share >= chart.goal:
            kind = "met"
        else:
            missed = (1 - share) / max(1 - chart.goal, 1e-9)
            kind = "missed-much" if missed >= 10 else "missed"
        yield (
            f'<rect class="{kind}" x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}">'
            f"<title>{day}: {words}</title></rect>"
        )
