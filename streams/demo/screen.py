"""Where a demo shows itself: a live picture on a terminal, plain lines as they happen anywhere else."""

from __future__ import annotations

import os
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live

from streams.demo.layout import ScreenState, layout
from streams.demo.timeline import HEADER

__all__ = ["LiveScreen", "PlainScreen", "Screen", "screen_for"]


class Screen(Protocol):
    """Shows scenes until it is closed. Closing twice does nothing more."""

    def show(self, state: ScreenState) -> None:
        """Show how it is now."""

    def close(self) -> None:
        """Leave the whole timeline behind."""


def screen_for(out: TextIO) -> Screen:
    """The live picture if ``out`` is a terminal that can move its cursor, else plain lines."""
    if out.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        return LiveScreen(Console(file=out, highlight=False))
    return PlainScreen(out)


class PlainScreen:
    """Each line of the timeline once, when it happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown = 0
        self._opened = False

    def show(self, state: ScreenState) -> None:
        """Write what is new."""
        if not self._opened:
            self._opened = True
            self._write(f"{state.title}: {state.description}")
            for name, url in state.places.items():
                self._write(f"  {name:<10} {url}")
            self._write(HEADER)
        for entry in state.entries[self._shown :]:
            self._write(entry.line(state.began))
        self._shown = len(state.entries)

    def close(self) -> None:
        """Nothing is left to be said."""

    def _write(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class LiveScreen:
    """The picture, drawn anew each time; when it is closed the timeline takes its place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._last: ScreenState | None = None

    def show(self, state: ScreenState) -> None:
        """Draw it."""
        if not self._live.is_started:
            self._live.start()
        self._last = state
        size = self._console.size
        self._live.update(layout(state, size.width, size.height - 1), refresh=True)

    def close(self) -> None:
        """Wipe the picture, write the timeline as plain lines."""
        self._live.stop()
        state, self._last = self._last, None
        if state is not None:
            for line in (HEADER, *(entry.line(state.began) for entry in state.entries)):
                self._console.print(line, markup=False, soft_wrap=True)
