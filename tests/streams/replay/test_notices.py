"""Does what is new become one notice, one message in Slack that stands alone, and no incident?"""

from __future__ import annotations

import json
from collections.abc import Iterator

from detectors.instants import MINUTE, SECOND
from sinks.receivers.slack.wording import render
from streams.replay.entries import Entry
from streams.replay.replay import Replay
from streams.replay.verdict_lines import objects
from streams.settings.policy_file import default_policy
from tests.support.oracle import NOON, written


def event(at: int, number: int, **fields: str) -> bytes:
    said = {
        "schema_version": 1,
        "event_id": f"{at}-{number}",
        "occurred_at": written(at),
        "env": "prod",
        "auth_method": "sis",
        "step": "callback",
        "outcome": "success",
        "user_hash": f"u{at}-{number}",
    }
    return json.dumps(said | fields).encode()


def entries() -> Iterator[Entry]:
    for at in range(NOON, NOON + 20 * MINUTE, SECOND):
        yield at, event(at, 0, csp="idme")
        yield at, event(at, 1, step="webauthn_options", outcome="offered")
        yield at, event(at, 2, csp="newcomer")


def test_what_is_new_is_told_once_and_wakes_nobody() -> None:
    verdicts = list(Replay([entries()], default_policy(), now=NOON).run())
    lines = objects(verdicts)
    notices = [line for line in lines if line["type"] == "notice"]
    assert {(line["kind"], line["env"], line["field"], line["value"]) for line in notices} == {
        ("unlisted", "prod", "step", "webauthn_options"),
        ("unlisted", "prod", "outcome", "offered"),
        ("new_value", "prod", "csp", "newcomer"),
    }
    assert len(notices) == 3
    assert not [line for line in lines if line["type"] in ("transition", "notify")]
    commands = [command for verdict in verdicts for command in verdict.result.commands]
    assert {(command.sink, command.action) for command in commands} == {("slack", "notice")}
    texts = [render(command, channel="C1").body["text"] for command in commands]
    assert "ℹ️ newcomer is a new csp in prod: " in "".join(texts)
    assert len({command.id for command in commands}) == 3
