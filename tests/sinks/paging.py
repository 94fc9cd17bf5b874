"""Events for the sandbox PagerDuty."""

from __future__ import annotations

from typing import Any

import httpx

from sinks.sandbox import PagerDutySandbox

__all__ = ["KEY", "enqueue"]

KEY = "k" * 32


async def enqueue(http: httpx.AsyncClient, pagerduty: PagerDutySandbox, **event: Any) -> httpx.Response:
    """Send one: a trigger at the key ``k:1`` unless said otherwise."""
    body = {"routing_key": KEY, "event_action": "trigger", "dedup_key": "k:1", **event}
    if body["event_action"] == "trigger":
        body.setdefault("payload", {"summary": "s", "source": "w", "severity": "critical"})
    return await http.post(f"{pagerduty.url}/v2/enqueue", json=body)
