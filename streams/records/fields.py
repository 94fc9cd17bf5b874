"""Which types do the fields of public records have?

In this program an instant is an int of milliseconds; a record states instants in RFC 3339, and windows as ``5m``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)

from detectors.instants import format_duration, format_instant, parse_duration, parse_instant
from detectors.process.states import US_STATES, read_states

__all__ = [
    "Count",
    "Env",
    "FieldName",
    "IncidentId",
    "Instant",
    "NullableRatio",
    "SampleError",
    "Scope",
    "Severity",
    "States",
    "Value",
    "Window",
    "says",
]

#: A value of an open field, as it is spelt in facts (``detectors.values``).
_VALUE = r"[a-z0-9_.:-]{1,64}"
Env = Annotated[str, Field(pattern=f"^{_VALUE}$", examples=["prod"])]
Value = Annotated[str, Field(pattern=f"^{_VALUE}$", examples=["idme"])]
#: The name of a field of login events.
FieldName = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$", examples=["csp"])]


def _instant(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        try:
            return parse_instant(value)
        except ValueError:
            raise ValueError("not an RFC 3339 instant with an offset") from None
    if info.mode == "json" and value is not None:
        raise ValueError("an instant is written as an RFC 3339 string")
    return value


def _window(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            raise ValueError("not a duration such as 30s, 5m or 1h30m") from None
    if info.mode == "json":
        raise ValueError("a window is written as a string such as 5m")
    return value


def _scope(value: str) -> str:
    if _SCOPE.fullmatch(value) is None:
        raise ValueError("no such scope; one is written like prod, prod/ssoe, prod/ssoe/idme or prod/*/idme")
    return value


def _states(value: object) -> object:
    if isinstance(value, list | tuple):
        value = ",".join(one if isinstance(one, str) else repr(one) for one in value)
    return read_states(value) if isinstance(value, str) else value


def says(text: str) -> Any:
    """Return a field with this description, for the schema."""
    return Field(description=text)


#: An environment, and for each axis a value or ``*``; the ``*`` at the end are left out.
_SCOPE = re.compile(rf"^{_VALUE}((/([*]|{_VALUE})){{0,3}}/{_VALUE})?$(?!\n)")

#: ms since the epoch in this program, RFC 3339 in JSON.
Instant = Annotated[
    int,
    BeforeValidator(_instant),
    PlainSerializer(format_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
#: ms in this program, ``5m`` in JSON.
Window = Annotated[
    int,
    BeforeValidator(_window),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$", "examples": ["5m"]}),
]
Scope = Annotated[
    str,
    BeforeValidator(lambda value: _scope(value) if isinstance(value, str) else value),
    WithJsonSchema({"type": "string", "pattern": _SCOPE.pattern, "examples": ["prod/ssoe", "prod/*/idme"]}),
]
IncidentId = Annotated[str, Field(pattern=rf"^{_VALUE}-[1-9][0-9]{{0,17}}$", examples=["prod-17"])]
Count = Annotated[int, Field(ge=0)]
#: Left out if people were counted exactly.
SampleError = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        exclude_if=lambda error: not error,
        description="of a figure that is estimated from a sample, as people were more than `exact_people`: how far the"
        " truth may lie from it, as a share of it, 19 times of 20 (two standard errors)",
    ),
]
Severity = Annotated[int, Field(ge=1, le=3)]
#: 0-1, null if there is no ratio.
NullableRatio = Annotated[float, Field(ge=0, le=1)] | None
#: Codes of states, sorted; read from words such as ``AR,TX`` too.
States = Annotated[
    tuple[str, ...],
    BeforeValidator(_states),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"enum": [*US_STATES]},
            "minItems": 1,
            "maxItems": len(US_STATES),
            "uniqueItems": True,
            "examples": [["AR", "TX"]],
        }
    ),
]
