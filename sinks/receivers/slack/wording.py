"""How is an incident shown in Slack? One message that is edited, and a thread with a line for each change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, assert_never

import msgspec

from detectors.incidents import Command, Incident
from sinks.receivers.slack.buttons import blocks
from sinks.receivers.slack.lookup import metadata_of
from sinks.wording import (
    CHART_WORDS,
    UNNAMED,
    Link,
    ScopeNames,
    capitalised,
    common_words,
    conduct_words,
    day_words,
    duration_words,
    ended,
    headline,
    links_of,
    one_line,
    people_words,
    state_words,
    time_words,
    truncate,
    update_words,
)

__all__ = [
    "Request",
    "escape",
    "has_picture",
    "render",
    "render_blind",
    "render_seeing",
    "without_pictures",
]

HEADER_LIMIT = 150
# Limits of texts by other authors, in escaped characters: a message stays below 12 KB even if each character
# takes four bytes.
PROSE_LIMIT = 580
NOTE_LIMIT = 250
NOTES_SHOWN = 10
FACT_LIMIT = 200
COMMON_LIMIT = 300
ADDRESS_LIMIT = 400
LINKS_SHOWN = 4

_LIGHTS = {1: "🔴", 2: "🟠", 3: "🟡"}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call of Slack's web API."""

    method: Literal["chat.postMessage", "chat.update"]
    body: dict[str, Any]

    @property
    def root(self) -> bool:
        """Whether the call posts an incident's first message, whose timestamp all later calls need."""
        return self.method == "chat.postMessage" and "thread_ts" not in self.body


