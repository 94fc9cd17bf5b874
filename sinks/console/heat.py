"""How do sign-ins succeed by method, provider and client at this moment? As a table whose cells say so in words too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from detectors.axes import ANY
from sinks.html import Html, tag
from sinks.wording import ScopeNames

__all__ = ["Cell", "HeatView", "heat_map", "share_words"]

#: Fewer sign-ins than these say little.
_ENOUGH = 20
_WELL, _FAILS = 0.98, 0.9
_WORDS = {"well": "succeed", "poor": "succeed, fewer than usual", "fails": "fails", "few": "too few to say"}


class Cell(NamedTuple):
    """The sign-ins of a scope that succeeded and that failed."""

    good: int
    bad: int


class HeatView(NamedTuple):
    """Rows are methods with providers, columns clients; ``*`` stands for all of them.

    Attributes:
        env: the environment.
        methods, providers, clients: their values, ``*`` first.
        cells: (method, provider, client) -> its sign-ins over five minutes.
    """

    env: str
    methods: Sequence[str]
    providers: Sequence[str]
    clients: Sequence[str]
    cells: Mapping[tuple[str, str, str], Cell]


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
