"""Is a record value a login event? A ``LoginEvent`` or a ``Rejection``, and never an exception.

There are two ways through, with one meaning. What is valid at a glance goes straight into a ``LoginEvent``;
the rest goes to ``validation.decode_exactly``, which knows every rule and alone decides on the reason.

``aggregate.acceptance`` decides whether a valid event lies in the future, in the past, or was seen before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, cast

import msgspec

from detectors.instants import SECOND, parse_instant
from streams.events.login_event import LoginEvent
from streams.events.validation import MAX_BYTES, MAX_DEPTH, Rejection, decode_exactly, too_deep

__all__ = ["decode", "decode_many", "decode_plain", "instant"]


class _Known(LoginEvent, gc=False, kw_only=True, forbid_unknown_fields=True):
    """An event that has no other fields than these, and values that are common.

    A common value is an object that exists already, with its hash; any other is a new one for each event. Which values
    stand here decides on speed alone.
    """

    env: Literal["prod", "staging", "dev", "localhost"]
    auth_method: Literal["ssoe", "sis"]
    step: Literal[
        "new",
        "authorize",
        "authorize_sso",
        "callback",
        "token",
        "passkey",
        "refresh",
        "revoke",
        "revoke_all_sessions",
        "logout",
    ]
    outcome: Literal["started", "success", "failure", "redirect"]
    csp: Literal["idme", "logingov", "mhv", "dslogon", "clear", None] = None
    client_id: Literal["vaweb", "vamobile", "arp", "mhv", "myvahealth", "ebenefits", "vaoccmobile", None] = (
        None
    )


_DECODE = msgspec.json.Decoder(LoginEvent).decode
_DECODE_KNOWN = msgspec.json.Decoder(_Known).decode

_BRACKET, _BRACE = b"[{"  # as ints, which ``in`` finds eight times as fast

# Instants in two look-ups: up to the second, and the rest. The first dictionary is filled as seconds come by.
_SECONDS: dict[str, int] = {}
_SECONDS_KEPT = 16_384
_FRACTIONS = {
    f"{fraction}{utc}": millis
    for utc in ("Z", "+00:00")
    for fraction, millis in (("", 0), *((f".{n:03d}", n) for n in range(SECOND)))
}


def decode(value: bytes | None) -> LoginEvent | Rejection:
    """Decode one record value. Never raises."""
    return decode_many((value,))[0]


def decode_many(values: Iterable[bytes | None]) -> list[LoginEvent | Rejection]:
    """Decode record values, one result for each. Never raises."""
    decoded: list[LoginEvent | Rejection] = []
    append = decoded.append
    for value in values:
        if value is None or len(value) > MAX_BYTES:
            append(decode_exactly(value))
            continue
        try:
            # In fields that it skips, msgspec checks neither UTF-8 nor depth.
            if not value.isascii():
                value.decode()
            # A plain event nests nothing, and searching is cheaper than counting.
            if (_BRACKET in value or value.rfind(_BRACE) > 0) and too_deep(value):
                append(decode_exactly(value))
                continue
            event = _DECODE(value)
            text = cast("str", event.occurred_at)
            try:
                event.occurred_at = _SECONDS[text[:19]] + _FRACTIONS[text[19:]]
            except KeyError:
                event.occurred_at = instant(text)
            append(event)
        except (msgspec.MsgspecError, ValueError):  # ValueError: bad UTF-8, bad instants
            append(decode_exactly(value))
    return decoded


def decode_plain(values: Sequence[bytes | None]) -> list[LoginEvent] | None:
    """The events of values that are all valid at a glance, their ``occurred_at`` still a text; None otherwise.

    To the same effect as ``decode_many``, provided that every text is an instant.
    """
    plain = cast("Sequence[bytes]", values)
    try:
        # Where all fields are known msgspec skips nothing, and none of them nests.
        if sum(map(len, plain)) <= MAX_BYTES:
            return list(map(_DECODE_KNOWN, plain))
    except (TypeError, ValueError, msgspec.MsgspecError):
        pass  # odd, or with fields or values that are not common
    try:
        joined = b"".join(plain)
        if not joined.isascii():
            joined.decode()  # what is JSON begins and ends with a character of its own
        # None of them is too large. None nests too deep: that takes more than MAX_DEPTH brackets, and each other one.
        small = len(joined) <= MAX_BYTES or max(map(len, plain)) <= MAX_BYTES
        if _BRACKET in joined or joined.count(_BRACE) >= len(plain) + MAX_DEPTH or not small:
            return None
        return list(map(_DECODE, plain))
    except (TypeError, ValueError, msgspec.MsgspecError):  # a null value, bad UTF-8, no plain event
        return None


def instant(text: str) -> int:
    """``parse_instant``, remembering seconds.

    Raises:
        ValueError: the text is no such instant.
    """
    fraction = _FRACTIONS.get(text[19:])
    if fraction is None:  # digits beyond the millisecond are cut off
        fraction = _FRACTIONS.get(text[19:23] + text[23:].lstrip("0123456789"))
    if fraction is None:
        return parse_instant(text)
    seconds = _SECONDS.get(text[:19])
    if seconds is None:
        seconds = parse_instant(f"{text[:19]}Z")
        if len(_SECONDS) >= _SECONDS_KEPT:
            _SECONDS.clear()
        _SECONDS[text[:19]] = seconds
    return seconds + fraction
