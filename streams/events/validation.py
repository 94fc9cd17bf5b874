"""Why is a record value no login event, and what should its producer do? Every rule, one after the other.

This is the slow and exact way, for what ``events.decode`` does not see to be valid at a glance. What is odd
yet valid passes only here: a duplicate key whose earlier value had a wrong type, a forbidden personal field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final

import msgspec

from detectors.instants import parse_instant
from streams.events.login_event import FORBIDDEN, MAX_CHARACTERS, LoginEvent, StrippedEvent

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Reason", "Rejection", "decode_exactly", "too_deep"]

#: The largest record value that is read, in bytes.
MAX_BYTES: Final = 64 * 1024
#: How deep objects and arrays may nest, the event itself being 1.
MAX_DEPTH: Final = 32


class Reason(StrEnum):
    """Why a record is no event. The list is closed: it labels a metric and a header."""

    EMPTY = "empty"  # a null value, or nothing but white space
    TOO_LARGE = "too_large"  # more than MAX_BYTES
    NOT_UTF8 = "not_utf8"  # bytes that are not UTF-8, anywhere
    NOT_JSON = (
        "not_json"  # nor are NaN, a byte order mark, or an escaped lone surrogate, which is no character
    )
    TOO_DEEP = "too_deep"  # brackets outside strings nest deeper than MAX_DEPTH; judged before the syntax
    NOT_AN_OBJECT = "not_an_object"  # JSON, but no object
    MISSING_FIELD = "missing_field"  # a required field is absent or null
    WRONG_TYPE = "wrong_type"  # a field of another JSON type; nothing is coerced
    OUT_OF_RANGE = "out_of_range"  # a string too long or too short, a number negative or not finite
    BAD_INSTANT = "bad_instant"  # occurred_at is no RFC 3339 instant with an offset
    BAD_VERSION = "bad_version"  # an integer schema_version other than 1
    FUTURE = "future"  # too far ahead of the record's timestamp
    PAST = "past"  # too far behind it


@dataclass(frozen=True)
class Rejection:
    """Why a record was refused, and what its producer should do.

    ``detail`` names fields of the schema, never what an event holds.
    """

    reason: Reason
    detail: str


_ANY = msgspec.json.Decoder(msgspec.Raw)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)

_STRINGS_OF_JSON = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NESTING = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_TYPES = {
    b'"': "a string",
    b"{": "an object",
    b"[": "an array",
    b"t": "a boolean",
    b"f": "a boolean",
    b"n": "null",
}
_NULL = b"null"


class _RefusedError(Exception):
    """Carries a rejection out of the check of a field."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.rejection = Rejection(reason, detail)


def too_deep(value: bytes) -> bool:
    """Whether brackets outside strings nest deeper than ``MAX_DEPTH``, whether or not the rest is JSON."""
    if value.count(b"{") + value.count(b"[") <= MAX_DEPTH:
        return False
    brackets = _STRINGS_OF_JSON.sub(b"", value).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_NESTING.__getitem__, brackets)), default=0) > MAX_DEPTH


def decode_exactly(value: bytes | None) -> LoginEvent | Rejection:
    """``events.decode``, without haste: first the record, then each field; the first fault decides."""
    if value is None:
        return Rejection(Reason.EMPTY, "send a login event: the record has no value")
    if len(value) > MAX_BYTES:
        return Rejection(Reason.TOO_LARGE, f"send at most {MAX_BYTES} bytes")
    try:
        value.decode()
    except UnicodeDecodeError:
        return Rejection(Reason.NOT_UTF8, "encode the event as UTF-8")
    if not value.strip(b" \t\r\n"):
        return Rejection(Reason.EMPTY, "send a login event: the record is blank")
    if too_deep(value):
        return Rejection(Reason.TOO_DEEP, f"nest at most {MAX_DEPTH} objects and arrays")
    try:
        if not bytes(_ANY.decode(value)).startswith(b"{"):
            return Rejection(Reason.NOT_AN_OBJECT, "send one JSON object in each record")
        sent = {name: bytes(raw) for name, raw in _OBJECT.decode(value).items()}  # of duplicates, the last
        checked = {name: check(name, sent.get(name, _NULL)) for name, check in _CHECKS.items()}
    except _RefusedError as refused:
        return refused.rejection
    except (msgspec.MsgspecError, ValueError):
        return Rejection(Reason.NOT_JSON, "send one JSON object in each record, nothing before or after it")
    # mypy cannot see through the table of checks; the tests compare the outcome with decode() field by field.
    stripped = tuple(name for name in FORBIDDEN if sent.get(name, _NULL) != _NULL)
    if stripped:
        return StrippedEvent(**checked, stripped=stripped)  # type: ignore[arg-type]
    return LoginEvent(**checked)  # type: ignore[arg-type]


