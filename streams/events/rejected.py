"""What is written to ``login-events.rejected``? The record as it came, without what says who a person is.

A producer's mistake is best found in the bytes that were sent, so these are kept where they may be. If they
hold a forbidden field, at any depth and however its name is spelt, they go without it; if that cannot be
told, because they are no JSON, only their length and digest go.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

import msgspec

from streams.events.login_event import FORBIDDEN
from streams.events.validation import MAX_BYTES, Reason, too_deep

__all__ = ["KEPT_BYTES", "RejectedRecord", "rejected_record"]

#: How much is kept of a value that is too large, in bytes.
KEPT_BYTES: Final = 4 * 1024

_NAMES = frozenset(name.encode() for name in FORBIDDEN)
_NAME = re.compile(b"|".join(sorted(_NAMES)))
# JSON within a string: a name and the quotation mark that ends it, escaped as often as need be.
_NAME_IN_STRING = re.compile(rb"(?:%s)\\*[\"']" % _NAME.pattern)
_STRING_OF_JSON = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"\s*(:?)')
# No other escape stands for a letter or an underscore; within a string it is escaped itself.
_ESCAPED = re.compile(rb"\\+u00([0-7][0-9a-f])")

_ANY = msgspec.json.Decoder(msgspec.Raw)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class RejectedRecord:
    """A record of the topic ``login-events.rejected``.

    Attributes:
        key: ``topic/partition/offset`` of the original; the same record may be written more than once.
        value: the original bytes; None if the original was null.
        headers: ``reason``, ``topic``, ``partition``, ``offset``; and one of these if the value is not
            the original: ``redacted`` (``fields``: forbidden fields are taken out; ``digest``: it is a JSON
            object of the original's ``length`` and ``sha256``) or ``truncated`` (its length, in bytes).
    """

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def rejected_record(
    topic: str, partition: int, offset: int, value: bytes | None, reason: Reason
) -> RejectedRecord:
    """The record of ``login-events.rejected`` for a rejected record of the input topic."""
    kept, change = (None, ()) if value is None else _kept(value)
    headers = (
        ("reason", reason.encode()),
        ("topic", topic.encode()),
        ("partition", b"%d" % partition),
        ("offset", b"%d" % offset),
        *change,
    )
    return RejectedRecord(f"{topic}/{partition}/{offset}".encode(), kept, headers)


def _kept(value: bytes) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    """What is kept of a value, and the header that says what was done to it, if anything."""
    is_cut = len(value) > MAX_BYTES
    kept = value[:KEPT_BYTES] if is_cut else value
    if _NAME.search(_spelt_out(kept)) is None:
        return kept, (("truncated", b"%d" % len(value)),) if is_cut else ()
    stripped = None if is_cut else _stripped(value)  # what is cut is no JSON
    if stripped is None:
        digest = {"length": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        return msgspec.json.encode(digest), (("redacted", b"digest"),)
    return stripped, () if stripped == value else (("redacted", b"fields"),)


def _spelt_out(text: bytes) -> bytes:
    """Lower case, letters for their escapes, ASCII for UTF-16: fit for finding names and for nothing else."""
    return _ESCAPED.sub(lambda escape: bytes((int(escape[1], 16),)).lower(), text.lower().replace(b"\0", b""))


def _is_personal(string: bytes, is_key: bool) -> bool:
    """Whether a string of JSON (less its quotation marks) names a forbidden field, or holds such a field."""
    plain = _spelt_out(string)
    return (is_key and plain in _NAMES) or _NAME_IN_STRING.search(plain) is not None


def _stripped(value: bytes) -> bytes | None:
    """The JSON without forbidden fields, unchanged if it has none; None if it is no JSON that we read."""
    if too_deep(value):
        return None
    try:
        value.decode()
        whole = bytes(_ANY.decode(value))
        # Looked for in the text: a duplicate key hides what an earlier one held from whoever parses.
        if not any(_is_personal(string[1], bool(string[2])) for string in _STRING_OF_JSON.finditer(whole)):
            return value
        return _without(whole)
    except (msgspec.MsgspecError, ValueError):
        return None


def _without(text: bytes) -> bytes | None:
    """Return a JSON value without forbidden fields; None if nothing remains."""
    if text.startswith(b"{"):
        fields = {
            name: _without(bytes(raw))
            for name, raw in _OBJECT.decode(text).items()
            if not _is_personal(name.encode(), True)
        }
        return msgspec.json.encode(
            {name: msgspec.Raw(field) for name, field in fields.items() if field is not None}
        )
    if text.startswith(b"["):
        items = [_without(bytes(raw)) for raw in _ARRAY.decode(text)]
        return msgspec.json.encode([msgspec.Raw(item) for item in items if item is not None])
    return None if text.startswith(b'"') and _is_personal(text[1:-1], False) else text
