"""Which kinds of value does a policy consist of (durations, shares, instants, scopes), and what is a section?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from detectors.errors import WatchofficerError
from detectors.instants import format_duration, format_instant, parse_duration, parse_instant
from detectors.policy.runbooks import ANY_OTHER, checked_runbook
from detectors.policy.source import Path, Refusal, quote
from detectors.values import normalised

__all__ = [
    "AxisValue",
    "Consistent",
    "Count",
    "Day",
    "Duration",
    "ErrorCode",
    "Fault",
    "Instant",
    "Ratio",
    "Runbook",
    "RunbookKey",
    "ScopePath",
    "Section",
    "Severity",
    "Text",
    "UnknownName",
    "Url",
    "faulty",
    "is_axis_value",
    "parse_instant_text",
    "repeated",
    "within",
]


class Fault(NamedTuple):
    """Where in a section something is wrong, what is wrong, and the id under which a policy is refused for it."""

    path: Path
    message: str
    refusal: Refusal = "invalid"


class UnknownName(WatchofficerError, ValueError):
    """A validator's error: the value should name a scope, method, severity or service, and names none."""


def faulty(title: str, faults: list[Fault]) -> ValidationError:
    """The error that reports ``faults``; raised by a validator, its places count from the validated value."""
    return ValidationError.from_exception_data(
        title,
        [
            InitErrorDetails(
                type=PydanticCustomError("fault", "{text}", {"text": message, "refusal": refusal}),
                loc=path,
                input=None,
            )
            for path, message, refusal in faults
        ],
    )


class Consistent(BaseModel):
    """A model whose values may contradict each other; a contradiction is a fault."""

    def faults(self) -> Iterator[Fault]:
        """What contradicts itself, once each value is valid on its own."""
        return iter(())

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        found = list(self.faults())
        if found:
            raise faulty(type(self).__name__, found)
        return self


class Section(Consistent):
    """A part of a policy: immutable, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


#: Axes, at most, hence values of a path below its environment.
_MOST_AXES = 4


def is_axis_value(value: str) -> bool:
    """Whether an event can have this value once it has been read: lower case, 1-64 of ``a-z 0-9 _ . : -``."""
    return normalised(value) == value


def _axis_value(value: str) -> str:
    if not is_axis_value(value):
        lower = value.strip().lower().replace(" ", "_")
        near = f"; did you mean {lower}?" if is_axis_value(lower) else ""
        raise ValueError(
            f"no event has the value {quote(value)}: values are read as lower case, 1 to 64 of"
            f" a-z 0-9 _ . : -{near}"
        )
    return value


#: A value as events have it once they have been read.
AxisValue = Annotated[str, Field(strict=True), AfterValidator(_axis_value)]
ErrorCode = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]


def repeated(name: str, values: tuple[int, ...]) -> Iterator[Fault]:
    """Faults of a list of durations that holds one twice."""
    for i, value in enumerate(values):
        if value in values[:i]:
            yield Fault((name, i), f"stands twice: {format_duration(value)}", "listed-twice")


def _milliseconds(value: object) -> int:
    try:
        if isinstance(value, str):
            return parse_duration(value)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"must be a duration such as 30s, 5m or 1h30m, is {quote(value)}")


def within(least: str, most: str) -> AfterValidator:
    """Bounds of a duration, both inclusive."""
    lower, upper = parse_duration(least), parse_duration(most)

    def check(value: int) -> int:
        if not lower <= value <= upper:
            raise ValueError(f"must be from {least} to {most}, is {format_duration(value)}")
        return value

    return AfterValidator(check)


def parse_instant_text(value: object) -> int:
    """An instant of a policy, ms since the epoch.

    Raises:
        ValueError: the value is no RFC 3339 text with an offset.
    """
    if isinstance(value, str):
        try:
            return parse_instant(value)
        except ValueError:
            pass
    raise ValueError(f"must be an instant with an offset such as 2026-11-23T15:05:00Z, is {quote(value)}")


def _is_scope(value: str) -> bool:
    env, *below = value.split("/")
    return (
        is_axis_value(env)
        and len(below) <= _MOST_AXES
        and below[-1:] != ["*"]
        and all(part == "*" or is_axis_value(part) for part in below)
    )


def _scope(value: str) -> str:
    if not _is_scope(value):
        raise UnknownName(
            f"must be a scope such as prod, prod/ssoe, prod/ssoe/idme or prod/*/idme, is {quote(value)}"
        )
    return value


def _runbook_key(key: str) -> str:
    if key != ANY_OTHER and not _is_scope(key):
        raise UnknownName(
            f"must be a scope such as prod/*/idme, a value or service such as idme, a cause such as silence, an error"
            f" code, or {ANY_OTHER} for all else, is {quote(key)}"
        )
    return key


def _severity(value: object) -> int:
    if str(value) not in ("1", "2", "3"):
        raise UnknownName(f"must be a severity, 1, 2 or 3, is {quote(value)}")
    return int(str(value))


def _url(value: str) -> str:
    if not value.startswith(("https://", "http://")) or any(c <= " " for c in value) or len(value) > 2048:
        raise ValueError(f"must be a URL that begins with https:// or http://, is {quote(value)}")
    return value


def _day(value: object) -> str:
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise ValueError(f"must be a day such as 2025-12-26, is {quote(value)}")


def _to_json(formatter: Any) -> PlainSerializer:
    return PlainSerializer(formatter, return_type=str, when_used="json")


#: Milliseconds; in YAML text with a unit ("30s"), so that nobody has to guess it.
Duration = Annotated[int, BeforeValidator(_milliseconds), _to_json(format_duration)]
#: Milliseconds since the epoch; in YAML RFC 3339 with an offset.
Instant = Annotated[int, BeforeValidator(parse_instant_text), _to_json(format_instant)]
#: A calendar day, ``YYYY-MM-DD``.
Day = Annotated[str, BeforeValidator(_day)]
#: A share, 0-1.
Ratio = Annotated[float, Field(strict=True, ge=0, le=1)]
#: A whole number of things.
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
#: SLA severity, 1-3.
Severity = Annotated[int, BeforeValidator(_severity)]
Text = Annotated[str, Field(strict=True, min_length=1, max_length=1024)]
Url = Annotated[str, Field(strict=True), AfterValidator(_url)]
ScopePath = Annotated[str, Field(strict=True), AfterValidator(_scope)]
#: A scope, a value or service wherever it is affected, an error code, a cause, or ``*`` for all else.
RunbookKey = Annotated[str, Field(strict=True), AfterValidator(_runbook_key)]
#: The name of a runbook that ships, or the URL of another.
Runbook = Annotated[str, Field(strict=True), AfterValidator(checked_runbook)]
