"""How long may a text be that goes into a record? Bytes of UTF-8, never cut inside a character."""

from __future__ import annotations

import re

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
]

#: No record that this program writes is larger, with 50 incidents open: a quarter of what brokers take by default.
RECORD_BYTES = 256 * 1024

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


def fits(text: str, limit: int) -> bool:
    """Whether ``text`` takes at most ``limit`` bytes in JSON."""
    return _written(text) <= limit


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
    for char in text:
        room -= _written(char)
        if room < 0:
            break
        end += 1
    return text[:end] + _ELLIPSIS
