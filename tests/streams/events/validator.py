"""What a valid login event is, said again with the json module: slow, plain, none of the code under test."""

from __future__ import annotations

import json
from calendar import monthrange
from datetime import date
from typing import Any

__all__ = ["FIELDS", "FORBIDDEN", "KNOWN", "NUMBERS", "REQUIRED", "Invalid", "validate"]

#: Values that are known today, of fields that may hold any string.
KNOWN = {
    "env": ["prod", "staging", "dev", "localhost"],
    "auth_method": ["ssoe", "sis"],
    "step": ["new", "authorize", "callback", "token", "refresh", "revoke", "logout"],
    "outcome": ["started", "success", "failure"],
    "csp": ["idme", "logingov", "mhv", "dslogon"],
}
NUMBERS = ["duration_ms", "authentication_time_s"]
#: In the order in which faults are reported.
FIELDS = [
    *("schema_version", "event_id", "occurred_at", "env", "auth_method", "step", "outcome", "csp"),
    *("login_type", "client_id", "operation", "direction", "flow_id", "request_id", "user_hash"),
    *("visitor_hash", "acr", "error_code", "error_class", "duration_ms", "authentication_time_s"),
]
REQUIRED = FIELDS[:7]
FORBIDDEN = ["icn", "ssn", "email", "first_name", "last_name", "birth_date"]


class Invalid(Exception):
    """Carries the name of the reason."""


class Number(str):
    """The literal of a number, as it stood."""


def validate(value: bytes | None) -> dict[str, Any]:
    """The fields of the event, all of them, and the forbidden ones as a tuple of names under "forbidden".

    Raises:
        Invalid: with the reason.
    """
    if value is None:
        raise Invalid("empty")
    if len(value) > 65_536:
        raise Invalid("too_large")
    try:
        text = value.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise Invalid("not_utf8") from error
    if all(character in " \t\r\n" for character in text):
        raise Invalid("empty")
    if _depth(text) > 32:
        raise Invalid("too_deep")
    try:
        read = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_refuse, object_pairs_hook=_last_wins
        )
        _characters(read)
    except ValueError as error:
        raise Invalid("not_json") from error
    if not isinstance(read, dict):
        raise Invalid("not_an_object")
    event: dict[str, Any] = {name: _field(name, read.get(name)) for name in FIELDS}
    event["forbidden"] = tuple(name for name in FORBIDDEN if read.get(name) is not None)
    return event


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _last_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, value in pairs:  # also those that will not win must be text
        _characters(name)
        _characters(value)
    return dict(pairs)


def _characters(value: Any) -> None:
    """Raise UnicodeEncodeError, a ValueError, for a lone surrogate; objects have been looked at before."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, list):
        for item in value:
            _characters(item)


def _depth(text: str) -> int:
    deepest = level = 0
    quoted = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = character == "\\", character != '"'
        elif character == '"':
            quoted = True
        elif character in "[{":
            level += 1
            deepest = max(deepest, level)
        elif character in "]}":
            level -= 1
    return deepest


def _field(name: str, value: Any) -> Any:
    if value is None:
        if name in REQUIRED:
            raise Invalid("missing_field")
        return None
    if name == "schema_version":
        if type(value) is not Number or any(character in value for character in ".eE"):
            raise Invalid("wrong_type")
        if value != "1":
            raise Invalid("bad_version")
        return 1
    if name in NUMBERS:
        if type(value) is not Number:
            raise Invalid("wrong_type")
        number = float(value)
        if number < 0 or number in (float("inf"), float("-inf")):
            raise Invalid("out_of_range")
        return number
    if type(value) is not str:
        raise Invalid("wrong_type")
    if name == "occurred_at":
        return _instant(value)
    if not (1 if name == "event_id" else 0) <= len(value) <= (128 if name == "event_id" else 256):
        raise Invalid("out_of_range")
    return value


def _instant(text: str) -> int:
    """Milliseconds since 1970, by counting days; digit by digit, without a regular expression."""
    whole, rest = text[:19], text[19:]
    shape = "".join("0" if character in "0123456789" else character for character in whole)
    if shape != "0000-00-00T00:00:00":
        raise Invalid("bad_instant")
    year, month, day = int(whole[:4]), int(whole[5:7]), int(whole[8:10])
    hour, minute, second = int(whole[11:13]), int(whole[14:16]), int(whole[17:19])
    if year < 1 or not 1 <= month <= 12 or not 1 <= day <= monthrange(year, month)[1]:
        raise Invalid("bad_instant")
    if hour > 23 or minute > 59 or second > 59:
        raise Invalid("bad_instant")
    seconds = (date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()) * 86_400
    seconds += hour * 3600 + minute * 60 + second
    digits = ""
    if rest.startswith("."):
        end = 1
        while end < len(rest) and rest[end] in "0123456789":
            end += 1
        digits, rest = rest[1:end], rest[end:]
        if not digits:
            raise Invalid("bad_instant")
    millis = seconds * 1000 + int(digits[:3].ljust(3, "0"))
    if rest == "Z":
        return millis
    if len(rest) != 6 or rest == "-00:00" or rest[0] not in "+-" or rest[3] != ":":
        raise Invalid("bad_instant")
    offset = rest[1:3] + rest[4:]
    if any(character not in "0123456789" for character in offset) or offset[:2] > "23" or offset[2:] > "59":
        raise Invalid("bad_instant")
    minutes = int(offset[:2]) * 60 + int(offset[2:])
    return millis - minutes * 60_000 if rest[0] == "+" else millis + minutes * 60_000
