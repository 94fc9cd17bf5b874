"""What happened in an incident, in the order in which it happened: as entries with the evidence behind each?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from detectors.incidents import Common, Incident
from detectors.instants import FAR_FUTURE
from detectors.process.deploys import Deploy, deploy_words, shown_with
from sinks.html import Html, tag
from sinks.wording import (
    ScopeNames,
    capitalised,
    change_title,
    common_words,
    day_words,
    ended,
    one_line,
    time_words,
)

__all__ = ["Finding", "Happening", "Message", "clock", "instant", "timeline", "told_words"]

_SINKS = {
    "pagerduty": "PagerDuty",
    "datadog": "Datadog",
    "slack": "Slack",
    "email": "e-mail",
    "teams": "Teams",
}
_OUTCOMES = {
    "delivered": "was told",
    "dead": "refused",
    "dropped": "was not told",
    "superseded": "needed no more",
}
_ACTIONS = {
    "trigger": "an alert",
    "acknowledge": "the acknowledgement",
    "resolve": "that it is over",
    "incident_create": "of an incident",
    "incident_update": "of the change",
    "incident_resolve": "that it is over",
    "event": "by an event",
    "post": "in the channel",
    "update": "by an edit of its message",
    "reply": "in the thread",
    "broadcast": "in the thread and the channel",
    "open": "that it began",
}
#: Edits of a message that tell nobody anything new.
_QUIET = (("slack", "update"), ("datadog", "incident_update"))


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector found, with the numbers that it rests on."""

    detector: str
    scope: str
    sentence: str
    numbers: Mapping[str, float | int | str | None] = {}


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an incident.

    Attributes:
        kind: of the transition; ``refused`` for an act that was not applied.
        at: T, ms.
        happened_at: when it happened (ms), where a person says so.
        reason: one sentence.
        by: the person or receiver behind it.
        severity, scope: after it.
        people: people an hour, with the basis of the figure.
        asked: what a refused act asked for.
        counts: of the scope in the window before: good, bad, window.
        common: what the people who fail have in common.
        findings: what the detectors found.
    """

    kind: str
    at: int
    happened_at: int | None = None
    reason: str = ""
    by: str | None = None
    severity: int = 3
    scope: str = ""
    people: str = ""
    asked: str | None = None
    counts: Mapping[str, int] | None = None
    common: tuple[Common, ...] = ()
    findings: tuple[Finding, ...] = ()


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message to a receiver, when (ms), and why where it did not arrive."""

    at: int
    sink: str
    action: str
    outcome: str
    reason: str = ""
    attempts: int = 1

    @property
    def is_quiet(self) -> bool:
        """Whether it edited what had been told before, and so told nobody anything new."""
        return (self.sink, self.action) in _QUIET and self.outcome != "dead"


def told_words(messages: Iterable[Message]) -> str:
    """Who was told first when, and who refused, in words.

    Args:
        messages: of one incident, in the order of their outcomes.
    """
    reached: dict[str, str] = {}
    refused: dict[str, str] = {}
    for one in messages:
        sink = _SINKS.get(one.sink, one.sink)
        if one.outcome == "delivered":
            reached.setdefault(sink, f"{sink} at {time_words(one.at)}")
        elif one.outcome == "dead":
            refused[sink] = f"{sink} not, which refused it"
    return ", ".join((refused | reached).values()) or "nobody yet"


