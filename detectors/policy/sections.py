"""Which sections of a policy are not about detection: objectives, severity, incidents, banner, receivers?"""

from __future__ import annotations

import itertools
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from holidays.registry import COUNTRIES
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints

from detectors.instants import DAY, MINUTE, SECOND, format_duration, parse_duration
from detectors.policy.source import quote
from detectors.policy.types import (
    AxisValue,
    Count,
    Day,
    Duration,
    Fault,
    Instant,
    Ratio,
    ScopePath,
    Section,
    Severity,
    Text,
    Url,
    within,
)

__all__ = [
    "BUSINESS_DAY",
    "Banner",
    "BusinessHours",
    "Code",
    "FailOver",
    "HolidayCalendar",
    "LifecyclePolicy",
    "MaintenanceWindow",
    "Notify",
    "Objective",
    "Priority",
    "PriorityName",
    "Response",
    "SeverityPolicy",
    "TimeZone",
]

#: A response time that is counted in business hours, not in milliseconds.
BUSINESS_DAY: Literal["1 business day"] = "1 business day"


def _time_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"must be a time zone such as America/New_York, is {quote(name)}") from None
    return name


def _holiday_calendar(code: str) -> str:
    if not any(code in entry[1:2] for entry in COUNTRIES.values()):
        raise ValueError(f"must be a country whose holidays are known, such as US, is {quote(code)}")
    return code


def _response(value: object) -> int | str:
    if value == BUSINESS_DAY:
        return BUSINESS_DAY
    try:
        if isinstance(value, str) and 0 < (span := parse_duration(value)) <= 7 * DAY:
            return span
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"must be a duration up to 7d, such as 4h, or {BUSINESS_DAY!r}, is {quote(value)}")


TimeZone = Annotated[str, Field(strict=True), AfterValidator(_time_zone)]
HolidayCalendar = Annotated[str, Field(strict=True), AfterValidator(_holiday_calendar)]
#: Milliseconds, or one business day.
Response = int | Literal["1 business day"]
ResponseTime = Annotated[
    Response,
    BeforeValidator(_response),
    PlainSerializer(
        lambda value: format_duration(value) if isinstance(value, int) else value,
        return_type=str,
        when_used="json",
    ),
]


class BusinessHours(Section):
    """Monday to Friday from ``opens`` to ``closes``, ms since midnight in ``time_zone``; no holidays.

    ``closed``: a further day without business hours -> why, such as an executive order.
    """

    opens: Annotated[Duration, within("0s", "1d")]
    closes: Annotated[Duration, within("0s", "1d")]
    closed: Annotated[Mapping[Day, Text], Field(max_length=366)]

    def faults(self) -> Iterator[Fault]:
        if self.closes <= self.opens:
            yield Fault(("closes",), f"must be after opens ({format_duration(self.opens)})")


class Objective(Section):
    """The objectives of one method.

    Attributes:
        availability: share of completed sign-ins that succeed, per month.
        latency_threshold_ms: a request that takes at least this long is slow.
        latency_target: share of completed requests that must not be slow.
    """

    availability: Annotated[Ratio, Field(gt=0, lt=1)]
    latency_threshold_ms: Annotated[float, Field(strict=True, gt=0, le=600_000)]
    latency_target: Annotated[Ratio, Field(gt=0, lt=1)]


class Code(Section):
    """What an error code means, and whether failures with it count against availability.

    Attributes:
        means: what has happened, for people.
        counts: whether a failure with it counts against availability.
    """

    means: Text
    counts: Literal["bad", "excluded"]


class SeverityPolicy(Section):
    """How people impacted per hour give the SLA severity, and how the severity falls again.

    Attributes:
        severity_1_over, severity_2_over: people per hour; exactly as many is still the lesser severity.
        dwell: ms below the threshold times ``fall_factor`` before it falls.
        confidence: of the one-sided lower bound of a projection.
        projection_window: ms that the hour is projected from.
    """

    severity_1_over: Annotated[Count, Field(ge=1)]
    severity_2_over: Count
    dwell: Annotated[Duration, within("0s", "1d")]
    fall_factor: Annotated[Ratio, Field(gt=0)]
    confidence: Annotated[Ratio, Field(ge=0.5, lt=1)]
    projection_window: Annotated[Duration, within("1m", "1h")]

    def faults(self) -> Iterator[Fault]:
        if self.severity_2_over >= self.severity_1_over:
            yield Fault(("severity_2_over",), f"must be less than severity_1_over ({self.severity_1_over})")


PriorityName = Literal["P1", "P2", "P3", "P4"]
PriorityRow = tuple[PriorityName, PriorityName, PriorityName]


