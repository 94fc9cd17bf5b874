"""How fast the error budget is spent, and how much of the month's is left.

The burn rate of a window is its failing ratio over the ratio that the objective allows: 1 spends the budget exactly in
its period (Beyer et al., The Site Reliability Workbook, chapter 5). What is left of a calendar month is
``1 - bad / (allowed ratio * completed)`` over the month so far; below 0 it is overspent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from detectors.history import History
from detectors.instants import SECOND
from detectors.policy import Policy
from detectors.scopes import scope_index
from detectors.windows import BAD, GOOD

__all__ = ["budget_left", "burn_rate", "month_start", "window_burn"]


def burn_rate(good: float, bad: float, availability: float) -> float | None:
    """Multiples of the rate that spends the budget exactly; None when nothing completed."""
    completed = good + bad
    return (bad / completed) / (1.0 - availability) if completed else None


def month_start(at: int, time_zone: str) -> int:
    """The first instant (ms) of the calendar month that ``at`` (ms) lies in, in a time zone."""
    local = datetime.fromtimestamp(at / SECOND, ZoneInfo(time_zone))
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return round(first.astimezone(UTC).timestamp()) * SECOND


def window_burn(history: History, method: str, start: int, end: int, policy: Policy) -> float | None:
    """The burn rate of a method in [start, end) ms, by the history; None when nothing completed."""
    sums = history.sums(start, end)[scope_index(f"{history.env}/{method}")]
    return burn_rate(float(sums[GOOD]), float(sums[BAD]), policy.objectives[method].availability)


def budget_left(history: History, method: str, at: int, policy: Policy) -> float | None:
    """The share of the month's budget that is left at ``at`` (ms); None when nothing completed this month."""
    spent = window_burn(history, method, month_start(at, policy.time_zone), at, policy)
    return None if spent is None else 1.0 - spent
