"""Which buttons has an incident's message in Slack? One for each act that its state allows, and a field for a note."""

from __future__ import annotations

from typing import Any

from detectors.incidents import Incident

__all__ = ["NOTE_LIMIT", "blocks", "place_of"]

#: The longest note that the field takes, characters.
NOTE_LIMIT = 2_000


def blocks(incident: Incident) -> list[dict[str, Any]]:
    """The blocks below the message; none once the incident is over. Each carries the incident and its epoch."""
    if incident.state in ("resolved", "closed"):
        return []
    place = f"{incident.id}:{incident.epoch}"
    buttons = []
    if incident.acknowledged_at is None:
        buttons.append(_button("acknowledge", "I have it", place, style="primary"))
    if incident.declared_at is None:
        question = "This tells Datadog, and everybody who waits for it, that it is a service outage."
        buttons.append(_button("declare", "Declare", place, ask=question))
    question = "It is told as resolved by you. Where it still fails, it pages again after five minutes."
    buttons.append(_button("resolve", "Resolve", place, ask=question))
    field = {
        "type": "input",
        "block_id": place,
        "dispatch_action": True,
        "optional": True,
        "label": {"type": "plain_text", "text": "Note (Enter sends it)"},
        "element": {
            "type": "plain_text_input",
            "action_id": "note",
            "max_length": NOTE_LIMIT,
            "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]},
        },
    }
    return [{"type": "actions", "elements": buttons}, field]


def place_of(text: str) -> tuple[str, int] | None:
    """The incident and epoch that a button names; None if it names none."""
    incident, colon, epoch = text.rpartition(":")
    return (
        (incident, int(epoch)) if colon and epoch.isascii() and epoch.isdigit() and len(epoch) < 9 else None
    )


def _button(
    action: str, words: str, place: str, *, style: str | None = None, ask: str | None = None
) -> dict[str, Any]:
    button: dict[str, Any] = {
        "type": "button",
        "action_id": action,
        "text": {"type": "plain_text", "text": words},
        "value": place,
    }
    if style is not None:
        button["style"] = style
    if ask is not None:
        button["confirm"] = {
            "title": {"type": "plain_text", "text": "Are you sure?"},
            "text": {"type": "plain_text", "text": ask},
            "confirm": {"type": "plain_text", "text": words},
            "deny": {"type": "plain_text", "text": "Cancel"},
        }
    return button
