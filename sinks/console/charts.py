"""How are success and people drawn over time? As SVG with axes, units, thresholds and marks, which needs no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from detectors.instants import DAY, HOUR, MINUTE
from detectors.process.deploys import Deploy, deploy_words
from sinks.html import Html, tag

__all__ = [
    "Mark",
    "Sample",
    "Span",
    "budget_chart",
    "deploy_marks",
    "people_chart",
    "success_chart",
    "time_ticks",
]

_WIDTH, _HEIGHT = 400, 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 22  # the margins around what is drawn
_COLUMNS = 60
_STEPS = (5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, DAY, 5 * DAY)
_TICKS = 6
#: Columns without a value over which the line goes on.
_GAP = 6


class Sample(NamedTuple):
    """What was measured at an instant (ms): the share that succeeded (0-1, None: nothing completed), and people.

    ``people`` is None where they are not known; ``completed`` is of how many sign-ins the share is, 0 where not known.
    """

    at: int
    success: float | None
    people: int | None
    completed: int = 0


class Span(NamedTuple):
    """The time that a chart shows, ms."""

    start: int
    end: int


class Mark(NamedTuple):
    """Something that happened: from when to when (ms; equal for an instant), in words, and its severity or 0.

    ``kind`` is incident or deploy.
    """

    start: int
    end: int
    words: str
    severity: int = 0
    kind: str = "incident"


def deploy_marks(deploys: Iterable[Deploy]) -> list[Mark]:
    """Return the marks of deploys."""
    return [Mark(one.at, one.at, deploy_words(one), kind="deploy") for one in deploys]


@dataclass(frozen=True, kw_only=True)
class _Plot:
    """A chart: the time and the values that it shows, its ticks, its thresholds (value, words, class), and a guide.

    The guide is a straight line between two points (instant, value), where there is one.
    """

    span: Span
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    thresholds: Sequence[tuple[float, str, str]]
    worst: Callable[[float, float], float]
    said: Callable[[float], str]
    title: str
    guide: tuple[tuple[int, float], ...] = ()

    def x(self, at: float) -> float:
        """The place of an instant (ms), within what is drawn."""
        start, end = self.span
        share = (min(max(at, start), end) - start) / max(end - start, 1)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """The place of a value, within what is drawn."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def success_chart(
    samples: Sequence[Sample], span: Span, objective: float | None, marks: Sequence[Mark] = (), *, title: str
) -> Html:
    """The share that succeeded, in percent; of several values in one column the least is drawn.

    Args:
        samples: the oldest first.
        span: the time that is shown.
        objective: the share that should succeed, 0-1.
        marks: what happened meanwhile.
        title: what is shown, for those who cannot see it.
    """
    known = [one.success for one in samples if one.success is not None and span.start <= one.at <= span.end]
    low = next(bound for bound in (0.95, 0.9, 0.8, 0.5, 0.0) if bound == 0 or min(known, default=1) >= bound)
    plot = _Plot(
        span=span,
        low=low,
        high=1.0,
        ticks=[(at, f"{at * 100:.4g} %") for at in (low, (low + 1) / 2, 1.0)],
        thresholds=[]
        if objective is None
        else [(objective, f"objective {objective * 100:.4g} %", "objective")],
        worst=min,
        said=lambda value: f"{value:.1%} succeed",
        title=title,
    )
    return _drawn(plot, [(one.at, one.success) for one in samples], marks)


