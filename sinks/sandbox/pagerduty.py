"""How does PagerDuty behave? A sandbox with Events API v2, responders who acknowledge, and signed webhooks v3.

The sandbox follows the vendor's documentation. A trigger with the key of an open alert is appended and wakes
nobody; after a resolution a trigger opens a new incident and wakes somebody again. An acknowledgement or a
resolution of an alert that is not open is ignored.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from aiohttp import web

from detectors.instants import format_instant
from sinks.html import Html
from sinks.sandbox.faces import phone
from sinks.sandbox.pagerduty_alert import Alert
from sinks.sandbox.pagerduty_events import fault_of
from sinks.sandbox.pagerduty_rest import RestRoutes
from sinks.sandbox.receiver import Receiver

__all__ = ["Alert", "PagerDutySandbox", "SentWebhook", "Woken", "signature"]

BODY_LIMIT = 512 * 1024
WEBHOOK_ATTEMPTS = 10
WEBHOOK_TIMEOUT = 5.0  # seconds


@dataclass(frozen=True)
class Woken:
    """A notification that woke somebody."""

    at: int
    who: str
    dedup_key: str
    severity: str
    summary: str


@dataclass(frozen=True)
class SentWebhook:
    """A webhook that was sent, and the HTTP status of each attempt (0: no answer)."""

    at: int
    event_type: str
    dedup_key: str
    statuses: tuple[int, ...]


def signature(secret: str, body: bytes) -> str:
    """The signature ``v1=<hex>`` of a webhook's raw body."""
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class PagerDutySandbox(Receiver):
    """PagerDuty with one service, one responder and one webhook subscription.

    Args:
        routing_key: the only accepted key; without it any key of 32 characters is accepted.
        rest_token: the only token of the REST API that is accepted; None: none is.
        webhook_url: the address of webhooks, which may be set later; without it none are sent.
        webhook_secrets: the secrets that sign webhooks; several while a secret is rotated.
        acknowledge_after: seconds after which the woken responder acknowledges; None for never.
        responder: their name.
    """

    name = "pagerduty"

    def __init__(
        self,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        routing_key: str | None = None,
        rest_token: str | None = None,
        webhook_url: str | None = None,
        webhook_secrets: Sequence[str] = ("sandbox",),
        acknowledge_after: float | None = None,
        responder: str = "Ada Byron",
    ) -> None:
        super().__init__(clock=clock, sleep=sleep)
        self.alerts: list[Alert] = []
        self.woken: list[Woken] = []
        self.webhooks: list[SentWebhook] = []
        self.webhook_url = webhook_url
        self.acknowledge_after = acknowledge_after
        self.responder = responder
        self.changes: list[dict[str, Any]] = []
        self._routing_key = routing_key
        self.rest = RestRoutes(self.alerts, self._incident, rest_token)
        self._secrets = tuple(webhook_secrets)
        self._tasks: set[asyncio.Task[None]] = set()
        self._outgoing: asyncio.Queue[tuple[str, Alert, dict[str, Any]]] = asyncio.Queue()
        self._http: httpx.AsyncClient | None = None
        self._sent = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/enqueue", self._enqueue),
            web.post("/v2/change/enqueue", self._change),
            *self.rest.routes(),
        ]

    def rejection(self, status: int, why: str) -> dict[str, Any]:
        if status == 429:
            return {"status": "throttle exceeded", "message": why}
        return {"status": "invalid event", "message": "Event object is invalid", "errors": [why]}

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        url = await super().start(host, port)
        self._http = httpx.AsyncClient(timeout=WEBHOOK_TIMEOUT, trust_env=False)
        self._spawn(self._send_webhooks())
        return url

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()
            self._http = None
        await super().stop()

    def open_alert(self, dedup_key: str, routing_key: str | None = None) -> Alert | None:
        """The unresolved alert with this dedup key, or None."""
        for alert in reversed(self.alerts):
            if alert.dedup_key == dedup_key and alert.is_open:
                return alert if routing_key in (None, alert.routing_key) else None
        return None

    def acknowledge(self, dedup_key: str, by: str | None = None) -> bool:
        """Acknowledge in PagerDuty's app as ``by``; False if no alert with this key is triggered."""
        alert = self.open_alert(dedup_key)
        if alert is None or alert.status != "triggered":
            return False
        self._acknowledged(alert, by or self.responder, _person(by or self.responder))
        return True

    def resolve(self, dedup_key: str, by: str | None = None) -> bool:
        """Resolve in PagerDuty's app as ``by``; False if no alert with this key is open."""
        alert = self.open_alert(dedup_key)
        if alert is None:
            return False
        self._resolved(alert, _person(by or self.responder))
        return True

    def merge(self, dedup_key: str, into: str, by: str | None = None) -> bool:
        """Merge the incident of one alert into that of another, as ``by``; False if one of them is not open.

        The first is resolved, and its alert stays open: an acknowledgement or resolution of the second holds for both.
        """
        source, target = self.open_alert(dedup_key), self.open_alert(into)
        if source is None or target is None or source is target or source.merged_into is not None:
            return False
        if target.merged_into is not None:
            return False
        agent = _person(by or self.responder)
        source.merged_into = target
        source.status, source.changed_at, source.changed_by = "resolved", self._clock(), agent
        self.note(f"{agent['summary']} merged {dedup_key} into {into}")
        self._announce("incident.resolved", source, agent)
        return True

    def face(self) -> Html:
        return phone(self.woken, self.alerts)

    def view(self) -> dict[str, list[dict[str, Any]]]:
        return {
            "incidents": [
                {
                    "number": alert.number,
                    "dedup_key": alert.dedup_key,
                    "status": alert.status,
                    "severity": alert.severity,
                    "summary": alert.summary,
                    "created_at": format_instant(alert.created_at),
                    "acknowledged_by": alert.acknowledged_by or "",
                    "triggers": alert.triggers,
                }
                for alert in reversed(self.alerts)
            ],
            "woken": [
                {"at": format_instant(each.at), "who": each.who, "summary": each.summary}
                for each in reversed(self.woken)
            ],
            "webhooks": [
                {
                    "at": format_instant(each.at),
                    "event_type": each.event_type,
                    "dedup_key": each.dedup_key,
                    "answers": list(each.statuses),
                }
                for each in reversed(self.webhooks)
            ],
        }

    async def _enqueue(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if len(raw) > BODY_LIMIT:
            return self._reject(413, "the event is over 512 KB")
        try:
            event = msgspec.json.decode(raw)
        except ValueError:
            return self._reject(400, "the event is no JSON")
        fault = fault_of(event, self._routing_key)
        if fault is not None:
            return self._reject(400, fault)
        key = event.get("dedup_key") or f"generated-{len(self.alerts) + 1}"
        alert = self.open_alert(key, event["routing_key"])
        if event["event_action"] == "trigger":
            self._triggered(alert, key, event)
        elif alert is not None:
            alert.events.append(event)
            if event["event_action"] == "resolve":
                self._resolved(alert, _INTEGRATION)
            elif alert.status == "triggered":
                self._acknowledged(alert, _INTEGRATION["summary"], _INTEGRATION)
        answer = {"status": "success", "message": "Event processed", "dedup_key": key}
        return web.json_response(answer, status=202)

    async def _change(self, request: web.Request) -> web.Response:
        try:
            event = msgspec.json.decode(await request.read())
        except ValueError:
            return self._reject(400, "the event is no JSON")
        payload = event.get("payload") if isinstance(event, dict) else None
        if not isinstance(payload, dict) or not isinstance(payload.get("summary"), str):
            return self._reject(400, "a change needs a summary")
        if self._routing_key not in (None, event.get("routing_key")):
            return self._reject(400, "the routing key is not known")
        self.changes.append(event)
        self.note(f"change: {payload['summary']}")
        return web.json_response({"status": "success", "message": "Change event processed"}, status=202)

    def _triggered(self, alert: Alert | None, key: str, event: dict[str, Any]) -> None:
        payload = event["payload"]
        if alert is not None:
            alert.triggers += 1
            alert.events.append(event)
            self.note(f"alert {key} updated: {payload['summary']}")
            return
        now = self._clock()
        alert = Alert(
            number=len(self.alerts) + 1,
            routing_key=event["routing_key"],
            dedup_key=key,
            severity=payload["severity"],
            summary=payload["summary"],
            created_at=now,
            events=[event],
        )
        self.alerts.append(alert)
        self._announce("incident.triggered", alert, _INTEGRATION)
        if alert.urgency == "high":
            self.woken.append(Woken(now, self.responder, key, alert.severity, alert.summary))
            self.note(f"paged {self.responder}: {alert.summary}")
            if self.acknowledge_after is not None:
                self._spawn(self._wake_up(alert, self.acknowledge_after))
        else:
            self.note(f"low urgency, nobody woken: {alert.summary}")

    async def _wake_up(self, alert: Alert, after: float) -> None:
        await self._sleep(after)
        if alert.status == "triggered":
            self._acknowledged(alert, self.responder, _person(self.responder))

    def _acknowledged(self, alert: Alert, by: str, agent: dict[str, Any]) -> None:
        alert.status = "acknowledged"
        alert.acknowledged_by = by
        alert.acknowledged_at = alert.changed_at = self._clock()
        alert.changed_by = agent
        self.note(f"{by} acknowledged {alert.dedup_key}")
        self._announce("incident.acknowledged", alert, agent)

    def _resolved(self, alert: Alert, agent: dict[str, Any]) -> None:
        now = self._clock()
        for held in self.alerts:
            if held.merged_into is alert and held.resolved_at is None:
                held.resolved_at = now
        merged = alert.merged_into is not None  # its incident is resolved already
        alert.resolved_at = now
        self.note(f"resolved {alert.dedup_key}")
        if not merged:
            alert.status, alert.changed_at, alert.changed_by = "resolved", now, agent
            self._announce("incident.resolved", alert, agent)

    def _announce(self, event_type: str, alert: Alert, agent: dict[str, Any]) -> None:
        # The present state, because the webhook may be sent much later.
        now = self._clock()
        event = {
            "id": f"01SANDBOX{alert.number:06d}{event_type.rpartition('.')[2][:3].upper()}{now}",
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": format_instant(now),
            "agent": agent,
            "client": None,
            "data": self._incident(alert),
        }
        self._outgoing.put_nowait((event_type, alert, {"event": event}))

    def _incident(self, alert: Alert) -> dict[str, Any]:
        """An incident as webhooks and the REST API show it."""
        into = alert.merged_into
        target = into and {"id": into.id, "type": "incident_reference"}
        return {
            "id": alert.id,
            "type": "incident",
            "self": f"https://api.pagerduty.com/incidents/{alert.id}",
            "html_url": f"{self.url}/",
            "number": alert.number,
            "status": alert.status,
            "incident_key": alert.dedup_key,
            "created_at": format_instant(alert.created_at),
            "title": alert.summary,
            "urgency": alert.urgency,
            "service": {"id": "PSANDBOX", "summary": "Sign-in", "type": "service_reference"},
            "assignees": [_person(self.responder)],
            "priority": alert.priority and {"id": alert.priority, "type": "priority_reference"},
            "resolve_reason": target and {"type": "merge_resolve_reason", "incident": target},
            "last_status_change_at": format_instant(alert.changed_at or alert.created_at),
            "last_status_change_by": alert.changed_by or _INTEGRATION,
        }

    async def _send_webhooks(self) -> None:
        """Send webhooks one after another, each until it is accepted or refused, so that they arrive in order."""
        while True:
            event_type, alert, message = await self._outgoing.get()
            if self.webhook_url is None:
                continue
            at, body = self._clock(), msgspec.json.encode(message)
            statuses = await self._send_webhook(self.webhook_url, body)
            self.webhooks.append(SentWebhook(at, event_type, alert.dedup_key, tuple(statuses)))

    async def _send_webhook(self, url: str, body: bytes) -> list[int]:
        assert self._http is not None
        self._sent += 1
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "PagerDuty-Webhook/V3.0",
            "X-PagerDuty-Signature": ", ".join(signature(secret, body) for secret in self._secrets),
            "X-Webhook-Id": f"sandbox-{self._sent}",
            "X-Webhook-Subscription": "PSANDBOX",
        }
        statuses: list[int] = []
        while len(statuses) < WEBHOOK_ATTEMPTS:
            try:
                response = await self._http.post(url, content=body, headers=headers)
                statuses.append(response.status_code)
            except httpx.HTTPError:
                statuses.append(0)
            if statuses[-1] not in (0, 429) and statuses[-1] < 500:
                break
            await self._sleep(1.0)
        return statuses

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_INTEGRATION = {
    "id": "PEVENTS",
    "type": "events_api_v2_inbound_integration_reference",
    "summary": "watchofficer",
}


def _person(name: str) -> dict[str, Any]:
    return {
        "id": "P" + "".join(filter(str.isalnum, name))[:6].upper(),
        "type": "user_reference",
        "summary": name,
    }
