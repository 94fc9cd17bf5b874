"""Observations of demos in which everything came as promised, to be broken piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.incidents import Incident
from detectors.instants import HOUR, MINUTE, SECOND, format_instant, parse_instant
from detectors.scopes import CSPS, METHODS
from sinks.banner.keys import BannerKeys
from sinks.sandbox.pagerduty import SentWebhook, Woken
from sinks.sandbox.receiver import Received
from sinks.sandbox.slack import Message
from streams.demo.expectations import Expectation
from streams.demo.observations import BannerChange, Observations, Scrape, Series
from streams.settings.policy_file import default_policy
from tests.sinks.samples import incident

__all__ = [
    "BEGAN",
    "ENDED",
    "KEY",
    "SSOE",
    "datadog_incident",
    "healthy",
    "message",
    "request",
    "scrape",
    "ssoe_outage",
    "the_incident",
]

BEGAN = parse_instant("2026-11-23T15:00:00Z")
ENDED = BEGAN + 25 * MINUTE
KEY = "watchofficer:prod-1:0"
SSOE = Expectation("outage", "prod/ssoe", BEGAN, ENDED, 1, 1_961, True)

_OPENED = BEGAN + 10 * SECOND
_OVER = ENDED + 16 * MINUTE


def request(action: str, at: int, severity: str = "critical", key: str = KEY, status: int = 202) -> Received:
    """A request to PagerDuty's Events API, for what was judged at ``at``."""
    body: dict[str, Any] = {"event_action": action, "dedup_key": key}
    if action == "trigger":
        body["payload"] = {"severity": severity, "timestamp": format_instant(at), "summary": "SSOe fails"}
    return Received(at + 3 * MINUTE, "POST", "/v2/enqueue", {}, body, status)


def scrape(
    at: int,
    severity: Mapping[str, int] | None = None,
    people: int = 0,
    statuses: Mapping[tuple[str, str], str] | None = None,
    **totals: float,
) -> Scrape:
    """What HTTP answers; ``severity`` by method, ``statuses`` by (method of the reader, service)."""
    metrics: dict[Series, float] = {}

    def put(name: str, value: float, **labels: str) -> None:
        metrics[f"watchofficer_{name}", tuple(sorted(labels.items()))] = value

    for method in METHODS:
        put("incident_severity", (severity or {}).get(method, 0), env="prod", auth_method=method)
        put("users_impacted", people if method == "ssoe" else 1, env="prod", auth_method=method)
    put("incidents_open", totals.get("open", 0), env="prod", severity="1")
    put("sink_deliveries_total", 9, sink="slack", outcome="delivered")
    put("sink_deliveries_total", totals.get("dead", 0), sink="slack", outcome="dead")
    put("events_rejected_total", totals.get("rejected", 0), reason="empty")
    put("login_events_total", totals.get("events", 70_000), env="prod", result="good")
    told = {
        method: {
            service: (statuses or {}).get((method, service), "active") for service in (method, "mvi", *CSPS)
        }
        for method in METHODS
    }
    return Scrape(at, metrics, told)


def healthy() -> Observations:
    """An hour in which nothing happened."""
    return Observations(
        banners=tuple(
            BannerChange(key, "ok", BEGAN) for key in BannerKeys(default_policy()).of_scope("prod", BEGAN)
        ),
        scrapes=(scrape(BEGAN), scrape(BEGAN + HOUR)),
    )


def ssoe_outage() -> Observations:
    """A total outage of ssoe, as it should be told."""
    return Observations(
        pagerduty=(
            request("resolve", BEGAN - MINUTE, key="watchofficer:blind:lag"),  # which any start sends
            request("trigger", _OPENED, "error"),
            request("trigger", _OPENED + MINUTE, "critical"),
            request("resolve", _OVER),
        ),
        woken=(Woken(_OPENED, "Ada", KEY, "error", "SSOe fails"),),
        webhooks=(
            SentWebhook(_OPENED, "incident.triggered", KEY, (200,)),
            SentWebhook(_OPENED + 3 * MINUTE, "incident.acknowledged", KEY, (503, 202)),
            SentWebhook(_OVER, "incident.resolved", KEY, (200,)),
        ),
        alerts=((KEY, "resolved"),),
        datadog_events=tuple(_event(status) for status in ("error", "error", "ok")),
        datadog_incidents=(datadog_incident("resolved"),),
        slack=(
            message("1.1", "SSOe works again\nincident prod-1"),
            message("1.2", "Ada has it", thread="1.1"),
            message("1.3", "Resolved, 41 min after it opened", thread="1.1"),
        ),
        banners=(
            *(BannerChange(key, "ok", BEGAN) for key in BannerKeys(default_policy()).of_scope("prod", BEGAN)),
            BannerChange("prod/ssoe", "warning", _OPENED),
            BannerChange("prod/ssoe", "critical", _OPENED + MINUTE),
            BannerChange("prod/ssoe", "ok", _OVER),
        ),
        incidents=(the_incident(),),
        scrapes=(
            scrape(BEGAN),
            scrape(ENDED, {"ssoe": 1}, 1_970, {("ssoe", "ssoe"): "critical"}, open=1),
            scrape(_OVER),
        ),
    )


def the_incident(**changes: Any) -> Incident:
    """The incident of ``ssoe_outage``."""
    fields: dict[str, Any] = {
        "id": "prod-1",
        "state": "resolved",
        "first_bad_at": BEGAN,
        "opened_at": _OPENED,
        "acknowledged_at": _OPENED + 3 * MINUTE,
        "acknowledged_by": "PagerDuty: Ada",
        "resolved_at": _OVER,
        "resolved_reason": "recovered",
    }
    return incident(**{**fields, **changes})


def datadog_incident(state: str, key: str = KEY) -> dict[str, Any]:
    """``data.attributes`` of an incident in Datadog."""
    return {
        "title": f"SSOe sign-in is experiencing degraded service [{key}]",
        "fields": {"state": {"type": "dropdown", "value": state}},
    }


def _event(status: str) -> dict[str, Any]:
    return {"title": "SSOe", "aggregation_key": KEY, "attributes": {"status": status}}


def message(ts: str, text: str, thread: str | None = None) -> Message:
    """A message in Slack that reads ``text``."""
    return Message(ts=ts, channel="C", at=_OPENED, text=text, blocks=[], thread_ts=thread)
