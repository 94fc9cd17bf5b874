"""How do sign-ins succeed by method, provider and client, now and over time?

Now as a table whose cells say so in words too; over time as bars, the longer the more fail: nobody needs the colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from detectors.axes import ANY
from sinks.console.charts import Sample, Span, time_ticks
from sinks.html import Html, tag
from sinks.wording import ScopeNames

__all__ = ["Cell", "HeatRow", "HeatView", "heat_map", "heat_over_time", "share_words"]

#: Fewer sign-ins than these say little.
_ENOUGH = 20
_WELL, _FAILS = 0.98, 0.9
#: The picture of what was before: its width, the room for names, the height of a row, and its columns.
_WIDTH, _LEFT, _ROW, _COLUMNS = 960, 250, 20, 30
_WORDS = {"well": "succeed", "poor": "succeed, fewer than usual", "fails": "fails", "few": "too few to say"}


class Cell(NamedTuple):
    """The sign-ins of a scope that succeeded and that failed."""

    good: int
    bad: int


class HeatRow(NamedTuple):
    """A scope over time: its method, provider and client (``*`` for all), and what was measured, the oldest first."""

    method: str
    provider: str
    client: str
    samples: Sequence[Sample]


class HeatView(NamedTuple):
    """Rows are methods with providers, columns clients; ``*`` stands for all of them.

    Attributes:
        env: the environment.
        methods, providers, clients: their values, ``*`` first.
        cells: (method, provider, client) -> its sign-ins over five minutes.
        past: what was before, for each scope that has had enough sign-ins.
    """

    env: str
    methods: Sequence[str]
    providers: Sequence[str]
    clients: Sequence[str]
    cells: Mapping[tuple[str, str, str], Cell]
    past: Sequence[HeatRow] = ()


def heat_map(view: HeatView, names: ScopeNames) -> Html:
    """The table, in a part of the page that scrolls on a narrow screen."""
    columns = [client for client in view.clients if any(key[2] == client for key in view.cells)]
    head = tag(
        "tr",
        tag("th", "Method", scope="col"),
        tag("th", "Provider", scope="col"),
        (
            tag("th", "All clients" if one == ANY else names.of("client_id", one), scope="col")
            for one in columns
        ),
    )
    rows: list[Html] = []
    for method in view.methods:
        name = "Both together" if method == ANY else names.of("auth_method", method)
        lines = [
            (provider, cells)
            for provider in view.providers
            if any(cells := [view.cells.get((method, provider, client)) for client in columns])
        ]
        for n, (provider, cells) in enumerate(lines):
            rows.append(
                tag(
                    "tr",
                    tag("th", name, scope="rowgroup", rowspan=len(lines)) if n == 0 else None,
                    tag("th", "All providers" if provider == ANY else names.of("csp", provider), scope="row"),
                    (_cell(one) for one in cells),
                    class_="first" if n == 0 else None,
                )
            )
    if not rows:
        return tag("p", "No sign-in has completed in the last five minutes.")
    caption = tag(
        "caption",
        "Share of sign-ins that succeeded over five minutes, and how many completed",
        class_="minor",
    )
    table = tag("table", caption, tag("thead", head), tag("tbody", rows), class_="heat")
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="Heat map")


def share_words(share: float) -> str:
    """A share in percent, ``99.95 %``, which never says 100 where something failed."""
    if share == 1:
        return "100 %"
    digits = 2 if share > 0.99 else 1
    return f"{min(share, 0.9999):.{digits}%}".replace("%", " %")


def _cell(cell: Cell | None) -> Html:
    done = 0 if cell is None else cell.good + cell.bad
    if cell is None or not done:
        return tag("td", "–", data_is="none")
    share = cell.good / done
    level = "few" if done < _ENOUGH else "well" if share >= _WELL else "poor" if share >= _FAILS else "fails"
    mark = {"poor": "▾ ", "fails": "▼ "}.get(level, "")
    return tag(
        "td", f"{mark}{share_words(share)}", tag("small", f"of {done:,}"), data_is=level, title=_WORDS[level]
    )


def heat_over_time(rows: Sequence[HeatRow], span: Span, names: ScopeNames) -> Html:
    """The least share that succeeded in each part of a span, for each scope where at least twenty completed.

    Args:
        rows: the scopes, in the order in which they are shown.
        span: the time that is shown.
        names: what people call the values of scopes.
    """
    drawn = [(row, parts) for row in rows if (parts := _parts(row.samples, span))]
    if not drawn:
        return tag("p", "No scope has had twenty sign-ins in five minutes yet.")
    height = _ROW * len(drawn) + 22
    lines = (_line(row, parts, n * _ROW, span, names) for n, (row, parts) in enumerate(drawn))
    ticks = (
        tag(
            "text",
            f"{_clock(at)}{' UTC' if not n else ''}",
            x=_x(at, span),
            y=height - 6,
            text_anchor="middle",
        )
        for n, at in enumerate(time_ticks(span))
        if _x(at, span) < _WIDTH - 20
    )
    words = "Success by method, provider and client over time"
    picture = tag(
        "svg", tag("title", words), lines, ticks,
        class_="chart over-time", viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_label=words,
    )  # fmt: skip
    return tag("div", picture, class_="scroll", tabindex="0", role="region", aria_label=words)


def _parts(samples: Sequence[Sample], span: Span) -> dict[int, Sample]:
    """Column -> the sample of the least success of those that say enough."""
    found: dict[int, Sample] = {}
    for one in samples:
        if one.success is None or one.completed < _ENOUGH or not span.start <= one.at <= span.end:
            continue
        column = min((one.at - span.start) * _COLUMNS // max(span.end - span.start, 1), _COLUMNS - 1)
        known = found.get(column)
        if known is None or known.success is None or one.success < known.success:
            found[column] = one
    return found


def _line(
    row: HeatRow, parts: Mapping[int, Sample], top: int, span: Span, names: ScopeNames
) -> Iterator[Html]:
    """A name, a strip for each time without failures, and a bar for each part in which many failed."""
    named = zip(("auth_method", "csp", "client_id"), (row.method, row.provider, row.client), strict=True)
    name = ", ".join(names.of(axis, value) for axis, value in named if value != ANY) or "All sign-ins"
    yield tag(
        "text", name if len(name) <= 42 else f"{name[:41]}…", x=_LEFT - 8, y=top + 14, text_anchor="end"
    )
    width = (_WIDTH - _LEFT) / _COLUMNS
    begun: int | None = None
    for column in range(_COLUMNS + 1):
        one = parts.get(column)
        share = None if one is None else one.success
        if begun is not None and share is None:
            yield _strip(begun, column, top, width)
            begun = None
        if one is None or share is None:
            continue
        begun = column if begun is None else begun
        if share >= _WELL:
            continue
        yield _bar(column, top, name, one.at, share, one.completed)


@lru_cache(4096)  # a page is made anew each second, and most of its bars stay as they are
def _bar(column: int, top: int, name: str, at: int, share: float, completed: int) -> Html:
    """A part of the time in which many failed."""
    width = (_WIDTH - _LEFT) / _COLUMNS
    long = round(max(0.2, 1 - share) * (_ROW - 3), 1)
    words = f"{_clock(at)} UTC, {name}: {share_words(share)} of {completed:,} succeeded"
    return tag(
        "rect",
        tag("title", words),
        x=round(_LEFT + column * width, 1),
        y=round(top + _ROW - 1.5 - long, 1),
        width=round(width - 1, 1),
        height=long,
        class_="bar",
        data_is="poor" if share >= _FAILS else "fails",
    )


def _strip(begin: int, end: int, top: int, width: float) -> Html:
    """What lies below the bars: when the scope had enough sign-ins."""
    x = round(_LEFT + begin * width, 1)
    return tag(
        "rect", x=x, y=top + _ROW - 3, width=round((end - begin) * width - 1, 1), height=2, class_="known"
    )


def _x(at: int, span: Span) -> float:
    share = (at - span.start) / max(span.end - span.start, 1)
    return round(_LEFT + share * (_WIDTH - _LEFT), 1)


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%H:%M")
