"""Which JSON records do the public topics hold, for programs that read them without this code?

In this program an instant is an int of milliseconds; a record states instants in RFC 3339, and windows as ``5m``.
Each model corresponds to a value of `detectors.incidents`, and the published schemas are generated from the models.
Unknown fields are ignored on reading, so that an older reader can read the records of a newer writer.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, TypeVar

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    computed_field,
    model_validator,
)

from detectors.incidents import (
    Basis,
    Counts,
    Incident,
    IncidentInput,
    State,
)
from detectors.instants import format_duration, format_instant, parse_duration, parse_instant

__all__ = [
    "ID_LIMIT",
    "NAME_LIMIT",
    "TEXT_LIMIT",
    "Count",
    "CountsRecord",
    "Document",
    "Env",
    "IncidentId",
    "IncidentRecord",
    "InputRecord",
    "Instant",
    "Scope",
    "Severity",
    "SliRecord",
    "Value",
    "complaints",
    "decode_incident",
    "decode_input",
    "encode_incident",
    "encode_input",
]

#: The longest text that a person may put on an incident; receivers cut it further.
TEXT_LIMIT = 4_000
NAME_LIMIT = 200
ID_LIMIT = 128

RecordT = TypeVar("RecordT", bound="Document")
#: A value of an open field, as it is spelt in facts (``detectors.values``).
_VALUE = r"[a-z0-9_.:-]{1,64}"
Env = Annotated[str, Field(pattern=f"^{_VALUE}$", examples=["prod"])]
Value = Annotated[str, Field(pattern=f"^{_VALUE}$", examples=["idme"])]
#: The name of a field of login events.
FieldName = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$", examples=["csp"])]
InputKind = Literal["acknowledge", "unacknowledge", "note", "declare", "resolve", "report", "retire"]


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


def _says(text: str) -> Any:
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


class Document(BaseModel):
    """What all records have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_serialization_defaults_required=True)

    def to_json(self) -> bytes:
        """Return the record as bytes of JSON."""
        return self.model_dump_json().encode()


class CountsRecord(Document):
    """Counts of one scope in one window that ends at ``at``, of the steps of sign-in."""

    at: Annotated[Instant, _says("the end of the window")]
    window: Annotated[Window, _says("its length")]
    good: Annotated[Count, _says("completed requests that succeeded")]
    bad: Annotated[Count, _says("completed requests that failed and count against the service")]
    excluded: Annotated[Count, _says("failures that the policy does not hold against the service")]
    started: Annotated[Count, _says("sign-ins that began")]
    slow: Annotated[Count, _says("completed requests over the latency threshold")]
    timed: Annotated[Count, _says("completed requests that carry a duration")]
    users_impacted: Annotated[Count, _says("distinct people with at least one bad event")]

    @computed_field(description="good / (good + bad); null when nothing completed")  # type: ignore[prop-decorator]
    @property
    def success_ratio(self) -> NullableRatio:
        """``good / (good + bad)``; null when nothing completed."""
        return self._counts().success_ratio

    def _counts(self) -> Counts:
        return Counts(**{name: getattr(self, name) for name in Counts.__struct_fields__})


class NoteRecord(Document):
    """A line that a person, or a receiver, put on an incident."""

    at: Annotated[Instant, _says("when it was applied")]
    by: Annotated[str, _says("who wrote it")]
    text: Annotated[str, _says("what was written")]


class PageRecord(Document):
    """A PagerDuty alert that was triggered for this epoch."""

    dedup_key: Annotated[str, _says("PagerDuty's key of the alert")]
    level: Annotated[Literal["critical", "error", "warning"], _says("the highest level sent with it")]


