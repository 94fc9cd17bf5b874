"""What may a text that goes into a record hold, and how long may it be?

A text by other people holds characters that are shown, and none that change how others are. Lengths are bytes of UTF-8;
a text is never cut inside a character.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = [
    "CAUSES_LIMIT",
    "LINK_BYTES",
    "NAME_BYTES",
    "NOTES_KEPT",
    "NOTE_BYTES",
    "RECORD_BYTES",
    "SENTENCE_BYTES",
    "cut",
    "fits",
    "plain_line",
    "plain_text",
]

#: No record that this program writes is larger, with 50 incidents open: three eighths of what brokers take by default.
RECORD_BYTES = 384 * 1024

#: The last notes that an incident carries; the incident log has all of them.
NOTES_KEPT = 5
#: Of each of those notes; the incident log has each note whole.
NOTE_BYTES = 240
#: Of the name of a person or receiver on an incident.
NAME_BYTES = 120
#: Of the sentence of an incident.
SENTENCE_BYTES = 480
#: Of a link, and of an identifier that a receiver returned.
LINK_BYTES = 512
#: The most findings in one line of the incident log, and the most narrower scopes on an incident.
CAUSES_LIMIT = 50

_ELLIPSIS = "…"
_ESCAPED = re.compile(r'[\x00-\x1f"\\]')
_SHORT = frozenset('"\\\b\f\n\r\t')


def _written(text: str) -> int:
    """The bytes that a text takes in JSON, without the quotation marks around it."""
    escaped = sum(1 if char in _SHORT else 5 for char in _ESCAPED.findall(text))
    return len(text.encode("utf-8", "replace")) + escaped


@lru_cache(maxsize=4096)
def _width(char: str) -> int:
    """The bytes that one character takes in JSON, remembered: few are in use at a time."""
    return _written(char)


def fits(text: str, limit: int) -> bool:
    """Whether ``text`` takes at most ``limit`` bytes in JSON."""
    return len(text) <= limit and _written(text) <= limit  # no character takes less than a byte


def cut(text: str, limit: int) -> str:
    """``text``, or as much of its beginning as takes ``limit`` bytes in JSON with an ellipsis behind it.

    Control characters, quotation marks and backslashes count as long as JSON writes them.

    Args:
        text: any text.
        limit: bytes of UTF-8, at least 3.
    """
    if fits(text, limit):
        return text
    room = limit - len(_ELLIPSIS.encode())
    end = 0
    for char in text[:limit]:
        room -= _width(char)
        if room < 0:
            break
        end += 1
    return text[:end] + _ELLIPSIS


#: Format characters that belong to the character beside them: joiners of emoji and of Persian and Indic letters.
_JOINERS = "\u200c\u200d"
_KEPT = frozenset(_JOINERS)


def plain_line(text: str) -> str:
    """The text on one line: every run of white space and control characters becomes a space.

    Invisible characters are left out, those that turn the direction of writing (U+202E) among them. Half of a surrogate
    pair becomes U+FFFD.
    """
    return " ".join("".join(map(_plain, text)).split())


def plain_text(text: str) -> str:
    """The text with its lines, each as of ``plain_line``; more than one empty line in a row becomes one."""
    lines = [plain_line(line) for line in text.splitlines()]
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]
    return "\n".join(kept).strip("\n")


def _plain(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    if category == "Cs":
        return "\ufffd"
    return "" if category == "Cf" and character not in _KEPT else character
