"""The sandbox PagerDuty behaves as PagerDuty does."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import httpx
import pytest

from sinks.sandbox import PagerDutySandbox
from tests.sinks.hooks import Hook
from tests.sinks.paging import enqueue
from tests.sinks.samples import OPENED, RunningTime, Time


async def test_pagerduty_wakes_once_for_an_alert_however_often_it_is_triggered(
    http: httpx.AsyncClient,
) -> None:
    pagerduty = PagerDutySandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await pagerduty.start()
    for _ in range(3):
        response = await enqueue(http, pagerduty)
        assert response.status_code == 202
        assert response.json() == {"status": "success", "message": "Event processed", "dedup_key": "k:1"}
    await enqueue(http, pagerduty, event_action="acknowledge")
    await enqueue(http, pagerduty)
    assert len(pagerduty.alerts) == len(pagerduty.woken) == 1
    assert (pagerduty.alerts[0].status, pagerduty.alerts[0].triggers) == ("acknowledged", 4)
    await pagerduty.stop()


async def test_pagerduty_wakes_anew_for_a_trigger_after_a_resolution(http: httpx.AsyncClient) -> None:
    pagerduty = PagerDutySandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await pagerduty.start()
    await enqueue(http, pagerduty)
    await enqueue(http, pagerduty, event_action="resolve")
    await enqueue(http, pagerduty)
    assert [alert.status for alert in pagerduty.alerts] == ["resolved", "triggered"]
    assert len(pagerduty.woken) == 2
    await pagerduty.stop()


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
async def test_pagerduty_drops_what_is_about_no_open_alert(http: httpx.AsyncClient, action: str) -> None:
    pagerduty = PagerDutySandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await pagerduty.start()
    assert (await enqueue(http, pagerduty, event_action=action)).status_code == 202
    await enqueue(http, pagerduty)
    assert (await enqueue(http, pagerduty, event_action=action, routing_key="o" * 32)).status_code == 202
    assert [alert.status for alert in pagerduty.alerts] == ["triggered"]
    await pagerduty.stop()


@pytest.mark.parametrize(("severity", "woken"), [("critical", 1), ("error", 1), ("warning", 0), ("info", 0)])
async def test_pagerduty_wakes_nobody_for_low_urgency(
    http: httpx.AsyncClient, severity: str, woken: int
) -> None:
    pagerduty = PagerDutySandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await pagerduty.start()
    await enqueue(http, pagerduty, payload={"summary": "s", "source": "w", "severity": severity})
    assert len(pagerduty.woken) == woken
    await pagerduty.stop()


@pytest.mark.parametrize(
    "event",
    [
        {"routing_key": "short"},
        {"event_action": "wake"},
        {"dedup_key": "k" * 256},
        {"event_action": "resolve", "dedup_key": ""},
        {"event_action": "resolve", "payload": {}},
        {"payload": None},
        {"payload": {"summary": "x" * 1025, "source": "w", "severity": "critical"}},
        {"payload": {"summary": "", "source": "w", "severity": "critical"}},
        {"payload": {"summary": "s", "severity": "critical"}},
        {"payload": {"summary": "s", "source": "w", "severity": "dire"}},
        {"payload": {"summary": "s", "source": "w", "severity": "info", "timestamp": "noon"}},
        {"links": [{"text": "nowhere"}]},
        {"images": [{"src": "http://plain.example"}]},
    ],
)
async def test_pagerduty_refuses_what_its_prose_forbids(
    http: httpx.AsyncClient, event: dict[str, Any]
) -> None:
    pagerduty = PagerDutySandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await pagerduty.start()
    response = await enqueue(http, pagerduty, **event)
    assert response.status_code == 400
    assert response.json()["status"] == "invalid event"
    assert pagerduty.alerts == []
    await pagerduty.stop()


async def test_whoever_was_woken_acknowledges_after_a_while_by_signed_webhook(
    http: httpx.AsyncClient, hook: tuple[Hook, str]
) -> None:
    received, url = hook
    time = Time()
    pagerduty = PagerDutySandbox(
        clock=time.clock,
        sleep=time.sleep,
        webhook_url=url,
        webhook_secrets=("new", "old"),
        acknowledge_after=120,
    )
    await pagerduty.start()
    await enqueue(http, pagerduty)
    await received.wait_for(1)
    await time.pass_(119)
    assert pagerduty.alerts[0].status == "triggered"
    await time.pass_(1)
    assert (pagerduty.alerts[0].status, pagerduty.alerts[0].acknowledged_at) == (
        "acknowledged",
        OPENED + 120_000,
    )
    await received.wait_for(2)
    await enqueue(http, pagerduty, event_action="resolve")
    await received.wait_for(3)
    events = received.events
    assert [event["event_type"] for event in events] == [
        "incident.triggered",
        "incident.acknowledged",
        "incident.resolved",
    ]
    assert events[1]["agent"] == {"id": "PADABYR", "type": "user_reference", "summary": "Ada Byron"}
    assert events[1]["data"]["incident_key"] == "k:1"
    assert events[2]["agent"]["type"] != "user_reference"
    headers, body = received.got[1]
    signatures = headers["X-PagerDuty-Signature"].split(", ")
    assert signatures == [
        "v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest() for secret in (b"new", b"old")
    ]
    assert len({headers["X-Webhook-Id"] for headers, _ in received.got}) == 3
    await pagerduty.stop()


async def test_nobody_acknowledges_what_was_resolved_before_they_were_up(http: httpx.AsyncClient) -> None:
    time = Time()
    pagerduty = PagerDutySandbox(clock=time.clock, sleep=time.sleep, acknowledge_after=120)
    await pagerduty.start()
    await enqueue(http, pagerduty)
    await enqueue(http, pagerduty, event_action="resolve")
    await time.pass_(121)
    assert (pagerduty.alerts[0].status, pagerduty.alerts[0].acknowledged_at) == ("resolved", None)
    await pagerduty.stop()


async def test_a_webhook_is_retried_after_5xx_with_the_same_id_and_dropped_after_4xx(
    http: httpx.AsyncClient, hook: tuple[Hook, str]
) -> None:
    received, url = hook
    received.answers = [500, 503, 202, 404, 202]
    time = RunningTime()
    pagerduty = PagerDutySandbox(clock=time.clock, sleep=time.sleep, webhook_url=url)
    await pagerduty.start()
    await enqueue(http, pagerduty)
    assert pagerduty.acknowledge("k:1", by="Grace")
    assert pagerduty.resolve("k:1", by="Grace")
    await received.wait_for(5)
    assert [event["event_type"].partition(".")[2] for event in received.events] == [
        *["triggered"] * 3,
        "acknowledged",
        "resolved",
    ]
    assert len({headers["X-Webhook-Id"] for headers, _ in received.got[:3]}) == 1
    assert not pagerduty.acknowledge("k:1")
    await pagerduty.stop()
