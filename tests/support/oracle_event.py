"""Which records are events? This is the oracle's reading of the schema, which shares no code with the engine."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["Event", "Invalid", "event_of"]

_MINUTE, _HOUR = 60_000, 3_600_000  # ms
_ENV_ALIASES = {"production": "prod", "eks-prod": "prod", "eks-staging": "staging"}
_FREE_STRINGS = (
    *("env", "auth_method", "step", "outcome", "csp"),
    *("flow_id", "request_id", "user_hash", "visitor_hash", "error_code", "error_class"),
    *("login_type", "client_id", "operation", "direction", "acr"),
)
_REQUIRED = ("schema_version", "event_id", "occurred_at", "env", "auth_method", "step", "outcome")
_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """A valid record: the fields that counting needs, and the instant at which the event happened."""

    id: str
    at: int
    env: str
    method: str
    step: str
    outcome: str
    csp: str | None
    client: str | None
    code: str | None
    error_class: str
    duration: float | None
    person: tuple[str, str]

    @property
    def leaf(self) -> tuple[str | None, ...]:
        """Return the value of the event on each axis, in the order of the axes."""
        return self.method, self.csp, self.client


class Invalid(Exception):
    """The record is no event."""


def event_of(value: bytes | None) -> Event:
    """Return the event in a record's value.

    Raises:
        Invalid: the value is no event.
    """
    if value is None:
        raise Invalid("null")
    if len(value) > 64 * 1024:
        raise Invalid("over 64 KiB")
    try:
        text = value.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise Invalid("not UTF-8") from error
    if _depth(text) > 32:
        raise Invalid("too deep")
    try:
        fields = json.loads(text, parse_constant=_refuse, parse_int=_integer, object_pairs_hook=_object)
    except ValueError as error:
        raise Invalid("not JSON") from error
    if not isinstance(fields, dict):
        raise Invalid("not an object")
    for name in _REQUIRED:
        if fields.get(name) is None:
            raise Invalid(f"{name} is missing")
    if type(fields["schema_version"]) is not int or fields["schema_version"] != 1:
        raise Invalid("schema_version")
    if not isinstance(fields["event_id"], str) or not 1 <= len(fields["event_id"]) <= 128:
        raise Invalid("event_id")
    for name in _FREE_STRINGS:
        given = fields.get(name)
        if given is not None and not (isinstance(given, str) and len(given) <= 256):
            raise Invalid(name)
    for name in ("duration_ms", "authentication_time_s"):
        given = fields.get(name)
        if given is None:
            continue
        if type(given) not in (int, float) or not math.isfinite(given) or given < 0:
            raise Invalid(name)
    return Event(
        id=fields["event_id"],
        at=_instant(fields["occurred_at"]),
        env=_ENV_ALIASES.get(_spelt(fields["env"]), _spelt(fields["env"])),
        method=_spelt(fields["auth_method"]),
        step=_spelt(fields["step"]),
        outcome=_spelt(fields["outcome"]),
        csp=_spelt(fields.get("csp")),
        client=_spelt(fields.get("client_id")),
        code=_code_of(fields.get("error_code")),
        error_class=_class_of(fields.get("error_class")),
        duration=fields.get("duration_ms"),
        person=_person(fields),
    )


def _spelt(value: Any) -> Any:
    """Return how the value of an open field is counted: in lower case, or ``other`` if it has odd characters.

    None stands for a field without a value.
    """
    if value is None:
        return None
    lower = value.lower()
    return lower if re.fullmatch(r"[-a-z0-9_.:]{1,64}", lower) else "other"


def _code_of(error_code: str | None) -> str | None:
    """Return an error code as it is counted: one of more than 64 characters is ``other``."""
    return "other" if error_code is not None and len(error_code) > 64 else error_code


def _class_of(error_class: str | None) -> str:
    """Return an error class without its namespace and the ending ``Error``; "" for none."""
    if not error_class:
        return ""
    name = _spelt(error_class.split("::")[-1]) or ""
    return name[:-5] if name.endswith("error") and name != "error" else name


def _person(fields: dict[str, Any]) -> tuple[str, str]:
    """Return the field by which an event's person is identified, and its value."""
    for name in ("user_hash", "flow_id"):
        if fields.get(name) is not None:
            return name, fields[name]
    return "event_id", fields["event_id"]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object: the last of duplicate keys wins; an escaped lone surrogate anywhere is an error."""
    json.dumps(pairs, ensure_ascii=False).encode("utf-8")
    return dict(pairs)


def _integer(digits: str) -> int | float:
    """Read an integer; one that no double can hold becomes infinite, like ``1e999``."""
    return int(digits) if len(digits) <= 300 else math.inf


def _depth(text: str) -> int:
    """Return how deep arrays and objects nest, by the brackets outside strings; the outermost level is 1."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif in_string:
            escaped = character == "\\"
            in_string = character != '"'
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _instant(text: Any) -> int:
    if not isinstance(text, str):
        raise Invalid("occurred_at")
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise Invalid("occurred_at")
    fraction, zone = match[7] or ".0", match[8]
    if zone == "-00:00":
        raise Invalid("occurred_at: offset unknown")
    try:
        moment = datetime(*(int(match[n]) for n in range(1, 7)), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError as error:  # 30 February, 25 o'clock, a leap second, the year 0
        raise Invalid("occurred_at") from error
    millis = (moment - _EPOCH) // timedelta(milliseconds=1) + int((fraction[1:] + "00")[:3])
    if zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            raise Invalid("occurred_at: offset")
        millis -= int(zone[0] + "1") * (hours * _HOUR + minutes * _MINUTE)
    return millis
