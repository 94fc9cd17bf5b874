"""Which time does a report cover?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from detectors.history.error_budget import month_start
from detectors.instants import SECOND, format_instant
from streams.replay.entries import SourceError

__all__ = ["Span", "between", "local", "month_of"]

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Span:
    """``[start, end)``, ms, and what it is called."""

    start: int
    end: int
    name: str

    def holds(self, at: int) -> bool:
        """Whether an instant (ms) lies within."""
        return self.start <= at < self.end

    def before(self, time_zone: str) -> Span:
        """Return the month before a month, or as much time before another span."""
        if _MONTH.fullmatch(self.name):
            return _month(self.start - 1, time_zone)
        length = self.end - self.start
        return between(self.start - length, self.start)


def month_of(name: str, time_zone: str) -> Span:
    """Return a calendar month in a time zone by its name, such as ``2026-11``.

    Raises:
        SourceError: it is no such name.
    """
    if not _MONTH.fullmatch(name) or name < "1971-01":
        raise SourceError(f"--month {name}: write a month as YYYY-MM, such as 2026-11")
    year, month = map(int, name.split("-"))
    middle = datetime(year, month, 15, tzinfo=ZoneInfo(time_zone))
    return _month(round(middle.timestamp()) * SECOND, time_zone)


def between(start: int, end: int) -> Span:
    """Return the span from one instant to another, ms."""
    return Span(start, end, f"{format_instant(start)} to {format_instant(end)}")


def local(at: int, time_zone: str) -> datetime:
    """Return an instant (ms) as local time."""
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone(ZoneInfo(time_zone))


def _month(at: int, time_zone: str) -> Span:
    start, end = (month_start(at, time_zone, months) for months in (0, 1))
    return Span(start, end, f"{local(start, time_zone):%Y-%m}")
