"""Deliveries of PagerDuty's webhooks, and how they are read."""

from __future__ import annotations

import json
from typing import Any

from detectors.incidents import IncidentInput
from streams.http.pagerduty.alerts import AlertIndex
from streams.http.pagerduty.reading import Ignored, Unknown, read_webhook
from tests.streams.http.serving import NOW

KEY = "watchofficer:prod-17:1"


def event(kind: str = "incident.acknowledged", **data: Any) -> dict[str, Any]:
    return {
        "event": {
            "id": "01BKD",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": "2026-11-23T15:05:00Z",
            "agent": {"id": "PLH1HKV", "summary": "Ada Lovelace", "type": "user_reference"},
            "data": {"id": "PGR0VU2", "type": "incident", "incident_key": KEY, "status": "acknowledged"}
            | data,
        }
    }


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def read_all(
    value: Any, known: AlertIndex | None = None, epoch: int = 1
) -> tuple[IncidentInput, ...] | Ignored | Unknown:
    return read_webhook(
        value if isinstance(value, bytes) else dumps(value),
        delivery="delivery-1",
        prefix="watchofficer",
        lookup={"prod-17": {"epoch": epoch}}.get,
        known=known or AlertIndex(),
        now=NOW,
    )


def read(value: Any, known: AlertIndex | None = None, epoch: int = 1) -> IncidentInput | Ignored | Unknown:
    read = read_all(value, known, epoch)
    if not isinstance(read, tuple):
        return read
    (one,) = read
    return one


def a_note(incident: str = "PGR0VU2") -> dict[str, Any]:
    reference = {"id": incident, "type": "incident_reference", "summary": "SSOe"}
    data = {"id": "PNOTE", "incident_key": None, "incident": reference, "content": "ISAM restarts"}
    return event("incident.annotated", **data)
