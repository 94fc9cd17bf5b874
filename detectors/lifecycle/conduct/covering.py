"""What do people keep quiet at run time, and what did that hide? Mutes, maintenance, corrections of the account.

A mute or a maintenance hides, and loses nothing: each incident goes on, is listed when the cover ends, and wakes
somebody then if it still fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from detectors.axes import contains, overlaps
from detectors.bounds import plain_line
from detectors.history.error_budget import SCHEDULED_A_MONTH, Exclusion
from detectors.incidents import Incident, IncidentInput
from detectors.instants import DAY, format_duration, format_instant
from detectors.lifecycle.response_times import calendar
from detectors.notices.notices import Notice, NoticeKind
from detectors.policy.policy import Policy
from detectors.process.covers import (
    COVERS_KEPT,
    Cover,
    CoverKind,
    Hidden,
    in_force,
    occurrence,
    occurrences,
    rule_problem,
    spent_by_month,
    upcoming,
)

__all__ = [
    "ANNOUNCED_AHEAD",
    "LASTS_AT_MOST",
    "Covers",
    "Planned",
    "cover",
    "exclusions",
    "follow",
    "hidden_by",
    "planned",
]

#: Scheduled downtime must be announced so many business days ahead, or the SLA counts it.
ANNOUNCED_AHEAD = 3
#: A mute or one occurrence of maintenance lasts so long at most, ms.
LASTS_AT_MOST = 7 * DAY
#: What is not counted is remembered for so long after it ended, ms: for the account of the month.
_REMEMBERED = 40 * DAY
_EXCLUSIONS_KEPT = 400
_LISTED = 10
#: How far ahead (ms) the occurrences of maintenance are added up.
_LOOKS_AHEAD = 366 * DAY
_TEXT_LIMIT, _NAME_LIMIT = 300, 100
_KINDS: dict[str, CoverKind] = {"mute": "mute", "maintain": "maintenance", "correct": "correction"}
_OPEN = ("open", "acknowledged", "recovering")


class Covers(msgspec.Struct):
    """The covers of an environment.

    Attributes:
        next_number: of the next cover; a number is never used twice.
        standing: covers that are not over, and recent corrections.
        excluded: spans of maintenance that are over and that the SLA does not count.
    """

    next_number: int = 1
    standing: list[Cover] = []
    excluded: list[Exclusion] = []


class Planned(NamedTuple):
    """Maintenance of a scope in ``[start, end)``, ms, and why, in one line."""

    scope: str
    start: int
    end: int
    description: str


def planned(policy: Policy, covers: Iterable[Cover], at: int) -> list[Planned]:
    """Return the maintenance that is not over at T (ms): of the policy, and of each at run time its next occurrence.

    Args:
        policy: has the windows that were announced in it, and the time zone.
        covers: those that stand; mutes and corrections are no maintenance.
        at: ms.
    """
    found = [Planned(w.scope, w.start, w.end, w.description) for w in policy.maintenance if w.end > at]
    for one in covers:
        span = upcoming(one, at, policy.time_zone) if one.kind == "maintenance" else None
        if span is not None:
            found.append(Planned(one.scope, *span, plain_line(one.text)))
    return found


def cover(covers: Covers, asked: IncidentInput, at: int, policy: Policy) -> Notice | str:
    """Begin, announce or end what an input asks for; return what people are told of it, or why it does not apply.

    Args:
        covers: of the environment.
        asked: a mute, maintain, correct or unmute; its scope is one that there is.
        at: T, ms.
        policy: has the calendar and the time zone.
    """
    if asked.kind == "unmute":
        return _end(covers, asked, at, policy)
    kind = _KINDS[asked.kind]
    since, until = asked.since if asked.since is not None else at, asked.until or 0
    wrong = _span_problem(kind, since, until, at)
    if wrong is None and asked.recurs is not None:
        wrong = rule_problem(asked.recurs, since, policy.time_zone)
    if wrong is None and len(covers.standing) >= COVERS_KEPT:
        wrong = f"there are {COVERS_KEPT} mutes, maintenances and corrections, the most that are kept: end one first"
    if wrong is not None:
        return wrong
    made = Cover(
        id=f"{asked.env}-c{covers.next_number}",
        kind=kind,
        scope=asked.scope or asked.env,
        start=since,
        end=until,
        recurs=asked.recurs,
        by=asked.by[:_NAME_LIMIT],
        text=asked.text[:_TEXT_LIMIT],
        said_at=at,
        counts=kind == "correction" or (kind == "maintenance" and _is_announced(since, at, policy)),
        begun=since if kind == "mute" and since <= at else None,
    )
    covers.next_number += 1
    covers.standing = [*covers.standing, made]
    return _notice(made, "set", at, _said(made, covers, policy))


def _span_problem(kind: CoverKind, since: int, until: int, at: int) -> str | None:
    if until <= since:
        return "it ends before it begins"
    if kind == "correction":
        if until > at:
            return "a correction is of what is past: announce maintenance instead"
        return None if since > at - _REMEMBERED else f"it lies more than {format_duration(_REMEMBERED)} back"
    if until <= at:
        return "it is over already: correct the account instead"
    if until - since > LASTS_AT_MOST:
        return f"it lasts for {format_duration(LASTS_AT_MOST)} at most; say it again then, or retire what is gone"
    return None


def _is_announced(since: int, at: int, policy: Policy) -> bool:
    hours = calendar(policy)
    return hours.add(at, ANNOUNCED_AHEAD * hours.day) <= since


def _end(covers: Covers, asked: IncidentInput, at: int, policy: Policy) -> Notice | str:
    one = next((known for known in covers.standing if known.id == asked.item), None)
    if one is None:
        return f"there is no mute, maintenance or correction {asked.item}"
    span = occurrence(one, at, policy.time_zone)
    covers.standing = [known for known in covers.standing if known.id != one.id]
    if span is not None:
        _remember(covers, one, span[0], at)
    why = f": {asked.text[:_TEXT_LIMIT]}" if asked.text else "."
    return _notice(one, "ended", at, f"{asked.by[:_NAME_LIMIT]} ended {_name(one)}{why} {_hid(one)}")


def follow(covers: Covers, incidents: Sequence[Incident], at: int, policy: Policy) -> list[Notice]:
    """Note what the covers hide at T, and return what people are told: which begin, and which end with what they hid.

    Args:
        covers: of the environment.
        incidents: those that are not closed, as they stand.
        at: T, ms.
        policy: has the time zone.
    """
    if not covers.standing:
        return []
    notices, standing = list[Notice](), list[Cover]()
    for known in covers.standing:
        one = known
        span = occurrence(one, at, policy.time_zone) if one.kind != "correction" else None
        if one.begun is not None and (span is None or span[0] != one.begun):
            end = one.begun + one.end - one.start
            _remember(covers, one, one.begun, min(end, at))
            over = one.recurs is None
            notices.append(_notice(one, "ended", at, f"{_name(one)} ended. {_hid(one)}"))
            if over:
                continue
            one = replace(one, hid=(), begun=None)
        if span is not None:
            if one.begun is None:
                one = replace(one, begun=span[0])
                notices.append(_notice(one, "began", at, f"{_name(one)} begins: {one.text}"))
            one = _with_hidden(one, incidents)
        elif one.recurs is None and one.end <= at - (_REMEMBERED if one.kind == "correction" else 0):
            continue
        standing.append(one)
    covers.standing = standing
    return notices


def _with_hidden(one: Cover, incidents: Iterable[Incident]) -> Cover:
    hid = {hidden.incident: hidden for hidden in one.hid}
    for incident in incidents:
        if incident.state not in _OPEN or not contains(one.scope, incident.scope):
            continue
        known = hid.get(incident.id)
        if known is None and len(hid) >= _LISTED:
            continue
        severity = incident.severity if known is None else min(incident.severity, known.severity)
        hid[incident.id] = Hidden(incident.id, incident.scope, severity)
    found = tuple(hid.values())
    return one if found == one.hid else replace(one, hid=found)


def hidden_by(covers: Covers, scope: str, at: int, policy: Policy) -> tuple[bool, tuple[int, int] | None]:
    """Return whether maintenance holds a scope at T (ms), and the span (ms) of the mutes that do; None without one."""
    maintained = in_force(covers.standing, "maintenance", scope, at, policy.time_zone)
    mutes = [span for _, span in in_force(covers.standing, "mute", scope, at, policy.time_zone)]
    if not mutes:
        return bool(maintained), None
    return bool(maintained), (min(start for start, _ in mutes), max(end for _, end in mutes))


def exclusions(covers: Covers, at: int, policy: Policy) -> Iterator[Exclusion]:
    """Yield the spans up to T (ms) that the SLA does not count: corrections, and maintenance announced in time."""
    yield from covers.excluded
    for one in covers.standing:
        if one.kind == "correction":
            yield Exclusion(one.scope, one.start, one.end, "correction")
        elif one.counts and (span := occurrence(one, at, policy.time_zone)) is not None:
            yield Exclusion(one.scope, span[0], at, "maintenance")


def _remember(covers: Covers, one: Cover, start: int, end: int) -> None:
    if one.kind == "maintenance" and one.counts and start < end:
        kept = [known for known in covers.excluded if known.end > end - _REMEMBERED]
        covers.excluded = [*kept, Exclusion(one.scope, start, end, "maintenance")][-_EXCLUSIONS_KEPT:]


def _notice(one: Cover, what: str, at: int, text: str) -> Notice:
    kind: NoticeKind = one.kind
    env = one.scope.partition("/")[0]
    text = text[:1].upper() + text[1:]
    return Notice(
        at=at, kind=kind, env=env, field=what, value=one.id, count=len(one.hid), text=text, cover=one
    )


def _name(one: Cover) -> str:
    return f"the {one.kind} {one.id} of {one.scope} by {one.by}"


def _said(one: Cover, covers: Covers, policy: Policy) -> str:
    span = f"from {format_instant(one.start)} to {format_instant(one.end)}"
    text = one.text.rstrip(".")
    again = f", and again by the rule {one.recurs}" if one.recurs else ""
    match one.kind:
        case "mute":
            return f"{one.by} mutes {one.scope} {span}: {text}. It ends early by unmute {one.id}."
        case "correction":
            return f"{one.by} takes {one.scope} {span} out of the SLA account ({one.id}): {text}."
    if not one.counts:
        note = f" It was announced less than {ANNOUNCED_AHEAD} business days ahead: the SLA counts it."
    else:
        note = _too_much(one, covers, policy)
    return f"{one.by} announces maintenance of {one.scope} {span}{again} ({one.id}): {text}.{note}"


def _too_much(one: Cover, covers: Covers, policy: Policy) -> str:
    """Say in which month a method has more maintenance, with this one, than the SLA leaves out; "" for none."""

    def ahead(known: Cover) -> list[tuple[int, int]]:
        until = one.start + _LOOKS_AHEAD
        return list(takewhile(lambda span: span[0] < until, occurrences(known, policy.time_zone)))

    months = {month for _, month, _ in spent_by_month(ahead(one), policy.time_zone)}
    spans = [(w.scope, w.start, w.end) for w in policy.maintenance]
    spans += [(past.scope, past.start, past.end) for past in covers.excluded if past.why == "maintenance"]
    for known in covers.standing:
        if known.kind == "maintenance" and known.counts:
            spans += [(known.scope, *span) for span in ahead(known)]
    env = one.scope.partition("/")[0]
    for method in policy.values_of("auth_method"):
        scope = f"{env}/{method}"
        if not overlaps(one.scope, scope):
            continue
        used = dict[tuple[int, int], int]()
        own = sorted((start, end) for path, start, end in spans if overlaps(path, scope))
        for _, month, length in spent_by_month(own, policy.time_zone):
            used[month] = used.get(month, 0) + length
            if used[month] > SCHEDULED_A_MONTH and month in months:
                return (
                    f" With it {scope} has more than {format_duration(SCHEDULED_A_MONTH)} of maintenance in"
                    f" {month[0]}-{month[1]:02d}: the SLA counts what is beyond."
                )
    return ""


def _hid(one: Cover) -> str:
    if one.kind == "correction":
        return "The account counts that span again."
    if not one.hid:
        return "It hid nothing."
    listed = ", ".join(
        f"{hidden.incident} (severity {hidden.severity}, {hidden.scope})" for hidden in one.hid
    )
    return f"It hid {listed}{' and more' if len(one.hid) >= _LISTED else ''}."