def people_chart(
    samples: Sequence[Sample],
    span: Span,
    thresholds: Sequence[tuple[int, int]],
    marks: Sequence[Mark] = (),
    *,
    title: str,
) -> Html:
    """The people who were impacted in the hour before; of several values in one column the greatest is drawn.

    Args:
        samples: the oldest first.
        span: the time that is shown.
        thresholds: severity and the people an hour above which it begins.
        marks: what happened meanwhile.
        title: what is shown, for those who cannot see it.
    """
    known = [one.people for one in samples if one.people is not None and span.start <= one.at <= span.end]
    most = max(known, default=0)
    high = _round_up(max(most * 1.1, 10))
    plot = _Plot(
        span=span,
        low=0.0,
        high=high,
        ticks=[(at, f"{at:,.0f}") for at in (0.0, high / 2, high)],
        thresholds=[
            (float(people), f"severity {severity} above {people:,}", f"severity-{severity}")
            for severity, people in thresholds
            if people <= high
        ],
        worst=max,
        said=lambda value: f"{value:,.0f} people",
        title=title,
    )
    return _drawn(
        plot, [(one.at, None if one.people is None else float(one.people)) for one in samples], marks
    )


def budget_chart(left: Sequence[tuple[int, float]], month: Span, *, title: str) -> Html:
    """The share of a month's error budget that was left, beside the line of a budget that is spent evenly.

    Args:
        left: instant (ms) and share, the oldest first; below 0 where the budget is overspent.
        month: its beginning and its end.
        title: what is shown, for those who cannot see it.
    """
    low = min(0.0, *(math.floor(share * 2) / 2 for _, share in left)) if left else 0.0
    plot = _Plot(
        span=month,
        low=low,
        high=1.0,
        ticks=[(at, f"{at:.0%}") for at in (low, (low + 1) / 2, 1.0)],
        thresholds=[(0.0, "spent", "severity-1")] if low < 0 else [],
        worst=min,
        said=lambda share: f"{share:.1%} left",
        title=title,
        guide=((month.start, 1.0), (month.end, 0.0)),
    )
    return _drawn(plot, left, ())


def _drawn(plot: _Plot, points: Sequence[tuple[int, float | None]], marks: Sequence[Mark]) -> Html:
    columns = _columns(plot, points)
    line, area = _paths(plot, columns)
    shown = [one for one in marks if one.end >= plot.span.start and one.start <= plot.span.end]
    nothing = tag("text", "no values yet", x=_WIDTH / 2, y=_HEIGHT / 2, text_anchor="middle")
    return tag(
        "svg",
        tag("title", plot.title),
        (_mark(plot, mark) for mark in shown),
        _grid(plot),
        tag("path", d=_guide(plot), class_="guide") if plot.guide else None,
        tag("path", d=area, class_="area") if area else None,
        tag("path", d=line, class_="line") if line else nothing,
        (_threshold(plot, n, *one) for n, one in enumerate(plot.thresholds)),
        _hover(plot, columns),
        class_="chart",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=plot.title,
    )


def _guide(plot: _Plot) -> str:
    return "M" + "L".join(f"{plot.x(at)},{plot.y(value)}" for at, value in plot.guide)


def _columns(plot: _Plot, points: Sequence[tuple[int, float | None]]) -> dict[int, tuple[int, float | None]]:
    """Column -> the last instant (ms) and the worst value in it."""
    start, end = plot.span
    columns: dict[int, tuple[int, float | None]] = {}
    for at, value in points:
        if not start <= at <= end:
            continue
        column = (at - start) * _COLUMNS // max(end - start, 1)
        known = columns.get(column, (at, None))[1]
        columns[column] = at, value if known is None or value is None else plot.worst(known, value)
    return columns


def _paths(plot: _Plot, columns: dict[int, tuple[int, float | None]]) -> tuple[str, str]:
    """The line, and the area below it; a gap of more than three columns, or an unknown value, ends both."""
    line, area, begun, last = "", "", None, (0, 0.0)
    for column in sorted(columns):
        at, value = columns[column]
        if begun is not None and (value is None or column - last[0] > _GAP):
            line, area = line + _dot(begun, last[1]), area + _closed(plot, begun, last[1])
            begun = None
        if value is None:
            continue
        x, y = plot.x(at), plot.y(value)
        step = f"{'M' if begun is None else 'L'}{x},{y}"
        line, area = line + step, area + step
        begun, last = x if begun is None else begun, (column, x)
    if begun is not None:
        line, area = line + _dot(begun, last[1]), area + _closed(plot, begun, last[1])
    return line, area


