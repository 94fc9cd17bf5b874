"""How is an incident shown in Microsoft Teams? One Adaptive Card for each change: no card can be edited later.

Texts stand in text runs, which know no Markdown: what people write shows as it is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from detectors.incidents import Command
from sinks.receivers.story import Story, tell
from sinks.wording import CHART_WORDS, UNNAMED, ScopeNames

__all__ = ["BODY_BYTES", "render"]

#: The most that a workflow takes, bytes.
BODY_BYTES = 28_000
_BUTTONS = 6
_COLOURS = {1: "attention", 2: "warning", 3: "accent"}
_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


def render(command: Command, names: ScopeNames = UNNAMED) -> dict[str, Any]:
    """The message for a command: an Adaptive Card 1.4 in the envelope that a workflow of Teams takes.

    Where it would be too long, the oldest notes are left out first, then facts.
    """
    story = tell(command, names)
    message = _message(command, story)
    while len(msgspec.json.encode(message)) > BODY_BYTES and (story.notes or story.facts):
        story = (
            story._replace(notes=story.notes[1:]) if story.notes else story._replace(facts=story.facts[:-1])
        )
        message = _message(command, story)
    return message


def _message(command: Command, story: Story) -> dict[str, Any]:
    colour = "good" if command.action == "resolve" else _COLOURS[command.incident.severity]
    body = [
        _block([{"text": story.subject, "weight": "bolder", "size": "large", "color": colour}]),
        _block([{"text": story.news}]),
        *(
            _block([{"text": f"{name}: ", "weight": "bolder"}, {"text": value}], spacing="small")
            for name, value in story.facts
        ),
    ]
    if story.notes:
        body.append(_block([{"text": "Notes", "weight": "bolder"}]))
        body += [_block([{"text": note}], spacing="small") for note in story.notes]
    body += [
        {"type": "Image", "url": link.url, "altText": CHART_WORDS}
        for link in story.links
        if link.name == "chart"
    ]
    card: dict[str, Any] = {
        "$schema": _SCHEMA,
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": story.subject,
        "body": body,
    }
    actions = [
        {"type": "Action.OpenUrl", "title": link.title, "url": link.url}
        for link in story.links
        if link.name != "chart" and len(link.url) <= 1024
    ]
    if actions:
        card["actions"] = actions[:_BUTTONS]
    return {
        "type": "message",
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        ],
    }


def _block(runs: list[dict[str, str]], *, spacing: str = "default") -> dict[str, Any]:
    return {
        "type": "RichTextBlock",
        "spacing": spacing,
        "inlines": [{"type": "TextRun", **run} for run in runs],
    }
