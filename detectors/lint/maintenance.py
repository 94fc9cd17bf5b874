"""Which maintenance windows contradict each other, the calendar, or the SLA's terms of scheduled downtime?"""

from __future__ import annotations

from collections.abc import Iterator

from detectors.axes import overlaps
from detectors.history.error_budget import SCHEDULED_A_MONTH
from detectors.instants import format_duration, format_instant
from detectors.lifecycle.response_times import calendar
from detectors.lint.rule import Ground, Rule
from detectors.policy.types import Fault
from detectors.process.covers import spent_by_month

__all__ = ["RULES"]

#: SLA: scheduled downtime is announced three business days ahead.
_NOTICE_DAYS = 3
#: The environment that the SLA covers.
_PRODUCTION = "prod"


def _overlaps(ground: Ground) -> Iterator[Fault]:
    windows = ground.policy.maintenance
    for i, window in enumerate(windows):
        for j, other in enumerate(windows[:i]):
            if overlaps(window.scope, other.scope) and window.start < other.end and other.start < window.end:
                yield Fault(
                    ("maintenance", i),
                    f"overlaps with maintenance[{j}] ({other.scope}, {format_instant(other.start)} to"
                    f" {format_instant(other.end)})",
                )
                break


def _over(ground: Ground) -> Iterator[Fault]:
    for i, window in enumerate(ground.policy.maintenance):
        if window.end <= ground.now:
            yield Fault(("maintenance", i, "end"), f"the window ended at {format_instant(window.end)}")


def _notice(ground: Ground) -> Iterator[Fault]:
    hours = calendar(ground.policy)
    soonest = hours.add(ground.now, _NOTICE_DAYS * hours.day)
    for i, window in enumerate(ground.policy.maintenance):
        if window.scope.partition("/")[0] == _PRODUCTION and ground.now < window.start < soonest:
            yield Fault(
                ("maintenance", i, "start"),
                f"begins in less than {_NOTICE_DAYS} business days: unless it is announced already, it does not"
                " count as scheduled (SLA)",
            )


def _too_long(ground: Ground) -> Iterator[Fault]:
    windows, reported = ground.policy.maintenance, set[int]()
    for method in ground.policy.values_of("auth_method"):
        scope = f"{_PRODUCTION}/{method}"
        chosen = [i for i, w in enumerate(windows) if overlaps(w.scope, scope)]
        chosen.sort(key=lambda i: windows[i].start)
        spans = [(windows[i].start, windows[i].end) for i in chosen]
        used: dict[tuple[int, int], int] = {}
        for place, month, length in spent_by_month(spans, ground.policy.time_zone):
            i = chosen[place]
            used[month] = used.get(month, 0) + length
            if used[month] > SCHEDULED_A_MONTH and i not in reported:
                reported.add(i)
                year, number = month
                yield Fault(
                    ("maintenance", i),
                    f"with it {method} has {format_duration(used[month])} of maintenance in {year}-{number:02d};"
                    f" the SLA excludes at most {format_duration(SCHEDULED_A_MONTH)} a month",
                )


RULES = (
    Rule("maintenance-overlaps", "warning", "two windows of one scope at one time", _overlaps),
    Rule("maintenance-over", "warning", "a window that has passed", _over),
    Rule("maintenance-notice", "warning", "a window with less than 3 business days' notice", _notice),
    Rule("maintenance-too-long", "error", "more than the SLA's 4 hours a month", _too_long),
)
