"""How are figures plotted? As points, bars and curves in SVG that is readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Bar", "Line", "Row", "bars", "curves", "strips"]

_LEFT, _RIGHT, _TOP, _ROW, _WIDTH = 230, 20, 34, 26, 860
_INK, _FAINT, _POINT, _MEDIAN = "#7a7f87", "#7a7f8740", "#2f81f7", "#d9480f"
_NICE = (1, 2, 5)
_LINES = ("#2f81f7", "#d9480f", "#2da44e", "#8250df")
_BAR, _PANEL, _PANEL_HEIGHT = 22, 400, 210


@dataclass(frozen=True)
class Row:
    """A named row of values, each with the text of its tooltip; None stands for never."""

    name: str
    values: Sequence[tuple[float | None, str]]


@dataclass(frozen=True)
class Bar:
    """A named length with the text behind it, and whether the length meets its goal."""

    name: str
    value: float
    told: str
    good: bool


@dataclass(frozen=True)
class Line:
    """A named curve."""

    name: str
    points: Sequence[tuple[float, float]]


def strips(title: str, axis: str, rows: Sequence[Row], *, goal: float | None = None) -> str:
    """Draw rows of points over a logarithmic axis; values under 1 are drawn at 1, and None at the right edge.

    Args:
        title: the title of the plot.
        axis: the quantity on the axis, with its unit.
        rows: the rows from top to bottom; rows without values are left out.
        goal: the position of a vertical line.
    """
    rows = [row for row in rows if row.values]
    known = [value for row in rows for value, _ in row.values if value is not None]
    most = max([10.0, *known, goal or 1.0]) * 1.15
    bottom = _TOP + _ROW * len(rows)
    room = _WIDTH - _LEFT - _RIGHT - 40

    def x(value: float) -> float:
        return _LEFT + room * math.log(max(value, 1.0)) / math.log(most)

    parts = _opened(title, _WIDTH, bottom + 44, _LEFT)
    for tick in _ticks(most):
        parts.append(f'<path d="M{x(tick):.1f} {_TOP}V{bottom}" stroke="{_FAINT}"/>')
        parts.append(
            f'<text x="{x(tick):.1f}" y="{bottom + 16}" fill="{_INK}" text-anchor="middle">{tick:,}</text>'
        )
    never = _WIDTH - _RIGHT - 10
    if any(value is None for row in rows for value, _ in row.values):
        parts.append(f'<text x="{never}" y="{bottom + 16}" fill="{_INK}" text-anchor="middle">never</text>')
    parts.append(
        f'<text x="{_LEFT + room / 2:.0f}" y="{bottom + 36}" fill="{_INK}" text-anchor="middle">{escape(axis)}</text>'
    )
    if goal is not None:
        parts.append(f'<path d="M{x(goal):.1f} {_TOP}V{bottom}" stroke="{_MEDIAN}" stroke-dasharray="4 3"/>')
    for n, row in enumerate(rows):
        parts += _row(row, _TOP + _ROW * n + _ROW // 2, x, never)
    return "\n".join([*parts, "</svg>\n"])


def _row(row: Row, y: int, x: Callable[[float], float], never: float) -> list[str]:
    parts = [
        f'<text x="{_LEFT - 10}" y="{y + 4}" fill="{_INK}" text-anchor="end">{escape(row.name)}'
        f" ({len(row.values)})</text>"
    ]
    for n, (value, told) in enumerate(row.values):
        # Points that would cover each other are drawn above and below the line in turn.
        at, off = (never if value is None else x(value)), (n % 5 - 2) * 3
        parts.append(
            f'<circle cx="{at:.1f}" cy="{y + off}" r="3" fill="{_POINT}" fill-opacity="0.55">'
            f"<title>{escape(told)}</title></circle>"
        )
    known = sorted(math.inf if value is None else value for value, _ in row.values)
    middle = known[(len(known) - 1) // 2]
    if middle < math.inf:
        parts.append(f'<path d="M{x(middle):.1f} {y - 10}v20" stroke="{_MEDIAN}" stroke-width="2"/>')
    return parts


def _ticks(most: float) -> list[int]:
    ticks = [nice * 10**power for power in range(7) for nice in _NICE]
    return [tick for tick in ticks if tick <= most]


def bars(title: str, rows: Sequence[Bar], *, goal: str) -> str:
    """Draw horizontal bars over a logarithmic axis, with a line at 1.

    Args:
        title: the title of the plot.
        rows: the bars from top to bottom, with positive values.
        goal: the label of the line.
    """
    left, room, bottom = 330, _WIDTH - 330 - 150, _TOP + _BAR * len(rows)
    values = [row.value for row in rows]
    least, most = min([0.5, *values]) / 1.15, max([2.0, *values]) * 1.05

    def x(value: float) -> float:
        return left + room * math.log(value / least) / math.log(most / least)

    parts = _opened(title, _WIDTH, bottom + 26, left)
    for n, row in enumerate(rows):
        y = _TOP + _BAR * n
        parts.append(
            f'<text x="{left - 10}" y="{y + 15}" fill="{_INK}" text-anchor="end">{escape(row.name)}</text>'
        )
        color = _POINT if row.good else _MEDIAN
        parts.append(
            f'<rect x="{left}" y="{y + 4}" width="{x(row.value) - left:.1f}" height="{_BAR - 8}" fill="{color}"/>'
        )
        parts.append(f'<text x="{x(row.value) + 6:.1f}" y="{y + 15}" fill="{_INK}">{escape(row.told)}</text>')
    parts.append(f'<path d="M{x(1):.1f} {_TOP}V{bottom + 4}" stroke="{_INK}" stroke-dasharray="4 3"/>')
    parts.append(
        f'<text x="{x(1):.1f}" y="{bottom + 18}" fill="{_INK}" text-anchor="middle">{escape(goal)}</text>'
    )
    return "\n".join([*parts, "</svg>\n"])


def curves(title: str, axis: str, panels: Sequence[tuple[str, Sequence[Line]]]) -> str:
    """Draw curves over logarithmic axes, in named panels side by side.

    Args:
        title: the title of the plot.
        axis: the quantity on the horizontal axes.
        panels: name and curves of each panel; x values are at least 1, and y values are positive.
    """
    width, height = _PANEL * len(panels), _TOP + _PANEL_HEIGHT + 60
    parts = _opened(title, width, height, 50)
    for n, (name, lines) in enumerate(panels):
        parts += _panel(name, axis, lines, 50 + _PANEL * n)
    return "\n".join([*parts, "</svg>\n"])


def _panel(name: str, axis: str, lines: Sequence[Line], left: int) -> list[str]:
    room, top, bottom = _PANEL - 70, _TOP + 22, _TOP + _PANEL_HEIGHT
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    # At least one decade, so that a constant curve looks constant.
    middle = math.sqrt(min(ys) * max(ys))
    low, high = min(min(ys), middle / 3.2) / 1.1, max(max(ys), middle * 3.2) * 1.1

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / min(xs)) / math.log(max(max(xs) / min(xs), 2))
        return left + room * across, bottom - (bottom - top) * math.log(y / low) / math.log(high / low)

    parts = [f'<text x="{left}" y="{_TOP + 10}" fill="{_INK}">{escape(name)}</text>']
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    for tick in (nice * 10.0**power for power in range(powers.start - 1, powers.stop) for nice in _NICE):
        if low <= tick <= high:
            y = at(min(xs), tick)[1]
            parts.append(f'<path d="M{left} {y:.1f}h{room}" stroke="{_FAINT}"/>')
            parts.append(
                f'<text x="{left - 6}" y="{y + 4:.1f}" fill="{_INK}" text-anchor="end">{tick:g}</text>'
            )
    for power in range(math.ceil(math.log10(min(xs))), math.floor(math.log10(max(xs))) + 1):
        x = at(10.0**power, low)[0]
        parts.append(f'<path d="M{x:.1f} {top}V{bottom}" stroke="{_FAINT}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" fill="{_INK}" text-anchor="middle">{_short(power)}</text>'
        )
    parts.append(
        f'<text x="{left + room / 2:.0f}" y="{bottom + 34}" fill="{_INK}" text-anchor="middle">{escape(axis)}</text>'
    )
    for n, line in enumerate(lines):
        color = _LINES[n % len(_LINES)]
        way = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in line.points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{color}" stroke-width="2"/>')
        for x, y in line.points:
            cx, cy = at(x, y)
            parts.append(
                f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" fill="{color}">'
                f"<title>{escape(line.name)}: {x:,g} → {y:.3g}</title></circle>"
            )
        parts.append(
            f'<text x="{left + 100 * n}" y="{bottom + 52}" fill="{color}">{escape(line.name)}</text>'
        )
    return parts


def _short(power: int) -> str:
    """Return a power of ten in short form: 100k for 100,000."""
    return f"{10 ** (power % 3)}{('', 'k', 'M', 'G')[power // 3]}"


def _opened(title: str, width: int, height: int, left: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">',
        f'<text x="{left}" y="18" fill="{_INK}" font-weight="bold">{escape(title)}</text>',
    ]