class Priority(Section):
    """From people impacted per hour to P1-P4: a row per environment; the last column is for fewer."""

    over: tuple[Count, Count]
    prod: PriorityRow
    staging: PriorityRow
    other: PriorityRow

    def of(self, env: str, people: float) -> PriorityName:
        """Return the priority of an incident in ``env`` that impacts ``people`` people per hour."""
        row = {"prod": self.prod, "staging": self.staging}.get(env, self.other)
        return row[sum(people <= threshold for threshold in self.over)]

    def faults(self) -> Iterator[Fault]:
        if self.over[0] <= self.over[1]:
            yield Fault(("over",), "must fall: the threshold of the first column is the highest")
        for name, row in (("prod", self.prod), ("staging", self.staging), ("other", self.other)):
            if list(row) != sorted(row):
                yield Fault((name,), "must not become more urgent with fewer people")


class LifecyclePolicy(Section):
    """How an incident goes on and ends. ms; ``response``: severity -> ms, or one business day.

    Attributes:
        response: by severity, how soon it must be answered: a time, or one business day.
        declare_after: ms that an outage or slowness of a method in production fires before it is declared.
        gone_after: ms after which a silence that lasts ends, where the rest of the environment is well.
    """

    recovering_after: Annotated[Duration, within("0s", "1h")]
    recover_for: Annotated[Duration, within("0s", "1d")]
    reopen_within: Annotated[Duration, within("0s", "1d")]
    resolve_grace: Annotated[Duration, within("0s", "1h")]
    declare_after: Annotated[Duration, within("0s", "1d")]
    faded_after: Annotated[Duration, within("1m", "7d")]
    gone_after: Annotated[Duration, within("1m", "7d")]
    update_every: Annotated[Duration, within("1m", "1d")]
    widen_after: Annotated[Duration, within("0s", "10m")]
    scope_change_every: Annotated[Duration, within("0s", "1d")]
    warning_waits: Annotated[Duration, within("0s", "1h")]
    alert_target: Annotated[Duration, within("1m", "1d")]
    response: Mapping[Severity, ResponseTime]
    catch_up_after: Annotated[Duration, within("10s", "1d")]

    @property
    def news(self) -> int:
        """For how long (ms) after the last failure a finding that rests on failures is news.

        A finding that fires later fires only because successes have become rare. The limit is ``recover_for`` where
        that is shorter than a minute, so that an incident's own remains do not reopen it.
        """
        return min(MINUTE, max(5 * SECOND, self.recover_for))

    def faults(self) -> Iterator[Fault]:
        yield from _each_severity("response", self.response)
        times = [(k, v) for k, v in sorted(self.response.items()) if isinstance(v, int)]
        for (worse, shorter), (_, longer) in itertools.pairwise(times):
            if shorter > longer:
                yield Fault(("response", str(worse)), "must not be longer than that of a lesser severity")


class FailOver(Section):
    """When web sign-ins should go through ``sis``, and when back.

    Attributes:
        ssoe_below, sis_above: shares that succeed, of all sign-ins, or that return, of those by one provider.
        window: ms that the shares are of.
        revert_at: share that succeeds on ``ssoe`` from which on sign-ins go back.
        review_by: ms since the epoch; the procedure lapses ten business days later unless it is approved again.
    """

    ssoe_below: Ratio
    sis_above: Ratio
    window: Annotated[Duration, within("1m", "1h")]
    revert_at: Ratio
    review_by: Instant

    def faults(self) -> Iterator[Fault]:
        if self.revert_at < self.ssoe_below:
            yield Fault(
                ("revert_at",),
                f"must be at least ssoe_below ({self.ssoe_below:g}), or the advice comes and goes",
                "recovery-beyond-trigger",
            )


class Banner(Section):
    """What the front end shows. ``status``: severity -> word of the API; ms; no banner below ``min_failing_ratio``.

    ``default_client``: the client whose keys count where a reader names none.
    """

    status: Mapping[Severity, Literal["critical", "warning", "active"]]
    min_failing_ratio: Ratio
    republish_every: Annotated[Duration, within("1s", "1d")]
    valid_for: Annotated[Duration, within("2s", "7d")]
    default_client: AxisValue

    def faults(self) -> Iterator[Fault]:
        yield from _each_severity("status", self.status)
        if self.valid_for <= self.republish_every:
            yield Fault(
                ("valid_for",),
                f"must be longer than republish_every ({format_duration(self.republish_every)}), "
                "or a banner expires while it stands",
            )


class Notify(Section):
    """What receivers are sent: what each dedup key begins with, and where the console is (None: no link)."""

    # 100 characters is the most that a Datadog aggregation_key may have, incident id and epoch included.
    dedup_prefix: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._-]{1,48}$")]
    console_url: Url | None


class MaintenanceWindow(Section):
    """Scheduled downtime of a scope, announced.

    Attributes:
        scope: what is down.
        start, end: from when until when, ms since the epoch.
        description: what is done, for people.
    """

    scope: ScopePath
    start: Instant
    end: Instant
    description: Text

    def faults(self) -> Iterator[Fault]:
        if self.end <= self.start:
            yield Fault(("end",), "must be after start")


def _each_severity(name: str, table: Mapping[int, object]) -> Iterator[Fault]:
    for severity in (1, 2, 3):
        if severity not in table:
            yield Fault((name,), f"has nothing for severity {severity}")