def escape(text: str, limit: int) -> str:
    """The text for Slack's markup (``&``, ``<``, ``>`` escaped), at most ``limit`` characters when escaped.

    What would format it (``*``, ``_``, backticks) is replaced by what looks like it. An escape is never cut in half.
    """
    text = truncate(_inert(text), limit)
    while len(escaped := _escaped(text)) > limit:
        text = truncate(text, len(text) - max((len(escaped) - limit) // 5, 1))
    return escaped


def render(
    command: Command,
    *,
    channel: str,
    root_ts: str | None = None,
    found: Mapping[str, str] | None = None,
    names: ScopeNames = UNNAMED,
    buttons: bool = False,
) -> Request:
    """The call for a command.

    Args:
        command: the command.
        channel: id or name of the channel.
        root_ts: timestamp of the incident's message in ``channel``, which must then be an id. Without it an
            edit or a reply becomes that message, so that no information is lost if the first was not
            delivered.
        found: links that other receivers have returned (``links_of``).
        names: what people call the values of scopes.
        buttons: whether an incident's message has buttons: what they press is heard.

    Raises:
        ValueError: Slack has no such action.
    """
    if command.action == "notice":
        return _alone(channel, f"ℹ️ {escape(one_line(command.reason), PROSE_LIMIT)}")
    if command.action not in ("post", "update", "reply", "broadcast"):
        raise ValueError(f"Slack knows no action {command.action!r}")
    quiet = {
        "channel": channel,
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": metadata_of(command),
    }
    if command.action == "post" or root_ts is None:
        root = _root(command.incident, found, names, command.reason if command.kind == "resolved" else "")
        root["blocks"] += blocks(command.incident) if buttons else []
        return Request(method="chat.postMessage", body={**quiet, **root})
    if command.action == "update":
        root = _root(command.incident, found, names)
        root["blocks"] += blocks(command.incident) if buttons else []
        return Request(method="chat.update", body={"channel": channel, "ts": root_ts, **root})
    text = _reply(command, names)
    body = {**quiet, "thread_ts": root_ts, "text": text, "blocks": [_section(text)]}
    if command.action == "broadcast":
        body["reply_broadcast"] = True
    return Request(method="chat.postMessage", body=body)


def has_picture(body: Mapping[str, Any]) -> bool:
    """Whether a message shows a picture, which Slack has to fetch."""
    return any(block.get("type") == "image" for block in body.get("blocks", ()))


def without_pictures(body: Mapping[str, Any]) -> dict[str, Any]:
    """A message without its pictures."""
    blocks = [block for block in body.get("blocks", ()) if block.get("type") != "image"]
    return {**body, "blocks": blocks} if blocks else dict(body)


def render_blind(
    *, channel: str, at: int, why: str, sentence: str, remedy: str = "", worker: str = "watchofficer"
) -> Request:
    """The message that watchofficer is blind since ``at`` (ms): what does not get on, what to do, which worker."""
    text = f"🔴 *The watch is blind* since {time_words(at)} ({escape(why, FACT_LIMIT)}): nobody is watching sign-in."
    text += f" {escape(capitalised(ended(sentence)), PROSE_LIMIT)}"
    if remedy:
        text += f"\n*What to do:* {escape(capitalised(one_line(remedy)), PROSE_LIMIT)}"
    text += f"\nSaid by {escape(one_line(worker), FACT_LIMIT)}."
    return _alone(channel, text)


def render_seeing(*, channel: str, at: int, why: str, worker: str = "watchofficer") -> Request:
    """The message that watchofficer is no longer blind, as it was from ``at`` (ms) on."""
    text = f"🟢 *The watch sees again* ({escape(why, FACT_LIMIT)}). It was blind from {time_words(at)}."
    return _alone(channel, f"{text} Said by {escape(one_line(worker), FACT_LIMIT)}.")


def _alone(channel: str, text: str) -> Request:
    """A message that belongs to no incident."""
    body = {"channel": channel, "text": text, "unfurl_links": False, "unfurl_media": False}
    return Request(method="chat.postMessage", body=body)


def _root(
    incident: Incident, found: Mapping[str, str] | None, names: ScopeNames, remark: str = ""
) -> dict[str, Any]:
    over = incident.state in ("resolved", "closed")
    light = "🟢" if over else _LIGHTS.get(incident.severity, "🟡")
    severity = f"was SEV {incident.peak_severity}" if over else f"SEV {incident.severity}"
    title = f"{light} {severity}: {headline(incident, names)}"
    people = people_words(incident)
    if over:
        lasted = (incident.resolved_at or incident.updated_at) - incident.first_bad_at
        lead = f"It lasted {duration_words(lasted)}, from {_moment(incident.first_bad_at)}."
        lead += f" At the worst, {_at_worst(incident)}."
    else:
        lead = f"*{capitalised(people)}*, since {_moment(incident.first_bad_at)}."
    lines = [f"{lead} {escape(one_line(incident.sentence), PROSE_LIMIT)}".strip()]
    if incident.common:
        lines.append(f"*In common:* {escape(f'{common_words(incident.common)}.', COMMON_LIMIT)}")
    if incident.fail_over and not over:
        lines.append(f"*Fail-over:* {escape(one_line(incident.fail_over), PROSE_LIMIT)}")
    if remark:
        lines.append(escape(one_line(remark), PROSE_LIMIT))
    if incident.in_maintenance and not over:
        lines.append("This is within an announced maintenance window.")
    if incident.muted_until is not None and not over:
        lines.append(f"This is muted until {_moment(incident.muted_until)}.")
    facts = {
        "State": capitalised(state_words(incident)),
        "Affects": capitalised(names.words(incident.scope)),
        "Priority": f"{incident.priority}, Datadog {incident.datadog_severity}",
        "Declared": _declared(incident),
        **conduct_words(incident),
        "Also failing": ", ".join(names.words(scope) for scope in incident.narrower),
    }
    fields = [_mrkdwn(f"*{name}*\n{escape(value, FACT_LIMIT)}") for name, value in facts.items() if value]
    places = [
        linked for link in links_of(incident, found) if link.name != "chart" and (linked := _linked(link))
    ]
    footer = " · ".join([*places[:LINKS_SHOWN], f"incident {escape(incident.id, 80)}"])
    return {
        # Shown in notifications and read aloud by screen readers.
        "text": f"{escape(f'{title} in {incident.env}', HEADER_LIMIT)}, {people}."
        f" {escape(capitalised(state_words(incident)), FACT_LIMIT)}.",
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": truncate(title, HEADER_LIMIT), "emoji": True},
            },
            _section("\n".join(lines)),
            {"type": "section", "fields": fields},
            *_chart(incident),
            {"type": "context", "elements": [_mrkdwn(footer)]},
        ],
    }


def _linked(link: Link) -> str:
    """A link by its title; empty where the address is longer than Slack takes."""
    address = _address(link.url)
    return f"<{address}|{escape(link.title, 80)}>" if len(address) <= ADDRESS_LIMIT else ""


def _post_mortem(incident: Incident) -> str:
    named = next((_linked(link) for link in links_of(incident) if link.name == "postmortem"), "")
    return f": {named}" if named else "."


def _chart(incident: Incident) -> list[dict[str, Any]]:
    url = incident.links.get("chart")
    return [] if url is None else [{"type": "image", "image_url": url, "alt_text": CHART_WORDS}]


