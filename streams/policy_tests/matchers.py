"""What is expected, and when: patterns of findings, incidents, messages and banners, with moments and spans?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, InstanceOf, PlainValidator

from detectors.incidents import Basis, DetectorName, FindingState, State, TransitionKind
from detectors.instants import parse_duration, parse_instant
from detectors.policy.routes import ReceiverName
from detectors.policy.sections import PriorityName
from detectors.policy.source import quote
from detectors.policy.types import Fault, ScopePath, Section, Text
from sinks.banner.banner import BannerState
from streams.records.fields import IncidentId

__all__ = [
    "Absence",
    "BannerPattern",
    "Expectation",
    "FindingPattern",
    "IncidentPattern",
    "Moment",
    "MomentText",
    "NotificationPattern",
    "Numbers",
    "Patterns",
    "Span",
]

KINDS = ("findings", "incidents", "notifications", "banners")


@dataclass(frozen=True)
class Moment:
    """A place in time: an offset from the beginning of the test, or an instant; ms."""

    offset: int | None = None
    instant: int | None = None

    def at(self, start: int) -> int:
        """The instant, ms."""
        return self.instant if self.instant is not None else start + (self.offset or 0)


@dataclass(frozen=True)
class Span:
    """From one moment to another, both included; None for the beginning, or the end, of the test."""

    text: str
    begin: Moment | None = None
    end: Moment | None = None


def _moment(value: object) -> Moment:
    if isinstance(value, str):
        try:
            return Moment(offset=parse_duration(value))
        except ValueError:
            pass
        try:
            return Moment(instant=parse_instant(value))
        except ValueError:
            pass
    raise ValueError(f"must be a time since the start, such as 10m20s, or an instant, is {quote(value)}")


def _span(value: object) -> Span:
    begin, dots, end = value.partition("..") if isinstance(value, str) else ("", "", "")
    if not dots:
        raise ValueError(f"must be a span such as 10m..10m20s, 10m.. or ..10m, is {quote(value)}")
    return Span(
        str(value),
        _moment(begin.strip()) if begin.strip() else None,
        _moment(end.strip()) if end.strip() else None,
    )


def _point(value: object) -> Span:
    moment = _moment(value)
    return Span(str(value), moment, moment)


def _listed(value: object) -> object:
    return value if isinstance(value, list | tuple) else [value]


_RANGE = re.compile(r"(\d+)?\.\.(\d+)?", re.ASCII)


@dataclass(frozen=True)
class Numbers:
    """Numbers from one to another, both included."""

    text: str
    least: float
    most: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.least <= value <= self.most


def _numbers(value: object) -> Numbers:
    if isinstance(value, int) and not isinstance(value, bool):
        return Numbers(str(value), value, value)
    if isinstance(value, str) and (found := _RANGE.fullmatch(value)) and value != "..":
        return Numbers(value, int(found[1] or 0), int(found[2]) if found[2] else float("inf"))
    raise ValueError(f"must be a number, or numbers such as 50..1000 or 51.., is {quote(value)}")


_Listed = BeforeValidator(_listed)


# One value, or several of which any will do. All are of known names: what cannot be is absent for no good reason.
Scopes = Annotated[tuple[ScopePath, ...], _Listed, Field(min_length=1)]
Detectors = Annotated[tuple[DetectorName, ...], _Listed, Field(min_length=1)]
Ids = Annotated[tuple[IncidentId, ...], _Listed, Field(min_length=1)]
Sinks = Annotated[tuple[ReceiverName, ...], _Listed, Field(min_length=1)]
Action = Literal[
    "trigger",
    "acknowledge",
    "resolve",
    "event",
    "incident_create",
    "incident_update",
    "incident_resolve",
    "post",
    "open",
    "update",
    "reply",
    "broadcast",
]
Level = Literal["critical", "error", "warning", "warn", "ok", "info"]
Whole = Annotated[InstanceOf[Numbers], BeforeValidator(_numbers)]
SpanText = Annotated[Span, PlainValidator(_span)]
PointText = Annotated[Span, PlainValidator(_point)]
MomentText = Annotated[Moment, PlainValidator(_moment)]


class FindingPattern(Section):
    """What a detector says of a scope. ``says``: words that its sentence holds."""

    scope: Scopes | None = None
    detector: Detectors | None = None
    state: Annotated[tuple[FindingState, ...], _Listed, Field(min_length=1)] = ("firing",)
    says: Text | None = None


class IncidentPattern(Section):
    """An incident as it stands. ``says``: words that its sentence holds; ``fail_over``: whether that is advised."""

    id: Ids | None = None
    scope: Scopes | None = None
    state: Annotated[tuple[State, ...], _Listed, Field(min_length=1)] | None = None
    severity: Whole | None = None
    peak_severity: Whole | None = None
    priority: Annotated[tuple[PriorityName, ...], _Listed, Field(min_length=1)] | None = None
    basis: Annotated[tuple[Basis, ...], _Listed, Field(min_length=1)] | None = None
    epoch: Whole | None = None
    users_impacted: Whole | None = None
    causes: Detectors | None = None
    csp_caused: bool | None = None
    in_maintenance: bool | None = None
    fail_over: bool | None = None
    says: Text | None = None


class NotificationPattern(Section):
    """A message to a receiver. ``kind``: of the change behind it (opened, severity, ...); ``count``: how many."""

    sink: Sinks | None = None
    action: Annotated[tuple[Action, ...], _Listed, Field(min_length=1)] | None = None
    level: Annotated[tuple[Level, ...], _Listed, Field(min_length=1)] | None = None
    kind: Annotated[tuple[TransitionKind, ...], _Listed, Field(min_length=1)] | None = None
    incident: Ids | None = None
    epoch: Whole | None = None
    count: Whole | None = None


class BannerPattern(Section):
    """What the front end shows under a key."""

    key: Text
    status: Annotated[tuple[BannerState, ...], _Listed, Field(min_length=1)]


class Patterns(Section):
    """What is looked for, and when."""

    at: PointText | None = None
    within: SpanText | None = None
    throughout: SpanText | None = None
    findings: tuple[FindingPattern, ...] = ()
    incidents: tuple[IncidentPattern, ...] = ()
    notifications: tuple[NotificationPattern, ...] = ()
    banners: tuple[BannerPattern, ...] = ()

    @property
    def span(self) -> Span | None:
        """When; None for the whole test."""
        return self.at or self.within or self.throughout

    def patterns(self) -> Iterator[tuple[str, int, Section]]:
        """(kind, position, pattern)."""
        for kind in KINDS:
            for i, pattern in enumerate(getattr(self, kind)):
                yield kind, i, pattern

    def faults(self) -> Iterator[Fault]:
        if sum(one is not None for one in (self.at, self.within, self.throughout)) > 1:
            yield Fault((), "says more than one of at, within and throughout")
        if not any(True for _ in self.patterns()):
            yield Fault((), f"expects nothing; it may name {', '.join(KINDS)}")
        if self.throughout is not None and self.notifications:
            yield Fault(("notifications",), "a message has an instant: use at or within")


class Expectation(Patterns):
    """What must be there: at an instant, at some time within a span, or throughout it."""

    def faults(self) -> Iterator[Fault]:
        yield from super().faults()
        if self.span is None:
            yield Fault((), "needs at, within or throughout")


class Absence(Patterns):
    """What must not be there: at an instant, within a span, or ever."""

    def faults(self) -> Iterator[Fault]:
        yield from super().faults()
        if self.throughout is not None:
            yield Fault(("throughout",), "what is absent is absent throughout: use within")
        for i, pattern in enumerate(self.notifications):
            if pattern.count is not None:
                yield Fault(("notifications", i, "count"), "what is absent has no count")
