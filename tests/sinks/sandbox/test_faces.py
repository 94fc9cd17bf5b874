"""Does a person see what a receiver got as they would there, and stays every text a text?"""

from __future__ import annotations

import httpx

from sinks.sandbox.datadog import DatadogSandbox
from sinks.sandbox.faces import channel, incidents, phone
from sinks.sandbox.pagerduty import Woken
from sinks.sandbox.pagerduty_alert import Alert
from sinks.sandbox.slack import Message, SlackSandbox
from tests.sinks.samples import OPENED

EVIL = "<script>alert(1)</script>"


def message(number: int, text: str, thread: str | None = None, **more: object) -> Message:
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    kept = Message(ts=f"{number}", channel="C0", at=OPENED, text="", blocks=[block], thread_ts=thread)
    for name, value in more.items():
        setattr(kept, name, value)
    return kept


def test_slack_shows_a_thread_below_its_message_with_links_and_what_was_edited() -> None:
    button = {"type": "actions", "elements": [{"text": {"text": "I have it"}}]}
    root = message(1, f"*SSOe* fails, see <https://watch.example/|Console> &amp; {EVIL}", edits=["before"])
    root.blocks.append(button)
    html = channel([root, message(2, "another root"), message(3, "a reply", "1", broadcast=True)])
    assert html.index("SSOe") < html.index("a reply") < html.index("another root")
    for words in (
        '<a href="https://watch.example/">Console</a>',
        "<b>SSOe</b>",
        "edited",
        "also sent",
        "I have it",
    ):
        assert words in html
    assert "<script" not in html
    assert "Nothing was said yet" in channel([])


def test_a_phone_rings_with_what_woke_somebody() -> None:
    alert = Alert(1, "key", "dedup", "critical", EVIL, OPENED, status="acknowledged", acknowledged_by="Ada")
    html = phone([Woken(OPENED, "Ada", "dedup", "critical", f"SEV 1 {EVIL}")], [alert])
    assert "SEV 1" in html
    assert "by Ada" in html
    assert "<script" not in html
    assert "It has not rung." in phone([], [])


def test_datadog_shows_an_incident_with_its_states_in_order() -> None:
    fields = {"severity": {"value": "SEV-2"}, "state": {"value": "resolved"}}
    held = {"id": "a", "attributes": {"public_id": 7, "title": EVIL, "fields": fields}}
    history = [
        (OPENED, "a", "active", "SEV-2"),
        (OPENED, "b", "active", "SEV-1"),
        (OPENED, "a", "resolved", "SEV-2"),
    ]
    html = incidents(
        [held], history, [{"title": "an event", "attributes": {"status": "ok"}, "message": "%%% x %%%"}]
    )
    assert html.index("active, SEV-2") < html.index("resolved, SEV-2") < html.index("an event")
    assert "SEV-1" not in html
    assert "<script" not in html


async def test_a_link_to_slack_or_datadog_leads_to_what_a_person_sees() -> None:
    async def nothing(seconds: float) -> None: ...

    async with httpx.AsyncClient(verify=False) as http:
        for receiver, path, words in (
            (SlackSandbox(clock=lambda: OPENED, sleep=nothing), "/archives/C0/p1", "# identity-alerts"),
            (DatadogSandbox(clock=lambda: OPENED, sleep=nothing), "/incidents/7", "Incidents"),
        ):
            url = await receiver.start()
            page = await http.get(url + path, headers={"Accept": "text/html"})
            assert words in page.text
            assert receiver.requests == []
            await receiver.stop()
