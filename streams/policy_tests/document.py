"""What does a file of tests contain, and on which line is each error?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, ValidationError

from detectors.incidents import IncidentInput
from detectors.instants import parse_instant
from detectors.policy.errors import problems_of
from detectors.policy.policy import Policy
from detectors.policy.references import unlisted
from detectors.policy.source import Path as SourcePath
from detectors.policy.source import PolicyError, PolicyProblem, Source, quote, read_source
from detectors.policy.types import Fault, Instant, ScopePath, Section, Text
from sinks.banner.keys import BannerKeys
from streams.policy_tests.matchers import Absence, Expectation, MomentText, Patterns
from streams.policy_tests.notation import Series, parse_flow, parse_series
from streams.records.fields import IncidentId
from streams.settings.policy_file import default_policy, load_policy, read_document, read_policy

__all__ = ["DEFAULT_START", "PolicyTest", "ReadTests", "TestFile", "read_tests"]

#: Where a test begins that does not say: a Monday, 10:00 in New York.
DEFAULT_START = "2026-11-23T15:00:00Z"


def _read_by(parse: Callable[[str], Series]) -> PlainValidator:
    def read(value: object) -> Series:
        if not isinstance(value, str):
            raise ValueError(
                f"must be text such as 'prod/ssoe/idme callback success 2/s x 10m', is {quote(value)}"
            )
        return parse(value)

    return PlainValidator(read)


FlowText = Annotated[Series, _read_by(parse_flow)]
SeriesText = Annotated[Series, _read_by(parse_series)]


class InputSection(Section):
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
            yield Fault((), "needs the incident, such as prod-1, or the scope that it is about")

    @property
    def env(self) -> str:
        """The environment."""
        return self.incident.rpartition("-")[0] if self.incident else (self.scope or "").partition("/")[0]

    def input(self, number: int) -> IncidentInput:
        """The input; ``number`` tells it from others."""
        return IncidentInput(
            id=f"input-{number}",
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
    inputs: tuple[InputSection, ...] = ()
    until: MomentText | None = None
    expect: tuple[Expectation, ...] = ()
    absent: tuple[Absence, ...] = ()

    def faults(self) -> Iterator[Fault]:
        if not self.expect and not self.absent:
            yield Fault((), "expects nothing: a test that cannot fail")


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
                yield Fault(("tests", i, "name"), "another test has the same name")


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
        text = read_document(Path(name))
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
    for i, (test, policy) in enumerate(zip(file.tests, policies, strict=True)):
        for path, scope in _scopes(test):
            wrong = unlisted(scope, policy)
            if wrong is not None:
                problems.append(source.problem(("tests", i, *path), wrong, "unknown-name"))
        for path, wrong in _unknown_keys(test, policy, test.start or file.start):
            problems.append(source.problem(("tests", i, *path), wrong, "unknown-name"))
    if problems:
        raise PolicyError(tuple(problems))
    return ReadTests(name, file, source, policies)


def _unknown_keys(test: PolicyTest, policy: Policy, at: int) -> Iterator[tuple[SourcePath, str]]:
    """Every key of the banner that a test names though there is none at ``at`` (ms): where it stands, what is wrong."""
    keys = BannerKeys(policy)
    for name, group in _pattern_groups(test):
        for i, patterns in enumerate(group):
            for n, pattern in enumerate(patterns.banners):
                of_env = keys.of_env(pattern.key.partition("/")[0], at)
                if pattern.key not in (*of_env, *keys.of_scope(pattern.key, at)):
                    known = ", ".join(of_env or keys.of_env(policy.envs[0], at))
                    wrong = f"must be a key of the banner ({known}), is {quote(pattern.key)}"
                    yield (name, i, "banners", n, "key"), wrong


def _scopes(test: PolicyTest) -> Iterator[tuple[SourcePath, str]]:
    """Every scope that a test names. One that there is not would be absent whatever happens."""
    for i, one in enumerate(test.inputs):
        if one.scope is not None:
            yield ("inputs", i, "scope"), one.scope
    for name, group in _pattern_groups(test):
        for i, patterns in enumerate(group):
            for kind, n, pattern in patterns.patterns():
                for scope in getattr(pattern, "scope", None) or ():
                    yield (name, i, kind, n, "scope"), scope


def _pattern_groups(test: PolicyTest) -> tuple[tuple[str, Sequence[Patterns]], ...]:
    return ("expect", test.expect), ("absent", test.absent)


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
        return read_policy(json.dumps(said), source.name)
    except PolicyError as error:
        if isinstance(said, str):
            problems += error.errors
        else:
            problems += [source.problem(path, f"{wrong.path}: {wrong.message}") for wrong in error.errors]
        return None
