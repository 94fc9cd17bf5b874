"""A plot of what a detector sees, second by second, as SVG: curves, thresholds, when it fires, what was true."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

__all__ = ["Curve", "Limit", "Span", "spans", "timeline"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 860, 300, 76, 20, 58, 78
_INK, _FAINT, _TRUTH = "#7a7f87", "#7a7f8740", "#d9480f"
_COLOURS = ("#2f81f7", "#8250df", "#2da44e", "#bf8700")
_FIRING = "#cf222e"
_NICE = (1, 2, 5)


@dataclass(frozen=True)
class Curve:
    """A named curve, a value for each instant; nan leaves a gap."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Limit:
    """A named horizontal line."""

    name: str
    value: float


@dataclass(frozen=True)
class Span:
    """From when to when something lasted, minutes, in a row of its own below the curves."""

    name: str
    spans: Sequence[tuple[float, float]]


def timeline(
    title: str,
    axis: str,
    minutes: Sequence[float],
    curves: Sequence[Curve],
    limits: Sequence[Limit] = (),
    rows: Sequence[Span] = (),
    *,
    most: float | None = None,
) -> str:
    """Curves over time with what goes along with them; the same for the same arguments.

    Args:
        title: of the plot.
        axis: what the curves are of, with its unit.
        minutes: the instants, ascending; minute 0 is when the trouble begins.
        curves: over these.
        limits: what they are held against.
        rows: bars below: when it fires, what was true.
        most: upper end of the vertical axis; what is above is cut. The greatest value without it.
    """
    known = [v for curve in curves for v in curve.values if not math.isnan(v)]
    top = most or max([*known, *(limit.value for limit in limits)], default=1.0) * 1.08 or 1.0
    floor = _HEIGHT - _BOTTOM + 0.0
    low, high = minutes[0], minutes[-1]

    def x(minute: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (min(max(minute, low), high) - low) / (high - low)

    def y(value: float) -> float:
        return floor - (floor - _TOP) * min(max(value, 0.0), top) / top

    bottom = _HEIGHT + 16 * max(0, len(rows) - 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12" fill="{_INK}">',
        f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
    ]
    at = float(_LEFT)
    for n, curve in enumerate(curves):
        colour = _COLOURS[n % len(_COLOURS)]
        parts.append(f'<path d="M{at:.0f} 34h18" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{at + 24:.0f}" y="38">{escape(curve.name)}</text>')
        at += 44 + 6.6 * len(curve.name)
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="38" text-anchor="end">{escape(axis)}</text>')
    for tick in _ticks(0.0, top, 4):
        parts.append(f'<path d="M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}" stroke="{_FAINT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:,.6g}</text>')
    for tick in _ticks(low, high, 8):
        parts.append(f'<path d="M{x(tick):.1f} {floor}v4" stroke="{_INK}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{floor + 16}" text-anchor="middle">{tick:,.6g} min</text>')
    for limit in limits:
        parts.append(
            f'<path d="M{_LEFT} {y(limit.value):.1f}H{_WIDTH - _RIGHT}" stroke="{_TRUTH}" stroke-dasharray="4 3"/>'
        )
        parts.append(
            f'<text x="{_WIDTH - _RIGHT}" y="{y(limit.value) - 4:.1f}" text-anchor="end" fill="{_TRUTH}">'
            f"{escape(limit.name)}</text>"
        )
    for n, curve in enumerate(curves):
        path = _path([(x(m), y(v)) for m, v in zip(minutes, curve.values, strict=True)], curve.values)
        parts.append(
            f'<path d="{path}" fill="none" stroke="{_COLOURS[n % len(_COLOURS)]}" stroke-width="1.5"/>'
        )
    for n, row in enumerate(rows):
        level = floor + 30 + 16 * n
        colour = _TRUTH if n == 0 else _FIRING
        parts.append(f'<text x="{_LEFT - 6}" y="{level + 9}" text-anchor="end">{escape(row.name)}</text>')
        for begin, end in row.spans:
            if end > low and begin < high:
                width = max(x(end) - x(begin), 1.0)
                parts.append(
                    f'<rect x="{x(begin):.1f}" y="{level}" width="{width:.1f}" height="10" fill="{colour}"/>'
                )
    return "\n".join([*parts, "</svg>\n"])


def _path(points: Sequence[tuple[float, float]], values: Sequence[float]) -> str:
    """Lines through the points, without those in the middle of a level stretch and with gaps where nan is."""
    out: list[str] = []
    pen = "M"
    for n, ((px, py), value) in enumerate(zip(points, values, strict=True)):
        if math.isnan(value):
            pen = "M"
            continue
        level = 0 < n < len(points) - 1 and pen == "L" and points[n - 1][1] == py == points[n + 1][1]
        if not (level and not math.isnan(values[n + 1])):
            out.append(f"{pen}{px:.1f} {py:.1f}")
        pen = "L"
    return "".join(out)


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers in [low, high]."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (*_NICE, 10) if nice * power >= rough)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def spans(minutes: Sequence[float], on: Sequence[bool]) -> list[tuple[float, float]]:
    """The stretches in which something is on."""
    out: list[tuple[float, float]] = []
    for (begin, now), (end, _) in pairwise(zip(minutes, on, strict=True)):
        if now:
            out = [*out[:-1], (out[-1][0], end)] if out and out[-1][1] == begin else [*out, (begin, end)]
    return out
