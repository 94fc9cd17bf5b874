"""Only what a vendor documents counts as delivered: for each receiver, each answer and what becomes of the command."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.receivers.answers import Answer, Delivered, Kind, Refused, Retry, SinkClient, kind_of_answer
from sinks.receivers.datadog.client import Datadog
from sinks.receivers.pagerduty.client import PagerDuty
from sinks.receivers.slack.client import Slack
from tests.sinks.samples import NAMES, OPENED, command

HTML = b"<html><body>Sign in to the guest network</body></html>"
CREATED = {"data": {"type": "incidents", "id": "0b1c", "attributes": {"public_id": 7}}}
NO_INCIDENTS: dict[str, Any] = {"data": {"attributes": {"incidents": []}}}


async def said(given: Command, answer: httpx.Response) -> Answer:
    """What the client of a command's receiver makes of an answer.

    A search of Datadog's finds nothing, and what follows the creation of an incident succeeds.
    """

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("auth.test"):
            return httpx.Response(200, json={"ok": True, "url": "https://ws.slack.com/"})
        if request.url.path.endswith(("search", "conversations.history")):
            return httpx.Response(200, json={**NO_INCIDENTS, "ok": True, "messages": []})
        if given.action == "incident_create" and request.method == "PATCH":
            return httpx.Response(200, json={"data": {"id": "0b1c"}})
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
        clients: dict[str, SinkClient] = {
            "pagerduty": PagerDuty(http, routing_key=SecretStr("r" * 32), names=NAMES),
            "datadog": Datadog(
                http,
                api_key=SecretStr("api-key"),
                app_key=SecretStr("app-key"),
                names=NAMES,
                clock=lambda: OPENED,
            ),
            "slack": Slack(http, token=SecretStr("xoxb-token"), channel="C1", names=NAMES),
        }
        return await clients[given.sink].send(given, lambda sink: RECEIPTS.get(given.action, {}))


RECEIPTS: dict[str, dict[str, str]] = {
    "incident_update": {"incident_id": "0b1c"},
    "reply": {"ts": "1.1", "channel": "C1"},
}

PAGE, EVENT = command("pagerduty", "trigger"), command("datadog", "event")
CREATE, CHANGE = command("datadog", "incident_create"), command("datadog", "incident_update")
POST, REPLY = command("slack", "post"), command("slack", "reply", kind="update")

ROWS: list[tuple[Command, int, dict[str, Any], type[Answer], Kind]] = [
    (PAGE, 202, {"json": {"status": "success", "dedup_key": "k"}}, Delivered, "delivered"),
    (PAGE, 202, {"json": {"status": "queued"}}, Retry, "unexpected"),
    (PAGE, 202, {"json": ["success"]}, Retry, "unexpected"),
    (PAGE, 202, {"content": HTML}, Retry, "unexpected"),
    (PAGE, 202, {}, Retry, "unexpected"),
    (PAGE, 200, {"json": {"status": "success"}}, Retry, "unexpected"),
    (PAGE, 204, {}, Retry, "unexpected"),
    (EVENT, 202, {"json": {"data": {}}}, Delivered, "delivered"),
    (EVENT, 202, {}, Delivered, "delivered"),
    (EVENT, 202, {"content": HTML}, Retry, "unexpected"),
    (EVENT, 200, {"content": HTML}, Retry, "unexpected"),
    (EVENT, 200, {"json": {}}, Retry, "unexpected"),
    (EVENT, 204, {}, Retry, "unexpected"),
    (CREATE, 201, {"json": CREATED}, Delivered, "delivered"),
    (CREATE, 201, {"json": {}}, Retry, "unexpected"),
    (CREATE, 201, {"content": HTML}, Retry, "unexpected"),
    (CREATE, 200, {"json": CREATED}, Retry, "unexpected"),
    (CHANGE, 200, {"json": CREATED}, Delivered, "delivered"),
    (CHANGE, 200, {"content": HTML}, Retry, "unexpected"),
    (CHANGE, 201, {"json": CREATED}, Retry, "unexpected"),
    (CHANGE, 204, {}, Retry, "unexpected"),
    (POST, 200, {"json": {"ok": True, "ts": "1.1", "channel": "C1"}}, Delivered, "delivered"),
    (POST, 200, {"json": {"ok": True}}, Retry, "unexpected"),  # without a timestamp there is no thread
    (REPLY, 200, {"json": {"ok": True, "ts": "1.2"}}, Delivered, "delivered"),
    (POST, 200, {"content": HTML}, Retry, "unexpected"),
    (POST, 204, {}, Retry, "unexpected"),
    (POST, 200, {"json": {"ok": False, "error": "ratelimited"}}, Retry, "throttled"),
    (POST, 200, {"json": {"ok": False, "error": "channel_not_found"}}, Refused, "refused"),
    (POST, 200, {"json": {"ok": False, "error": "internal_error"}}, Retry, "server_error"),
]
EVERYWHERE: list[tuple[int, dict[str, Any], type[Answer], Kind]] = [
    (302, {"headers": {"Location": "https://elsewhere.example/"}}, Refused, "unexpected"),
    (307, {"headers": {"Location": "https://elsewhere.example/"}}, Refused, "unexpected"),
    (400, {"json": {}}, Refused, "refused"),
    (403, {"content": HTML}, Refused, "refused"),
    (408, {}, Retry, "server_error"),
    (429, {"headers": {"Retry-After": "2"}}, Retry, "throttled"),
    (429, {}, Retry, "throttled"),
    (500, {"content": HTML}, Retry, "server_error"),
    (502, {}, Retry, "server_error"),
    (503, {"headers": {"Retry-After": "86400"}}, Retry, "server_error"),
]
ALL = [*ROWS, *((each, *row) for each in (PAGE, EVENT, CREATE, CHANGE, POST, REPLY) for row in EVERYWHERE)]


@pytest.mark.parametrize(
    ("given", "status", "content", "answer", "kind"),
    ALL,
    ids=[f"{c.sink} {c.action}: {status} {sorted(content)} {kind}" for c, status, content, _, kind in ALL],
)
async def test_an_answer_means(
    given: Command, status: int, content: dict[str, Any], answer: type[Answer], kind: Kind
) -> None:
    got = await said(given, httpx.Response(status, **content))
    assert isinstance(got, answer), got
    assert kind_of_answer(got) == kind
