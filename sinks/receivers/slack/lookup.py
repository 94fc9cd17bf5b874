"""Does the message of a command stand in Slack already, though the answer to its posting was lost?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from detectors.incidents import Command
from detectors.instants import MINUTE
from sinks.receivers.answers import Refused, Retry

__all__ = ["EVENT_TYPE", "find", "metadata_of"]

#: What the metadata of a message of ours are called.
EVENT_TYPE = "watchofficer_incident"

#: Messages of a page, and how many pages are looked through: 1,000 messages since the incident opened.
_PAGE = 100
_PAGES = 10

Ask = Callable[[str, Mapping[str, str]], Awaitable[dict[str, Any] | Retry | Refused]]


def metadata_of(command: Command) -> dict[str, Any]:
    """What rides on the message of a command unseen."""
    payload = {"incident": command.incident_id, "epoch": command.epoch, "command": command.id}
    return {"event_type": EVENT_TYPE, "event_payload": payload}


async def find(
    ask: Ask, command: Command, channel: str, thread_ts: str | None
) -> str | Retry | Refused | None:
    """The timestamp of a message that was posted for a command; None if there is none.

    Args:
        ask: calls a method of Slack's that reads.
        command: the command. The first message of its incident is found by incident and epoch, since any of its
            commands may have posted it; a line of a thread by the command.
        channel: in which it is looked for: an id.
        thread_ts: the thread in which a line is looked for; None for the first message.
    """
    params = {"channel": channel, "include_all_metadata": "true", "limit": str(_PAGE)}
    if thread_ts is None:
        method = "conversations.history"
        params["oldest"] = f"{(command.incident.opened_at - MINUTE) / 1000:.6f}"
    else:
        method = "conversations.replies"
        params["ts"] = thread_ts
    found: str | None = None
    for _ in range(_PAGES):
        said = await ask(method, params)
        if not isinstance(said, dict):
            return said
        for message in _ours(said.get("messages")):
            if _is_it(message, command, thread_ts):
                found = min(
                    found or message["ts"], message["ts"]
                )  # the earliest is the one that people answer to
        more = said.get("response_metadata")
        cursor = more.get("next_cursor") if isinstance(more, dict) else None
        if not said.get("has_more") or not isinstance(cursor, str) or not cursor:
            break
        params["cursor"] = cursor
    return found


def _ours(messages: Any) -> list[dict[str, Any]]:
    """The messages that carry metadata of ours."""
    listed = messages if isinstance(messages, list) else []
    return [
        one for one in listed if isinstance(one, dict) and isinstance(one.get("ts"), str) and _payload(one)
    ]


def _payload(message: Mapping[str, Any]) -> dict[str, Any]:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}


def _is_it(message: Mapping[str, Any], command: Command, thread_ts: str | None) -> bool:
    payload = _payload(message)
    if thread_ts is not None:
        return message["ts"] != thread_ts and payload.get("command") == command.id
    first = message.get("thread_ts") in (None, message["ts"])
    return first and (payload.get("incident"), payload.get("epoch")) == (command.incident_id, command.epoch)
