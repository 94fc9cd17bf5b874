"""Which parts have the JSON records of incidents: counts, notes, alerts, and what is known of the process?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from detectors.incidents import Common, Counts
from detectors.process.record import CHECKS_KEPT, FOLLOW_UPS_KEPT
from detectors.process.vocabulary import Role, Stage
from streams.records.fields import Count, Instant, NullableRatio, Window, says

__all__ = ["CommonRecord", "CountsRecord", "Document", "NoteRecord", "PageRecord", "ProcessRecord"]


class Document(BaseModel):
    """What all records have in common."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_serialization_defaults_required=True, defer_build=True
    )

    def to_json(self) -> bytes:
        """Return the record as bytes of JSON."""
        return self.model_dump_json().encode()


class CountsRecord(Document):
    """Counts of one scope in one window that ends at ``at``, of the steps of sign-in."""

    at: Annotated[Instant, says("the end of the window")]
    window: Annotated[Window, says("its length")]
    good: Annotated[Count, says("completed requests that succeeded")]
    bad: Annotated[Count, says("completed requests that failed and count against the service")]
    excluded: Annotated[Count, says("failures that the policy does not hold against the service")]
    started: Annotated[Count, says("sign-ins that began")]
    slow: Annotated[Count, says("completed requests over the latency threshold")]
    timed: Annotated[Count, says("completed requests that carry a duration")]
    users_impacted: Annotated[Count, says("distinct people with at least one bad event")]

    @computed_field(description="good / (good + bad); null when nothing completed")  # type: ignore[prop-decorator]
    @property
    def success_ratio(self) -> NullableRatio:
        """``good / (good + bad)``; null when nothing completed."""
        return self._counts().success_ratio

    def _counts(self) -> Counts:
        return Counts(**{name: getattr(self, name) for name in Counts.__struct_fields__})


class CommonRecord(Document):
    """A value that most of the people who fail have in common, and others have not."""

    field: Annotated[str, says("an axis, step, error_code or error_class")]
    value: Annotated[str, says("the value")]
    failing: Annotated[Count, says("people who fail and have it; an estimate where people are sampled")]
    failing_of: Annotated[Count, says("people who fail")]
    usual_share: Annotated[NullableRatio, says("share of all who have it; null for codes and classes")] = None

    @computed_field(description="failing / failing_of")  # type: ignore[prop-decorator]
    @property
    def failing_share(self) -> Annotated[float, Field(ge=0, le=1)]:
        """``failing / failing_of``."""
        return self.struct().failing_share

    def struct(self) -> Common:
        """Return the value that the record states."""
        return Common(**{name: getattr(self, name) for name in Common.__struct_fields__})


class NoteRecord(Document):
    """A line that a person, or a receiver, put on an incident."""

    at: Annotated[Instant, says("when it was applied")]
    by: Annotated[str, says("who wrote it")]
    text: Annotated[str, says("what was written")]
    via: Annotated[str | None, says("the door that it came by")] = None


class PageRecord(Document):
    """A PagerDuty alert that was triggered for this epoch."""

    dedup_key: Annotated[str, says("PagerDuty's key of the alert")]
    level: Annotated[Literal["critical", "error", "warning"], says("the highest level sent with it")]
    incident: Annotated[str | None, says("PagerDuty's id of the incident that holds it")] = None
    closed_at: Annotated[
        Instant | None, says("since when it is resolved there though the incident goes on")
    ] = None


class FollowUpRecord(Document):
    """Something that is left to do."""

    at: Annotated[Instant, says("when it was put down")]
    by: Annotated[str, says("who put it down")]
    text: Annotated[str, says("what is to do")]
    link: Annotated[str | None, says("where it is tracked")] = None
    done_at: Annotated[Instant | None, says("when it was done")] = None


class CheckRecord(Document):
    """A line of the recovery checklist."""

    item: Annotated[str, says("its key, which the act check names")]
    text: Annotated[str, says("what to check")]
    done_at: Annotated[Instant | None, says("when it was ticked")] = None
    done_by: Annotated[str | None, says("who ticked it; the data for what the findings show")] = None


class SaidRecord(Document):
    """An update by a person."""

    at: Annotated[Instant, says("when it was applied")]
    by: Annotated[str, says("who wrote it")]
    text: Annotated[str, says("what was written")]
    public: Annotated[bool, says("whether it is also for the public")] = False


class ProcessRecord(Document):
    """How an incident is conducted."""

    stage: Annotated[Stage, says("how far the process is")] = "detection"
    roles: Annotated[dict[Role, str], says("who has which role")] = {}
    eta: Annotated[Instant | None, says("estimated time of resolution")] = None
    answer_by: Annotated[
        Instant | None, says("when the response time that runs is over; null once somebody has answered")
    ] = None
    next_update_at: Annotated[Instant | None, says("when the next update is due; null once it is over")] = (
        None
    )
    said: Annotated[SaidRecord | None, says("the last update by a person")] = None
    works: Annotated[
        tuple[str, ...], says("scopes beside it on which sign-ins succeeded at the last update")
    ] = ()
    follow_ups: Annotated[
        tuple[FollowUpRecord, ...],
        Field(max_length=FOLLOW_UPS_KEPT, description="what is left to do; the first is number 1"),
    ] = ()
    checklist: Annotated[
        tuple[CheckRecord, ...],
        Field(max_length=CHECKS_KEPT, description="what must be seen before it is over"),
    ] = ()
    completed_at: Annotated[Instant | None, says("the end of the process")] = None
    completed_by: Annotated[str | None, says("who ended it")] = None
    states: Annotated[
        tuple[str, ...], says("codes of the states that it was declared for; [] for none in particular")
    ] = ()
