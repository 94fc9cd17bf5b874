"""Strip plots as SVG, by hand: rows of points over one axis, readable on a light and on a dark page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Row", "strips"]

_LEFT, _RIGHT, _TOP, _ROW, _WIDTH = 230, 20, 34, 26, 860
_INK, _FAINT, _POINT, _MEDIAN = "#7a7f87", "#7a7f8740", "#2f81f7", "#d9480f"
_NICE = (1, 2, 5)


@dataclass(frozen=True)
class Row:
    """A named row of values, each with what is said of it when pointed at; None stands for never."""

    name: str
    values: Sequence[tuple[float | None, str]]


def strips(title: str, axis: str, rows: Sequence[Row], *, goal: float | None = None) -> str:
    """Rows of points over a logarithmic axis; values under 1 stand at 1, those that never came at the right edge.

    Args:
        title: of the plot.
        axis: what is on the axis, with its unit.
        rows: from top to bottom; rows without values are left out.
        goal: where a vertical line stands.
    """
    rows = [row for row in rows if row.values]
    known = [value for row in rows for value, _ in row.values if value is not None]
    most = max([10.0, *known, goal or 1.0]) * 1.15
    bottom = _TOP + _ROW * len(rows)
    room = _WIDTH - _LEFT - _RIGHT - 40

    def x(value: float) -> float:
        return _LEFT + room * math.log(max(value, 1.0)) / math.log(most)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 44}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12">',
        f'<text x="{_LEFT}" y="18" fill="{_INK}" font-weight="bold">{escape(title)}</text>',
    ]
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
        # Points that would cover each other stand above and below the line, in turns.
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
