"""A message whose answer was lost is found, and not posted again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest
from pydantic import SecretStr

from detectors.incidents import Command
from sinks import sandbox
from sinks.receivers.answers import Answer, Delivered, Retry
from sinks.receivers.slack.client import Slack
from sinks.sandbox import SlackSandbox
from tests.sinks.samples import NAMES, OPENED, RunningTime, command


@dataclass
class Place:
    """A sandbox Slack, and a client of it that can be made anew as after a restart."""

    slack: SlackSandbox
    http: httpx.AsyncClient
    time: RunningTime
    channel: str = "C0SANDBOX"
    receipts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.client = Slack(
            self.http,
            token=SecretStr(sandbox.SLACK_TOKEN),
            channel=self.channel,
            base_url=self.slack.base_url,
            names=NAMES,
            clock=self.time.clock,
        )

    async def send(self, given: Command) -> Answer:
        answer = await self.client.send(given, lambda sink: self.receipts if sink == "slack" else {})
        if isinstance(answer, Delivered):
            self.receipts.update(answer.receipt)
        return answer


@pytest.fixture
async def place(http: httpx.AsyncClient) -> AsyncIterator[Place]:
    time = RunningTime()
    slack = SlackSandbox(clock=time.clock, sleep=time.sleep, token=sandbox.SLACK_TOKEN)
    await slack.start()
    yield Place(slack, http, time)
    await slack.stop()


POST, REPLY = command("slack", "post"), command("slack", "reply", kind="severity", id="prod-7:0:line")


@pytest.mark.parametrize("fault", ["cut", "half"])
async def test_of_a_root_whose_answers_are_lost_one_stands(place: Place, fault: str) -> None:
    getattr(place.slack, fault)(path="/api/chat.postMessage")
    assert isinstance(await place.send(POST), Retry)
    answer = await place.send(POST)
    assert isinstance(answer, Delivered)
    (root,) = place.slack.roots
    assert answer.receipt["ts"] == root.ts
    assert answer.receipt["permalink"].endswith(f"/archives/C0SANDBOX/p{root.ts.replace('.', '')}")


async def test_a_root_whose_answer_was_lost_before_a_restart_is_found(place: Place) -> None:
    place.slack.cut(path="/api/chat.postMessage")
    assert isinstance(await place.send(POST), Retry)
    place.restart()
    place.time.now += 60_000
    assert isinstance(await place.send(POST), Delivered)
    assert len(place.slack.roots) == 1


async def test_a_line_of_a_thread_whose_answer_was_lost_stands_once(place: Place) -> None:
    await place.send(POST)
    place.slack.cut(path="/api/chat.postMessage")
    assert isinstance(await place.send(REPLY), Retry)
    assert isinstance(await place.send(REPLY), Delivered)
    assert len(place.slack.thread(place.receipts["ts"])) == 1


async def test_a_line_whose_root_was_posted_without_an_answer_goes_into_its_thread(place: Place) -> None:
    place.slack.cut(path="/api/chat.postMessage")
    assert isinstance(await place.send(POST), Retry)  # and it was given up
    place.time.now += 60_000
    assert isinstance(await place.send(REPLY), Delivered)
    (root,) = place.slack.roots
    assert [line.thread_ts for line in place.slack.thread(root.ts)] == [root.ts]
    assert place.receipts["ts"] == root.ts


async def test_a_first_message_is_posted_without_looking(place: Place) -> None:
    await place.send(POST)
    assert [request.path for request in place.slack.requests] == ["/api/auth.test", "/api/chat.postMessage"]


async def test_while_it_cannot_be_looked_for_it_is_not_posted_again(place: Place) -> None:
    place.slack.cut(path="/api/chat.postMessage")
    await place.send(POST)
    place.slack.fail(1, status=500, path="/api/conversations.history")
    assert isinstance(await place.send(POST), Retry)
    assert isinstance(await place.send(POST), Delivered)
    assert len(place.slack.roots) == 1


async def test_where_it_may_not_be_looked_for_it_is_posted(place: Place) -> None:
    place.channel = "#identity-alerts"  # a list takes the id alone
    place.restart()
    place.slack.cut(path="/api/chat.postMessage")
    await place.send(POST)
    assert isinstance(await place.send(POST), Delivered)


async def test_another_epoch_and_another_incident_have_roots_of_their_own(place: Place) -> None:
    await place.send(POST)
    place.time.now += 60_000
    for changes in ({"epoch": 1, "id": "b"}, {"incident_id": "prod-8", "id": "c"}):
        place.receipts.clear()
        await place.send(command("slack", "post", **changes))
    assert len(place.slack.roots) == 3


async def test_it_is_found_behind_hundreds_of_other_messages(place: Place) -> None:
    place.slack.cut(path="/api/chat.postMessage")
    await place.send(POST)
    for n in range(250):
        place.receipts.clear()
        await place.send(command("slack", "post", id=f"other-{n}", incident_id=f"prod-{100 + n}"))
    place.receipts.clear()
    assert isinstance(await place.send(POST), Delivered)
    assert len(place.slack.roots) == 251
    assert place.time.now >= OPENED
