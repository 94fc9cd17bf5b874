"""Instants, durations and window names. An instant is an int: milliseconds since the Unix epoch, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

__all__ = [
    "DAY",
    "FAR_FUTURE",
    "FAR_PAST",
    "HOUR",
    "MINUTE",
    "SECOND",
    "format_duration",
    "format_instant",
    "parse_duration",
    "parse_instant",
]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: Before and after every instant that can occur, ms; far enough inside 64 bits that a duration may be added.
FAR_PAST = -(1 << 60)
FAR_FUTURE = 1 << 60

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_instant(text: str) -> int:
    """Milliseconds since the epoch of an RFC 3339 instant, truncated to the millisecond.

    Strict: upper case ``T`` and ``Z``, an offset is required, ``-00:00`` (offset unknown, RFC 3339 4.3) and leap
    seconds (``:60``) are refused.

    Raises:
        ValueError: the text is no such instant.
    """
    match = _RFC3339.fullmatch(text)
    if match is None or text.endswith("-00:00"):
        raise ValueError(f"not an RFC 3339 instant with an offset: {text!r}")
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    offset = 0
    if match[8] != "Z":
        hours, minutes = int(match[10]), int(match[11])
        if hours > 23 or minutes > 59:
            raise ValueError(f"not an RFC 3339 offset: {text!r}")
        offset = (hours * 60 + minutes) * (-MINUTE if match[9] == "-" else MINUTE)
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // _ONE_SECOND
    return seconds * SECOND + int(((match[7] or "") + "000")[:3]) - offset


_ONE_SECOND = datetime(1970, 1, 1, 0, 0, 1) - datetime(1970, 1, 1)
#: The first and the last instant that can be written, ms since the epoch.
_FIRST = (datetime.min - datetime(1970, 1, 1)) // _ONE_SECOND * SECOND
_LAST = (datetime.max - datetime(1970, 1, 1)) // _ONE_SECOND * SECOND + 999


def format_instant(millis: int) -> str:
    """RFC 3339 in UTC: ``2026-11-23T15:05:00Z``, with milliseconds only where they are not zero.

    What an offset puts before the year 1 or behind 9999 is written as the first or the last instant that can be.
    """
    seconds, rest = divmod(min(max(millis, _FIRST), _LAST), SECOND)
    text = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def parse_duration(text: str) -> int:
    """Milliseconds of ``30s``, ``5m``, ``1h30m``, ``35d``.

    Raises:
        ValueError: the text is no duration.
    """
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ValueError(f"not a duration such as 30s, 5m or 1h30m: {text!r}")
    return round(sum(float(part[1]) * _UNITS[part[2]] for part in parts))


def format_duration(millis: int) -> str:
    """The shortest of ``35d``, ``1h``, ``5m``, ``90s``, ``250ms`` that is exact."""
    for unit in ("d", "h", "m", "s"):
        if millis and millis % _UNITS[unit] == 0:
            return f"{millis // _UNITS[unit]}{unit}"
    return f"{millis}ms"
