"""Which recorded bytes do mutants begin from? Those of all topics that a build has left amid an outage, and more."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from detectors.incidents import IncidentInput
from streams.mappings.shipped import shipped_names
from streams.records.models import encode_input
from tests.fuzz.served import RECORDED
from tests.streams.mappings.samples import SAMPLES
from tests.upgrade.record import Record, load

__all__ = [
    "END",
    "json_bytes",
    "json_object",
    "mappings",
    "of_topic",
    "policies",
    "recorded",
    "samples",
    "slack_forms",
    "some_inputs",
    "webhooks",
]

_MOST = 400  # values of a topic


@cache
def _loaded() -> tuple[int, tuple[Record, ...]]:
    before, records = load(RECORDED)
    return before.end, tuple(records)


@cache
def recorded() -> dict[str, tuple[Record, ...]]:
    """The records of each topic, in order."""
    found: dict[str, list[Record]] = defaultdict(list)
    for one in _loaded()[1]:
        found[one.topic].append(one)
    return {topic: tuple(some) for topic, some in found.items()}


#: When the recording ended, ms.
END = _loaded()[0]


def of_topic(topic: str) -> list[bytes]:
    """Values of a topic: some of the first, and all others at equal distances."""
    values = [one.value for one in recorded()[topic] if one.value is not None]
    return values[:: max(1, len(values) // _MOST)]


def some_inputs() -> list[bytes]:
    """Incident inputs of all kinds."""
    of_incident = {"env": "prod", "incident": "prod-1", "by": "Ada", "at": END}
    of_scope = {"env": "prod", "scope": "prod/ssoe", "by": "Ada", "at": END}
    made: list[dict[str, object]] = [
        of_incident | {"kind": "acknowledge"},
        of_incident | {"kind": "note", "text": "a note", "since": END - 60_000},
        of_incident | {"kind": "update", "text": "how it stands", "public": True},
        of_incident | {"kind": "declare", "states": ("AR", "TX")},
        of_scope | {"kind": "declare"},
        of_incident | {"kind": "assign", "role": "liaison", "who": "Grace"},
        of_incident | {"kind": "stage", "stage": "triage"},
        of_incident | {"kind": "eta", "until": END + 3_600_000},
        of_incident | {"kind": "follow_up", "text": "to do", "link": "https://example.test/1"},
        of_incident | {"kind": "check", "item": "1"},
        of_incident | {"kind": "post_mortem", "link": "https://example.test/2"},
        of_incident | {"kind": "resolve", "text": "over"},
        of_scope | {"kind": "report", "text": "it fails"},
        {"kind": "retire", "env": "prod", "axis": "csp", "value": "mhv", "at": END},
        of_scope | {"kind": "mute", "until": END + 3_600_000, "text": "known"},
        of_scope
        | {
            "kind": "maintain",
            "since": END,
            "until": END + 3_600_000,
            "text": "a move",
            "recurs": "FREQ=WEEKLY",
        },
        of_scope | {"kind": "correct", "since": END - 7_200_000, "until": END - 3_600_000, "text": "a drill"},
        {"kind": "unmute", "env": "prod", "item": "prod-c1", "at": END},
    ]
    return [encode_input(IncidentInput(id=f"input-{n}", **one)) for n, one in enumerate(made)]  # type: ignore[arg-type]


def samples() -> dict[str, list[bytes]]:
    """Mapping -> records of its producer."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for name, record, _ in SAMPLES:
        found[name].append(record.encode() if isinstance(record, str) else json.dumps(record).encode())
    return dict(found)


def mappings() -> list[bytes]:
    """The texts of the mappings that ship."""
    folder = resources.files("streams.mappings") / "shipped"
    return [(folder / f"{name}.yaml").read_bytes() for name in shipped_names()]


def policies() -> list[bytes]:
    """Policies: the one that ships, whole, and small ones as people write them."""
    shipped = (resources.files("detectors") / "default_policy.yaml").read_bytes()
    small = (
        "sli_every: 5s\nseverity: {severity_1_over: 60, severity_2_over: 20}\n",
        "retention: 2h\nwatermark_delay: 3s\nidle_after: 2s\n",
        "lifecycle: {recovering_after: 3s, recover_for: 6s, reopen_within: 10s, warning_waits: 3s}\n",
        "values:\n  csp:\n    mhv: {name: My HealtheVet, retired: 2025-03-05T00:00:00Z}\n",
        "axes: [auth_method, csp, client_id, region]\nbreakdowns: [login_type, acr]\n",
    )
    return [shipped, *(text.encode() for text in small)]


def webhooks() -> list[bytes]:
    """Bodies of PagerDuty's webhooks."""
    incident = {
        "id": "PGR0VU2",
        "incident_key": "watchofficer:prod-1:0",
        "html_url": "https://acme.pagerduty.com/incidents/PGR0VU2",
        "alerts": [{"alert_key": "watchofficer:prod-1:0"}, {"dedup_key": "watchofficer:prod-2:1:s2"}],
        "assignees": [{"summary": "Ada"}],
        "priority": {"summary": "P1"},
        "resolve_reason": {"type": "merge_resolve_reason", "incident": {"id": "PT4KHLK"}},
    }
    agent = {"id": "PLH1HKV", "type": "user_reference", "summary": "Grace Hopper"}
    kinds = ("triggered", "acknowledged", "unacknowledged", "resolved", "reopened", "reassigned", "escalated")
    bodies: list[dict[str, object]] = [
        {"event_type": f"incident.{kind}", "data": incident, "agent": agent} for kind in kinds
    ]
    note = {"id": "P1", "incident": {"id": "PGR0VU2"}, "content": "a note", "message": "on it", "user": agent}
    bodies += [
        {"event_type": f"incident.{kind}", "data": note} for kind in ("annotated", "responder.replied")
    ]
    head = {"id": "01BPO2B7BMR", "occurred_at": "2026-11-30T13:26:00.000Z"}
    return [json.dumps({"event": head | body}).encode() for body in bodies]


def slack_forms() -> list[bytes]:
    """Bodies of Slack's requests: buttons and commands."""
    user = {"id": "U01ADA", "username": "ada", "name": "ada", "team_id": "T01"}
    action = {"action_id": "acknowledge", "value": "prod-1|0", "type": "button", "action_ts": "1796045150.1"}
    typed = {"action_id": "note", "block_id": "prod-1|0", "type": "plain_text_input", "value": "a note"}
    payloads = [{"type": "block_actions", "user": user, "actions": [one]} for one in (action, typed)]
    team = {
        "team_id": "T01",
        "user_id": "U01ADA",
        "user_name": "ada",
        "command": "/watch",
        "trigger_id": "13.1",
    }
    words = (
        "list",
        "show prod-1",
        "ack prod-1",
        "note prod-1 a note",
        "mute prod/ssoe 2h known",
        "retire csp mhv",
    )
    more = (
        "maintain prod/*/idme 2026-12-05T00:00Z 2h a move weekly",
        "eta prod-1 15:30",
        "declare prod-1 AR,TX",
    )
    return [
        *(urlencode({"payload": json.dumps(one)}).encode() for one in payloads),
        *(urlencode(team | {"text": text}).encode() for text in (*words, *more)),
    ]


def json_object(value: bytes) -> dict[str, Any]:
    """The object that JSON is."""
    found: dict[str, Any] = json.loads(value)
    return found


def json_bytes(value: object) -> bytes:
    """JSON of a value."""
    return json.dumps(value).encode()
