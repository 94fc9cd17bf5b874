"""The JSON records on our topics, for those who read them without our code.

Inside, an instant is an int of milliseconds; in a record it is written as RFC 3339, and a window as ``5m``.
Each model here is the edge of one of the values of `detectors.incidents`, and what the published schemas are
generated from. Unknown fields are ignored on reading, so that an older reader survives a newer writer.
"""

from __future__ import annotations

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
from detectors.scopes import ENVS, SCOPES, scope_index

__all__ = [
    "Document",
    "IncidentRecord",
    "InputRecord",
    "SliRecord",
    "complaints",
    "decode_incident",
    "decode_input",
    "encode_incident",
    "encode_input",
]

#: Longest text that a person may put on an incident; what the receivers take is cut further by them.
TEXT_LIMIT = 4_000
NAME_LIMIT = 200
ID_LIMIT = 128

RecordT = TypeVar("RecordT", bound="Document")
Env = Literal["prod", "staging", "dev", "localhost"]
InputKind = Literal["acknowledge", "unacknowledge", "note", "declare", "resolve", "report"]


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
    try:
        scope_index(value)
    except KeyError:
        raise ValueError(
            "no such scope; one is written like prod, prod/ssoe, prod/ssoe/idme or prod/*/idme"
        ) from None
    return value


def _ratio_schema(text: str) -> WithJsonSchema:
    return WithJsonSchema({"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": text})


