"""Which instant does a producer's time name, and how is it written in a login event?"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from detectors.instants import format_instant

__all__ = ["UNITS", "timer"]

#: Unit of a number since 1970 -> its units in a millisecond.
_NUMBERS = {"s": 0.001, "ms": 1, "us": 1_000, "ns": 1_000_000}
#: A number since 1970, or text: with an offset; without one in the mapping's zone.
UNITS = (*_NUMBERS, "rfc3339", "iso")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))? ?(Z|z|UTC|[+-]\d\d:?\d\d)?")
_DIGITS = re.compile(r"\d{1,20}(\.\d{1,9})?")
#: The years 2000 and 10000, ms: a number before or after is one of another unit.
_FIRST, _LAST = 946_684_800_000, 253_402_300_800_000
#: Seconds that came by, as they are written, and texts up to the second that are those of an instant.
_WRITTEN: dict[int, str] = {}
_CHECKED: set[str] = set()
_KEPT = 16_384


def timer(unit: str, form: str | None, zone: str | None) -> Callable[[Any], str | None]:
    """Return how a producer's time becomes RFC 3339 with ms; None where it is no time.

    Args:
        unit: one of ``UNITS``; ``iso`` takes a time without an offset as one of ``zone``, UTC without a zone.
        form: a form of ``strptime`` instead of a unit.
        zone: IANA name of a time zone.

    Raises:
        ValueError: there is no such unit or zone.
    """
    if form is None and unit not in UNITS:
        raise ValueError(f"must be one of {', '.join(UNITS)}")
    try:
        local = UTC if zone is None else ZoneInfo(zone)
    except (ValueError, OSError):
        raise ValueError(f"no time zone {zone!r}") from None
    if form is not None:
        return lambda value: _of_form(value, form, local)
    if unit in _NUMBERS:
        in_a_ms = _NUMBERS[unit]
        return lambda value: _of_number(value, in_a_ms)
    return lambda value: _of_text(value, local if unit == "iso" else None)


def _of_number(value: Any, in_a_ms: float) -> str | None:
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            return None
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):  # which Avro can write
        return None
    millis = int(value * 1000) if in_a_ms < 1 else int(value // int(in_a_ms))
    if not _FIRST <= millis < _LAST:
        return None
    second, rest = divmod(millis, 1000)
    upto = _WRITTEN.get(second)
    if upto is None:
        if len(_WRITTEN) >= _KEPT:
            _WRITTEN.clear()
        upto = _WRITTEN[second] = format_instant(second * 1000)[:19]
    return f"{upto}.{rest:03d}Z" if rest else f"{upto}Z"


def _of_text(value: Any, zone: Any) -> str | None:
    if not isinstance(value, str):
        return None
    known = value[:19] in _CHECKED and len(value) > 23 and value.isascii()
    if known and value[19] == "." and value[-1] == "Z" and value[20:-1].isdecimal():
        return f"{value[:23]}Z"
    found = _ISO.fullmatch(value.strip())
    if found is None:
        return None
    day, clock, fraction, offset = found.groups()
    millis = f"{fraction or '':0<3}"[:3]
    if offset is None:
        if zone is None:
            return None
        try:
            return _written(datetime.fromisoformat(f"{day}T{clock}.{millis}").replace(tzinfo=zone))
        except ValueError:
            return None
    if offset in ("Z", "z", "UTC"):
        if len(_CHECKED) >= _KEPT:
            _CHECKED.clear()
        _CHECKED.add(f"{day}T{clock}")
        return f"{day}T{clock}.{millis}Z"
    return f"{day}T{clock}.{millis}{offset if ':' in offset else f'{offset[:3]}:{offset[3:]}'}"


def _of_form(value: Any, form: str, zone: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.strptime(value.strip(), form)
        return _written(found if found.tzinfo else found.replace(tzinfo=zone))
    except ValueError:
        return None


def _written(at: datetime) -> str | None:
    try:
        utc = at.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
