"""Microsoft Teams gets one Adaptive Card for each change, in which nothing that people write is markup."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from pydantic import SecretStr

from detectors.incidents import Command, Note
from sinks.neutral import neutral
from sinks.receivers.answers import Delivered, Refused, Retry
from sinks.receivers.teams.client import Teams
from sinks.receivers.teams.config import TeamsSettings
from sinks.receivers.teams.wording import BODY_BYTES, render
from sinks.sandbox.inbox import InboxSandbox
from sinks.wording import CHART_WORDS
from streams.settings.settings import SettingsError, read_settings
from tests.sinks.samples import NAMES, OPENED, RunningTime, command, commands, crammed, incident, no_receipts

ACTIONS = ("open", "update", "resolve")


def test_a_card_shows_the_chart_as_a_picture_and_not_as_a_button() -> None:
    chart = "https://watch.example/charts/1.png"
    about = incident(links={**incident().links, "chart": chart})
    (attachment,) = render(command("teams", "open", incident=about), NAMES)["attachments"]
    card = attachment["content"]
    assert card["body"][-1] == {"type": "Image", "url": chart, "altText": CHART_WORDS}
    assert chart not in [button["url"] for button in card["actions"]]


@pytest.fixture
async def inbox() -> AsyncIterator[InboxSandbox]:
    time = RunningTime()
    sandbox = InboxSandbox(clock=time.clock, sleep=time.sleep)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


def elements(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from elements(one)
    elif isinstance(value, list):
        for one in value:
            yield from elements(one)


def words(message: dict[str, Any]) -> list[str]:
    (attachment,) = message["attachments"]
    return ["".join(run["text"] for run in block["inlines"]) for block in attachment["content"]["body"]]


def test_a_card_says_what_happens_and_where_to_go() -> None:
    message = render(command("teams", "open"), NAMES)
    assert words(message)[:4] == [
        "SEV 1: SSOe sign-in is failing",
        "SSOe sign-in is failing. ~9,400 people an hour (projected). 97 of 100 callbacks failed in the last minute.",
        "Affects: SSOe sign-in",
        "People: ~9,400 people an hour (projected)",
    ]
    card = message["attachments"][0]["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [(one["title"], one["url"]) for one in card["actions"]] == [
        ("Console", "https://watch.example/incidents/prod-7"),
        ("Runbook", "https://runbooks.example/ssoe"),
    ]


def test_the_end_is_green_and_says_how_long_it_lasted() -> None:
    about = incident(state="resolved", resolved_at=OPENED + 600_000, resolved_reason="recovered")
    message = render(command("teams", "resolve", kind="resolved", reason="", incident=about), NAMES)
    assert words(message)[0] == "was SEV 1: SSOe sign-in works again"
    assert words(message)[1].startswith(
        "Resolved. It lasted 10 min, from 23 Nov 2026 15:04 UTC. At the worst 9,431 people"
    )
    assert message["attachments"][0]["content"]["body"][0]["inlines"][0]["color"] == "good"


def test_what_people_write_is_in_text_runs_which_know_no_markdown() -> None:
    note = Note(OPENED, "**Ada**\r\n\u202e", "[click](https://evil.example) *now* \u2066x\x00")
    said = command("teams", "update", kind="note", incident=incident(notes=(note,)))
    message = render(neutral(said), NAMES)
    assert "15:05 UTC **Ada**: [click](https[:]//evil.example) *now* x" in words(message)
    kinds = {one["type"] for one in elements(message["attachments"][0]["content"]["body"])}
    assert kinds == {"RichTextBlock", "TextRun"}


@given(commands("teams", ACTIONS))
def test_a_card_is_small_and_of_known_elements_whatever_people_write(said: Command) -> None:
    message = render(said, NAMES)
    assert len(msgspec.json.encode(message)) <= BODY_BYTES
    card = message["attachments"][0]["content"]
    for one in elements(card["body"]):
        assert one["type"] in ("RichTextBlock", "TextRun")
        if one["type"] == "TextRun":
            assert one["text"]
            assert not set(one["text"]) & set("\r\n\x00\u202e\u2066")
    assert len(card.get("actions", [])) <= 6
    assert all(one["url"].startswith(("https://", "http://")) for one in card.get("actions", []))


def test_even_the_most_crammed_incident_fits() -> None:
    assert len(msgspec.json.encode(render(crammed("teams", "open"), NAMES))) <= BODY_BYTES


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (202, Delivered),
        (200, Retry),  # a proxy's, or a connector's of old: the flow says 202
        (204, Retry),
        (302, Refused),
        (400, Refused),
        (401, Refused),
        (404, Refused),
        (429, Retry),
        (502, Retry),
    ],
)
async def test_what_an_answer_means(
    http: httpx.AsyncClient, inbox: InboxSandbox, status: int, outcome: type[object]
) -> None:
    inbox.fail(1, status=status, body=b"<html></html>")
    teams = Teams(http, url=SecretStr(inbox.hook), names=NAMES)
    assert isinstance(await teams.send(command("teams", "open"), no_receipts), outcome)


async def test_a_card_arrives_as_it_was_rendered(http: httpx.AsyncClient, inbox: InboxSandbox) -> None:
    teams = Teams(http, url=SecretStr(f"{inbox.hook}?sig=k3y"), names=NAMES)
    assert isinstance(await teams.send(command("teams", "open"), no_receipts), Delivered)
    assert inbox.messages[0].json == render(command("teams", "open"), NAMES)


async def test_the_key_in_the_address_is_in_no_reason(http: httpx.AsyncClient, inbox: InboxSandbox) -> None:
    url = f"{inbox.hook}?sig=k3y"
    inbox.fail(1, status=401, body=url.encode())
    answer = await Teams(http, url=SecretStr(url)).send(command("teams", "open"), no_receipts)
    assert isinstance(answer, Refused)
    assert "k3y" not in answer.why


def test_channels_are_receivers_of_their_own() -> None:
    settings = read_settings(
        {
            "WATCHOFFICER_TEAMS__URL": "https://prod-1.logic.azure.com/workflows/x?sig=one",
            "WATCHOFFICER_TEAMS__CHANNELS": '{"support": "https://prod-2.logic.azure.com/workflows/y?sig=two"}',
        }
    )
    assert settings.sinks() == {"teams", "teams:support"}
    assert "sig=two" not in repr(settings)
    assert "https://prod-2.logic.azure.com/workflows/y?sig=two" in settings.secrets()
    with pytest.raises(SettingsError) as refused:
        read_settings({"WATCHOFFICER_TEAMS__CHANNELS": '{"support": "http://s3cr3t.example"}'})
    assert "s3cr3t" not in str(refused.value)


def test_of_routine_cards_that_wait_only_the_last_is_sent() -> None:
    routine = [command("teams", "update", kind="update", id=f"u{n}") for n in range(3)]
    news = command("teams", "update", kind="severity")
    assert [TeamsSettings.overtaken(one, routine[n + 1 :]) for n, one in enumerate(routine)] == [
        "superseded",
        "superseded",
        None,
    ]
    assert TeamsSettings.overtaken(news, routine) is None