def _type(text: bytes) -> str:
    return _TYPES.get(text[:1], "a number")


def _any_string(name: str, text: bytes) -> str:
    if not text.startswith(b'"'):
        raise _RefusedError(Reason.WRONG_TYPE, f"send {name} as a string, not as {_type(text)}")
    return _STRING.decode(text)


def _string(name: str, text: bytes, least: int = 0, most: int = MAX_CHARACTERS) -> str:
    string = _any_string(name, text)
    if not least <= len(string) <= most:
        raise _RefusedError(Reason.OUT_OF_RANGE, f"send {name} with {least} to {most} characters")
    return string


def _version(name: str, text: bytes) -> int:
    if re.fullmatch(b"-?[0-9]+", text) is None:
        kind = "a number with a fraction or an exponent" if _type(text) == "a number" else _type(text)
        raise _RefusedError(Reason.WRONG_TYPE, f"send {name} as the integer 1, not as {kind}")
    if text != b"1":
        raise _RefusedError(Reason.BAD_VERSION, f"send {name} 1: no other version is known")
    return 1


def _event_id(name: str, text: bytes) -> str:
    return _string(name, text, 1, 128)


def _moment(name: str, text: bytes) -> int:
    try:
        return parse_instant(_any_string(name, text))
    except ValueError:
        detail = f"send {name} as an RFC 3339 instant with an offset, such as 2026-11-23T15:04:05.123Z"
        raise _RefusedError(Reason.BAD_INSTANT, detail) from None


def _amount(name: str, text: bytes) -> float:
    if _type(text) != "a number":
        raise _RefusedError(Reason.WRONG_TYPE, f"send {name} as a number, not as {_type(text)}")
    amount = float(text)
    if not 0 <= amount < math.inf:
        raise _RefusedError(Reason.OUT_OF_RANGE, f"send {name} as a finite number that is not negative")
    return amount


_Check = Callable[[str, bytes], object]


def _required(check: _Check) -> _Check:
    def required(name: str, text: bytes) -> object:
        if text == _NULL:
            raise _RefusedError(Reason.MISSING_FIELD, f"send {name}: it is missing or null")
        return check(name, text)

    return required


def _optional(check: _Check) -> _Check:
    return lambda name, text: None if text == _NULL else check(name, text)


#: From a field's name and JSON text (null when absent) to its value, in the order of the schema.
_CHECKS: dict[str, _Check] = {
    "schema_version": _required(_version),
    "event_id": _required(_event_id),
    "occurred_at": _required(_moment),
    "env": _required(_string),
    "auth_method": _required(_string),
    "step": _required(_string),
    "outcome": _required(_string),
    "csp": _optional(_string),
    "login_type": _optional(_string),
    "client_id": _optional(_string),
    "operation": _optional(_string),
    "direction": _optional(_string),
    "flow_id": _optional(_string),
    "request_id": _optional(_string),
    "user_hash": _optional(_string),
    "visitor_hash": _optional(_string),
    "acr": _optional(_string),
    "error_code": _optional(_string),
    "error_class": _optional(_string),
    "duration_ms": _optional(_amount),
    "authentication_time_s": _optional(_amount),
}
