"""What does the live screen show? Sign-in now, open incidents, the timeline, and addresses of details.

``layout`` is a function of a ``ScreenState``, so that it can be tested without a running demo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from detectors.instants import SECOND, format_instant
from streams.demo.timeline import HEADER, Entry

__all__ = ["Method", "ScreenState", "layout", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
_SPARK = 24  # characters
_LEAST_LINES = 3  # of the timeline, however small the terminal is
_SEVERITY_STYLES = {1: "bold red", 2: "bold yellow", 3: "yellow"}
_STATE_STYLES = {"ok": "green", "warning": "bold yellow", "critical": "bold red", "maintenance": "blue"}
_GOOD, _FAIR = 0.99, 0.9
_WHO_STYLES = {
    "watch": "cyan",
    "pagerduty": "green",
    "datadog": "magenta",
    "slack": "yellow",
    "banner": "blue",
    "scenario": "bold",
}


@dataclass(frozen=True)
class Method:
    """The state of one sign-in method: values oldest first. Success is 0-1, None where unknown."""

    name: str
    title: str
    success: Sequence[float | None]
    people: Sequence[int]
    banner: str


@dataclass(frozen=True, kw_only=True)
class ScreenState:
    """The content of the screen.

    Attributes:
        title: name and speed of the scenario.
        description: of the scenario, one line.
        status: progress, one line.
        now: the demo's clock, ms.
        judged: the last evaluated T, ms; None before the first.
        wall: ms of the real clock since the scenario began.
        began: the real clock when the scenario began, ms.
        methods: ssoe and sis.
        incidents: open incidents, the worst first, as (severity, headline, details).
        entries: the timeline so far.
        places: name -> URL.
    """

    title: str
    description: str
    status: str
    now: int
    judged: int | None
    wall: int
    began: int
    methods: Sequence[Method]
    incidents: Sequence[tuple[int, str, str]]
    entries: Sequence[Entry]
    places: Mapping[str, str]


def layout(state: ScreenState, width: int, height: int) -> RenderableType:
    """The screen for a terminal of ``width`` columns and ``height`` rows, with the last rows free."""
    top = Panel(_head(state), title=state.title, title_align="left", border_style="dim")
    rows = [*_incidents(state, width), Text("")]
    places = _places(state, width)
    taken = 5 + 2 + len(state.methods) + len(rows) + len(places) + 4
    lines = max(_LEAST_LINES, height - taken)
    return Group(
        top,
        _methods(state, width),
        *rows,
        Text(HEADER[:width], style="dim", no_wrap=True),
        *_timeline(state, lines, width),
        Text(""),
        *places,
        Text(state.status, style="dim", no_wrap=True, overflow="ellipsis"),
    )


def sparkline(
    values: Sequence[float | None],
    width: int,
    top: float,
    worst: Callable[[Iterable[float]], float],
) -> str:
    """The values as bars from 0 to ``top``, the newest at the right, a space where nothing is known.

    If there are more values than columns, a bar shows the ``worst`` (``min``, ``max``) of its values, so that
    a dip of one point remains visible.
    """
    bars = []
    shares = min(width, len(values))
    for i in range(shares):
        share = values[i * len(values) // shares : (i + 1) * len(values) // shares]
        known = [value for value in share if value is not None]
        # At most 1: a quotient by next to nothing is not even finite.
        level = min(1.0, worst(known) / top) if known and top > 0 else 0.0
        bars.append(_BARS[min(len(_BARS) - 1, max(0, int(level * len(_BARS))))] if known else " ")
    return "".join(bars).rjust(width)


def _head(state: ScreenState) -> RenderableType:
    judged = "nothing yet" if state.judged is None else format_instant(state.judged)[11:19]
    times = Text.assemble(
        "event time ",
        (format_instant(state.now)[:19].replace("T", " ") + " UTC", "bold"),
        f"   judged up to {judged}   on the wall {state.wall / SECOND:.0f} s",
    )
    times.no_wrap, times.overflow = True, "ellipsis"
    return Group(Text(state.description, no_wrap=True, overflow="ellipsis"), times)


def _methods(state: ScreenState, width: int) -> RenderableType:
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=False)
    spark = max(0, min(_SPARK, (width - 52) // 2))
    table.add_column("", no_wrap=True)
    table.add_column("success, 5 min", no_wrap=True, justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("people hurt, 1 h", no_wrap=True, justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("banner", no_wrap=True)
    most = max([20, *(people for method in state.methods for people in method.people)])
    for method in state.methods:
        success = method.success[-1] if method.success else None
        style = "dim" if success is None else _success_style(success)
        table.add_row(
            Text(method.title, style="bold"),
            Text("–" if success is None else f"{success:.2%}", style=style),
            Text(sparkline(method.success, spark, 1.0, min), style=style),
            Text(f"{method.people[-1]:,}" if method.people else "–"),
            Text(sparkline(method.people, spark, most, max), style="red"),
            Text(method.banner, style=_STATE_STYLES.get(method.banner, "")),
        )
    return table


def _success_style(ratio: float) -> str:
    return "green" if ratio >= _GOOD else "yellow" if ratio >= _FAIR else "bold red"


def _incidents(state: ScreenState, width: int) -> list[RenderableType]:
    if not state.incidents:
        return [Text("no open incident", style="green")]
    out: list[RenderableType] = []
    for severity, headline, details in state.incidents[:3]:
        first = Text(f"SEV {severity}  {headline}", style=_SEVERITY_STYLES.get(severity, ""))
        second = Text(f"       {details}")
        for line in (first, second):
            line.truncate(width, overflow="ellipsis")
            line.no_wrap = True
            out.append(line)
    return out


def _timeline(state: ScreenState, lines: int, width: int) -> list[Text]:
    shown = []
    for entry in state.entries[-lines:]:
        line = Text(entry.line(state.began), no_wrap=True)
        line.highlight_words([entry.who], style=_WHO_STYLES.get(entry.who, ""))
        line.truncate(width, overflow="ellipsis")
        shown.append(line)
    return shown + [Text("")] * (min(lines, _LEAST_LINES) - len(shown))


def _places(state: ScreenState, width: int) -> list[Text]:
    """The URLs, as many in a line as fit; a URL is never cut."""
    lines: list[Text] = []
    line = ""
    for name, url in state.places.items():
        place = f"{name} {url}"
        if line and len(line) + 3 + len(place) > width:
            lines.append(Text(line, no_wrap=True, overflow="ignore"))
            line = ""
        line = f"{line}   {place}" if line else place
    return [*lines, Text(line, no_wrap=True, overflow="ignore")] if line else lines
