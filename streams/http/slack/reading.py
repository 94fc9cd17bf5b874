"""What does a person in Slack ask for: by a button, by the field for notes, or by the command ``/watch``?

A request is believed by its signature alone (version 0: HMAC-SHA256 over its time and its body), for five minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from pydantic import SecretStr

from detectors.instants import MINUTE, SECOND
from detectors.process.actions import ACTIONS
from sinks.receivers.slack.buttons import place_of
from sinks.receivers.story import plain
from streams.records.words import usage

__all__ = ["HELP", "SIGNED_FOR", "Asked", "Person", "Unclear", "is_signed", "read_request"]

#: How far (ms) the time of a request may lie from ours: what is older may be a repeat by somebody else.
SIGNED_FOR = 5 * MINUTE
_FIELDS = 64
_NAME_LIMIT = 80
_USER = re.compile(r"[UW][A-Z0-9]{1,30}")

_READS = ("list", "show")
#: The acts of the command, by word; some have a second one.
_WORDS: dict[str, str] = {
    **{one.word: one.kind for one in ACTIONS},
    "acknowledge": "acknowledge",
    "unacknowledge": "unacknowledge",
    **{word: word for word in _READS},
}
_BUTTONS = frozenset({"acknowledge", "declare", "resolve", "note"})
_TARGETS = {
    "incident": "INCIDENT",
    "scope": "SCOPE",
    "value": "AXIS",
    "cover": "ID",
}


def _help() -> str:
    lines = ["`/watch list` incidents that are open", "`/watch show INCIDENT` one incident"]
    for one in ACTIONS:
        target = "INCIDENT or SCOPE" if one.kind == "declare" else _TARGETS[one.about]
        lines.append(f"`/watch {one.word} {target} {usage(one)}".rstrip() + f"` {one.does}")
    return "\n".join(lines)


HELP = _help()


@dataclass(frozen=True)
class Person:
    """Who asks: the id in Slack, a name for people, and the workspace."""

    id: str
    name: str
    team: str

    @property
    def by(self) -> str:
        """How the audit names them."""
        return f"{self.name} (Slack {self.id})"


@dataclass(frozen=True)
class Asked:
    """What a person asks for.

    Attributes:
        act: the kind of the act, or ``list`` or ``show``.
        key: the same for a click that comes twice.
        person: who asks.
        target: the incident, scope or axis.
        epoch: of the incident, where a button names it.
        text: a note, a reason, or all words behind the target of a command.
        command: whether it was typed as a command, so that the answer is shown to its author.
    """

    act: str
    key: str
    person: Person
    target: str = ""
    epoch: int | None = None
    text: str = ""
    command: bool = False


@dataclass(frozen=True)
class Unclear:
    """A request that asks for nothing that there is; ``reply`` is for its author."""

    reply: str


def is_signed(secret: SecretStr, body: bytes, *, signature: str, timestamp: str, now: int) -> bool:
    """Whether Slack has signed these bytes within five minutes of ``now`` (ms); compared in constant time."""
    if not re.fullmatch(r"[0-9]{1,12}", timestamp, re.ASCII):
        return False
    if abs(int(timestamp) * SECOND - now) > SIGNED_FOR:
        return False
    signed = b"v0:" + timestamp.encode() + b":" + body
    expected = "v0=" + hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().encode("utf-8", "replace"))


def read_request(body: bytes) -> Asked | Unclear:
    """What a signed body asks for.

    Raises:
        ValueError: it is no request of Slack's.
    """
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
    except (UnicodeDecodeError, ValueError):
        raise ValueError("a request of Slack's is a form") from None
    if "payload" in fields:
        return _button(fields["payload"])
    if "command" in fields:
        return _command(fields)
    raise ValueError("a request of Slack's has a payload or a command")


def _button(payload: str) -> Asked | Unclear:
    try:
        given = json.loads(payload)
        if given["type"] != "block_actions":
            return Unclear("This is nothing that watchofficer knows.")
        action: dict[str, Any] = given["actions"][0]
        user: dict[str, Any] = given["user"]
        team = (given.get("team") or {}).get("id") or user.get("team_id") or ""
        person = _person(user["id"], user.get("username") or user.get("name") or "", team)
        act = action["action_id"] if action["action_id"] in _BUTTONS else None
        place = place_of(str(action["block_id"] if act == "note" else action["value"]))
        stamp = str(action["action_ts"])
        text = str(action.get("value") or "") if act == "note" else ""
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise ValueError("the payload is no block action") from None
    if act is None or place is None:
        return Unclear("This button is of another version of watchofficer.")
    if act == "note" and not text.strip():
        return Unclear("An empty note is none.")
    key = _key(stamp, person.id, act, place[0])
    return Asked(act, key, person, target=place[0], epoch=place[1], text=text)


def _command(fields: dict[str, str]) -> Asked | Unclear:
    person = _person(fields.get("user_id", ""), fields.get("user_name", ""), fields.get("team_id", ""))
    word, _, rest = fields.get("text", "").strip().partition(" ")
    act = _WORDS.get(word.lower())
    if act is None:
        return Unclear(HELP)
    target, _, text = rest.strip().partition(" ")
    if not target and act != "list":
        return Unclear(f"`/watch {word}` needs more words:\n{HELP}")
    if act in ("note", "report", "retire") and not text.strip():
        return Unclear(f"`/watch {word} {plain(target, 80)}` needs a text:\n{HELP}")
    key = _key(fields.get("trigger_id", ""), person.id, act, target + text)
    return Asked(act, key, person, target=target, text=text.strip(), command=True)


def _person(identity: object, name: object, team: object) -> Person:
    if not isinstance(identity, str) or not _USER.fullmatch(identity):
        raise ValueError("a request of Slack's names its user")
    return Person(identity, plain(str(name), _NAME_LIMIT) or identity, str(team)[:_NAME_LIMIT])


def _key(*parts: str) -> str:
    return "slack:" + hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:40]