def timeline(
    incident: Incident,
    happenings: Sequence[Happening],
    messages: Sequence[Message],
    names: ScopeNames,
    deploys: Iterable[Deploy] = (),
) -> Html:
    """The entries, the oldest first, each with its time; a list that a screen reader can walk.

    Args:
        deploys: what went into use around the incident.
    """
    entries, known = [], Counter[tuple[str, int]]()
    for one in happenings:
        known[one.kind, one.at] += 1  # two notes of one second, for instance
        entries.append((one.happened_at or one.at, 0, _happening(one, names, known[one.kind, one.at])))
    end = incident.resolved_at if incident.resolved_at is not None else FAR_FUTURE
    entries += [
        (one.at, -2, _entry(one.at, "deploy", deploy_words(one, incident.first_bad_at), []))
        for one in deploys
        if shown_with(one, incident.scope, incident.first_bad_at, end)
    ]
    first = min((one.at for one in happenings), default=incident.opened_at)
    if incident.first_bad_at <= first:
        began = _entry(incident.first_bad_at, "began", "The first sign-in failed", [])
        entries.append((incident.first_bad_at, -1, began))
    entries += [(one.at, 1, _message(one)) for one in messages if not one.is_quiet]
    entries.sort(key=lambda entry: entry[:2])
    if not happenings:
        gone = tag(
            "p",
            "The changes are no longer kept here. ",
            tag("code", f"watchofficer explain {incident.id}"),
            " tells all.",
        )
        return tag("div", gone, tag("ol", (entry for _, _, entry in entries), class_="timeline"))
    return tag("ol", (entry for _, _, entry in entries), class_="timeline")


def clock(at: int) -> Html:
    """The time of an instant (ms) in UTC, to the second; the script adds the reader's own time."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return tag("time", moment.strftime("%H:%M:%S"), datetime=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def instant(at: int) -> Html:
    """Day and time of an instant (ms) in UTC."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return tag("time", day_words(at), datetime=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _happening(one: Happening, names: ScopeNames, number: int) -> Html:
    """A change, the ``number``th of its kind at its T."""
    details: list[Html] = []
    for finding in one.findings:
        named = finding.detector.replace("_", " ")
        details.append(
            tag("p", tag("b", named), f" on {names.words(finding.scope)}: {ended(finding.sentence)}")
        )
        numbers = [(key, value) for key, value in finding.numbers.items() if value is not None]
        if numbers:
            pairs = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in numbers)
            details.append(tag("p", one_line(pairs), class_="numbers"))
    if one.counts:
        minutes = one.counts.get("window", 0) // 60_000
        good, bad = one.counts.get("good", 0), one.counts.get("bad", 0)
        details.append(tag("p", f"In the {minutes} min before: {good:,} sign-ins succeeded, {bad:,} failed."))
    if words := common_words(one.common):
        details.append(tag("p", f"In common: {words}."))
    told = one_line(one.reason)
    said = [tag("p", told)] if told and told not in (finding.sentence for finding in one.findings) else []
    if one.people and one.kind in ("opened", "reopened", "severity"):
        said.append(tag("p", f"{one.people}."))
    if details:
        said.append(
            tag("details", tag("summary", "Evidence"), details, id=f"why-{one.kind}-{one.at}-{number}")
        )
    return _entry(one.happened_at or one.at, one.kind, _title(one, names), said, told_at=one.at)


def _title(one: Happening, names: ScopeNames) -> str:
    match one.kind:
        case "opened" | "reopened":
            return f"{capitalised(one.kind)}: {names.words(one.scope)}, severity {one.severity}"
        case "cause":
            return f"{change_title(one.kind, None, None)}: {names.words(one.scope)}, severity {one.severity}"
        case "severity":
            return f"Severity is now {one.severity}"
        case "scope":
            return f"Seen as {names.words(one.scope)} now"
    return change_title(one.kind, one.by, one.asked)


def _message(one: Message) -> Html:
    sink = _SINKS.get(one.sink, one.sink)
    outcome = _OUTCOMES.get(one.outcome, one.outcome)
    title = f"{sink} {outcome} {_ACTIONS.get(one.action, one.action.replace('_', ' '))}"
    tries = f"after {one.attempts} attempts" if one.attempts > 1 else ""
    words = "; ".join(part for part in (one_line(one.reason), tries) if part)
    kind = "told" if one.outcome in ("delivered", "superseded") else "untold"
    return _entry(one.at, kind, title, [tag("p", words)] if words else [])


def _entry(at: int, kind: str, title: str, said: Sequence[Html], told_at: int | None = None) -> Html:
    late = None
    if told_at is not None and told_at - at > 60_000:
        late = tag("span", " (told at ", clock(told_at), ")", class_="minor")
    return tag("li", clock(at), tag("div", tag("strong", title), late, said), data_kind=kind)
