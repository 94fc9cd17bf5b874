"""Which maintenance windows contradict each other, the calendar, or the SLA's terms of scheduled downtime?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from detectors.axes import overlaps
from detectors.history.error_budget import SCHEDULED_A_MONTH
from detectors.instants import FAR_PAST, format_duration, format_instant
from detectors.lifecycle.response_times import calendar
from detectors.lint.rule import Ground, Rule
from detectors.policy.sections import MaintenanceWindow
from detectors.policy.types import Fault

__all__ = ["RULES"]

#: SLA: scheduled downtime is announced three business days ahead.
_NOTICE_DAYS = 3
#: The environment that the SLA covers.
_PRODUCTION = "prod"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


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
    zone = ZoneInfo(ground.policy.time_zone)
    reported: set[int] = set()
    for method in ground.policy.values_of("auth_method"):
        scope = f"{_PRODUCTION}/{method}"
        chosen = [i for i, w in enumerate(ground.policy.maintenance) if overlaps(w.scope, scope)]
        chosen.sort(key=lambda i: ground.policy.maintenance[i].start)
        used: dict[tuple[int, int], int] = {}
        for i, month, length in _spent(ground.policy.maintenance, chosen, zone):
            used[month] = used.get(month, 0) + length
            if used[month] > SCHEDULED_A_MONTH and i not in reported:
                reported.add(i)
                year, number = month
                yield Fault(
                    ("maintenance", i),
                    f"with it {method} has {format_duration(used[month])} of maintenance in {year}-{number:02d};"
                    f" the SLA excludes at most {format_duration(SCHEDULED_A_MONTH)} a month",
                )


def _spent(
    windows: Sequence[MaintenanceWindow], chosen: Sequence[int], zone: ZoneInfo
) -> Iterator[tuple[int, tuple[int, int], int]]:
    """(window, month, ms) of what each window adds to those before it; months are local."""
    reached = FAR_PAST
    for i in chosen:
        at = max(windows[i].start, reached)
        reached = max(reached, windows[i].end)
        while at < windows[i].end:
            local = (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)
            following = datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=zone)
            end = min(windows[i].end, (following - _EPOCH) // _MILLISECOND)
            yield i, (local.year, local.month), end - at
            at = end


RULES = (
    Rule("maintenance-overlaps", "warning", "two windows of one scope at one time", _overlaps),
    Rule("maintenance-over", "warning", "a window that has passed", _over),
    Rule("maintenance-notice", "warning", "a window with less than 3 business days' notice", _notice),
    Rule("maintenance-too-long", "error", "more than the SLA's 4 hours a month", _too_long),
)
