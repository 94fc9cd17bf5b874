"""In which line of a file, or at which offset of a topic, did the n-th record of a partition stand?"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streams.replay.entries import Entry

__all__ = ["LinesOfFiles", "LinesRead", "NotedPlaces", "PlacedEntries", "Places"]


class Places(Protocol):
    """Where the records of one partition stood. Marks and beginnings are no records, and do not count."""

    def of(self, n: int) -> str:
        """The place of the n-th record that was read, counted from 0, in words."""
        ...


class LinesRead:
    """The lines of one file, less the blank ones.

    Attributes:
        count: the number of lines that were yielded; None until the file has been read to its end.
        elements: whether the file is one JSON document, and its elements were yielded.
    """

    def __init__(self, name: str) -> None:
        self._name = "standard input" if name == "-" else name
        self._before_blank = array("q")
        self.count: int | None = None
        self.elements = False

    def left_out(self, yielded: int) -> None:
        """Note a blank line, which stood behind ``yielded`` lines that are not blank."""
        self._before_blank.append(yielded)

    def of(self, n: int) -> str:
        """``FILE:LINE`` of the n-th line that is not blank, counted from 0; of a document the element."""
        if self.elements:
            return f"{self._name}: element {n + 1}"
        return f"{self._name}:{n + 1 + bisect_right(self._before_blank, n)}"


class LinesOfFiles:
    """The lines of files that are read one after another as one partition."""

    def __init__(self, files: Sequence[LinesRead]) -> None:
        self._files = files

    def of(self, n: int) -> str:
        """``FILE:LINE`` of the n-th line that is not blank, counted from 0."""
        for file in self._files[:-1]:
            if file.count is None or n < file.count:
                return file.of(n)
            n -= file.count
        return self._files[-1].of(n)


class NotedPlaces:
    """A number for each record of a partition, such as its offset, and what puts the number in words."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._words: list[tuple[int, Callable[[int], str]]] = []

    def note(self, number: int, words: Callable[[int], str]) -> None:
        """Note the place of the next record."""
        if not self._words or self._words[-1][1] != words:
            self._words.append((len(self._numbers), words))
        self._numbers.append(number)

    def of(self, n: int) -> str:
        """The place of the n-th record, counted from 0."""
        words = next(words for first, words in reversed(self._words) if first <= n)
        return words(self._numbers[n])


class PlacedEntries:
    """The entries of a partition, and where its records stood. Iterating costs no more than without the places.

    Attributes:
        places: where the records stood.
        lines: the same entries as bare lines, if no entry is more than that; read either these or the entries.
    """

    def __init__(self, entries: Iterator[Entry], places: Places) -> None:
        self._entries = entries
        self.places = places
        self.lines: Iterator[bytes] | None = None

    @classmethod
    def of_lines(cls, lines: Iterator[bytes], places: Places) -> PlacedEntries:
        """Return the entries of lines, which have no Kafka timestamps."""
        entries = cls(zip(repeat(None), lines), places)
        entries.lines = lines
        return entries

    def __iter__(self) -> Iterator[Entry]:
        return self._entries

    def __next__(self) -> Entry:
        return next(self._entries)