#: ms since the epoch inside, RFC 3339 in JSON.
Instant = Annotated[
    int,
    BeforeValidator(_instant),
    PlainSerializer(format_instant, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
#: ms inside, ``5m`` in JSON.
Window = Annotated[
    int,
    BeforeValidator(_window),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$", "examples": ["5m"]}),
]
Scope = Annotated[
    str,
    BeforeValidator(lambda value: _scope(value) if isinstance(value, str) else value),
    WithJsonSchema({"type": "string", "enum": [f"{env}/{s}" if s else env for env in ENVS for s in SCOPES]}),
]
IncidentId = Annotated[
    str, Field(pattern=r"^(prod|staging|dev|localhost)-[1-9][0-9]{0,17}$", examples=["prod-17"])
]
Count = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(ge=0, le=1)]


class Document(BaseModel):
    """What all records have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_serialization_defaults_required=True)

    def to_json(self) -> bytes:
        """The record's bytes."""
        return self.model_dump_json().encode()


class CountsRecord(Document):
    """Counts of one scope in one window that ends at ``at``, of the steps of sign-in."""

    at: Instant
    window: Window
    good: Count
    bad: Count
    excluded: Count
    started: Count
    slow: Annotated[int, Field(ge=0, description="completed requests over the latency threshold")]
    timed: Annotated[int, Field(ge=0, description="completed requests that carry a duration")]
    users_impacted: Annotated[int, Field(ge=0, description="distinct people with at least one bad event")]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def success_ratio(self) -> Annotated[float | None, _ratio_schema("good / (good + bad)")]:
        """``good / (good + bad)``; null when nothing completed."""
        return self._counts().success_ratio

    def _counts(self) -> Counts:
        return Counts(**{name: getattr(self, name) for name in Counts.__struct_fields__})


class NoteRecord(Document):
    """A line that a person, or a receiver, put on an incident."""

    at: Instant
    by: str
    text: str


class PageRecord(Document):
    """A PagerDuty alert that was triggered for this epoch."""

    dedup_key: str
    level: Annotated[
        Literal["critical", "error", "warning"], Field(description="the highest level sent with it")
    ]


class IncidentRecord(Document):
    """One incident as it stands; the latest record of a key counts (topic `incidents`, HTTP API)."""

    id: Annotated[IncidentId, Field(description="<env>-<running number>; also the record's key")]
    env: Env
    epoch: Annotated[int, Field(ge=0, description="how often the incident was reopened")]
    scope: Scope
    state: State
    causes: Annotated[tuple[str, ...], Field(description="detectors that have fired")]
    sentence: Annotated[str, Field(description="the leading cause, in plain English, with its numbers")]
    severity: Annotated[int, Field(ge=1, le=3, description="SLA severity, now")]
    peak_severity: Annotated[int, Field(ge=1, le=3, description="the worst severity in this epoch")]
    priority: Annotated[str, Field(pattern="^P[1-4]$")]
    datadog_severity: Annotated[str, Field(pattern="^SEV-[0-5]$")]
    basis: Annotated[Basis, Field(description="what users_impacted rests on")]
    users_impacted: Annotated[int, Field(ge=0, description="people per hour who cannot sign in")]
    peak_users_impacted: Count
    first_bad_at: Annotated[Instant, Field(description="the first failing event")]
    opened_at: Instant
    updated_at: Instant
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    declared_at: Annotated[Instant | None, Field(description="when it was confirmed as a service outage")] = (
        None
    )
    declared_by: str | None = None
    recovering_at: Instant | None = None
    resolved_at: Instant | None = None
    resolved_by: str | None = None
    resolved_reason: str | None = None
    closed_at: Instant | None = None
    counts_opening: CountsRecord | None = None
    counts_peak: CountsRecord | None = None
    counts_now: CountsRecord | None = None
    failing_ratio: Annotated[float, Field(ge=0, le=1, description="share of sign-ins affected")] = 0.0
    csp_caused: Annotated[
        bool, Field(description="the credential provider's doing; excluded from availability")
    ] = False
    in_maintenance: bool = False
    narrower: Annotated[
        tuple[str, ...], Field(description="narrower scopes whose findings are recorded here")
    ] = ()
    fail_over: Annotated[str | None, Field(description="advice, while its condition holds")] = None
    notes: tuple[NoteRecord, ...] = ()
    links: dict[str, str] = {}
    pages: tuple[PageRecord, ...] = ()
    policy_hash: str = ""

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """The record of an incident."""
        return cls.model_validate(msgspec.to_builtins(incident))

    def incident(self) -> Incident:
        """The incident that the record states."""
        return msgspec.convert(self.model_dump(), Incident)


class SliRecord(Document):
    """Indicators of one scope in one window that ends at ``at`` (topic `sli`, key ``scope|window``)."""

    type: Literal["sli"] = "sli"
    at: Instant
    scope: Scope
    window: Window
    good: Count
    bad: Count
    excluded: Annotated[
        int, Field(ge=0, description="failures that policy does not hold against the service")
    ]
    started: Count
    slow: Count
    success_ratio: Annotated[float | None, _ratio_schema("good / (good + bad); null when nothing completed")]
    latency_ratio: Annotated[
        float | None, _ratio_schema("not slow / completed with a duration; null when there is none")
    ]
    users_impacted: Annotated[int, Field(ge=0, description="distinct people with at least one bad event")]


class InputRecord(Document):
    """What a person or a webhook asks for (topic `incident-inputs`, key env)."""

    id: Annotated[str, Field(min_length=1, max_length=ID_LIMIT, description="a repeat of an id is ignored")]
    env: Env
    kind: InputKind
    incident: IncidentId | None = None
    scope: Annotated[
        Scope | None, Field(description="of a report, or of a declare that opens an incident")
    ] = None
    by: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT)] = "somebody"
    via: Literal["http", "pagerduty"] = "http"
    text: Annotated[str, Field(max_length=TEXT_LIMIT)] = ""
    at: Annotated[Instant, Field(description="when it was received; for people, never for judgement")] = 0

    @model_validator(mode="after")
    def _aimed(self) -> Self:
        if self.kind == "report" or (self.kind == "declare" and self.incident is None):
            if self.scope is None:
                raise ValueError(f"a {self.kind} needs a scope")
        elif self.incident is None:
            raise ValueError(f"{self.kind} needs an incident")
        if self.incident is not None and self.incident.rpartition("-")[0] != self.env:
            raise ValueError("the incident is of another environment")
        if self.scope is not None and self.scope.partition("/")[0] != self.env:
            raise ValueError("the scope is of another environment")
        return self

    @classmethod
    def of(cls, value: IncidentInput) -> Self:
        """The record of an input."""
        return cls.model_validate(msgspec.to_builtins(value))


def encode_incident(incident: Incident) -> bytes:
    """The value of a record of the topic ``incidents``."""
    return IncidentRecord.of(incident).to_json()


def decode_incident(value: bytes) -> Incident:
    """The incident in a record of the topic ``incidents``.

    Raises:
        ValueError: it is none.
    """
    return _decode(IncidentRecord, value).incident()


def encode_input(value: IncidentInput) -> bytes:
    """The value of a record of the topic ``incident-inputs``.

    Raises:
        ValueError: the input is not one that may be asked for.
    """
    return InputRecord.of(value).to_json()


def decode_input(value: bytes) -> IncidentInput:
    """The input in a record of the topic ``incident-inputs``.

    Raises:
        ValueError: it is none; the message names the fields, not their values.
    """
    return msgspec.convert(_decode(InputRecord, value).model_dump(), IncidentInput)


def _decode(model: type[RecordT], value: bytes) -> RecordT:
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        raise ValueError(complaints(error)) from None


def complaints(error: ValidationError) -> str:
    """One line that names every field and what is wrong with it, without the values."""
    parts: list[str] = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(step) for step in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        parts.append(f"{path}: {message}" if path else message)
    return "; ".join(parts)


def plain(value: Document) -> dict[str, Any]:
    """The record as JSON would have it, as plain values."""
    return value.model_dump(mode="json")
