"""What does a message about an incident say, before a receiver's own form: subject, news, facts, notes, links?

Texts by other authors are plain: on one line, without characters that turn or hide what stands around them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import NamedTuple, assert_never

from detectors.incidents import Command, Incident
from sinks.wording import (
    UNNAMED,
    Link,
    ScopeNames,
    capitalised,
    common_words,
    conduct_words,
    day_words,
    duration_words,
    headline,
    links_of,
    one_line,
    people_words,
    state_words,
    time_words,
    truncate,
    update_words,
)

__all__ = ["Story", "plain", "subject_of", "tell"]

#: The longest text of one author in a message, characters.
PROSE_LIMIT = 600
NAME_LIMIT = 100
SUBJECT_LIMIT = 200
NEWS_LIMIT = 1_000
URL_LIMIT = 2_000
LINKS_SHOWN = 10
#: The newest notes that a message repeats.
NOTES_SHOWN = 3
_JOINER = "\u200d"  # holds emoji together


class Story(NamedTuple):
    """The parts of one message.

    Attributes:
        subject: severity and what happens, one line; the same for all messages of a state.
        news: what has changed, one or two sentences.
        facts: name and value of what stands now.
        notes: the newest notes of people, oldest first.
        links: places to go.
    """

    subject: str
    news: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    links: tuple[Link, ...]


def plain(text: str, limit: int = PROSE_LIMIT) -> str:
    """The text on one line of at most ``limit`` characters, without invisible characters that change its direction."""
    kept = "".join(c for c in text if c == _JOINER or unicodedata.category(c) != "Cf")
    return truncate(one_line(kept), limit)


def subject_of(incident: Incident, names: ScopeNames = UNNAMED) -> str:
    """``SEV 1: SSOe sign-in is failing``; outside production with the environment before it."""
    over = incident.state in ("resolved", "closed")
    where = "" if incident.env == "prod" else f"[{incident.env}] "
    again = " again" if incident.epoch and not over else ""
    severity = f"was SEV {incident.peak_severity}" if over else f"SEV {incident.severity}"
    return plain(f"{where}{severity}: {headline(incident, names)}{again}", SUBJECT_LIMIT)


def tell(command: Command, names: ScopeNames = UNNAMED, found: Mapping[str, str] | None = None) -> Story:
    """The message for a command.

    Args:
        command: the command.
        names: what people call the values of scopes.
        found: links that other receivers have returned (``links_of``).
    """
    incident = command.incident
    return Story(
        subject_of(incident, names),
        plain(_news(command, names), NEWS_LIMIT),
        tuple((name, value) for name, value in _facts(incident, names).items() if value),
        tuple(
            f"{time_words(note.at)} {plain(note.by, NAME_LIMIT)}: {plain(note.text)}"
            for note in incident.notes[-NOTES_SHOWN:]
        ),
        tuple(
            link._replace(title=truncate(link.title, NAME_LIMIT))
            for link in links_of(incident, found)
            if len(link.url) <= URL_LIMIT
        )[:LINKS_SHOWN],
    )


def _facts(incident: Incident, names: ScopeNames) -> dict[str, str]:
    over = incident.state in ("resolved", "closed")
    return {
        "Affects": plain(capitalised(names.words(incident.scope)), 200),
        "People": people_words(incident) if not over else "",
        "Since": day_words(incident.first_bad_at),
        "State": plain(capitalised(state_words(incident)), 200),
        "Priority": incident.priority,
        "Declared": _declared(incident),
        **{name: plain(words, 400) for name, words in conduct_words(incident).items()},
        "Also failing": plain(", ".join(names.words(scope) for scope in incident.narrower), 400),
        "In common": plain(common_words(incident.common), 400),
        "Fail-over": plain(incident.fail_over or "") if not over else "",
        "Incident": incident.id + (f", reopened {incident.epoch} times" if incident.epoch else ""),
    }


def _declared(incident: Incident) -> str:
    if incident.declared_at is None:
        return ""
    by = f" by {plain(incident.declared_by, NAME_LIMIT)}" if incident.declared_by else ""
    return f"service outage, {time_words(incident.declared_at)}{by}"


def _news(command: Command, names: ScopeNames) -> str:
    incident = command.incident
    said, by = plain(command.reason), plain(command.by or "somebody", NAME_LIMIT)
    now = f"{capitalised(people_words(incident))}. {plain(incident.sentence)}".strip()
    open_for = duration_words(command.at - incident.opened_at)
    if command.action == "open" and command.kind != "reopened":
        since = "" if command.kind == "opened" else f" It began at {time_words(incident.first_bad_at)}."
        return f"{headline(incident, names)}.{since} {now}".strip()
    match command.kind:
        case "reopened":
            text = f"It is back: {headline(incident, names)}. {now}"
        case "acknowledged":
            text = f"{by} has it, {open_for} after it opened."
        case "unacknowledged":
            text = f"{by} has given it back: nobody has it now. {now}"
        case "declared":
            text = f"{by if command.by else 'The rule'} declared a service outage. {now}"
        case "severity":
            text = f"It is now severity {incident.severity}. {said} {now}"
        case "share":
            text = f"It has become worse. {said} {capitalised(people_words(incident))}."
        case "scope":
            text = f"It is now seen as {plain(names.words(incident.scope), 200)}. {said}"
        case "recovering":
            text = f"Sign-ins succeed again. We watch before we call it over. {said}"
        case "relapsed":
            text = f"It fails again. {now}"
        case "resolved" | "closed":
            text = _over(command)
        case "note":
            text = f"{by} notes: {said}"
        case "post_mortem":
            text = f"{by} has linked the post-mortem."  # it stands among the links
        case "assigned" | "staged" | "eta" | "follow_up" | "checked" | "completed":
            text = f"{by}: {said}"
        case "notes":
            text = f"Notes: {said}"
        case "uncovered":
            text = f"It still fails though it was muted. {said} {now}"
        case "said_resolved":
            text = f"{by} resolved this while it fails. {said} {now}"
        case "still_failing":
            text = f"It still fails though it was resolved. {said}"
        case "reminder":
            text = f"Nobody has acknowledged this for {open_for}. {now}"
        case "breach":
            text = f"The response time is over: {open_for} without an acknowledgement. {said}"
        case "update" if command.by:
            text = f"{by}: {said}"
        case "update":
            text = update_words(incident, names)
        case "opened" | "cause" | "page_due":
            text = f"Still {state_words(incident)}. {now}"
        case "notice" | "linked" | "missed" | "links":
            text = said
        case _:
            assert_never(command.kind)
    return text.strip() or now


def _over(command: Command) -> str:
    incident = command.incident
    by = f" by {plain(command.by, NAME_LIMIT)}" if command.by else ""
    lasted = duration_words((incident.resolved_at or command.at) - incident.first_bad_at)
    people = incident.peak_users_impacted
    worst = f"At the worst {people:,} {'person' if people == 1 else 'people'} an hour."
    return f"Resolved{by}. It lasted {lasted}, from {day_words(incident.first_bad_at)}. {worst} {plain(command.reason)}"
