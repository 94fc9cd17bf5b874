"""How is a page written? Commands as requests of PagerDuty's Events API v2: trigger, acknowledge, resolve.

Limits are those of the vendor's documentation (summary 1,024 characters, body 512 KB). A dedup key has at most
100 characters, because Datadog accepts no longer one and both receivers get the same key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.incidents import Command, Counts, Incident
from detectors.instants import format_duration, format_instant
from sinks.wording import (
    CHART_WORDS,
    UNNAMED,
    ScopeNames,
    capitalised,
    common_words,
    ended,
    headline,
    links_of,
    one_line,
    people_words,
    state_words,
    truncate,
)

__all__ = ["NOTE_MARK", "note_content", "render", "render_blind", "render_change", "render_seeing", "summary"]

SUMMARY_LIMIT = 1024
DETAIL_LIMIT = 2000
LINK_TEXT_LIMIT = 100
DEDUP_KEY_LIMIT = 100
NOTES_SHOWN = 10
NOTE_LIMIT = 8000
#: Every note of ours in PagerDuty begins with it, so that it is known when PagerDuty's webhook brings it back.
NOTE_MARK = "[watchofficer] "
_BLIND = "The watch is blind: nobody is watching sign-in."


def summary(incident: Incident, names: ScopeNames = UNNAMED) -> str:
    """The line that the woken person reads first: severity, what fails, how many people, the evidence."""
    where = "" if incident.env == "prod" else f"[{incident.env}] "
    again = " again" if incident.epoch else ""
    text = (
        f"{where}SEV {incident.severity}: {headline(incident, names)}{again}, {people_words(incident)}."
        f" {incident.sentence}"
    )
    return truncate(one_line(text), SUMMARY_LIMIT)


def render(
    command: Command,
    *,
    client: str = "watchofficer",
    found: Mapping[str, str] | None = None,
    names: ScopeNames = UNNAMED,
) -> dict[str, Any]:
    """The event for a command, without the routing key, which only the client knows.

    Args:
        command: the command.
        client: name of the monitoring client that PagerDuty shows.
        found: links that other receivers have returned (``links_of``).
        names: what people call the values of scopes.

    Raises:
        ValueError: the dedup key is empty or too long, or PagerDuty has no such action.
    """
    key = command.dedup_key
    if not 1 <= len(key) <= DEDUP_KEY_LIMIT:
        raise ValueError(f"a dedup key has 1 to {DEDUP_KEY_LIMIT} characters, not {len(key)}")
    if command.action in ("acknowledge", "resolve"):
        return {"event_action": command.action, "dedup_key": key}
    if command.action != "trigger":
        raise ValueError(f"PagerDuty knows no action {command.action!r}")
    incident = command.incident
    links = links_of(incident, found)
    event: dict[str, Any] = {
        "event_action": "trigger",
        "dedup_key": key,
        "client": client,
        "payload": {
            "summary": summary(incident, names),
            "source": client,
            "severity": command.level,
            "timestamp": format_instant(command.at),
            "component": incident.scope,
            "group": incident.env,
            "class": ", ".join(incident.causes) or "unknown",
            "custom_details": _details(command, {link.name: link.url for link in links}, names),
        },
        "links": [{"href": link.url, "text": truncate(link.title, LINK_TEXT_LIMIT)} for link in links],
    }
    console = next((link.url for link in links if link.name == "console"), None)
    if console is not None:
        event["client_url"] = console
    chart = incident.links.get("chart", "")
    if chart.startswith("https://"):  # PagerDuty shows no other
        event["images"] = [{"src": chart, "href": console or chart, "alt": CHART_WORDS}]
    return event


def note_content(reason: str) -> str:
    """The text of a note: a line for each note of ours, with the mark by which it is known when it comes back."""
    return NOTE_MARK + truncate(reason, NOTE_LIMIT)


def render_change(command: Command, *, client: str = "watchofficer") -> dict[str, Any]:
    """The change event for a command, without the routing key: it wakes nobody and stands beside incidents."""
    return {
        "payload": {
            "summary": truncate(one_line(command.reason), SUMMARY_LIMIT),
            "source": client,
            "timestamp": format_instant(command.at),
            "custom_details": {"policy": command.incident.policy_hash},
        },
    }


def render_blind(
    dedup_key: str,
    *,
    at: int,
    why: str,
    sentence: str,
    remedy: str = "",
    worker: str = "watchofficer",
    client: str = "watchofficer",
) -> dict[str, Any]:
    """The alert that watchofficer is blind since ``at`` (ms).

    The alert bypasses the outbox, because the outbox may be unreachable.

    Args:
        dedup_key: of the alert.
        at: since when, ms.
        why: what kind of blindness: a value of the label of ``watchofficer_blind``.
        sentence: what does not get on, and where.
        remedy: what to do.
        worker: names the worker that is blind.
        client: name of the monitoring client that PagerDuty shows.
    """
    what = capitalised(ended(sentence))
    details = {
        "why": why,
        "what_does_not_get_on": truncate(sentence, DETAIL_LIMIT),
        "what_to_do": truncate(remedy, DETAIL_LIMIT),
        "blind_since": format_instant(at),
        "worker": truncate(worker, LINK_TEXT_LIMIT),
    }
    return {
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": client,
        "payload": {
            "summary": truncate(one_line(f"{_BLIND} {what} {capitalised(remedy)}"), SUMMARY_LIMIT),
            "source": truncate(worker, LINK_TEXT_LIMIT),
            "severity": "critical",
            "timestamp": format_instant(at),
            "component": client,
            "class": f"blind:{why}",
            "custom_details": {name: value for name, value in details.items() if value},
        },
    }


def render_seeing(dedup_key: str) -> dict[str, Any]:
    """The resolution of the alert that ``render_blind`` opened."""
    return {"event_action": "resolve", "dedup_key": dedup_key}


def _details(command: Command, links: Mapping[str, str], names: ScopeNames) -> dict[str, Any]:
    incident = command.incident
    details: dict[str, Any] = {
        "incident": incident.id,
        "first_alert": _first_alert(command),
        "affects": names.words(incident.scope),
        "scope": incident.scope,
        "also_failing": ", ".join(incident.narrower),
        "state": state_words(incident),
        "what_was_seen": truncate(incident.sentence, DETAIL_LIMIT),
        "why_now": truncate(command.reason, DETAIL_LIMIT),
        "severity": incident.severity,
        "peak_severity": incident.peak_severity,
        "priority": incident.priority,
        "people_impacted": incident.users_impacted,
        "people_impacted_peak": incident.peak_users_impacted,
        "people_impacted_basis": incident.basis,
        "people_impacted_error": incident.users_impacted_error or None,
        "first_bad_at": format_instant(incident.first_bad_at),
        "opened_at": format_instant(incident.opened_at),
        "reopened": incident.epoch,
        "counts_now": _counts(incident.counts_now),
        "counts_at_opening": _counts(incident.counts_opening),
        "in_common": truncate(common_words(incident.common), DETAIL_LIMIT),
        "fail_over": truncate(incident.fail_over or "", DETAIL_LIMIT),
        "runbook": links.get("runbook"),
        "credential_provider_at_fault": incident.csp_caused or None,
        "in_maintenance": incident.in_maintenance or None,
        "notes": [
            f"{format_instant(note.at)} {truncate(note.by, 100)}: {truncate(note.text, 500)}"
            for note in incident.notes[-NOTES_SHOWN:]
        ],
        "policy": incident.policy_hash,
    }
    return {name: value for name, value in details.items() if value not in (None, "", [], {})}


def _first_alert(command: Command) -> str | None:
    """The key of the incident's first alert, in an alert that is not the first."""
    first = command.incident.pages[0].dedup_key if command.incident.pages else command.dedup_key
    return first if first != command.dedup_key else None


def _counts(counts: Counts | None) -> dict[str, Any]:
    if counts is None:
        return {}
    ratio = counts.success_ratio
    return {
        "window": format_duration(counts.window),
        "good": counts.good,
        "bad": counts.bad,
        "excluded": counts.excluded,
        "started": counts.started,
        "success_ratio": None if ratio is None else round(ratio, 4),
        "people_impacted": counts.users_impacted,
    }
