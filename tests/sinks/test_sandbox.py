"""The sandboxes behave as the receivers do."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import httpx
import pytest

from sinks import sandbox
from sinks.pacing import Pace
from sinks.sandbox import DatadogSandbox, PagerDutySandbox, Sandbox, SlackSandbox
from tests.sinks.hooks import Hook
from tests.sinks.samples import OPENED, RunningTime, Time

EAGER = Pace(per_minute=0, burst=1, concurrency=3)
KEY = "k" * 32


async def enqueue(http: httpx.AsyncClient, pagerduty: PagerDutySandbox, **event: Any) -> httpx.Response:
    body = {"routing_key": KEY, "event_action": "trigger", "dedup_key": "k:1", **event}
    if body["event_action"] == "trigger":
        body.setdefault("payload", {"summary": "s", "source": "w", "severity": "critical"})
    return await http.post(f"{pagerduty.url}/v2/enqueue", json=body)


# PagerDuty


async def test_pagerduty_wakes_once_for_an_alert_however_often_it_is_triggered(
    http: httpx.AsyncClient,
) -> None:
    pagerduty = PagerDutySandbox(clock=lambda: OPENED)
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
    pagerduty = PagerDutySandbox(clock=lambda: OPENED)
    await pagerduty.start()
    await enqueue(http, pagerduty)
    await enqueue(http, pagerduty, event_action="resolve")
    await enqueue(http, pagerduty)
    assert [alert.status for alert in pagerduty.alerts] == ["resolved", "triggered"]
    assert len(pagerduty.woken) == 2
    await pagerduty.stop()


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
async def test_pagerduty_drops_what_is_about_no_open_alert(http: httpx.AsyncClient, action: str) -> None:
    pagerduty = PagerDutySandbox(clock=lambda: OPENED)
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
    pagerduty = PagerDutySandbox(clock=lambda: OPENED)
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
    pagerduty = PagerDutySandbox(clock=lambda: OPENED)
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


# Faults


async def test_asked_to_fail_it_fails_so_often_and_processes_nothing(http: httpx.AsyncClient) -> None:
    pagerduty = PagerDutySandbox(clock=lambda: OPENED)
    await pagerduty.start()
    pagerduty.fail(2, status=429, headers={"Retry-After": "7"})
    answers = [await enqueue(http, pagerduty) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 202]
    assert answers[0].headers["Retry-After"] == "7"
    assert len(pagerduty.woken) == 1
    assert [request.status for request in pagerduty.requests] == [429, 429, 202]
    await pagerduty.stop()


async def test_a_cut_or_stalled_request_is_processed_though_its_answer_never_comes(
    http: httpx.AsyncClient,
) -> None:
    pagerduty = PagerDutySandbox(clock=lambda: OPENED)
    await pagerduty.start()
    pagerduty.cut()
    with pytest.raises(httpx.TransportError):
        await enqueue(http, pagerduty)
    pagerduty.stall()
    with pytest.raises(httpx.ReadTimeout):
        await http.post(f"{pagerduty.url}/v2/enqueue", json={"routing_key": KEY}, timeout=0.05)
    assert len(pagerduty.woken) == 1
    assert [request.status for request in pagerduty.requests] == [0, 0]
    await pagerduty.stop()


async def test_a_stopped_sandbox_leaves_neither_port_nor_task(http: httpx.AsyncClient) -> None:
    before = len(asyncio.all_tasks())
    async with Sandbox.make(clock=lambda: OPENED, acknowledge_after=1000) as all_of_them:
        urls = [receiver.url for receiver in all_of_them.receivers]
        await enqueue(http, all_of_them.pagerduty, routing_key=sandbox.ROUTING_KEY)
        assert len(set(urls)) == 3
    for url in urls:
        with pytest.raises(httpx.ConnectError):
            await http.get(url)
    assert len(asyncio.all_tasks()) == before


async def test_a_person_can_look_at_it_and_sees_no_key(http: httpx.AsyncClient) -> None:
    pagerduty = PagerDutySandbox(clock=lambda: OPENED)
    await pagerduty.start()
    await enqueue(
        http, pagerduty, payload={"summary": "<script>alert(1)", "source": "w", "severity": "critical"}
    )
    page = await http.get(pagerduty.url, headers={"Accept": "text/html"})
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>" not in page.text
    data = (await http.get(pagerduty.url)).json()
    assert data["incidents"][0]["status"] == "triggered"
    assert data["requests"][0]["answered"] == 202
    assert KEY not in page.text + str(data)
    assert len(pagerduty.requests) == 1  # looking is not recorded
    await pagerduty.stop()


# Datadog


HEADERS = {"DD-API-KEY": "a", "DD-APPLICATION-KEY": "b"}


def new_incident(**changes: Any) -> dict[str, Any]:
    attributes = {"title": "t", "customer_impacted": False, **changes}
    return {"data": {"type": "incidents", "attributes": attributes}}


async def test_datadog_creates_finds_and_changes_incidents(http: httpx.AsyncClient) -> None:
    datadog = DatadogSandbox(clock=lambda: OPENED)
    await datadog.start()
    api = f"{datadog.url}/api/v2/incidents"
    ids = []
    for severity in ("SEV-1", "SEV-2", "SEV-3"):
        fields = {"severity": {"type": "dropdown", "value": severity}}
        response = await http.post(api, headers=HEADERS, json=new_incident(fields=fields))
        assert response.status_code == 201
        ids.append(response.json()["data"]["id"])
    resolved = {"fields": {"state": {"type": "dropdown", "value": "resolved"}}}
    body = {"data": {"id": ids[1], "type": "incidents", "attributes": resolved}}
    assert (await http.patch(f"{api}/{ids[1]}", headers=HEADERS, json=body)).status_code == 200

    async def found(query: str, **more: str) -> list[str]:
        answer = await http.get(f"{api}/search", headers=HEADERS, params={"query": query, **more})
        listed = answer.json()["data"]["attributes"]["incidents"]
        return [entry["data"]["id"] for entry in listed]

    assert await found("state:active") == [ids[0], ids[2]]
    assert await found("state:(active OR resolved)", sort="-created") == ids[::-1]
    assert await found("state:(active OR resolved) AND severity:SEV-2") == [ids[1]]
    assert await found("state:active", **{"page[size]": "1", "page[offset]": "1"}) == [ids[2]]
    read = (await http.get(f"{api}/{ids[1]}", headers=HEADERS)).json()["data"]["attributes"]
    assert (read["fields"]["severity"]["value"], read["fields"]["state"]["value"]) == ("SEV-2", "resolved")
    assert [state for _, each, state, _ in datadog.history if each == ids[1]] == ["active", "resolved"]
    await datadog.stop()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (new_incident(title=""), 400),
        (new_incident(customer_impacted=True), 400),
        (new_incident(fields={"severity": {"type": "dropdown", "value": "SEV-9"}}), 400),
        (new_incident(fields={"state": {"type": "dropdown", "value": "open"}}), 400),
        ({"data": {"type": "incident", "attributes": {}}}, 400),
        ({"no": "data"}, 400),
    ],
)
async def test_datadog_refuses_what_is_no_incident(http: httpx.AsyncClient, body: Any, status: int) -> None:
    datadog = DatadogSandbox(clock=lambda: OPENED)
    await datadog.start()
    response = await http.post(f"{datadog.url}/api/v2/incidents", headers=HEADERS, json=body)
    assert response.status_code == status
    assert response.json()["errors"]
    assert datadog.incidents == {}
    await datadog.stop()


async def test_datadog_refuses_wrong_keys_and_unknown_incidents(http: httpx.AsyncClient) -> None:
    datadog = DatadogSandbox(clock=lambda: OPENED, api_key="a", app_key="b")
    await datadog.start()
    api = f"{datadog.url}/api/v2/incidents"
    for headers in ({}, {"DD-API-KEY": "a"}, {**HEADERS, "DD-API-KEY": "x"}):
        assert (await http.post(api, headers=headers, json=new_incident())).status_code == 403
    assert (await http.get(f"{api}/nobody", headers=HEADERS)).status_code == 404
    assert (await http.patch(f"{api}/nobody", headers=HEADERS, json=new_incident())).status_code == 404
    await datadog.stop()


def new_event(**changes: Any) -> dict[str, Any]:
    attributes = {"title": "t", "category": "alert", "attributes": {"status": "error"}, **changes}
    return {"data": {"type": "event", "attributes": attributes}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (new_event(), 202),
        (new_event(timestamp="2026-11-22T22:00:00Z"), 202),
        (new_event(timestamp="2026-11-22T20:00:00Z"), 400),
        (new_event(title="t" * 501), 400),
        (new_event(message="m" * 4001), 400),
        (new_event(aggregation_key="k" * 101), 400),
        (new_event(tags=["t"] * 101), 400),
        (new_event(tags=["t" * 201]), 400),
        (new_event(category="whim"), 400),
        (new_event(attributes={"status": "bad"}), 400),
        (new_event(attributes={"status": "ok", "priority": "6"}), 400),
        (new_event(attributes={"status": "ok", "links": [{}] * 21}), 400),
    ],
)
async def test_datadog_takes_events_within_its_limits(
    http: httpx.AsyncClient, body: Any, status: int
) -> None:
    datadog = DatadogSandbox(clock=lambda: OPENED)
    await datadog.start()
    response = await http.post(f"{datadog.url}/api/v2/events", headers={"DD-API-KEY": "a"}, json=body)
    assert response.status_code == status
    assert len(datadog.events) == (1 if status == 202 else 0)
    assert int(response.headers["X-RateLimit-Remaining"] if status == 202 else 0) >= 0
    await datadog.stop()


# Slack


async def say(
    http: httpx.AsyncClient, slack: SlackSandbox, method: str = "chat.postMessage", **body: Any
) -> Any:
    headers = {"Authorization": "Bearer t"}
    response = await http.post(
        f"{slack.base_url}{method}", headers=headers, json={"channel": "C0SANDBOX", **body}
    )
    assert response.status_code == 200
    return response.json()


async def test_slack_keeps_threads_and_edits(http: httpx.AsyncClient) -> None:
    slack = SlackSandbox(clock=lambda: OPENED)
    await slack.start()
    root = await say(http, slack, channel="#identity-alerts", text="one")
    await say(http, slack, text="two", thread_ts=root["ts"])
    await say(http, slack, text="three", thread_ts=root["ts"], reply_broadcast=True)
    edited = await say(http, slack, "chat.update", text="one, edited", ts=root["ts"])
    assert edited["ts"] == root["ts"]
    assert [message.words for message in slack.thread(root["ts"])] == ["two", "three"]
    assert [message.broadcast for message in slack.messages] == [False, False, True]
    assert (slack.roots[0].words, slack.roots[0].edits) == ("one, edited", ["one"])
    await slack.stop()


@pytest.mark.parametrize(
    ("method", "body", "error"),
    [
        ("chat.postMessage", {"channel": "C404", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {}, "no_text"),
        ("chat.postMessage", {"text": "x" * 13_000}, "msg_too_long"),
        ("chat.postMessage", {"text": "x", "blocks": [{"type": "poem"}]}, "invalid_blocks"),
        ("chat.postMessage", {"text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ("chat.postMessage", {"text": "x", "thread_ts": "1.1"}, "thread_not_found"),
        ("chat.update", {"text": "x", "ts": "1.1"}, "message_not_found"),
    ],
)
async def test_slack_says_no_with_http_200(
    http: httpx.AsyncClient, method: str, body: dict[str, Any], error: str
) -> None:
    slack = SlackSandbox(clock=lambda: OPENED)
    await slack.start()
    assert await say(http, slack, method, **body) == {"ok": False, "error": error}
    await slack.stop()


async def test_slack_wants_its_token(http: httpx.AsyncClient) -> None:
    slack = SlackSandbox(clock=lambda: OPENED, token="right")
    await slack.start()
    assert await say(http, slack, text="x") == {"ok": False, "error": "invalid_auth"}
    bare = await http.post(f"{slack.base_url}auth.test")
    assert bare.json() == {"ok": False, "error": "not_authed"}
    await slack.stop()
