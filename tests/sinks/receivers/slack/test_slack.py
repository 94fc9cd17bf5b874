"""Which messages, edits and replies in Slack a command becomes, and within which limits."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import httpx
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from detectors.incidents import Command, TransitionKind
from detectors.instants import MINUTE
from detectors.process.actions import SPOKEN
from sinks.neutral import neutral
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from sinks.receivers.slack import wording as module
from sinks.receivers.slack.client import Slack
from sinks.receivers.slack.wording import escape, render_blind, render_seeing
from sinks.sandbox import SlackSandbox
from tests.sinks.samples import (
    IN_COMMON,
    NAMES,
    OPENED,
    SAID_IN_COMMON,
    RunningTime,
    command,
    commands,
    crammed,
    incident,
)

render = partial(module.render, names=NAMES)

ROOT = {"ts": "1764.000100", "channel": "C1"}


def texts(body: dict[str, Any]) -> list[str]:
    found = []
    for block in body.get("blocks", []):
        for part in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]:
            if part is not None:
                found.append(part["text"])
    return found


def test_the_first_message_says_what_a_person_asks_first() -> None:
    body = render(command("slack", "post"), channel="C1").body
    assert body["text"] == (
        "🔴 SEV 1: SSOe sign-in is failing in prod, ~9,400 people an hour (projected)."
        " Open, not acknowledged yet."
    )
    assert texts(body) == [
        "🔴 SEV 1: SSOe sign-in is failing",
        "*~9,400 people an hour (projected)*, since"
        " <!date^1795446270^{date_short_pretty} {time}|23 Nov 2026 15:04 UTC>."
        " 97 of 100 callbacks failed in the last minute.",
        "*State*\nOpen, not acknowledged yet",
        "*Affects*\nSSOe sign-in",
        "*Priority*\nP1, Datadog SEV-2",
        "<https://watch.example/incidents/prod-7|Console> · <https://runbooks.example/ssoe|Runbook>"
        " · incident prod-7",
    ]


def test_the_first_message_says_what_failing_people_have_in_common() -> None:
    body = render(command("slack", "post", incident=incident(common=(IN_COMMON,))), channel="C1").body
    assert texts(body)[1].splitlines()[1] == f"*In common:* {SAID_IN_COMMON}."


def test_the_first_message_is_edited_into_the_story_once_it_is_over() -> None:
    over = incident(
        state="resolved",
        resolved_at=OPENED + 50 * MINUTE,
        resolved_reason="recovered",
        users_impacted=3,
        peak_users_impacted=1830,
        basis="observed",
    )
    request = render(command("slack", "update", incident=over), channel="C1", root_ts="1.2")
    assert request.method == "chat.update"
    assert request.body["ts"] == "1.2"
    header, lead = texts(request.body)[:2]
    assert header == "🟢 was SEV 1: SSOe sign-in works again"
    assert lead.startswith("It lasted 50 min, from ")
    assert "At the worst, 1,830 people an hour." in lead


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("acknowledged", {"by": "Ada", "at": OPENED + 2 * MINUTE}, "*Ada* has it, 2 min after it opened."),
        ("unacknowledged", {"by": "Ada"}, "*Ada* has given it back"),
        ("declared", {"by": None}, "This is declared a service outage (Datadog SEV-2)"),
        (
            "severity",
            {"reason": "1,204 people within an hour."},
            "Now *severity 1*. 1,204 people within an hour.",
        ),
        (
            "scope",
            {"reason": "ID.me fails on SiS too."},
            "Now seen as *SSOe sign-in*. ID.me fails on SiS too.",
        ),
        ("resolved", {"at": OPENED + 50 * MINUTE}, "*Resolved*, 50 min after it opened."),
        ("reminder", {"at": OPENED + 30 * MINUTE}, "Nobody has acknowledged this for 30 min."),
        ("update", {}, "SSOe sign-in is failing, since 23 Nov 2026 15:04 UTC: ∼9,400 people an hour"),
        ("note", {"by": "Ada", "reason": "IAM is on it"}, "*Ada* notes: IAM is on it"),
        (
            "post_mortem",
            {"by": "Ada", "incident": incident(links={"postmortem": "https://wiki.example/1"})},
            "*Ada* has linked the post-mortem: <https://wiki.example/1|Post-mortem>",
        ),
    ],
)
def test_the_thread_reads_as_if_a_person_wrote_it(kind: str, changes: dict[str, Any], said: str) -> None:
    request = render(command("slack", "reply", kind=kind, **changes), channel="C1", root_ts="1.2")
    assert request.body["thread_ts"] == "1.2"
    assert said in request.body["text"]
    assert "reply_broadcast" not in request.body


def test_every_kind_of_change_has_words() -> None:
    said = {
        kind: render(command("slack", "reply", kind=kind), channel="C1", root_ts="1.2").body["text"]
        for kind in get_args(TransitionKind)
    }
    alike = (
        len(SPOKEN - {"note", "post_mortem"}) - 1 + 1
    )  # what people say of the process; resolved and closed
    assert len(set(said.values())) >= len(said) - alike
    assert all(said.values())


def test_a_broadcast_is_a_reply_that_the_channel_sees() -> None:
    body = render(command("slack", "broadcast", kind="severity"), channel="C1", root_ts="1.2").body
    assert (body["thread_ts"], body["reply_broadcast"]) == ("1.2", True)


@pytest.mark.parametrize("action", ["reply", "update", "broadcast"])
def test_without_a_first_message_anything_becomes_it(action: str) -> None:
    request = render(command("slack", action), channel="C1")
    assert request.root
    assert request.body["blocks"] == render(command("slack", "post"), channel="C1").body["blocks"]


def test_what_came_and_went_is_told_with_its_reason() -> None:
    over = incident(state="resolved", resolved_at=OPENED)
    request = render(
        command("slack", "post", kind="resolved", incident=over, reason="Came and went."), channel="C1"
    )
    assert "Came and went." in texts(request.body)[1]


def test_markup_in_what_others_wrote_is_shown_and_not_obeyed() -> None:
    hostile = incident(
        sentence="<!channel> & <https://evil.example|click>", links={"console": "https://c.example/a|b>c"}
    )
    body = render(neutral(command("slack", "post", incident=hostile)), channel="C1").body
    assert "<!channel>" not in body["blocks"][1]["text"]["text"]
    assert "&lt;!channel&gt; &amp; &lt;https[:]//evil" in body["blocks"][1]["text"]["text"]
    assert "<https://c.example/a%7Cb%3Ec|Console>" in texts(body)[-1]


@given(st.text("&<>ab", max_size=60), st.integers(6, 40))
def test_an_escape_is_never_cut_in_half(text: str, limit: int) -> None:
    escaped = escape(text, limit)
    assert len(escaped) <= limit
    bare = escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set("&<>") & set(bare)


@example(crammed("slack", "post"), None)
@example(crammed("slack", "post", "resolved", "resolved"), None)
@example(crammed("slack", "reply"), "1.2")
@given(commands("slack", ("post", "update", "reply", "broadcast")), st.sampled_from([None, "1764.000100"]))
def test_whatever_others_wrote_the_limits_hold(given: Command, root_ts: str | None) -> None:
    body = render(given, channel="C0123456789", root_ts=root_ts).body
    assert len(body["text"]) <= 3000
    assert len(msgspec.json.encode(body)) <= 12 * 1024
    for block in body["blocks"]:
        if block["type"] == "header":
            assert 1 <= len(block["text"]["text"]) <= 150
        elif "text" in block:
            assert 1 <= len(block["text"]["text"]) <= 3000
        assert len(block.get("fields", [])) <= 10
        assert all(1 <= len(field["text"]) <= 2000 for field in block.get("fields", []))
        assert len(block.get("elements", [])) <= 10


class Workspace:
    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer xoxb-1"
        method = request.url.path.removeprefix("/api/")
        if method == "auth.test":
            return httpx.Response(200, json={"ok": True, "url": "https://va.slack.example/"})
        self.asked.append((method, msgspec.json.decode(request.content)))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)


async def send(workspace: Workspace, given: Command, root: dict[str, str] | None = None) -> Answer:
    async with httpx.AsyncClient(transport=httpx.MockTransport(workspace)) as http:
        slack = Slack(http, token=SecretStr("xoxb-1"), channel="#alerts")
        return await slack.send(given, lambda sink: (root or {}) if sink == "slack" else {})


async def test_the_receipt_of_a_first_message_leads_back_to_it() -> None:
    workspace = Workspace({"ok": True, "channel": "C1", "ts": "1764.000100"})
    assert await send(workspace, command("slack", "post")) == Delivered(
        {
            "ts": "1764.000100",
            "channel": "C1",
            "permalink": "https://va.slack.example/archives/C1/p1764000100",
            "shows": "",
        }
    )


async def test_the_receipt_of_a_reply_does_not_hide_that_of_the_first_message() -> None:
    answer = await send(
        Workspace({"ok": True, "channel": "C1", "ts": "9.9"}), command("slack", "reply"), ROOT
    )
    assert isinstance(answer, Delivered)
    assert not {"ts", "channel"} & set(answer.receipt)


async def test_edits_go_to_the_channel_id_that_slack_gave() -> None:
    workspace = Workspace({"ok": True, "channel": "C1", "ts": ROOT["ts"]})
    await send(workspace, command("slack", "update"), ROOT)
    assert workspace.asked[0][0] == "chat.update"
    assert workspace.asked[0][1]["channel"] == "C1"


@pytest.mark.parametrize(
    "error",
    ["channel_not_found", "invalid_auth", "invalid_blocks", "not_in_channel", "is_archived", "brand_new"],
)
async def test_a_permanent_error_with_http_200_is_a_dead_letter(error: str) -> None:
    answer = await send(Workspace({"ok": False, "error": error}), command("slack", "post"))
    assert answer == Refused(error)


async def test_the_chart_stands_in_the_message_unless_slack_cannot_fetch_it() -> None:
    time = RunningTime()
    sandbox = SlackSandbox(clock=time.clock, sleep=time.sleep)
    await sandbox.start()
    links = {**incident().links, "chart": "https://watch.example/charts/prod-7/1/2/abc.png"}
    post = command("slack", "post", incident=incident(links=links))
    shown = []
    async with httpx.AsyncClient(verify=False) as http:
        slack = Slack(
            http, token=SecretStr("x"), channel="C0SANDBOX", base_url=sandbox.base_url, clock=time.clock
        )
        for sandbox.blind, waits in ((False, 0), (True, 0), (False, 0), (False, 11)):
            time.now += waits * MINUTE
            before = len(sandbox.requests)
            assert isinstance(await slack.post(module.render(post, channel="C0SANDBOX")), Delivered)
            kinds = [block["type"] for block in sandbox.messages[-1].blocks]
            shown.append(("image" in kinds, len(sandbox.requests) - before))
    await sandbox.stop()
    # With its picture; without it at a second try; without asking; ten minutes later with it again.
    assert shown == [(True, 2), (False, 2), (False, 1), (True, 1)]
    assert (
        "chart"
        not in render(
            command("slack", "reply", incident=incident(links=links)), channel="C1", root_ts="1"
        ).body
    )


@pytest.mark.parametrize("error", ["internal_error", "fatal_error", "service_unavailable", "request_timeout"])
async def test_a_passing_error_with_http_200_is_tried_again(error: str) -> None:
    answer = await send(Workspace({"ok": False, "error": error}), command("slack", "post"))
    assert answer == Retry(None, error)


@pytest.mark.parametrize("status", [200, 429])
async def test_a_rate_limit_is_waited_for_whatever_its_status(status: int) -> None:
    limited = httpx.Response(
        status, json={"ok": False, "error": "ratelimited"}, headers={"Retry-After": "30"}
    )
    answer = await send(Workspace(limited), command("slack", "post"))
    assert isinstance(answer, Retry)
    assert (answer.after, answer.throttled) == (30.0, True)


@pytest.mark.parametrize("body", ["<html>", "[]", ""])
async def test_what_is_no_answer_of_slacks_is_tried_again(body: str) -> None:
    assert isinstance(await send(Workspace(httpx.Response(200, text=body)), command("slack", "post")), Retry)


@pytest.mark.parametrize(
    ("action", "error"), [("update", "message_not_found"), ("reply", "thread_not_found")]
)
async def test_a_first_message_that_somebody_deleted_is_posted_anew(action: str, error: str) -> None:
    workspace = Workspace({"ok": False, "error": error}, {"ok": True, "channel": "C1", "ts": "5.5"})
    answer = await send(workspace, command("slack", action), ROOT)
    assert isinstance(answer, Delivered)
    assert answer.receipt["ts"] == "5.5"
    assert "thread_ts" not in workspace.asked[1][1]


async def test_blindness_is_told_in_the_channel() -> None:
    workspace = Workspace(*[{"ok": True, "channel": "C1", "ts": "5.5"}] * 2)
    async with httpx.AsyncClient(transport=httpx.MockTransport(workspace)) as http:
        slack = Slack(http, token=SecretStr("xoxb-1"), channel="#alerts")
        blind = render_blind(
            channel="#alerts", at=OPENED, why="broker", sentence="No broker for <60 s>.", remedy="Start it."
        )
        answer = await slack.post(blind)
        again = render_seeing(channel="#alerts", at=OPENED, why="broker", worker="<worker>")
        assert isinstance(await slack.post(again), Delivered)
    assert isinstance(answer, Delivered)
    said, over = (body["text"] for _, body in workspace.asked if "text" in body)
    assert "No broker for &lt;60 s&gt;." in said
    assert "*What to do:* Start it." in said
    assert "sees again* (broker)" in over
    assert "&lt;worker&gt;" in over
