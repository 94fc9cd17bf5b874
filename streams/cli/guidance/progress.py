"""How far is a long command? A line on a terminal says so: how much is done, how fast, and how long it will take."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO, TypeVar

from streams.replay.entries import SourceError
from streams.replay.files import open_lines

__all__ = ["Progress", "expected_records", "followed"]

ItemT = TypeVar("ItemT")
_EVERY = 0.5  # seconds
#: So many lines say how long the lines of a file are.
_SAMPLED = 1_000
#: What moves to the beginning of a line of the terminal and clears it.
_CLEAR = "\r\x1b[K"


class Progress:
    """A line that is written over itself, on a terminal alone, and leaves nothing when it ends.

    Args:
        unit: what is counted.
        whole: how many there will be, about; None if that is not known.
        stream: where it is written; standard error if None.
        monotonic: seconds that never go back.
    """

    def __init__(
        self,
        unit: str,
        whole: int | None,
        *,
        stream: TextIO | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unit = unit
        self._whole = whole
        self._stream = sys.stderr if stream is None else stream
        self._monotonic = monotonic
        self._shows = self._stream.isatty()
        self._began = self._shown_at = monotonic()
        self._written = False

    def tell(self, done: int) -> None:
        """Say how many are done, twice a second at most."""
        if not self._shows:
            return
        now = self._monotonic()
        if now - self._shown_at < _EVERY:
            return
        self._shown_at, self._written = now, True
        self._stream.write(f"{_CLEAR}{self._words(done, now - self._began)}")
        self._stream.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._written:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def _words(self, done: int, seconds: float) -> str:
        rate = done / seconds
        said = f"{done:,} {self._unit}, {rate:,.0f}/s"
        if self._whole is None or not rate or done >= self._whole:
            return said
        left = round((self._whole - done) / rate)
        return f"{said}, {done / self._whole:.0%}, {left // 60}:{left % 60:02} left"


def followed(items: Iterable[ItemT], progress: Progress | None, done: Callable[[], int]) -> Iterator[ItemT]:
    """Yield ``items``, and tell ``progress``, if there is one, how many are ``done`` meanwhile."""
    if progress is None:
        yield from items
        return
    try:
        for item in items:
            progress.tell(done())
            yield item
    finally:
        progress.end()


def expected_records(names: Sequence[str]) -> int | None:
    """About how many records files hold, by the length of their first lines; None if one is compressed or no file."""
    whole = 0
    for name in names:
        if not Path(name).is_file() or name.endswith((".gz", ".zst")):
            return None
        try:
            with open_lines(name) as lines:
                sizes = [len(line) + 1 for line in islice(lines, _SAMPLED)]
        except SourceError:
            return None  # whoever reads it says why
        whole += round(Path(name).stat().st_size / (sum(sizes) / len(sizes))) if sizes else 0
    return whole
