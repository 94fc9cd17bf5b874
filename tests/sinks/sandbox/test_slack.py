"""The sandbox Slack behaves as Slack does."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from sinks.sandbox import SlackSandbox
from tests.sinks.samples import OPENED


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
    slack = SlackSandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
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
    slack = SlackSandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await slack.start()
    assert await say(http, slack, method, **body) == {"ok": False, "error": error}
    await slack.stop()


async def test_slack_wants_its_token(http: httpx.AsyncClient) -> None:
    slack = SlackSandbox(sleep=asyncio.sleep, clock=lambda: OPENED, token="right")
    await slack.start()
    assert await say(http, slack, text="x") == {"ok": False, "error": "invalid_auth"}
    bare = await http.post(f"{slack.base_url}auth.test")
    assert bare.json() == {"ok": False, "error": "not_authed"}
    await slack.stop()