class IncidentRecord(Document):
    """One incident as it stands. The latest record of a key counts (topic `incidents`)."""

    id: Annotated[IncidentId, _says("environment and running number; also the record's key")]
    env: Annotated[Env, _says("environment")]
    epoch: Annotated[int, Field(ge=0, description="how often it was reopened")]
    scope: Annotated[Scope, _says("what fails: environment, then for each axis a value or *")]
    state: Annotated[State, _says("where it is in its life")]
    causes: Annotated[tuple[str, ...], _says("detectors that have fired, sorted")]
    sentence: Annotated[str, _says("the leading cause now, in plain English, with its numbers")]
    severity: Annotated[Severity, _says("SLA severity now, by the people impacted per hour")]
    peak_severity: Annotated[Severity, _says("the worst severity of this epoch")]
    priority: Annotated[str, Field(pattern="^P[1-4]$", description="by the declaration guidelines")]
    datadog_severity: Annotated[str, Field(pattern="^SEV-[0-5]$", description="severity on Datadog's scale")]
    basis: Annotated[Basis, _says("what users_impacted rests on")]
    users_impacted: Annotated[Count, _says("people per hour who cannot sign in")]
    peak_users_impacted: Annotated[Count, _says("the most so far")]
    users_impacted_error: SampleError = 0.0
    peak_users_impacted_error: SampleError = 0.0
    first_bad_at: Annotated[Instant, _says("the first failing event")]
    opened_at: Annotated[Instant, _says("when it was found")]
    updated_at: Annotated[Instant, _says("when it changed last")]
    acknowledged_at: Annotated[Instant | None, _says("when somebody took it on")] = None
    acknowledged_by: Annotated[str | None, _says("who took it on")] = None
    declared_at: Annotated[Instant | None, _says("when it was confirmed as a service outage")] = None
    declared_by: Annotated[str | None, _says("who confirmed it, or the policy")] = None
    recovering_at: Annotated[Instant | None, _says("since when nothing is found any more")] = None
    resolved_at: Annotated[Instant | None, _says("when it was over")] = None
    resolved_by: Annotated[str | None, _says("who resolved it; null if it was seen to recover")] = None
    resolved_reason: Annotated[str | None, _says("why it is taken to be over")] = None
    closed_at: Annotated[Instant | None, _says("from when on it is not reopened any more")] = None
    counts_opening: Annotated[CountsRecord | None, _says("the counts when it opened")] = None
    counts_peak: Annotated[CountsRecord | None, _says("the counts when it was worst")] = None
    counts_now: Annotated[CountsRecord | None, _says("the counts at updated_at")] = None
    failing_ratio: Annotated[float, Field(ge=0, le=1, description="share of sign-ins affected")] = 0.0
    csp_caused: Annotated[bool, _says("a credential provider fails: not held against availability")] = False
    in_maintenance: Annotated[bool, _says("within an announced maintenance window")] = False
    narrower: Annotated[tuple[str, ...], _says("narrower scopes whose findings are recorded here")] = ()
    fail_over: Annotated[str | None, _says("advice to fail over, while its condition holds")] = None
    notes: Annotated[tuple[NoteRecord, ...], _says("the timeline's notes, oldest first")] = ()
    links: Annotated[dict[str, str], _says("places to go: console, runbook and others")] = {}
    pages: Annotated[tuple[PageRecord, ...], _says("PagerDuty's alerts of this epoch")] = ()
    policy_hash: Annotated[str, _says("names the policy it was judged by")] = ""

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """Build the record of an incident."""
        return cls.model_validate(msgspec.to_builtins(incident))

    def incident(self) -> Incident:
        """Return the incident that the record states."""
        return msgspec.convert(self.model_dump(), Incident)


class SliRecord(Document):
    """Indicators of one scope in one window that ends at ``at`` (topic `sli`, key ``scope|window``)."""

    type: Annotated[Literal["sli"], _says("what the object is")] = "sli"
    at: Annotated[Instant, _says("the end of the window, in event time")]
    scope: Annotated[Scope, _says("what is measured: environment, then for each axis a value or *")]
    window: Annotated[Window, _says("its length")]
    good: Annotated[Count, _says("completed requests that succeeded")]
    bad: Annotated[Count, _says("completed requests that failed and count against the service")]
    excluded: Annotated[Count, _says("failures that the policy does not hold against the service")]
    started: Annotated[Count, _says("sign-ins that began")]
    slow: Annotated[Count, _says("completed requests over the latency threshold")]
    success_ratio: Annotated[NullableRatio, _says("good / (good + bad); null when nothing completed")]
    latency_ratio: Annotated[
        NullableRatio,
        _says("share of completed requests under the latency threshold; null when none is timed"),
    ]
    users_impacted: Annotated[Count, _says("distinct people with at least one bad event")]
    users_impacted_error: SampleError = 0.0


