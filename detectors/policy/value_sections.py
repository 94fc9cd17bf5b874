"""Which values of events does a policy know: axes, environments, names, retirement, aliases, steps, outcomes, classes?

Every value is open: an event may carry one that no policy lists. What is listed here has a name, an end, another
spelling, or a meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from detectors.instants import format_instant
from detectors.policy.classes import ClassTest, Outcome, Sli
from detectors.policy.source import quote
from detectors.policy.types import (
    AxisValue,
    ErrorCode,
    Fault,
    Section,
    Text,
    is_axis_value,
    parse_instant_text,
)
from detectors.values import OTHER, class_name

__all__ = ["Axes", "Breakdowns", "ClassRule", "FieldName", "Outcomes", "Steps", "Value", "repeated_words"]

#: Fields that no axis can be: one of a kind for each event, or only on failures, or axes of their own.
_NO_AXIS = frozenset(
    {
        "schema_version",
        "event_id",
        "occurred_at",
        "env",
        "step",
        "outcome",
        "flow_id",
        "user_hash",
        "visitor_hash",
        "request_id",
        "duration_ms",
        "authentication_time_s",
        "error_code",
        "error_class",
    }
)
#: Fields that are dropped before anything is stored: they identify a person.
_PERSONAL = frozenset({"icn", "ssn", "email", "first_name", "last_name", "birth_date"})
#: Fields of failures, which may be broken down though they can be no axis.
_OF_FAILURES = frozenset({"error_code", "error_class"})


def _field_name(name: str) -> str:
    if not name.isascii() or not name.isidentifier() or len(name) > 64:
        raise ValueError(f"must be the name of a field, such as client_id, is {quote(name)}")
    if name in _PERSONAL:
        raise ValueError(f"{name} identifies a person and is dropped before anything is counted")
    return name


def _axis(name: str) -> str:
    if name in _NO_AXIS:
        raise ValueError(f"{name} can be no axis: its values name single events, or failures alone")
    return name


def _broken_down(name: str) -> str:
    return name if name in _OF_FAILURES else _axis(name)


def _retired(value: object) -> int | None:
    return None if value is None or value == "never" else parse_instant_text(value)


def _error_class(name: str) -> str:
    beginning = name.removesuffix("*")
    # A beginning may end in the middle of a word, and is taken as it is.
    spelt = beginning.lower() if name.endswith("*") else class_name(name)
    if not is_axis_value(spelt) or (spelt == OTHER and beginning.lower() != OTHER):
        raise ValueError(
            f"must be an error class such as CodeInvalid, or a beginning such as Assertion*, is {quote(name)}"
        )
    return spelt + name[len(beginning) :]


def _listed(value: object) -> object:
    """A single word stands for a list of one."""
    return (value,) if isinstance(value, str) else value


def repeated_words(path: tuple[str | int, ...], words: tuple[str, ...]) -> Iterator[Fault]:
    """Faults of a list of words that holds one twice."""
    for i, word in enumerate(words):
        if word in words[:i]:
            yield Fault((*path, i), f"stands twice: {word}", "listed-twice")


FieldName = Annotated[str, Field(strict=True), AfterValidator(_field_name)]
#: One to four field names, each of which makes scopes.
Axes = Annotated[tuple[Annotated[FieldName, AfterValidator(_axis)], ...], Field(min_length=1, max_length=4)]
#: Field names whose most frequent values are kept.
Breakdowns = Annotated[tuple[Annotated[FieldName, AfterValidator(_broken_down)], ...], Field(max_length=16)]
#: An error class without namespace and ending, lower case; ``*`` at the end stands for any ending.
ErrorClass = Annotated[str, Field(strict=True), AfterValidator(_error_class)]


class Value(Section):
    """What is known of one value of an axis. A key that is left out says nothing.

    Attributes:
        name: what people call it; None: the value itself.
        banner: the id under which the front end's banner knows it; None: no banner of its own.
        kind: of a client: a web site or a mobile application.
        retired: ms since the epoch from which on nobody is expected to use it; None (in YAML ``never``): no such end.
    """

    name: Text | None = None
    banner: AxisValue | None = None
    kind: Literal["web", "mobile"] | None = None
    retired: Annotated[
        int | None,
        BeforeValidator(_retired),
        PlainSerializer(
            lambda at: "never" if at is None else format_instant(at), return_type=str, when_used="json"
        ),
    ] = None


class Steps(Section):
    """Which SLIs a step counts in. One that stands nowhere here counts in none, like ``machine`` and ``probe``.

    Attributes:
        sign_in: steps that a person takes to get in.
        session: steps of a person who is in.
        machine: steps of services, behind which there is no person.
        probe: steps of monitors that sign in by themselves; they tell of an outage where nobody else signs in.
    """

    sign_in: Annotated[tuple[AxisValue, ...], Field(min_length=1)]
    session: tuple[AxisValue, ...]
    machine: tuple[AxisValue, ...]
    probe: tuple[AxisValue, ...] = ("probe",)

    @cached_property
    def slis(self) -> Mapping[str, Sli]:
        """Step -> the SLIs that it counts in."""
        names: tuple[Sli, ...] = ("sign_in", "session", "machine", "probe")
        return {step: name for name in names for step in getattr(self, name)}

    def faults(self) -> Iterator[Fault]:
        seen: dict[str, str] = {}
        for name in ("sign_in", "session", "machine", "probe"):
            steps = getattr(self, name)
            yield from repeated_words((name,), steps)
            for i, step in enumerate(steps):
                if seen.setdefault(step, name) != name:
                    yield Fault(
                        (name, i), f"{step} stands in {seen[step]} too: a step counts once", "listed-twice"
                    )


class Outcomes(Section):
    """What an outcome says. One that stands nowhere here is neither good nor bad, like those of ``neutral``."""

    started: tuple[AxisValue, ...]
    success: Annotated[tuple[AxisValue, ...], Field(min_length=1)]
    failure: Annotated[tuple[AxisValue, ...], Field(min_length=1)]
    neutral: tuple[AxisValue, ...]

    @cached_property
    def kinds(self) -> Mapping[str, Outcome]:
        """Outcome -> what it says."""
        names: tuple[Outcome, ...] = ("started", "success", "failure", "neutral")
        return {outcome: name for name in names for outcome in getattr(self, name)}

    def faults(self) -> Iterator[Fault]:
        seen: dict[str, str] = {}
        for name in ("started", "success", "failure", "neutral"):
            outcomes = getattr(self, name)
            yield from repeated_words((name,), outcomes)
            for i, outcome in enumerate(outcomes):
                if seen.setdefault(outcome, name) != name:
                    yield Fault(
                        (name, i),
                        f"{outcome} stands in {seen[outcome]} too: it says one thing",
                        "listed-twice",
                    )


class ClassRule(Section):
    """Which failures count, and which do not. A rule tests each field that it names; any of its values fits.

    Attributes:
        error_class: classes without namespace and ending, or their beginning and ``*``.
        step, code: steps of an event, and error codes.
        missing: fields that the event must not have.
        counts: whether such a failure counts against availability.
        means: what such a failure is, for people.
    """

    error_class: Annotated[tuple[ErrorClass, ...], BeforeValidator(_listed)] = ()
    step: Annotated[tuple[AxisValue, ...], BeforeValidator(_listed)] = ()
    code: Annotated[tuple[ErrorCode, ...], BeforeValidator(_listed)] = ()
    missing: Annotated[tuple[Literal["csp", "client_id"], ...], BeforeValidator(_listed)] = ()
    counts: Literal["bad", "excluded"]
    means: Text

    @cached_property
    def test(self) -> ClassTest:
        """The rule as the classes of events use it."""
        return ClassTest(
            counts=self.counts,
            error_classes=frozenset(name for name in self.error_class if not name.endswith("*")),
            prefixes=tuple(name.removesuffix("*") for name in self.error_class if name.endswith("*")),
            steps=frozenset(self.step),
            codes=frozenset(self.code),
            missing=frozenset(self.missing),
        )

    def faults(self) -> Iterator[Fault]:
        for name in ("error_class", "step", "code", "missing"):
            yield from repeated_words((name,), getattr(self, name))
        if not self.test.fields:
            yield Fault((), "must test one of error_class, step, code, missing: it would fit every failure")
