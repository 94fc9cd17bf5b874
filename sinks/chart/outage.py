"""How does an outage look over its last hour? The share that fails above, the people who are impacted below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.instants import HOUR, MINUTE
from sinks.chart.raster import Colour, Picture, text_width

__all__ = ["HEIGHT", "SHOWN", "WIDTH", "Measured", "draw"]

#: The time that a chart shows, ms, and its size, pixels.
SHOWN = HOUR
WIDTH, HEIGHT = 760, 330
_LEFT, _RIGHT = 74, 18
_TICK = 10 * MINUTE
#: A line goes on over as much time without a value, ms.
_GAP = 6 * MINUTE
_LINE = 1.5
_PAPER: Colour = (255, 255, 255)
_INK: Colour = (27, 31, 36)
_GREY: Colour = (91, 100, 112)
_RULE: Colour = (221, 225, 231)
_RED: Colour = (179, 38, 30)
_BLUE: Colour = (37, 99, 168)
_PEOPLE_AT_LEAST = 10


class Measured(NamedTuple):
    """What was measured at an instant (ms): the share that fails (0-1; None: nothing completed), and people."""

    at: int
    failing: float | None
    people: int | None


class _Panel(NamedTuple):
    """One chart of the two: where it stands, its greatest value, and how that is said."""

    top: int
    bottom: int
    most: float
    said: str
    title: str
    colour: Colour


def draw(title: str, measured: Sequence[Measured], *, until: int, began: int | None = None) -> bytes:
    """The chart as PNG; it takes some ms, and has some 15 KB.

    Args:
        title: what fails, on one line.
        measured: the oldest first; what lies outside the hour is not shown.
        until: the end of the hour, ms.
        began: the first failure, ms, which is marked if it lies within the hour.
    """
    picture = Picture(WIDTH, HEIGHT, _PAPER)
    picture.text(14, 10, title, _INK)
    shown = [one for one in measured if until - SHOWN - _GAP <= one.at <= until]
    most = max([_PEOPLE_AT_LEAST, *(one.people or 0 for one in shown)])
    shares = _Panel(62, 162, 1.0, "100 %", "Share of sign-ins that fail", _RED)
    people = _Panel(202, 296, most, f"{most:,}", "People impacted, in the hour before", _BLUE)
    failing = [(one.at, one.failing) for one in shown if one.failing is not None]
    crowd = [(one.at, float(one.people)) for one in shown if one.people is not None]
    for panel, values in ((shares, failing), (people, crowd)):
        _draw_panel(picture, panel, values, until)
    _draw_time(picture, until, began)
    return picture.png()


def _draw_panel(picture: Picture, panel: _Panel, values: Sequence[tuple[int, float]], until: int) -> None:
    picture.text(_LEFT, panel.top - 24, panel.title, panel.colour)
    for place, said in ((panel.top, panel.said), (panel.bottom, "0")):
        picture.box(_LEFT, place, WIDTH - _RIGHT, place + 1, _RULE)
        picture.text(_LEFT - 8 - text_width(said), place - 11, said, _GREY)
    if not values:
        picture.text(_LEFT + 12, panel.top + 30, "Nothing is known.", _GREY)
        return
    tops = panel.bottom - _columns(values, until) / panel.most * (panel.bottom - panel.top)
    floor = np.full(tops.shape, float(panel.bottom))
    picture.band(_LEFT, tops, floor, panel.colour, 0.18)
    after = np.where(np.isnan(np.roll(tops, -1)), tops, np.roll(tops, -1))
    after[-1] = tops[-1]
    picture.band(
        _LEFT, np.minimum(tops, after) - _LINE / 2, np.maximum(tops, after) + _LINE / 2, panel.colour
    )


def _columns(values: Sequence[tuple[int, float]], until: int) -> NDArray[np.float64]:
    """The value of each column of pixels, between those that were measured; no number where none is near."""
    wide = WIDTH - _LEFT - _RIGHT
    at = until - SHOWN + (np.arange(wide) + 0.5) * SHOWN / wide
    known = np.array([one[0] for one in values], np.float64)
    found = np.interp(at, known, [one[1] for one in values])
    after = np.searchsorted(known, at)
    before = np.where(after > 0, known[np.maximum(after - 1, 0)], -np.inf)
    behind = np.where(after < len(known), known[np.minimum(after, len(known) - 1)], np.inf)
    near = np.minimum(at - before, behind - at) <= _GAP / 2
    return np.where(near, found, np.nan)


def _draw_time(picture: Picture, until: int, began: int | None) -> None:
    """The axis of time, and where the first failure was."""

    def place(at: int) -> int:
        return _LEFT + round((at - until + SHOWN) / SHOWN * (WIDTH - _LEFT - _RIGHT - 1))

    first = -(-(until - SHOWN) // _TICK) * _TICK
    for at in range(first, until + 1, _TICK):
        said = datetime.fromtimestamp(at // 1000, UTC).strftime("%H:%M")
        picture.box(place(at), 296, place(at) + 1, 301, _GREY)
        picture.text(min(place(at) - text_width(said) // 2, WIDTH - text_width(said)), 302, said, _GREY)
    picture.text(14, 302, "UTC", _GREY)
    if began is not None and until - SHOWN <= began <= until:
        for top in range(62, 296, 6):
            picture.box(place(began), top, place(began) + 1, top + 3, _INK)
