"""Events decoded by both ways, and held against the independent validator."""

from __future__ import annotations

from typing import Any

from streams.events.decode import decode
from streams.events.login_event import FORBIDDEN, LoginEvent
from streams.events.validation import Reason, Rejection, decode_exactly
from tests.streams.events import validator

__all__ = ["accepted", "content", "expected", "reason"]


def content(decoded: LoginEvent | Rejection) -> dict[str, Any] | str:
    """All that an event says, or the reason why it is none."""
    if isinstance(decoded, Rejection):
        return str(decoded.reason)
    assert all(getattr(decoded, name) is None for name in FORBIDDEN)
    return {name: getattr(decoded, name) for name in (*validator.FIELDS, "forbidden")}


def expected(value: bytes | None) -> dict[str, Any] | str:
    """Return the validator's result for a value."""
    try:
        return validator.validate(value)
    except validator.Invalid as invalid:
        return str(invalid)


def reason(value: bytes | None) -> Reason | None:
    """Why it is no event, on which all agree; None if it is one."""
    decoded = decode(value)
    assert decoded == decode_exactly(value)
    assert content(decoded) == expected(value)
    return decoded.reason if isinstance(decoded, Rejection) else None


def accepted(value: bytes) -> LoginEvent:
    """The event that it is, on which all agree."""
    decoded = decode(value)
    assert isinstance(decoded, LoginEvent), decoded
    assert decoded == decode_exactly(value)
    assert content(decoded) == expected(value)
    return decoded
