"""What is one check of `watchofficer doctor`, and how is it printed within 80 columns?"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Literal

import msgspec

__all__ = ["Check", "Status", "as_text", "wrapped_command"]

Status = Literal["ok", "warning", "failed"]

_COLUMNS = 80
_MARKS: dict[Status, str] = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}
_INDENT = " " * 9
#: An option with its value, and what stands in quotes.
_TOGETHER = re.compile(r"--\S+ (?:'[^']*'|(?!--)\S+)|'[^']*'")
_NO_BREAK = "\x00"
#: What begins a line that a person may paste into a shell.
_COMMANDS = ("kafka-", "watchofficer ")


class Check(msgspec.Struct, frozen=True):
    """One check.

    Attributes:
        name: what is looked at.
        status: ok, warning or failed.
        sentence: what was found.
        remedy: what to do; "" if nothing is to be done. A line that begins with the name of a command is one.
    """

    name: str
    status: Status
    sentence: str
    remedy: str = ""


def as_text(check: Check) -> Iterator[str]:
    """The lines of a check, of 80 columns at most where its words allow that; commands can be pasted into a shell."""
    first = f"{_MARKS[check.status]}  {check.name}: "
    yield from _wrapped(first + check.sentence, "", _INDENT)
    for line in check.remedy.splitlines():
        words = line.strip()
        if words.startswith(_COMMANDS):
            yield from wrapped_command(words, _INDENT + "   ")
        else:
            yield from _wrapped(words, f"{_INDENT}-> ", _INDENT + "   ")


def wrapped_command(command: str, indent: str = "") -> Iterator[str]:
    """The lines of a command, of which all but the last end with a backslash.

    Args:
        command: in one line.
        indent: before each line.
    """
    together = _TOGETHER.sub(lambda found: found[0].replace(" ", _NO_BREAK), command)
    lines = [line.replace(_NO_BREAK, " ") for line in _wrapped(together, indent, f"{indent}  ", _COLUMNS - 2)]
    yield from (f"{line} \\" for line in lines[:-1])
    yield lines[-1]


def _wrapped(text: str, first: str, others: str, columns: int = _COLUMNS) -> list[str]:
    return textwrap.wrap(
        text,
        columns,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
