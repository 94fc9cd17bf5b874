"""Which JSON records do the public topics hold, for programs that read them without this code?

In this program an instant is an int of milliseconds; a record states instants in RFC 3339, and windows as ``5m``.
Each model corresponds to a value of `detectors.incidents`, and the published schemas are generated from the models.
Unknown fields are ignored on reading, so that an older reader can read the records of a newer writer.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

import msgspec
from pydantic import (
    ConfigDict,
    Field,
    ValidationError,
    computed_field,
    model_validator,
)

from detectors.bounds import LINK_BYTES
from detectors.commonality.commonality import MOST_TOLD
from detectors.incidents import Basis, Incident, IncidentInput, State
from detectors.process.actions import ACTIONS, BY_KIND
from detectors.process.vocabulary import InputKind, Role, Stage
from sinks.wording import common_words
from streams.records.fields import (
    Count,
    Env,
    FieldName,
    IncidentId,
    Instant,
    NullableRatio,
    SampleError,
    Scope,
    Severity,
    States,
    Value,
    Window,
    says,
)
from streams.records.parts import (
    CommonRecord,
    CountsRecord,
    Document,
    NoteRecord,
    PageRecord,
    ProcessRecord,
)

__all__ = [
    "ID_LIMIT",
    "NAME_LIMIT",
    "RULE_LIMIT",
    "TEXT_LIMIT",
    "IncidentRecord",
    "InputRecord",
    "Link",
    "SlaDayRecord",
    "SliRecord",
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
#: The longest rule by which something recurs.
RULE_LIMIT = 200
#: An address that people may follow.
Link = Annotated[str, Field(pattern=r"^https?://[!-~]{1,500}$", max_length=LINK_BYTES)]

RecordT = TypeVar("RecordT", bound="Document")
#: Kinds that speak of an incident, of which a ``declare`` may also open one.
_OF_INCIDENT = (
    *(one.kind for one in ACTIONS if one.about == "incident" and one.kind != "declare"),
    *("linked", "merge", "auto_resolve", "reopen"),
)
_OF_SCOPE = tuple(one.kind for one in ACTIONS if one.about == "scope")


class IncidentRecord(Document):
    """One incident as it stands. The latest record of a key counts (topic `incidents`)."""

    id: Annotated[IncidentId, says("environment and running number; also the record's key")]
    env: Annotated[Env, says("environment")]
    epoch: Annotated[int, Field(ge=0, description="how often it was reopened")]
    scope: Annotated[Scope, says("what fails: environment, then for each axis a value or *")]
    state: Annotated[State, says("where it is in its life")]
    causes: Annotated[tuple[str, ...], says("detectors that have fired, sorted")]
    sentence: Annotated[str, says("the leading cause now, in plain English, with its numbers")]
    severity: Annotated[Severity, says("SLA severity now, by the people impacted per hour")]
    peak_severity: Annotated[Severity, says("the worst severity of this epoch")]
    priority: Annotated[str, Field(pattern="^P[1-4]$", description="by the declaration guidelines")]
    datadog_severity: Annotated[str, Field(pattern="^SEV-[0-5]$", description="severity on Datadog's scale")]
    basis: Annotated[Basis, says("what users_impacted rests on")]
    users_impacted: Annotated[Count, says("people per hour who cannot sign in")]
    peak_users_impacted: Annotated[Count, says("the most so far")]
    users_impacted_error: SampleError = 0.0
    peak_users_impacted_error: SampleError = 0.0
    first_bad_at: Annotated[Instant, says("the first failing event")]
    opened_at: Annotated[Instant, says("when it was found")]
    updated_at: Annotated[Instant, says("when it changed last")]
    acknowledged_at: Annotated[Instant | None, says("when somebody took it on")] = None
    acknowledged_by: Annotated[str | None, says("who took it on")] = None
    declared_at: Annotated[Instant | None, says("when it was confirmed as a service outage")] = None
    declared_by: Annotated[str | None, says("who confirmed it, or the policy")] = None
    recovering_at: Annotated[Instant | None, says("since when nothing is found any more")] = None
    resolved_at: Annotated[Instant | None, says("when it was over")] = None
    resolved_by: Annotated[str | None, says("who resolved it; null if it was seen to recover")] = None
    said_resolved_at: Annotated[
        Instant | None, says("when a person resolved it while it fails; null once somebody was paged again")
    ] = None
    said_resolved_by: Annotated[str | None, says("who did")] = None
    resolved_reason: Annotated[str | None, says("why it is taken to be over")] = None
    closed_at: Annotated[Instant | None, says("from when on it is not reopened any more")] = None
    counts_opening: Annotated[CountsRecord | None, says("the counts when it opened")] = None
    counts_peak: Annotated[CountsRecord | None, says("the counts when it was worst")] = None
    counts_now: Annotated[CountsRecord | None, says("the counts at updated_at")] = None
    failing_ratio: Annotated[float, Field(ge=0, le=1, description="share of sign-ins affected")] = 0.0
    csp_caused: Annotated[bool, says("a credential provider fails: not held against availability")] = False
    in_maintenance: Annotated[bool, says("within an announced maintenance window")] = False
    muted_since: Annotated[Instant | None, says("since when a mute covers it")] = None
    muted_until: Annotated[Instant | None, says("until when a mute covers it")] = None
    narrower: Annotated[tuple[str, ...], says("narrower scopes whose findings are recorded here")] = ()
    fail_over: Annotated[str | None, says("advice to fail over, while its condition holds")] = None
    common: Annotated[
        tuple[CommonRecord, ...],
        Field(
            max_length=MOST_TOLD, description="what the people who fail have in common and others have not"
        ),
    ] = ()
    notes: Annotated[tuple[NoteRecord, ...], says("the timeline's notes, oldest first")] = ()
    links: Annotated[dict[str, str], says("places to go: console, runbook and others")] = Field(
        default_factory=dict
    )
    pages: Annotated[tuple[PageRecord, ...], says("PagerDuty's alerts of this epoch")] = ()
    routed: Annotated[tuple[str, ...], says("receivers of the policy's routes that this epoch is for")] = ()
    policy_hash: Annotated[str, says("names the policy it was judged by")] = ""
    key_prefix: Annotated[str, says("what its dedup keys begin with; empty: as the policy says")] = ""
    process: Annotated[ProcessRecord, says("how it is conducted")] = ProcessRecord()

    @computed_field(description="`common` in words; empty where nothing stands out")  # type: ignore[prop-decorator]
    @property
    def common_sentence(self) -> str:
        """``common`` in words."""
        return common_words([one.struct() for one in self.common])

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """Build the record of an incident."""
        return cls.model_validate(msgspec.to_builtins(incident))

    def incident(self) -> Incident:
        """Return the incident that the record states."""
        return msgspec.convert(self.model_dump(), Incident)


class SliRecord(Document):
    """Indicators of one scope in one window that ends at ``at`` (topic `sli`, key ``scope|window``)."""

    type: Annotated[Literal["sli"], says("what the object is")] = "sli"
    at: Annotated[Instant, says("the end of the window, in event time")]
    scope: Annotated[Scope, says("what is measured: environment, then for each axis a value or *")]
    window: Annotated[Window, says("its length")]
    good: Annotated[Count, says("completed requests that succeeded")]
    bad: Annotated[Count, says("completed requests that failed and count against the service")]
    excluded: Annotated[Count, says("failures that the policy does not hold against the service")]
    started: Annotated[Count, says("sign-ins that began")]
    slow: Annotated[Count, says("completed requests over the latency threshold")]
    success_ratio: Annotated[NullableRatio, says("good / (good + bad); null when nothing completed")]
    latency_ratio: Annotated[
        NullableRatio,
        says("share of completed requests under the latency threshold; null when none is timed"),
    ]
    users_impacted: Annotated[Count, says("distinct people with at least one bad event")]
    users_impacted_error: SampleError = 0.0


class SignInsRecord(Document):
    """What the requests that complete a sign-in, or begin one, came to in a span."""

    good: Annotated[Count, says("completed requests that succeeded")]
    bad: Annotated[Count, says("completed requests that failed and count against the service")]
    excluded: Annotated[Count, says("failures that the policy does not hold against the service")]
    started: Annotated[Count, says("sign-ins that began")]
    slow: Annotated[Count, says("completed requests over the latency threshold")]
    timed: Annotated[Count, says("completed requests that carry a duration")]


class LeftOutRecord(Document):
    """What the SLA does not count of a span; fractions are of five minutes that are left out in part."""

    good: Annotated[float, Field(ge=0, description="completed requests that succeeded")]
    bad: Annotated[float, Field(ge=0, description="completed requests that failed")]


class SlaDayRecord(Document):
    """A day of one scope (topic `sla-days`, key ``scope|date``). The latest record of a key counts."""

    v: Annotated[int, Field(ge=1, description="the form of the record")]
    env: Annotated[Env, says("environment")]
    scope: Annotated[Scope, says("an environment, a method of it, or a provider on a method")]
    axes: Annotated[dict[str, str], says("the scope's values by axis")]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="of the policy's time zone")]
    start: Annotated[Instant, says("the first instant of the day")]
    end: Annotated[Instant, says("the first instant after the day")]
    coverage: Annotated[float, Field(ge=0, le=1, description="share of the day of which anything is known")]
    sign_in: Annotated[SignInsRecord, says("all that was counted")]
    not_counted: Annotated[
        dict[Literal["csp", "maintenance", "correction"], LeftOutRecord],
        says("what of that the SLA leaves out, by reason"),
    ]


def _needs(*fields: str) -> dict[str, Any]:
    return {"required": [*fields], "properties": {field: {"type": "string"} for field in fields}}


def _when(*kinds: str) -> dict[str, Any]:
    return {"properties": {"kind": {"enum": [*kinds]}}}


#: What each act needs; an empty text of an earlier build is read.
_NEEDED: list[Any] = [
    {"if": _when(one.kind), "then": _needs(*needs)}
    for one in ACTIONS
    if (needs := [field for field in one.needs if field != "text"])
]


class AlertRecord(Document):
    """What a webhook of PagerDuty says of an alert."""

    dedup_key: Annotated[str | None, Field(max_length=LINK_BYTES, description="the alert's key")] = None
    incident: Annotated[
        str | None, Field(max_length=ID_LIMIT, description="PagerDuty's id of the incident that holds it")
    ] = None
    into: Annotated[
        str | None, Field(max_length=ID_LIMIT, description="PagerDuty's id of the target of a merge")
    ] = None
    url: Annotated[
        str | None, Field(max_length=LINK_BYTES, description="the address of PagerDuty's incident")
    ] = None
    occurred_at: Annotated[Instant | None, says("when it happened, by PagerDuty's clock")] = None


class InputRecord(Document):
    """What a person or a webhook asks for (topic `incident-inputs`, key: the environment)."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"if": _when(*_OF_SCOPE), "then": _needs("scope")},
                *_NEEDED,
                {"if": _when("declare"), "then": {"anyOf": [_needs("incident"), _needs("scope")]}},
                {"if": _when(*_OF_INCIDENT), "then": _needs("incident")},
            ]
        }
    )

    id: Annotated[str, Field(min_length=1, max_length=ID_LIMIT, description="a repeat of an id is ignored")]
    env: Annotated[Env, says("environment of the incident or scope")]
    kind: Annotated[InputKind, says("what is asked for")]
    incident: Annotated[
        IncidentId | None, says("of an act on an incident, but for a declare that opens one")
    ] = None
    scope: Annotated[Scope | None, says("of an act on a scope, or of a declare that opens an incident")] = (
        None
    )
    axis: Annotated[FieldName | None, says("of a retire: the field whose value nobody will use any more")] = (
        None
    )
    value: Annotated[Value | None, says("of a retire: that value; of a deploy: the version")] = None
    by: Annotated[str, Field(min_length=1, max_length=NAME_LIMIT, description="who asks")] = "somebody"
    via: Annotated[Literal["http", "pagerduty", "slack"], says("how it reached us")] = "http"
    text: Annotated[str, Field(max_length=TEXT_LIMIT, description="of a note or a report, or why")] = ""
    role: Annotated[Role | None, says("of an assign")] = None
    who: Annotated[
        str | None, Field(min_length=1, max_length=NAME_LIMIT, description="of an assign: who has the role")
    ] = None
    stage: Annotated[Stage | None, says("of a stage")] = None
    since: Annotated[Instant | None, says("where a span begins, or when what a note tells happened")] = None
    until: Annotated[Instant | None, says("where a span ends, or the estimated time of resolution")] = None
    link: Annotated[Link | None, says("of a follow-up or post-mortem")] = None
    public: Annotated[bool | None, says("of an update: whether it is also for the public")] = None
    item: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=ID_LIMIT,
            description="of the checklist; a follow-up; what an unmute ends; the service of a deploy",
        ),
    ] = None
    recurs: Annotated[
        str | None, Field(max_length=RULE_LIMIT, description="of a maintain: an RRULE of RFC 5545")
    ] = None
    states: Annotated[States | None, says("of a declare: codes of the states that it concerns")] = None
    at: Annotated[Instant, says("when it was received")] = 0
    alert: Annotated[AlertRecord | None, says("of an input from PagerDuty")] = None

    @model_validator(mode="after")
    def _aimed(self) -> Self:
        if self.kind in _OF_SCOPE or (self.kind == "declare" and self.incident is None):
            if self.scope is None:
                raise ValueError(f"a {self.kind} needs a scope")
        elif self.incident is None and (self.kind == "declare" or self.kind in _OF_INCIDENT):
            raise ValueError(f"{self.kind} needs an incident")
        action = BY_KIND.get(self.kind)
        for field in () if action is None else action.needs:
            if getattr(self, field) is None:
                raise ValueError(f"{self.kind} needs {field}")
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
