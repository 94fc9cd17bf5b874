"""How does each receiver word an outage? ``python -m tests.sinks.looks.gallery`` writes docs/receivers/outage.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detectors.incidents import Command, Incident, Page
from detectors.instants import MINUTE
from sinks.receivers.alertmanager.wording import labels_of
from sinks.receivers.datadog import wording as datadog
from sinks.receivers.email import wording as email
from sinks.receivers.pagerduty import wording as pagerduty
from sinks.receivers.slack import wording as slack
from sinks.receivers.statuspage.wording import status_of
from sinks.receivers.teams import wording as teams
from tests.sinks.samples import NAMES, OPENED, command, incident

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).parents[3] / "docs" / "receivers" / "outage.md"
_HEAD = """# One outage at each receiver

The outage of SSOe as each receiver shows it: opening, declaration, end. `python -m tests.sinks.looks.gallery` writes it
from the shipped wording, and a test holds it against that. The settings are in [receivers.md](../receivers.md).
"""
_FOUND = {
    "slack": "https://va.slack.example/archives/C0SANDBOX/p1",
    "datadog": "https://app.ddog-gov.example/event/1",
}


def _lives() -> Iterator[tuple[str, str, Incident]]:
    """What happens, in a word for people and as a kind, and the incident after it."""
    alert = (Page("watchofficer:prod-7:0", "critical"),)
    opened = incident(pages=alert)
    yield "It opens", "opened", opened
    more: dict[str, Any] = {
        "pages": alert,
        "acknowledged_at": OPENED + MINUTE,
        "acknowledged_by": "Ada Byron",
    }
    declared = incident(state="acknowledged", declared_at=OPENED + 2 * MINUTE, **more)
    yield "It is declared", "declared", declared
    ended = OPENED + 50 * MINUTE
    yield (
        "It is over",
        "resolved",
        incident(state="resolved", resolved_at=ended, resolved_reason="recovered", updated_at=ended, **more),
    )


def _said(sink: str, action: str, kind: str, about: Incident) -> Command:
    over = kind == "resolved"
    at = about.resolved_at or about.declared_at or about.opened_at
    level = "ok" if over and sink in ("datadog", "email", "teams") else "critical"
    level = "error" if sink == "datadog" and not over else level
    return command(sink, action, kind=kind, incident=about, at=at, level=level, reason="")


def page() -> str:
    """The page, as Markdown."""
    parts = [_HEAD]
    for title, kind, about in _lives():
        parts.append(f"\n## {title}\n")
        for receiver, text in _shown(kind, about):
            parts.append(f"\n**{receiver}**\n\n```\n{text.strip()}\n```\n")
    return "".join(parts)


def _shown(kind: str, about: Incident) -> Iterator[tuple[str, str]]:
    first, over = kind == "opened", kind == "resolved"
    root = slack.render(
        _said("slack", "post", kind, about),
        channel="C1",
        found={"datadog": _FOUND["datadog"]},
        names=NAMES,
        buttons=True,
    )
    yield "Slack, the incident's message", "\n".join(_texts(root.body["blocks"]))
    if not first:
        line = slack.render(_said("slack", "reply", kind, about), channel="C1", root_ts="1.1", names=NAMES)
        yield "Slack, the line in its thread", line.body["text"]
    if first:
        event = pagerduty.render(_said("pagerduty", "trigger", kind, about), found=_FOUND, names=NAMES)
        details = event["payload"]["custom_details"]
        lines = [event["payload"]["summary"], f"{event['payload']['severity']}, key {event['dedup_key']}", ""]
        lines += [f"{name}: {value}" for name, value in details.items() if not isinstance(value, dict | list)]
        lines += ["", *(f"{link['text']}: {link['href']}" for link in event["links"])]
        yield "PagerDuty", "\n".join(lines)
    action = "incident_create" if kind == "declared" else "event"
    body = datadog.render(_said("datadog", action, kind, about), now=OPENED, found=_FOUND, names=NAMES).body
    yield f"Datadog, {action.replace('_create', '')}", _of_datadog(body["data"]["attributes"])
    act = "open" if first else "resolve" if over else "update"
    mail = email.render(
        _said("email", act, kind, about),
        sender="watch@example.gov",
        to=("lead@example.gov",),
        now=OPENED,
        names=NAMES,
    )
    plain = mail.get_body(("plain",))
    assert plain is not None
    yield "E-mail", f"Subject: {mail['Subject']}\n\n{plain.get_content()}"
    card = teams.render(_said("teams", act, kind, about), NAMES)["attachments"][0]["content"]
    lines = ["".join(run["text"] for run in block["inlines"]) for block in card["body"]]
    lines += [f"[{button['title']}]" for button in card.get("actions", ())]
    yield "Microsoft Teams", "\n".join(lines)
    yield "Statuspage", f"status {status_of(about)}"
    labels = labels_of(_said("alertmanager", act, kind, about), NAMES)
    yield "Alertmanager", "\n".join(["ended" if over else "firing", *(f"{k}={v}" for k, v in labels.items())])


def _of_datadog(attributes: dict[str, Any]) -> str:
    if "message" in attributes:
        status = attributes["attributes"]["status"]
        return f"{attributes['title']} ({status})\n{attributes['message']}"
    fields = ", ".join(f"{name} {one['value']}" for name, one in attributes["fields"].items())
    impact = attributes.get("customer_impact_scope", "")
    return f"{attributes['title']}\n{fields}\n{impact}"


def _texts(blocks: list[dict[str, Any]]) -> Iterator[str]:
    """The lines that a person reads, the buttons in brackets."""
    for block in blocks:
        if "text" in block:
            yield block["text"]["text"]
        yield from (field["text"].replace("\n", ": ") for field in block.get("fields", ()))
        for one in block.get("elements", ()):
            text = one.get("text")
            yield f"[{text['text']}]" if isinstance(text, dict) else str(text)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), "utf-8")
