"""How is a demo shown? As a live screen on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import os
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live

from streams.demo.layout import ScreenState, layout
from streams.demo.timeline import HEADER

__all__ = ["LiveScreen", "PlainScreen", "Screen", "screen_for"]


class Screen(Protocol):
    """Shows states of the demo until it is closed; a second ``close`` has no effect."""

    def show(self, state: ScreenState) -> None:
        """Show the present state."""

    def close(self) -> None:
        """End the display; the whole timeline stays on the terminal."""


def screen_for(out: TextIO) -> Screen:
    """A live screen if ``out`` is a terminal that can move its cursor, else plain lines."""
    if out.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        return LiveScreen(Console(file=out, highlight=False))
    return PlainScreen(out)


class PlainScreen:
    """Prints each line of the timeline once."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown = 0
        self._opened = False

    def show(self, state: ScreenState) -> None:
        """Print the new lines of the timeline."""
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
        """Do nothing: all lines have been printed."""

    def _write(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class LiveScreen:
    """Redraws the screen for each state; on ``close`` the timeline replaces the screen."""

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
        """Redraw the screen."""
        if not self._live.is_started:
            self._live.start()
        self._last = state
        size = self._console.size
        self._live.update(layout(state, size.width, size.height - 1), refresh=True)

    def close(self) -> None:
        """Clear the screen and print the timeline as plain lines."""
        self._live.stop()
        state, self._last = self._last, None
        if state is not None:
            for line in (HEADER, *(entry.line(state.began) for entry in state.entries)):
                self._console.print(line, markup=False, soft_wrap=True)