def _reply(command: Command, names: ScopeNames) -> str:
    incident = command.incident
    people = people_words(incident)
    reason = escape(one_line(command.reason), PROSE_LIMIT)
    by = escape(command.by or "somebody", 100)
    open_for = duration_words(command.at - incident.opened_at)
    now = f"{capitalised(people)}. {escape(one_line(incident.sentence), PROSE_LIMIT)}".strip()
    match command.kind:
        case "opened":
            text = f"{_severity(incident)}. {now}"
        case "reopened":
            text = f"It is back: {headline(incident, names)}. {_severity(incident)}. {now}"
        case "acknowledged":
            text = f"*{by}* has it, {open_for} after it opened."
        case "unacknowledged":
            text = f"*{by}* has given it back: nobody has it now. {now}"
        case "declared":
            who = f"*{by}*" if command.by else "This is"
            text = f"{who} declared a service outage (Datadog {incident.datadog_severity}). {now}"
        case "cause":
            text = f"It is more than it seemed: {headline(incident, names)}. {_severity(incident)}. {now}"
        case "severity" | "share":
            text = f"{_worse(command)} {reason} {now}"
        case "scope":
            text = f"Now seen as *{names.words(incident.scope)}*. {reason}"
        case "recovering":
            text = f"Sign-ins succeed again. Watching before calling it over. {reason}"
        case "relapsed":
            text = f"*{by}*: {reason} {now}" if command.by else f"It fails again. {now}"
        case "resolved" | "closed":
            whom, worst = f" by *{by}*" if command.by else "", _at_worst(incident)
            text = f"*Resolved*{whom}, {open_for} after it opened. At the worst, {worst}. {reason}"
        case "said_resolved":
            text = f"*{by}* resolved this *while it fails*. {reason} {now}"
        case "still_failing":
            text = f"*It still fails* though it was resolved. {reason}"
        case "note":
            text = f"*{by}* notes: {reason}"
        case "post_mortem":
            text = f"*{by}* has linked the post-mortem{_post_mortem(incident)}"
        case "assigned" | "staged" | "eta" | "follow_up" | "checked" | "completed":
            text = f"*{by}*: {reason}"
        case "notes":
            lines = [escape(one_line(line), NOTE_LIMIT) for line in command.reason.splitlines()]
            further = [f"and {len(lines) - NOTES_SHOWN} more"] if len(lines) > NOTES_SHOWN else []
            text = "\n".join(["*Notes:*", *lines[:NOTES_SHOWN], *further])
        case "linked" | "notice" | "links" | "missed":
            text = f"⚠️ {reason}" if command.kind == "missed" else reason
        case "reminder":
            text = f"Nobody has acknowledged this for {open_for}. {now}"
        case "breach":
            text = f"*The response time is over*: {open_for} without an acknowledgement. {reason}"
        case "update":
            text = f"*{by}*: {reason}" if command.by else escape(update_words(incident, names), PROSE_LIMIT)
        case "page_due" | "uncovered":
            text = f"{'It did not pass by itself.' if command.kind == 'page_due' else reason} {now}"
        case _:
            assert_never(command.kind)
    return text.strip()


def _severity(incident: Incident) -> str:
    return f"Severity {incident.severity} in {incident.env}"


def _worse(command: Command) -> str:
    is_level = command.kind == "severity"
    return f"Now *severity {command.incident.severity}*." if is_level else "It has become worse."


def _at_worst(incident: Incident) -> str:
    """The greatest figure, as a rate: it may have been projected, though what is counted since tells now."""
    worst = msgspec.structs.replace(
        incident,
        users_impacted=incident.peak_users_impacted,
        users_impacted_error=incident.peak_users_impacted_error,
    )
    return people_words(worst).replace("in the last hour", "an hour")


def _declared(incident: Incident) -> str:
    if incident.declared_at is None:
        return ""
    by = f" by {incident.declared_by}" if incident.declared_by else ""
    return f"Service outage, {time_words(incident.declared_at)}{by}"


def _moment(at: int) -> str:
    """An instant that Slack shows in the reader's time zone; the text behind ``|`` is the fallback."""
    return f"<!date^{at // 1000}^{{date_short_pretty}} {{time}}|{day_words(at)}>"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    """Marked text; ``verbatim`` keeps Slack from making links of names and addresses that stand in it."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


#: What begins bold, italic, struck or fixed text -> what looks like it and begins nothing.
_LOOK_ALIKES = str.maketrans({"*": "∗", "`": "ˋ", "~": "∼"})
_ITALIC = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def _inert(text: str) -> str:
    """A text in which no character formats another; ``_`` within a word is none that does."""
    return _ITALIC.sub("ˍ", text.translate(_LOOK_ALIKES))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _address(url: str) -> str:
    return _escaped(url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E").replace(" ", "%20"))
