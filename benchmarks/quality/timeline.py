"""How is a detector's input plotted? As SVG with curves, thresholds, the time of firing, and the truth."""

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
    """A named curve with a value for each instant; nan leaves a gap."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Limit:
    """A named horizontal line."""

    name: str
    value: float


@dataclass(frozen=True)
class Span:
    """A named interval, minutes, drawn in a row of its own below the curves."""

    name: str
    spans: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Scale:
    """The mapping of minutes and values to positions on the plot, in units of the SVG."""

    low: float
    high: float
    top: float

    floor = _HEIGHT - _BOTTOM + 0.0

    def x(self, minute: float) -> float:
        share = (min(max(minute, self.low), self.high) - self.low) / (self.high - self.low)
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share

    def y(self, value: float) -> float:
        return self.floor - (self.floor - _TOP) * min(max(value, 0.0), self.top) / self.top


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
    """An SVG of curves over time, with limits and bars; equal arguments give equal text.

    Args:
        title: the title of the plot.
        axis: the quantity of the curves, with its unit.
        minutes: the instants, ascending; minute 0 is the beginning of the outage.
        curves: values at these instants.
        limits: thresholds of the quantity.
        rows: bars below the plot: when a detector fires, when the outage lasts.
        most: upper end of the vertical axis; greater values are cut. By default the greatest value.
    """
    known = [v for curve in curves for v in curve.values if not math.isnan(v)]
    top = most or max([*known, *(limit.value for limit in limits)], default=1.0) * 1.08 or 1.0
    scale = _Scale(minutes[0], minutes[-1], top)
    bottom = _HEIGHT + 16 * max(0, len(rows) - 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="12" fill="{_INK}">',
        f'<text x="{_LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
        *_legend(axis, curves),
        *_axes(scale),
        *_limits(scale, limits),
        *_curves(scale, minutes, curves),
        *_bars(scale, rows),
    ]
    return "\n".join([*parts, "</svg>\n"])


def _legend(axis: str, curves: Sequence[Curve]) -> list[str]:
    parts, at = [], float(_LEFT)
    for n, curve in enumerate(curves):
        colour = _COLOURS[n % len(_COLOURS)]
        parts.append(f'<path d="M{at:.0f} 34h18" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{at + 24:.0f}" y="38">{escape(curve.name)}</text>')
        at += 44 + 6.6 * len(curve.name)
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="38" text-anchor="end">{escape(axis)}</text>')
    return parts


def _axes(scale: _Scale) -> list[str]:
    parts = []
    for tick in _ticks(0.0, scale.top, 4):
        y = scale.y(tick)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="{_FAINT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,.6g}</text>')
    for tick in _ticks(scale.low, scale.high, 8):
        x = scale.x(tick)
        parts.append(f'<path d="M{x:.1f} {scale.floor}v4" stroke="{_INK}"/>')
        parts.append(f'<text x="{x:.1f}" y="{scale.floor + 16}" text-anchor="middle">{tick:,.6g} min</text>')
    return parts


def _limits(scale: _Scale, limits: Sequence[Limit]) -> list[str]:
    parts = []
    for limit in limits:
        y = scale.y(limit.value)
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="{_TRUTH}" stroke-dasharray="4 3"/>'
        )
        parts.append(
            f'<text x="{_WIDTH - _RIGHT}" y="{y - 4:.1f}" text-anchor="end" fill="{_TRUTH}">'
            f"{escape(limit.name)}</text>"
        )
    return parts


def _curves(scale: _Scale, minutes: Sequence[float], curves: Sequence[Curve]) -> list[str]:
    parts = []
    for n, curve in enumerate(curves):
        points = [(scale.x(m), scale.y(v)) for m, v in zip(minutes, curve.values, strict=True)]
        colour = _COLOURS[n % len(_COLOURS)]
        path = _path(points, curve.values)
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return parts


def _bars(scale: _Scale, rows: Sequence[Span]) -> list[str]:
    parts = []
    for n, row in enumerate(rows):
        level = scale.floor + 30 + 16 * n
        colour = _TRUTH if n == 0 else _FIRING
        parts.append(f'<text x="{_LEFT - 6}" y="{level + 9}" text-anchor="end">{escape(row.name)}</text>')
        for begin, end in row.spans:
            if end > scale.low and begin < scale.high:
                x, width = scale.x(begin), max(scale.x(end) - scale.x(begin), 1.0)
                parts.append(
                    f'<rect x="{x:.1f}" y="{level}" width="{width:.1f}" height="10" fill="{colour}"/>'
                )
    return parts


def _path(points: Sequence[tuple[float, float]], values: Sequence[float]) -> str:
    """Return the path through the points, without points in the middle of a level part, and with gaps at nan."""
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
    """Return round numbers in [low, high]."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in (*_NICE, 10) if nice * power >= rough)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def spans(minutes: Sequence[float], on: Sequence[bool]) -> list[tuple[float, float]]:
    """Return the intervals (minutes) in which ``on`` is True."""
    out: list[tuple[float, float]] = []
    for (begin, now), (end, _) in pairwise(zip(minutes, on, strict=True)):
        if now:
            out = [*out[:-1], (out[-1][0], end)] if out and out[-1][1] == begin else [*out, (begin, end)]
    return out