def _needs(*fields: str) -> dict[str, Any]:
    return {"required": [*fields], "properties": {field: {"type": "string"} for field in fields}}


def _when(*kinds: str) -> dict[str, Any]:
    return {"properties": {"kind": {"enum": [*kinds]}}}


class InputRecord(Document):
    """What a person or a webhook asks for (topic `incident-inputs`, key: the environment)."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"if": _when("report"), "then": _needs("scope")},
                {"if": _when("retire"), "then": _needs("axis", "value")},
                {"if": _when("declare"), "then": {"anyOf": [_needs("incident"), _needs("scope")]}},
                {"if": _when("acknowledge", "unacknowledge", "note", "resolve"), "then": _needs("incident")},
            ]
        }
    )

    id: Annotated[str, Field(min_length=1, max_length=ID_LIMIT, description="a repeat of an id is ignored")]
    env: Annotated[Env, _says("environment of the incident or scope")]
    kind: Annotated[InputKind, _says("what is asked for")]
    incident: Annotated[
        IncidentId | None, _says("of all but a report, a retire, and a declare that opens one")
    ] = None
    scope: Annotated[Scope | None, _says("of a report, or of a declare that opens an incident")] = None
    axis: Annotated[
        FieldName | None, _says("of a retire: the field whose value nobody will use any more")
    ] = None
    value: Annotated[Value | None, _says("of a retire: that value")] = None
    by: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT, description="who asks")] = "somebody"
    via: Annotated[Literal["http", "pagerduty"], _says("how it reached us")] = "http"
    text: Annotated[str, Field(max_length=TEXT_LIMIT, description="of a note or a report, or why")] = ""
    at: Annotated[Instant, _says("when it was received; for people, never for judgement")] = 0

    @model_validator(mode="after")
    def _aimed(self) -> Self:
        if self.kind == "report" or (self.kind == "declare" and self.incident is None):
            if self.scope is None:
                raise ValueError(f"a {self.kind} needs a scope")
        elif self.kind == "retire":
            if self.axis is None or self.value is None:
                raise ValueError("a retire needs an axis and a value")
        elif self.incident is None:
            raise ValueError(f"{self.kind} needs an incident")
        if self.incident is not None and self.incident.rpartition("-")[0] != self.env:
            raise ValueError("the incident is of another environment")
        if self.scope is not None and self.scope.partition("/")[0] != self.env:
            raise ValueError("the scope is of another environment")
        return self

    @classmethod
    def of(cls, value: IncidentInput) -> Self:
        """Build the record of an incident input."""
        return cls.model_validate(msgspec.to_builtins(value))


def encode_incident(incident: Incident) -> bytes:
    """Return the value of a record of the topic ``incidents``."""
    return IncidentRecord.of(incident).to_json()


def decode_incident(value: bytes) -> Incident:
    """Return the incident in a record of the topic ``incidents``.

    Raises:
        ValueError: the value is no such record.
    """
    return _decode(IncidentRecord, value).incident()


def encode_input(value: IncidentInput) -> bytes:
    """Return the value of a record of the topic ``incident-inputs``.

    Raises:
        ValueError: the input is not allowed.
    """
    return InputRecord.of(value).to_json()


def decode_input(value: bytes) -> IncidentInput:
    """Return the input in a record of the topic ``incident-inputs``.

    Raises:
        ValueError: the value is no such record; the message names the fields, not their values.
    """
    return msgspec.convert(_decode(InputRecord, value).model_dump(), IncidentInput)


def _decode(model: type[RecordT], value: bytes) -> RecordT:
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        raise ValueError(complaints(error)) from None


def complaints(error: ValidationError) -> str:
    """Return one line that names every invalid field and the error in it, without the values."""
    parts: list[str] = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(step) for step in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        parts.append(f"{path}: {message}" if path else message)
    return "; ".join(parts)
