"""How do tables and sentences look on a terminal, and in a pipe?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

__all__ = ["standard_output", "titled"]

#: Columns of a pipe: wider than any row, so that each row and sentence is a line, for grep, cut and diff.
_PIPE = 10_000


def standard_output() -> Console:
    """Return what writes to standard output: as wide as the terminal or ``COLUMNS`` say, a pipe without limit."""
    is_pipe = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=_PIPE if is_pipe else None, highlight=False)


def titled(title: str, columns: Iterable[str], *, broken: str) -> Table:
    """Return a table with a title above it and no frames, so that 80 columns hold much and a pipe takes each row apart.

    Args:
        title: stands above the table.
        columns: their names.
        broken: the only column whose text may go on in a further line, where the terminal is too narrow.
    """
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, no_wrap=name != broken, overflow="fold")
    return table
