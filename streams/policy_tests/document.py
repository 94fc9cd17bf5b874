"""A file of tests: its sections, and how it is read, with every error at its line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, PlainValidator, ValidationError

from detectors.incidents import Basis, Detector, FindingState, IncidentInput, State, TransitionKind
from detectors.instants import parse_duration, parse_instant
from detectors.policy import Policy, default_policy, load_policy, parse_policy
from detectors.policy_problems import problems_of
from detectors.policy_sections import PriorityName
from detectors.policy_source import PolicyError, PolicyProblem, Source, quote, read_source
from detectors.policy_values import Fault, Instant, ScopePath, Section, Text
from detectors.scopes import ENVS
from sinks.banner import BannerState, banner_keys
from streams.policy_tests.notation import Series, parse_flow, parse_series
from streams.records import IncidentId

__all__ = [
    "DEFAULT_START",
    "Absence",
    "Expectation",
    "Moment",
    "Patterns",
    "PolicyTest",
    "Span",
    "TestFile",
    "read_tests",
]

#: Where a test begins that does not say: a Monday, 10:00 in New York.
DEFAULT_START = "2026-11-23T15:00:00Z"
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


def _read_by(parse: Callable[[str], Series]) -> PlainValidator:
    def read(value: object) -> Series:
        if not isinstance(value, str):
            raise ValueError(
                f"must be text such as 'prod/ssoe/idme callback success 2/s x 10m', is {quote(value)}"
            )
        return parse(value)

    return PlainValidator(read)


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


def _key(value: str) -> str:
    env = value.partition("/")[0]
    if env not in ENVS or value not in banner_keys(env):
        known = ", ".join(banner_keys(env if env in ENVS else "prod"))
        raise ValueError(f"must be a key of the banner ({known}), is {quote(value)}")
    return value


# One value, or several of which any will do. All are of known names: what cannot be is absent for no good reason.
Scopes = Annotated[tuple[ScopePath, ...], _Listed, Field(min_length=1)]
Detectors = Annotated[tuple[Detector, ...], _Listed, Field(min_length=1)]
Ids = Annotated[tuple[IncidentId, ...], _Listed, Field(min_length=1)]
Sinks = Annotated[tuple[Literal["pagerduty", "datadog", "slack"], ...], _Listed, Field(min_length=1)]
Action = Literal[
    "trigger",
    "acknowledge",
    "resolve",
    "event",
    "incident_create",
    "incident_update",
    "incident_resolve",
    "post",
    "update",
    "reply",
    "broadcast",
]
Level = Literal["critical", "error", "warning", "warn", "ok", "info"]
Whole = Annotated[InstanceOf[Numbers], BeforeValidator(_numbers)]
FlowText = Annotated[Series, _read_by(parse_flow)]
SeriesText = Annotated[Series, _read_by(parse_series)]
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

    key: Annotated[Text, AfterValidator(_key)]
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
            yield (), "says more than one of at, within and throughout"
        if not any(True for _ in self.patterns()):
            yield (), f"expects nothing; it may name {', '.join(KINDS)}"
        if self.throughout is not None and self.notifications:
            yield ("notifications",), "a message has an instant: use at or within"


class Expectation(Patterns):
    """What must be there: at an instant, at some time within a span, or throughout it."""

    def faults(self) -> Iterator[Fault]:
        yield from super().faults()
        if self.span is None:
            yield (), "needs at, within or throughout"


class Absence(Patterns):
    """What must not be there: at an instant, within a span, or ever."""

    def faults(self) -> Iterator[Fault]:
        yield from super().faults()
        if self.throughout is not None:
            yield ("throughout",), "what is absent is absent throughout: use within"
        for i, pattern in enumerate(self.notifications):
            if pattern.count is not None:
                yield ("notifications", i, "count"), "what is absent has no count"


class Wish(Section):
    """What a person, or PagerDuty for a person, asks for at a moment; see the topic ``incident-inputs``."""

    at: MomentText
    kind: Literal["acknowledge", "unacknowledge", "note", "declare", "resolve", "report"]
    incident: IncidentId | None = None
    scope: ScopePath | None = None
    by: Text = "somebody"
    via: Literal["http", "pagerduty"] = "http"
    text: str = ""

    def faults(self) -> Iterator[Fault]:
        if not self.env:
            yield (), "needs the incident, such as prod-1, or the scope that it is about"

    @property
    def env(self) -> str:
        """The environment."""
        return self.incident.rpartition("-")[0] if self.incident else (self.scope or "").partition("/")[0]

    def input(self, number: int) -> IncidentInput:
        """The input; ``number`` tells it from others."""
        return IncidentInput(
            id=f"wish-{number}",
            env=self.env,
            kind=self.kind,
            incident=self.incident,
            scope=self.scope,
            by=self.by,
            via=self.via,
            text=self.text,
        )


class PolicyTest(Section):
    """One test.

    Attributes:
        name: a sentence of behaviour.
        policy: a file, relative to this one, or changes to the shipped policy; None for the file's.
        start: when all series begin; None for the file's.
        history: a file of records of ``sli-history``, or rates that have held for two weeks.
        series: what happens.
        inputs: what people ask for.
        until: when the test ends; None for the end of the longest series.
        expect, absent: what must come of it, and what must not.
    """

    name: Text
    policy: Text | Mapping[str, Any] | None = None
    start: Instant | None = None
    history: Text | tuple[FlowText, ...] = ()
    series: Annotated[tuple[SeriesText, ...], Field(min_length=1)]
    inputs: tuple[Wish, ...] = ()
    until: MomentText | None = None
    expect: tuple[Expectation, ...] = ()
    absent: tuple[Absence, ...] = ()

    def faults(self) -> Iterator[Fault]:
        if not self.expect and not self.absent:
            yield (), "expects nothing: a test that cannot fail"


class TestFile(Section):
    """A file of tests, with what is common to them."""

    __test__ = False  # no test of pytest's

    policy: Text | Mapping[str, Any] | None = None
    start: Instant = parse_instant(DEFAULT_START)
    tests: Annotated[tuple[PolicyTest, ...], Field(min_length=1)]

    def faults(self) -> Iterator[Fault]:
        names = [test.name for test in self.tests]
        for i, name in enumerate(names):
            if name in names[:i]:
                yield ("tests", i, "name"), "another test has the same name"


@dataclass(frozen=True)
class ReadTests:
    """A file that was read.

    Attributes:
        name: of the file.
        file: what it says.
        source: where it says what.
        policies: the policy of each test.
    """

    name: str
    file: TestFile
    source: Source
    policies: tuple[Policy, ...]


def read_tests(name: str, default: Policy | None = None) -> ReadTests:
    """Read a file of tests.

    Args:
        default: the policy of tests that name none; the one that ships, if None.

    Raises:
        PolicyError: it cannot be read, or a policy that it names cannot; all that is wrong, line by line.
    """
    try:
        text = Path(name).read_bytes()
    except OSError as error:
        problem = PolicyProblem(name, 1, 1, "", f"cannot be read: {error.strerror or error}")
        raise PolicyError((problem,)) from None
    source = read_source(text, name)
    if not isinstance(source.values, dict):
        raise PolicyError((source.problem((), "must be a mapping with the key tests"),))
    problems = list(source.problems)
    try:
        file = TestFile.model_validate(source.values)
    except ValidationError as error:
        problems += problems_of(error, TestFile, source)
        raise PolicyError(tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.column)))) from None
    folder = Path(name).parent
    common = _policy(file.policy, ("policy",), source, folder, problems) or default or default_policy()
    policies = tuple(
        _policy(test.policy, ("tests", i, "policy"), source, folder, problems) or common
        for i, test in enumerate(file.tests)
    )
    if problems:
        raise PolicyError(tuple(problems))
    return ReadTests(name, file, source, policies)


def _policy(
    said: str | Mapping[str, Any] | None,
    path: tuple[str | int, ...],
    source: Source,
    folder: Path,
    problems: list[PolicyProblem],
) -> Policy | None:
    """The policy that a test names, or changes to the shipped one; what is wrong with it is added to ``problems``."""
    if said is None:
        return None
    try:
        if isinstance(said, str):
            return load_policy(folder / said)
        return parse_policy(json.dumps(said), source.name)
    except PolicyError as error:
        if isinstance(said, str):
            problems += error.errors
        else:
            problems += [source.problem(path, f"{wrong.path}: {wrong.message}") for wrong in error.errors]
        return None
