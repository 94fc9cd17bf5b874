"""Links between receivers: the first page has Slack's thread, what is known later is added once and wakes nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from detectors.incidents import Command, Page
from detectors.instants import SECOND
from sinks import sandbox
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.gate import ReceiverGate, gates_for
from sinks.delivery.outcomes import Delivery
from sinks.receivers.answers import Delivered, Retry
from sinks.receivers.contract import Pace
from sinks.receivers.pagerduty.wording import render
from sinks.sandbox import Sandbox
from tests.sinks.clients import clients_of
from tests.sinks.deliverer_fixture import DelivererFixture, drained, numbered
from tests.sinks.samples import OPENED, RunningTime, Time, command, incident

THREAD = {"ts": "1.1", "channel": "C1", "permalink": "https://slack.example/p1", "shows": ""}


def opening(*sinks: str) -> list[Command]:
    actions = {"slack": "post", "pagerduty": "trigger", "datadog": "event"}
    return [command(sink, actions[sink]) for sink in sinks or actions]


class House:
    """The sandboxes, PagerDuty's with its REST API, and a deliverer at the shipped pace."""

    def __init__(self, receivers: Sandbox, http: httpx.AsyncClient, time: Time) -> None:
        self.receivers = receivers
        self.recorded: list[Delivery] = []
        clients = clients_of(receivers, http, time.clock, rest=True)
        self.deliverer = Deliverer(
            clients,
            self.record,
            self.dead_letter,
            time.clock,
            time.sleep,
            lambda: 0.5,
            gates=gates_for(clients, time.clock, time.sleep),
        )

    async def record(self, delivery: Delivery) -> None:
        self.recorded.append(delivery)

    async def dead_letter(self, command: Command, reason: str, attempts: int) -> None:
        raise AssertionError(f"{command.id}: {reason}")

    async def deliver(self, *commands: Command) -> None:
        for each in commands:
            self.deliverer.submit(each)
        assert await drained(self.deliverer, 10)


@pytest.fixture
async def house(http: httpx.AsyncClient) -> AsyncIterator[House]:
    time = RunningTime()
    async with Sandbox.make(clock=time.clock, sleep=time.sleep) as receivers:
        house = House(receivers, http, time)
        yield house
        await house.deliverer.close()


async def test_slacks_message_is_edited_once_datadogs_event_is_known(house: House) -> None:
    house.receivers.datadog.fail(1, status=503)  # answers after Slack
    await house.deliver(*opening("slack", "datadog"))
    (root,) = house.receivers.slack.roots
    (link,) = [one.receipt["event_url"] for one in house.recorded if one.sink == "datadog"]
    assert f"<{link}|Datadog event>" in str(root.blocks)
    edits = [one for one in house.receivers.slack.requests if one.path.endswith("chat.update")]
    assert len(edits) == 1
    # Further events of Datadog bring no further edit.
    await house.deliver(command("datadog", "event", id="later", kind="severity"))
    assert len([r for r in house.receivers.slack.requests if r.path.endswith("chat.update")]) == 1


async def test_a_thread_that_came_too_late_for_the_page_is_a_note_and_no_trigger(house: House) -> None:
    house.receivers.slack.fail(2, status=503, path="/api/chat.postMessage")
    await house.deliver(*opening())
    (alert,) = house.receivers.pagerduty.alerts
    shown = [link["text"] for link in alert.events[0]["links"]]
    assert "Slack thread" not in shown
    assert {"Console", "Runbook"} <= set(shown)
    assert alert.triggers == 1
    (root,) = house.receivers.slack.roots
    assert alert.notes == [f"[watchofficer] Slack thread: {permalink(house, root)}"]
    assert len(house.receivers.pagerduty.woken) == 1


def permalink(house: House, root: Any) -> str:
    return f"{house.receivers.slack.url}/archives/{sandbox.SLACK_CHANNEL}/p{root.ts.replace('.', '')}"


# -- how long a page waits ---------------------------------------------------------------------------------------


async def test_a_page_waits_for_slacks_answer_and_goes_with_it() -> None:
    fixture = DelivererFixture(slack=lambda command: Delivered(dict(THREAD)))
    slack = fixture.receivers["slack"]
    slack.gate.clear()
    for each in opening("slack", "pagerduty"):
        fixture.deliverer.submit(each)
    await fixture.time.pass_(0.2)
    assert fixture.receivers["pagerduty"].got == []
    slack.gate.set()
    await fixture.time.settle()
    assert fixture.receivers["pagerduty"].got[0][0] == OPENED + 200


