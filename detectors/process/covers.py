"""Which scopes do people keep quiet, for how long: mutes and maintenance at run time, and corrections of the account?

What recurs follows a rule of RFC 5545 on the wall clock of a time zone: an occurrence at 02:00 is at 02:00 in winter
and in summer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
from dateutil.rrule import rrule, rrulestr

from detectors.axes import contains
from detectors.instants import FAR_PAST, SECOND

__all__ = [
    "COVERS_KEPT",
    "Cover",
    "CoverKind",
    "Hidden",
    "in_force",
    "occurrence",
    "occurrences",
    "over_at",
    "rule_problem",
    "spent_by_month",
    "upcoming",
]

CoverKind = Literal["mute", "maintenance", "correction"]
#: The most mutes, maintenances and corrections that an environment keeps.
COVERS_KEPT = 50
#: A rule gives so many occurrences at most; a daily one lasts for two years and nine months.
_OCCURRENCES = 1_000
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
#: Without an end of its own: what recurs is ended by a person.
_PARTS = ("FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST")


class Hidden(msgspec.Struct, frozen=True):
    """An incident that a mute or a maintenance kept quiet, with its worst severity meanwhile."""

    incident: str
    scope: str
    severity: int


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """A mute, a maintenance or a correction. Instants are ms.

    Attributes:
        id: ``prod-c3``.
        scope: what it covers, with all that lies within.
        start, end: the span, or the first one of those that recur.
        recurs: an RRULE; None: it happens once.
        by, text: who asked for it, and why.
        said_at: the T at which it was asked for.
        counts: whether the SLA does not count the span: a correction, and maintenance that was announced in time.
        hid: what its present occurrence kept quiet, the first ten.
        begun: the start of the last occurrence that was told; None before the first.
    """

    id: str
    kind: CoverKind
    scope: str
    start: int
    end: int
    recurs: str | None = None
    by: str
    text: str
    said_at: int
    counts: bool = False
    hid: tuple[Hidden, ...] = ()
    begun: int | None = None


def rule_problem(rule: str, start: int, zone: str) -> str | None:
    """Return why a rule cannot be followed, in words; None for one that can.

    Args:
        rule: an RRULE without its name, such as ``FREQ=WEEKLY;BYDAY=SU``.
        start: of the first occurrence, ms.
        zone: IANA name of the time zone.
    """
    parts = dict(part.partition("=")[::2] for part in rule.upper().split(";"))
    unknown = sorted(parts.keys() - set(_PARTS))
    if unknown:
        return f"a rule has {', '.join(_PARTS)}, and no {', '.join(one[:20] for one in unknown)}"
    if parts.get("FREQ") not in _FREQUENCIES:
        return f"FREQ is one of {', '.join(_FREQUENCIES)}"
    every = parts.get("INTERVAL", "1")
    if not (every.isascii() and every.isdigit() and 0 < int(every[:4]) <= 1_000 and len(every) <= 4):
        return "INTERVAL is a number from 1 to 1000"
    try:
        starts = _starts(rule.upper(), start, zone)
    except (ValueError, OverflowError, TypeError) as error:
        return f"the rule is none of RFC 5545: {str(error)[:120]}"
    return None if starts else "the rule has no occurrence within ten years"


@lru_cache(maxsize=256)
def _starts(rule: str, start: int, zone: str) -> tuple[int, ...]:
    """Return the starts (ms) of the occurrences of a rule, the first ``_OCCURRENCES``, within ten years."""
    local = datetime.fromtimestamp(start / SECOND, ZoneInfo(zone)).replace(tzinfo=None)
    parsed = rrulestr(rule, dtstart=local)
    if not isinstance(parsed, rrule):
        raise ValueError("one rule, without dates")
    until = local + timedelta(days=3_653)
    found = islice(parsed.replace(until=until), _OCCURRENCES)
    return tuple(
        round(one.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()) * SECOND for one in found
    )


def occurrence(cover: Cover, at: int, zone: str) -> tuple[int, int] | None:
    """Return the span (ms) of a cover that holds ``at`` (ms), or None.

    Args:
        zone: IANA name of the time zone in which a rule is meant.
    """
    if cover.recurs is None:
        return (cover.start, cover.end) if cover.start <= at < cover.end else None
    starts = _starts(cover.recurs.upper(), cover.start, zone)
    place = bisect_right(starts, at) - 1
    if place < 0 or at >= starts[place] + cover.end - cover.start:
        return None
    return starts[place], starts[place] + cover.end - cover.start


def upcoming(cover: Cover, at: int, zone: str) -> tuple[int, int] | None:
    """Return the span (ms) of the occurrence of a cover that holds ``at`` (ms), else of the next one; None: it is over.

    Args:
        zone: IANA name of the time zone in which a rule is meant.
    """
    return next((span for span in occurrences(cover, zone) if span[1] > at), None)


def occurrences(cover: Cover, zone: str) -> Iterator[tuple[int, int]]:
    """Yield the spans (ms) of the occurrences of a cover, the earliest first, within ten years.

    Args:
        zone: IANA name of the time zone in which a rule is meant.
    """
    starts = (cover.start,) if cover.recurs is None else _starts(cover.recurs.upper(), cover.start, zone)
    return ((start, start + cover.end - cover.start) for start in starts)


def spent_by_month(spans: Iterable[tuple[int, int]], zone: str) -> Iterator[tuple[int, tuple[int, int], int]]:
    """Yield (place of a span, (year, month), ms) of what each span adds to the earlier ones in a local month.

    Args:
        spans: (start, end), ms, in the order of their starts.
        zone: IANA name of the time zone of the months.
    """
    local, reached = ZoneInfo(zone), FAR_PAST
    for place, (start, end) in enumerate(spans):
        at = max(start, reached)
        reached = max(reached, end)
        while at < end:
            day = datetime.fromtimestamp(at / SECOND, local)
            following = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=local)
            until = min(end, round(following.timestamp()) * SECOND)
            yield place, (day.year, day.month), until - at
            at = until


def over_at(cover: Cover, zone: str) -> int:
    """Return the end (ms) of the last occurrence of a cover."""
    if cover.recurs is None:
        return cover.end
    starts = _starts(cover.recurs.upper(), cover.start, zone)
    return (starts[-1] if starts else cover.start) + cover.end - cover.start


def in_force(
    covers: Iterable[Cover], kind: CoverKind, scope: str, at: int, zone: str
) -> list[tuple[Cover, tuple[int, int]]]:
    """Return the covers of a kind that hold a scope at ``at`` (ms), each with its span (ms)."""
    held = (one for one in covers if one.kind == kind and contains(one.scope, scope))
    return [(one, span) for one in held if (span := occurrence(one, at, zone)) is not None]