def _dot(begun: float, ended: float) -> str:
    """What ends a line: one of a single value would else not be seen."""
    return "m-1.5,0h3" if begun == ended else ""


def _closed(plot: _Plot, begun: float, ended: float) -> str:
    """What ends the area below a line."""
    floor = plot.y(plot.low)
    return f"L{ended},{floor}L{begun},{floor}Z"


def _grid(plot: _Plot) -> Iterator[Html]:
    for value, words in plot.ticks:
        y = plot.y(value)
        yield tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid")
        yield tag("text", words, x=_LEFT - 4, y=y + 3, text_anchor="end")
    for at in time_ticks(plot.span):
        if plot.x(at) < _LEFT + 20:
            continue
        yield tag(
            "line",
            x1=plot.x(at),
            x2=plot.x(at),
            y1=_HEIGHT - _BOTTOM,
            y2=_HEIGHT - _BOTTOM + 3,
            class_="tick",
        )
        anchor = "end" if plot.x(at) > _WIDTH - 24 else "middle"
        yield tag("text", _when(at, plot.span), x=plot.x(at), y=_HEIGHT - 8, text_anchor=anchor)
    yield tag("text", "UTC", x=_LEFT - 4, y=_HEIGHT - 8, text_anchor="end")


def time_ticks(span: Span) -> range:
    """The full minutes, hours or days (ms) that stand below what shows a span."""
    start, end = span
    step = next((step for step in _STEPS if (end - start) / step <= _TICKS), (end - start) // _TICKS)
    return range(start - start % step + step, end + 1, step)


def _threshold(plot: _Plot, number: int, value: float, words: str, kind: str) -> Html:
    """A threshold with its words, at the other end than those of one before that it is close to."""
    y, words_y = plot.y(value), _words_y(plot, value)
    close = any(abs(_words_y(plot, other) - words_y) < 12 for other, _, _ in plot.thresholds[:number])
    x, anchor = (_WIDTH - _RIGHT - 4, "end") if close else (_LEFT + 4, None)
    return tag(
        "g",
        tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y),
        tag("text", words, x=x, y=words_y, text_anchor=anchor),
        class_=f"threshold {kind}",
    )


def _words_y(plot: _Plot, value: float) -> float:
    """The place of the words of a threshold: above its line, where there is room."""
    y = plot.y(value)
    return y + 11 if y < _TOP + 12 else y - 3


def _mark(plot: _Plot, mark: Mark) -> Html:
    x = plot.x(mark.start)
    return tag(
        "rect",
        tag("title", mark.words),
        x=x,
        y=_TOP,
        width=max(1.5, round(plot.x(mark.end) - x, 1)),
        height=_HEIGHT - _TOP - _BOTTOM,
        class_="mark",
        data_severity=mark.severity or None,
        data_kind=mark.kind if mark.kind != "incident" else None,
    )


def _hover(plot: _Plot, columns: dict[int, tuple[int, float | None]]) -> Iterator[Html]:
    """What is said where the pointer rests: an unseen strip for each column."""
    width = (_WIDTH - _LEFT - _RIGHT) / _COLUMNS
    for column, (at, value) in sorted(columns.items()):
        words = "nothing completed" if value is None else plot.said(value)
        yield tag(
            "rect",
            tag("title", f"{_when(at, plot.span)} UTC: {words}"),
            x=round(_LEFT + column * width, 1),
            y=_TOP,
            width=round(width, 1),
            height=_HEIGHT - _TOP - _BOTTOM,
            class_="strip",
        )


def _when(at: int, span: Span) -> str:
    days = span.end - span.start > 2 * DAY
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%-d %b" if days else "%H:%M")


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value)
