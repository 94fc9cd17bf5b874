"""Names and notes of other people format nothing, link nothing and hide nothing in any receiver, and stay readable."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.bounds import plain_line, plain_text
from detectors.incidents import Command, Note
from sinks.delivery.send import send
from sinks.neutral import neutral, neutral_text
from sinks.receivers.answers import Answer, Delivered, Receipts
from sinks.receivers.datadog import wording as datadog
from sinks.receivers.pagerduty import wording as pagerduty
from sinks.receivers.slack import wording as slack
from streams.dispatch.standing import StandingAlerts
from tests.sinks.samples import OPENED, command, incident, no_receipts

HOSTILE = (
    "a\u202eb\x00 *bold* _it_ `code` ~no~\r\nhttps://evil.example www.evil.example mailto:a@evil.example"
)
SHOWN = ("bold", "code", "evil.example")


def hostile(sink: str, action: str, kind: str, text: str = HOSTILE) -> Command:
    about = incident(
        state="acknowledged",
        sentence=text,
        acknowledged_at=OPENED,
        acknowledged_by=text,
        declared_at=OPENED,
        declared_by=text,
        said_resolved_at=OPENED,
        said_resolved_by=text,
        notes=(Note(OPENED, text, text),),
    )
    return neutral(command(sink, action, incident=about, kind=kind, reason=text, by=text))


def bodies(kind: str, text: str = HOSTILE) -> dict[str, Any]:
    return {
        "pagerduty": pagerduty.render(hostile("pagerduty", "trigger", kind, text)),
        "event": datadog.render(hostile("datadog", "event", kind, text), now=OPENED).body,
        "incident": datadog.render(hostile("datadog", "incident_create", kind, text), now=OPENED).body,
        "post": slack.render(hostile("slack", "post", kind, text), channel="C1").body,
        "reply": slack.render(hostile("slack", "reply", kind, text), channel="C1", root_ts="1.1").body,
    }


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in texts(one)]


@pytest.mark.parametrize("kind", ["note", "notes", "acknowledged", "declared", "said_resolved", "resolved"])
def test_hostile_texts_are_neutral_in_every_receiver_and_readable_still(kind: str) -> None:
    for where, body in bodies(kind).items():
        said = "\n".join(texts(body))
        assert not [c for c in said if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n"], where
        assert "https://evil" not in said
        assert "www.evil" not in said
        assert "mailto:a" not in said
        for word in SHOWN:
            assert word in said, where
    for where in ("post", "reply"):
        said = "\n".join(texts(bodies(kind)[where]))
        assert not re.search(r"\*bold|`code|~no|(?<!\w)_it_", said)


def test_datadog_shows_markdown_of_others_as_it_is() -> None:
    (cell,) = bodies("declared")["incident"]["data"]["attributes"]["initial_cells"]
    assert "\\*bold\\*" in cell["content"]["content"]
    assert "%%%" not in "\n".join(texts(bodies("note", "%%%[x](javascript:1)%%%")["event"]))


def test_slack_makes_no_links_of_its_own() -> None:
    def marked(value: Any) -> list[Any]:
        found = [value] if isinstance(value, dict) and value.get("type") == "mrkdwn" else []
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return found + [one for each in inner for one in marked(each)]

    assert all(one["verbatim"] for where in ("post", "reply") for one in marked(bodies("note")[where]))


def test_links_of_the_incident_stay_links() -> None:
    about = incident(links={"console": "https://watch.example/#prod-1"})
    assert neutral(command("slack", "post", incident=about)).incident.links == about.links


async def test_what_is_delivered_is_neutral_whatever_the_receiver() -> None:
    got: list[Command] = []

    class Client:
        async def send(self, command: Command, receipts: Receipts) -> Answer:
            got.append(command)
            return Delivered()

        def remember(self, command: Command) -> None:
            got.append(command)

        def forget(self, incidents: Callable[[str], bool]) -> None:
            raise NotImplementedError

        async def refresh(self) -> Answer | None:
            raise NotImplementedError

    raw = command("alertmanager", "open", incident=incident(sentence=HOSTILE), reason=HOSTILE, by=HOSTILE)
    await send({"alertmanager": Client()}, raw, no_receipts)
    StandingAlerts({"alertmanager": Client()}, asyncio.sleep).remember(raw)
    assert got == [neutral(raw)] * 2


@given(st.text())
def test_a_neutral_text_stays_as_it_is(text: str) -> None:
    once = neutral_text(text)
    assert neutral_text(once) == once
    assert plain_text(plain_text(text)) == plain_text(text)
    assert "\n" not in plain_line(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters=":.")))
def test_what_is_only_shown_is_kept(text: str) -> None:
    assert neutral_text(text) == text


@given(
    st.text(st.characters(codec="utf-8")), st.sampled_from(["note", "notes", "acknowledged", "said_resolved"])
)
def test_no_text_breaks_a_receiver(text: str, kind: str) -> None:
    for body in bodies(kind, text or "x").values():
        msgspec.json.encode(body)
