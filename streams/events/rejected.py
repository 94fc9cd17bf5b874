"""What is written to ``login-events.rejected``? What the schema has a place for; the rest by name, kind and length.

The first records of a new producer are all rejected, and hold whatever the producer logs. A field of the schema
therefore keeps its value only if the value has a kind and a size that the schema allows there, and is a value rather
than a text: without white space, and without an address or a number of a person. Of every other field the record says
the name, the kind and the length, which is enough to find it in the producer. What is no JSON object, or is too large,
is told by its length and SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

import msgspec

from streams.events.login_event import FORBIDDEN, MAX_CHARACTERS, LoginEvent
from streams.events.somebody import says_who
from streams.events.validation import MAX_BYTES, Rejection, too_deep

__all__ = ["MAX_OTHERS", "RejectedRecord", "rejected_record"]

#: How many fields that are not the schema's are told of by name; the others are counted.
MAX_OTHERS: Final = 32

#: The longest string that a field of the schema may hold, in characters.
_LONGEST = {name: MAX_CHARACTERS for name in LoginEvent.__struct_fields__ if name not in FORBIDDEN} | {
    "event_id": 128
}
#: The numbers of the schema as they stand in JSON: room for every double, none for an id.
_AMOUNT = re.compile(rb"[-+.0-9eE]{1,32}")
_NUMBERS = {
    "schema_version": re.compile(rb"-?[0-9]{1,3}"),
    "duration_ms": _AMOUNT,
    "authentication_time_s": _AMOUNT,
}

#: A name that may be said: that of a field, and not an address, a sentence or a number.
_NAME = re.compile(r"(?=[^a-z]*[a-z])[a-z0-9_.:-]{1,64}")
#: A text that may be an instant, however it is spelt.
_INSTANT = re.compile(r"[0-9Ttz:.+ Z-]{1,40}")
# JSON within a string: a forbidden name and the quotation mark that ends it, escaped as often as need be.
_FORBIDDEN_IN_STRING = re.compile(rb"(?:%s)\\*[\"']" % "|".join(FORBIDDEN).encode())
# No other escape stands for a letter or an underscore; within a string it is escaped itself.
_ESCAPED = re.compile(rb"\\+u00([0-7][0-9a-f])")

_ANY = msgspec.json.Decoder(msgspec.Raw)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)
_KINDS = {b'"': "string", b"{": "object", b"[": "array", b"t": "boolean", b"f": "boolean", b"n": "null"}


@dataclass(frozen=True)
class RejectedRecord:
    """A record of the topic ``login-events.rejected``.

    Attributes:
        key: ``topic/partition/offset`` of the original; the same record may be written more than once.
        value: a JSON object; None if the original was null. Of an original that is a JSON object: its fields in
            their order (of duplicates the last), each with its value, or with the ``kind`` and the ``length`` of its
            value, which is in characters for a string and in bytes of JSON for a number, an object or an array.
            Otherwise the original's ``length`` in bytes and ``sha256``.
        headers: ``reason``, ``topic``, ``partition``, ``offset``; ``detail``, which says what the producer should
            send; and where they apply ``redacted`` (``fields``: some fields are without their values; ``digest``: only
            length and SHA-256 are kept), ``forbidden`` (which forbidden fields were there; they are taken out)
            and ``truncated`` (the original's length in bytes, as it is too large).
    """

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


_Kept = tuple[bytes | None, tuple[tuple[str, bytes], ...]]


def rejected_record(
    topic: str,
    partition: int,
    offset: int,
    value: bytes | None,
    rejection: Rejection,
    *,
    place: int | None = None,
) -> RejectedRecord:
    """The record of ``login-events.rejected`` for a rejected record of an input topic.

    Args:
        topic, partition, offset: where the record stands.
        value: what was rejected.
        rejection: why.
        place: of a producer's own record: the place of the event among those that a mapping made of it. Then no value
            is kept, and the key ends with the place.
    """
    kept, change = _kept(value, keeps=place is None)
    headers = (
        ("reason", rejection.reason.encode()),
        ("topic", topic.encode()),
        ("partition", b"%d" % partition),
        ("offset", b"%d" % offset),
        ("detail", rejection.detail.encode()),
        *change,
    )
    within = "" if place is None else f"/{place}"
    return RejectedRecord(f"{topic}/{partition}/{offset}{within}".encode(), kept, headers)


def _kept(value: bytes | None, *, keeps: bool) -> _Kept:
    """What is kept of a value, and the headers that say what was done to it.

    Args:
        value: what was rejected.
        keeps: whether fields of the schema keep their values.
    """
    if value is None:
        return None, ()
    if len(value) > MAX_BYTES:
        kept, change = _digest(value)
        return kept, (*change, ("truncated", b"%d" % len(value)))
    return _fields(value, keeps=keeps) or _digest(value)


def _digest(value: bytes) -> _Kept:
    told = {"length": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return msgspec.json.encode(told), (("redacted", b"digest"),)


def _fields(value: bytes, *, keeps: bool) -> _Kept | None:
    """What is kept of a JSON object; None for what is none that we read."""
    if too_deep(value):
        return None
    try:
        value.decode()
        if not bytes(_ANY.decode(value)).startswith(b"{"):
            return None
        sent = {name: bytes(raw) for name, raw in _OBJECT.decode(value).items()}
        return _without_others(sent, keeps=keeps)
    except (msgspec.MsgspecError, ValueError):
        return None


def _without_others(sent: dict[str, bytes], *, keeps: bool) -> _Kept:
    """What is kept of the fields of an object, from name to JSON text; values of the schema's alone, if at all."""
    kept: dict[str, object] = {}
    forbidden: set[str] = set()
    told = others = 0
    for position, (name, text) in enumerate(sent.items(), 1):
        if name.lower() in FORBIDDEN:
            forbidden.add(name.lower())
        elif name in _LONGEST:
            fits = keeps and _fits(name, text)
            kept[name] = msgspec.Raw(text) if fits else _told(text)
            told += not fits
        else:
            others += 1
            if others <= MAX_OTHERS:
                kept[_said(name, position)] = _told(text)
    if others > MAX_OTHERS:
        kept["(more)"] = {"kind": "fields", "length": others - MAX_OTHERS}
    change: list[tuple[str, bytes]] = []
    if told or others or forbidden:
        change.append(("redacted", b"fields"))
    if forbidden:
        change.append(("forbidden", ",".join(name for name in FORBIDDEN if name in forbidden).encode()))
    return msgspec.json.encode(kept), tuple(change)


def _fits(name: str, text: bytes) -> bool:
    """Whether the JSON text of a field of the schema has a kind and a size for this field, and tells of nobody."""
    if text == b"null":
        return True
    if (pattern := _NUMBERS.get(name)) is not None:
        return pattern.fullmatch(text) is not None
    if not text.startswith(b'"'):
        return False
    value = _STRING.decode(text)
    if len(value) > _LONGEST[name] or says_who(value):
        return False
    is_instant = name == "occurred_at" and _INSTANT.fullmatch(value)
    return bool(is_instant or _is_one_word(value)) and not _FORBIDDEN_IN_STRING.search(_spelt_out(text[1:-1]))


def _is_one_word(value: str) -> bool:
    return not any(character.isspace() for character in value)


def _spelt_out(text: bytes) -> bytes:
    """Lower case, letters for their escapes: fit for finding names and for nothing else."""
    return _ESCAPED.sub(lambda escape: bytes((int(escape[1], 16),)).lower(), text.lower())


def _said(name: str, position: int) -> str:
    """The name of a field as it may be said; where a name could hold what a value holds, its length."""
    if _NAME.fullmatch(name):
        return name
    return f"(field {position}, a name of {len(name)} characters)"


def _told(text: bytes) -> dict[str, object]:
    """The kind and the length of a JSON text. The length of a boolean would say which of the two it is."""
    kind = _KINDS.get(text[:1], "number")
    if kind in ("boolean", "null"):
        return {"kind": kind}
    return {"kind": kind, "length": len(_STRING.decode(text)) if kind == "string" else len(text)}
