"""By when must somebody have answered? The response times of the SLA, in clock time or in business time.

The response time runs from the opening of an incident to its acknowledgement. The current severity selects the
response time, so that a rise brings the deadline forward and a fall puts it off.

*One business day* is the same business time on the next business day: opened on a Friday at 14:00, due on
Monday at 14:00. Opened outside business hours, it counts from the next opening. That equals one day's
business hours (11), counted where they fall.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

from detectors.incidents import Incident
from detectors.policy.policy import Policy

__all__ = [
    "BusinessCalendar",
    "Clock",
    "alert_deadline",
    "alert_half_way",
    "answer_due",
    "calendar",
    "clocks",
    "deadline",
    "half_way",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class BusinessCalendar:
    """Business hours of a country: Monday to Friday, public holidays and further closed days excepted.

    Args:
        zone: IANA name of the time zone in which the hours are meant.
        country: ISO code; its federal or national holidays count, observed days included.
        opens, closes: ms since midnight.
        closed: further days without business hours, ``YYYY-MM-DD``.
    """

    def __init__(self, zone: str, country: str, opens: int, closes: int, closed: Iterable[str] = ()) -> None:
        self._zone = ZoneInfo(zone)
        self._country = country
        self._opens = opens
        self._closes = closes
        self._closed = frozenset(map(date.fromisoformat, closed))

    @property
    def day(self) -> int:
        """Business time in one business day, ms."""
        return self._closes - self._opens

    def is_open(self, at: int) -> bool:
        """Whether T (ms) lies within business hours; the closing instant does not."""
        day = self._local(at).date()
        opens, closes = self._hours(day)
        return self._works(day) and opens <= at < closes

    def add(self, at: int, amount: int) -> int:
        """The instant (ms) at which ``amount`` ms of business time have passed since ``at``.

        An amount that ends exactly at a closing is due then, not at the next opening.
        """
        day = self._local(at).date()
        left = amount
        while True:
            if self._works(day):
                opens, closes = self._hours(day)
                start = max(at, opens)
                if start < closes and left <= closes - start:
                    return start + left
                left -= max(closes - start, 0)
            day += timedelta(days=1)

    def _works(self, day: date) -> bool:
        ordinary = day.weekday() < 5 and day not in self._closed
        return ordinary and day not in _holidays(self._country, day.year)

    def _hours(self, day: date) -> tuple[int, int]:
        midnight = datetime(day.year, day.month, day.day)
        opens, closes = (
            (midnight + timedelta(milliseconds=ms)).replace(tzinfo=self._zone)
            for ms in (self._opens, self._closes)
        )
        return (opens - _EPOCH) // _MILLISECOND, (closes - _EPOCH) // _MILLISECOND

    def _local(self, at: int) -> datetime:
        return (_EPOCH + timedelta(milliseconds=at)).astimezone(self._zone)


@lru_cache(maxsize=256)
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))


@lru_cache(maxsize=16)
def _calendar(zone: str, country: str, opens: int, closes: int, closed: tuple[str, ...]) -> BusinessCalendar:
    return BusinessCalendar(zone, country, opens, closes, closed)


@lru_cache(maxsize=1024)
def _part_of_a_day(hours: BusinessCalendar, opened_at: int, parts: int) -> int:
    return hours.add(opened_at, hours.day // parts)


def calendar(policy: Policy) -> BusinessCalendar:
    """The business calendar that a policy describes."""
    hours = policy.business_hours
    return _calendar(
        policy.time_zone, policy.holidays, hours.opens, hours.closes, tuple(sorted(hours.closed))
    )


def deadline(opened_at: int, severity: int, policy: Policy) -> int:
    """By when (ms) an incident that opened at ``opened_at`` must be acknowledged, at this severity."""
    return _after(opened_at, severity, policy, parts=1)


def half_way(opened_at: int, severity: int, policy: Policy) -> int:
    """When (ms) half of the response time is gone; half of a business day is counted in business time."""
    return _after(opened_at, severity, policy, parts=2)


def alert_deadline(opened_at: int, policy: Policy) -> int:
    """By when (ms) an alert must be answered, at any hour and any severity (SLA: within 30 minutes)."""
    return opened_at + policy.lifecycle.alert_target


def alert_half_way(opened_at: int, policy: Policy) -> int:
    """When (ms) half of the alert target is gone."""
    return opened_at + policy.lifecycle.alert_target // 2


class Clock(NamedTuple):
    """A response time: its name, and when half of it is gone and when it is over, ms."""

    name: str
    half_at: int
    due_at: int


def clocks(incident: Incident, policy: Policy) -> list[Clock]:
    """Return the clocks that run for an incident: of its severity, and of its alert where there is one."""
    start, severity = incident.opened_at, incident.severity
    found = [Clock("response", half_way(start, severity, policy), deadline(start, severity, policy))]
    if incident.pages:  # without an alert there is none to answer
        found.append(Clock("alert", alert_half_way(start, policy), alert_deadline(start, policy)))
    return found


def answer_due(incident: Incident, at: int, policy: Policy) -> int | None:
    """Return when (ms) the next of an incident's clocks is over at T = ``at`` (ms): the last one if all are over.

    None if somebody has acknowledged it.
    """
    if incident.acknowledged_at is not None:
        return None
    ends = sorted(clock.due_at for clock in clocks(incident, policy))
    return next((end for end in ends if end > at), ends[-1])


def _after(opened_at: int, severity: int, policy: Policy, *, parts: int) -> int:
    response = policy.lifecycle.response[severity]
    if isinstance(response, int):
        return opened_at + response // parts
    return _part_of_a_day(calendar(policy), opened_at, parts)
