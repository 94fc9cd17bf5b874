"""What became of the records of a mapping, and which shapes have the lines that no rule knows?"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Account", "Mapped", "note_shape", "shape_of"]

_CHANGING = re.compile(r"\S+@\S+|[0-9a-fA-F]{8,}|\d+|\"[^\"]*\"|'[^']*'|\{.*\}|\[[^\]]*[=:][^\]]*\]")
_SHAPE = 120  # characters of a shape
_MOST_SHAPES = 1_000


@dataclass
class Account:
    """What became of the records of a mapping so far.

    Attributes:
        records, events: how many.
        skipped: rule -> parts that are no events.
        shapes: shape -> parts that no rule knows; at most ``_MOST_SHAPES`` different ones.
        unreadable: why -> records that could not be read.
    """

    records: int = 0
    events: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)

    def add(self, mapped: Mapped) -> None:
        """Count what became of a record."""
        self.records += 1
        self.events += len(mapped.events)
        for rule, shape in mapped.skipped:
            self.skipped[rule] += 1
            if shape:
                note_shape(self.shapes, shape)
        if mapped.unreadable is not None:
            self.unreadable[mapped.unreadable] += 1


@dataclass
class Mapped:
    """What became of one record.

    Attributes:
        events: login events, as JSON.
        skipped: (rule, shape) of each part that is no event; the shape only where no rule knows it.
        unreadable: why the record could not be read; None if it could.
    """

    events: list[bytes] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unreadable: str | None = None


def note_shape(shapes: Counter[str], shape: str) -> None:
    """Count a shape among at most ``_MOST_SHAPES``, so that the frequent ones are kept whatever comes (Misra-Gries).

    A count is too low by at most the number of all shapes divided by ``_MOST_SHAPES``.
    """
    if shape in shapes or len(shapes) < _MOST_SHAPES:
        shapes[shape] += 1
        return
    for known in list(shapes):
        shapes[known] -= 1
        if not shapes[known]:
            del shapes[known]


def shape_of(text: str) -> str:
    """Return the words of a line that do not change from one to the next.

    Numbers, ids, addresses and quoted text become ``#``.
    """
    return " ".join(_CHANGING.sub("#", text).split())[:_SHAPE]