async def test_a_page_waits_half_a_second_and_no_longer_for_a_slack_that_does_not_answer() -> None:
    fixture = DelivererFixture()
    fixture.receivers["slack"].gate.clear()
    for each in opening("slack", "pagerduty"):
        fixture.deliverer.submit(each)
    await fixture.time.pass_(0.499)
    assert fixture.receivers["pagerduty"].got == []
    await fixture.time.pass_(0.001)
    assert [at for at, _ in fixture.receivers["pagerduty"].got] == [OPENED + SECOND // 2]
    await fixture.deliverer.close(0)


@pytest.mark.parametrize("slack", [Retry(None, "HTTP 500"), Retry(30.0, "ratelimited", throttled=True)])
async def test_a_page_waits_for_no_slack_that_has_just_failed(slack: Retry) -> None:
    fixture = DelivererFixture(slack=lambda command: slack)
    for each in opening("slack", "pagerduty"):
        fixture.deliverer.submit(each)
    await fixture.time.settle()
    assert [at for at, _ in fixture.receivers["pagerduty"].got] == [OPENED]
    await fixture.deliverer.close(0)


async def test_a_page_waits_for_no_slack_at_which_another_incident_waits_or_that_is_broken() -> None:
    fixture = DelivererFixture()
    fixture.receivers["slack"].gate.clear()
    for n in range(4):  # three at a time, so that the fourth waits
        fixture.deliverer.submit(numbered(n, "slack", "post", who=f"prod-{n + 20}"))
    for each in opening("slack", "pagerduty"):
        fixture.deliverer.submit(each)
    await fixture.time.settle()
    assert [at for at, _ in fixture.receivers["pagerduty"].got] == [OPENED]
    await fixture.deliverer.close(0)


@pytest.mark.parametrize(("ago", "waits"), [(700, False), (760, True)])
async def test_a_page_waits_only_if_the_rate_lets_slack_answer_in_time(ago: int, waits: bool) -> None:
    fixture = DelivererFixture(slack=lambda command: Delivered(dict(THREAD)))
    pace = Pace(per_minute=60, burst=1, concurrency=2)
    fixture.gates["slack"] = ReceiverGate(pace, fixture.time.clock, fixture.time.sleep)
    fixture.deliverer = fixture.make()
    await fixture.time.pass_(1)  # the burst counts as spent at first
    fixture.deliverer.submit(numbered(0, "slack", "notice", who="prod-20"))
    await fixture.time.pass_(ago / SECOND)
    opened = fixture.time.now
    for each in opening("slack", "pagerduty"):
        fixture.deliverer.submit(each)
    await fixture.time.settle()
    assert [at for at, _ in fixture.receivers["pagerduty"].got] == ([] if waits else [opened])
    await fixture.time.pass_(0.3)
    (paged,) = fixture.receivers["pagerduty"].got
    assert paged[0] == (opened + SECOND - ago if waits else opened)
    await fixture.deliverer.close(0)


async def test_a_page_without_slack_goes_at_once() -> None:
    fixture = DelivererFixture()
    fixture.deliverer.submit(command())
    await fixture.time.settle()
    assert [at for at, _ in fixture.receivers["pagerduty"].got] == [OPENED]
    assert fixture.time.slept == []


async def test_an_edit_with_links_shows_the_newest_state() -> None:
    fixture = DelivererFixture(
        slack=lambda command: Delivered(dict(THREAD)),
        datadog=lambda command: Delivered({"event_url": "https://dd.example/event/1"}),
    )
    fixture.receivers["datadog"].gate.clear()
    for each in opening("slack", "datadog"):
        fixture.deliverer.submit(each)
    newer = incident(state="acknowledged", acknowledged_at=OPENED + 1, acknowledged_by="Ada")
    fixture.deliverer.submit(command("slack", "update", id="acked", kind="acknowledged", incident=newer))
    await fixture.time.settle()
    fixture.receivers["datadog"].gate.set()
    assert await drained(fixture.deliverer, 5)
    assert fixture.receivers["slack"].ids == [
        opening("slack")[0].id,
        "acked",
        "prod-7:0:links-datadog:slack:update",
    ]


def test_the_second_alert_of_an_incident_names_the_first() -> None:
    first = Page("watchofficer:prod-7:0", "error", incident="Q1")
    second = Page("watchofficer:prod-7:0:s1", "critical")
    about = incident(pages=(first, second), links={"pagerduty": "https://pd.example/incidents/Q1"})
    event = render(command(incident=about, dedup_key=second.dedup_key, kind="severity"))
    assert event["payload"]["custom_details"]["first_alert"] == first.dedup_key
    assert {"href": "https://pd.example/incidents/Q1", "text": "PagerDuty incident"} in event["links"]
    again = render(replace(command(incident=about), dedup_key=first.dedup_key))
    assert "first_alert" not in again["payload"]["custom_details"]
