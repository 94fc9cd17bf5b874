"""What became of the events of a replay, which were at fault first, and was anything judged at all?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from detectors.policy.policy import Policy
from streams.events.lacking import Sampled
from streams.events.validation import Reason, Rejection

__all__ = ["FAULTS_SHOWN", "Fault", "Summary", "fault_lines", "lack_lines", "unjudged_lines"]

#: How many of the rejected records, and of the late ones, are told with their places.
FAULTS_SHOWN: Final = 5
#: From this share of the accepted events on, late and too late ones are nearly all.
_NEARLY_ALL = 0.9

_SCHEMA = "deploy/schemas/login-event.schema.json"
_UNREADABLE = "give login events as JSON, one object in each line, or a dump of kcat -J"
_OUT_OF_TIME = (
    "times of lines without a Kafka timestamp are compared with --now (default: the present): "
    "give the instant at which the recording ended"
)
_REMEDIES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            Reason.EMPTY,
            Reason.TOO_LARGE,
            Reason.NOT_UTF8,
            Reason.NOT_JSON,
            Reason.TOO_DEEP,
            Reason.NOT_AN_OBJECT,
        ),
        f"{_UNREADABLE}; their schema is {_SCHEMA}",
    ),
    **dict.fromkeys((Reason.FUTURE, Reason.PAST), _OUT_OF_TIME),
}


class Fault(NamedTuple):
    """A record that was rejected, or that came late.

    Attributes:
        place: its file and line, or its partition and offset; empty if that is not known.
        what: the reason of a rejection, ``late`` or ``too_late``.
        detail: which field is wrong and what to send, without the value.
    """

    place: str
    what: str
    detail: str


@dataclass
class Summary:
    """The numbers of events in the input: events = accepted + rejected + duplicates.

    Attributes:
        reasons: how many were rejected, by reason.
        first_rejected: the first rejected records, at most ``FAULTS_SHOWN``.
        first_late: the first records that were late or too late, at most ``FAULTS_SHOWN``.
        sampled: what some of the accepted events tell.
    """

    events: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    late: int = 0
    too_late: int = 0
    incidents: int = 0
    seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)
    first_rejected: list[Fault] = field(default_factory=list)
    first_late: list[Fault] = field(default_factory=list)
    sampled: Sampled = field(default_factory=Sampled)

    def as_json(self) -> dict[str, object]:
        """Return the ``summary`` object."""
        names = ("events", "accepted", "rejected", "duplicates", "late", "too_late", "incidents")
        return {
            "type": "summary",
            **{name: getattr(self, name) for name in names},
            "seconds": round(self.seconds, 3),
        }

    def note_rejected(self, place: str, refused: Rejection) -> None:
        """Note a rejected record, if it is one of the first."""
        if len(self.first_rejected) < FAULTS_SHOWN:
            self.first_rejected.append(Fault(place, refused.reason, refused.detail))

    def note_late(self, place: str, *, too_late: bool) -> None:
        """Note a record that came late, if it is one of the first."""
        if len(self.first_late) < FAULTS_SHOWN:
            what = "too_late" if too_late else "late"
            self.first_late.append(Fault(place, what, "it stands behind events that happened later"))


def fault_lines(summary: Summary) -> list[str]:
    """Say of the first rejected records where they stand, why they were rejected, and what to send instead."""
    if not summary.first_rejected:
        return []
    shown = len(summary.first_rejected)
    head = f"{summary.rejected:,} rejected" + (f", the first {shown}:" if shown < summary.rejected else ":")
    return [head, *_told(summary.first_rejected)]


def lack_lines(summary: Summary, policy: Policy) -> list[str]:
    """Say what no event tells, so that the watch cannot judge well by such events, and what to map.

    Args:
        summary: the numbers of a complete run.
        policy: has the environments, methods and aliases.
    """
    lacks = [f"  {one}" for one in summary.sampled.lacks(policy)]
    looked = f"{summary.sampled.seen:,} of {summary.accepted:,} events were looked at"
    head = f"This input can be read, but not judged well ({looked}; docs/sources.md):"
    return [head, *lacks] if lacks else []


def unjudged_lines(summary: Summary, *, resumed: bool, newest_first: bool = False) -> list[str]:
    """Say that nothing was judged, why, where, and what to do; empty if something was judged.

    Args:
        summary: the numbers of a complete run.
        resumed: whether the run went on from a state of a worker: a stretch without records is then no fault.
        newest_first: whether the input is known to stand in reverse.
    """
    if not summary.events:
        sentence = "Nothing was judged: the input holds no record."
        remedy = "give a file, a pipe or a topic that holds login events, one in each line or record"
        return [] if resumed else [sentence, f"What to do: {remedy}."]
    if not summary.accepted:
        return list(_nothing_accepted(summary))
    if summary.late + summary.too_late < _NEARLY_ALL * summary.accepted:
        return []
    return [
        f"Hardly anything was judged in time: of {summary.accepted:,} accepted events {summary.late:,} are late "
        f"and {summary.too_late:,} too late, as they stand behind events that happened later. The first:",
        *_told(summary.first_late),
        "What to do: the input comes newest first: give --sort, which reads it in the order of time."
        if newest_first
        else "What to do: give --sort, which reads files in the order of occurred_at; give each partition in a file "
        "of its own with --partitioned, or give a dump of kcat -J.",
    ]


def _nothing_accepted(summary: Summary) -> Iterator[str]:
    reasons = sorted(summary.reasons.items(), key=lambda item: -item[1])
    counts = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
    if not reasons:
        yield f"Nothing was judged: all of {summary.events:,} records are duplicates of earlier ones."
        return
    rejected = (
        "the only record was"
        if summary.events == 1
        else f"{summary.rejected:,} of {summary.events:,} records were"
    )
    yield f"Nothing was judged: {rejected} rejected ({counts})."
    remedy = _REMEDIES.get(
        reasons[0][0], f"change the producer as the lines above say; the schema is {_SCHEMA}"
    )
    yield f"What to do: {remedy}."


def _told(faults: list[Fault]) -> list[str]:
    return [f"  {': '.join(part for part in fault if part)}" for fault in faults]
