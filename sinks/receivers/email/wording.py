"""How is an incident written as a mail? Plain text and HTML, and one conversation for each incident and epoch."""

from __future__ import annotations

import hashlib
import html
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from detectors.incidents import Command
from sinks.chart.outage import WIDTH
from sinks.receivers.story import Story, plain, subject_of, tell
from sinks.wording import CHART_WORDS, UNNAMED, ScopeNames

__all__ = ["message_id", "render"]

_SUBJECT_LIMIT = 180
_COLOURS = {1: "#b3261e", 2: "#b25e09", 3: "#7a6a00"}
_OVER = "#1b6b33"
#: By which the text names the picture that the mail brings along.
_PICTURE = "chart@watchofficer"
_IMAGE = f'<img src="cid:{_PICTURE}" alt="{CHART_WORDS}" width="{WIDTH}" style="max-width:100%">'
_FOOTER = "Sent by watchofficer, which watches sign-in. Nobody reads replies."


def message_id(command: Command, domain: str, *, first: bool = False) -> str:
    """The Message-ID of a command's mail: the same on each attempt, so that a mail sent twice is shown once.

    Args:
        command: the command.
        domain: that of the sender.
        first: the id of the first mail of the conversation, which the others refer to.
    """
    begins = first or command.action == "open"
    text = f"{command.sink}:{command.dedup_key}" if begins else command.id
    return f"<{hashlib.sha256(text.encode()).hexdigest()[:24]}@{domain}>"


def render(
    command: Command,
    *,
    sender: str,
    to: tuple[str, ...],
    now: int,
    names: ScopeNames = UNNAMED,
    picture: bytes | None = None,
) -> EmailMessage:
    """The mail for a command.

    The subject keeps the words of the incident's place, so that programs that thread by subject do so too.

    Args:
        command: the command.
        sender: the address that it comes from.
        to: the addresses that it is shown to go to.
        now: ms; the time of the mail.
        names: what people call the values of scopes.
        picture: the chart of the outage as PNG, which the mail brings along: no reader has to fetch it.
    """
    story = tell(command, names)
    address = Address(addr_spec=sender)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("watchofficer", addr_spec=sender)
    mail["To"] = ", ".join(to)
    mail["Subject"] = _subject(command, names)
    mail["Date"] = format_datetime(datetime.fromtimestamp(now // 1000, UTC))
    mail["Message-ID"] = message_id(command, address.domain)
    if command.action != "open":
        first = message_id(command, address.domain, first=True)
        mail["In-Reply-To"] = first
        mail["References"] = first
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Id"] = f"watchofficer <{command.sink.replace(':', '.')}.{address.domain}>"
    mail["List-Unsubscribe"] = f"<mailto:{sender}?subject=unsubscribe>"
    if command.incident.severity == 1 and command.action != "resolve":
        mail["Importance"] = "high"
    mail.set_content(_text(story), cte="quoted-printable")
    html_text = _html(command, story, shows=picture is not None)
    mail.add_alternative(html_text, subtype="html", cte="quoted-printable")
    if picture is not None:
        html_part = mail.get_payload()[1]  # type: ignore[index]
        html_part.add_related(picture, "image", "png", cid=f"<{_PICTURE}>", filename="outage.png")  # type: ignore[union-attr]
    return mail


def _subject(command: Command, names: ScopeNames) -> str:
    word = {"declared": "Declared: ", "breach": "Not acknowledged in time: ", "update": "Update: "}.get(
        command.kind, ""
    )
    if command.action == "open":
        word = ""
    elif command.action == "resolve":
        word = "Resolved: "
    return plain(f"{word}{subject_of(command.incident, names)} ({command.incident_id})", _SUBJECT_LIMIT)


def _text(story: Story) -> str:
    lines = [story.subject, "", story.news, "", *(f"{name}: {value}" for name, value in story.facts)]
    if story.notes:
        lines += ["", "Notes:", *(f"  {note}" for note in story.notes)]
    if story.links:
        lines += ["", *(f"{link.title}: {link.url}" for link in story.links)]
    return "\n".join([*lines, "", "-- ", _FOOTER, ""])


def _html(command: Command, story: Story, *, shows: bool) -> str:
    colour = _OVER if command.action == "resolve" else _COLOURS[command.incident.severity]
    cell = 'style="padding:2px 12px 2px 0;vertical-align:top'
    rows = "".join(
        f'<tr><td {cell};color:#555">{html.escape(name)}</td><td {cell}">{html.escape(value)}</td></tr>\n'
        for name, value in story.facts
    )
    notes = "".join(f"<li>{html.escape(note)}</li>\n" for note in story.notes)
    links = " · ".join(
        f'<a href="{html.escape(link.url, quote=True)}">{html.escape(link.title)}</a>' for link in story.links
    )
    return (
        '<!doctype html>\n<html lang="en"><body style="font:15px/1.45 Arial,sans-serif;color:#1b1b1b">\n'
        f'<h2 style="font-size:18px;margin:0 0 8px;padding-left:10px;border-left:6px solid {colour}">'
        f"{html.escape(story.subject)}</h2>\n<p>{html.escape(story.news)}</p>\n<table>\n{rows}</table>\n"
        + (f"<p>{_IMAGE}</p>\n" if shows else "")
        + (f"<p>Notes</p>\n<ul>\n{notes}</ul>\n" if notes else "")
        + (f"<p>{links}</p>\n" if links else "")
        + f'<p style="color:#555;font-size:12px">{_FOOTER}</p>\n'
        "</body></html>\n"
    )
