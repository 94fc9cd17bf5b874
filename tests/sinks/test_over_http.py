"""Our clients and the deliverer get along with the receivers over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest

from detectors.incidents import Command
from detectors.instants import MINUTE
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.gate import ReceiverGate
from sinks.delivery.outcomes import Delivery
from sinks.receivers.contract import Pace
from sinks.sandbox import Sandbox
from tests.sinks.clients import clients_of
from tests.sinks.deliverer_fixture import drained
from tests.sinks.samples import OPENED, RunningTime, command, incident

EAGER = Pace(per_minute=0, burst=1, concurrency=3)


@dataclass
class House:
    """The three sandboxes, our clients for them, and a deliverer."""

    receivers: Sandbox
    deliverer: Deliverer
    recorded: list[Delivery] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    async def deliver(self, *commands: Command) -> None:
        for each in commands:
            self.deliverer.submit(each)
        assert await drained(self.deliverer, 10)


@pytest.fixture
async def house(http: httpx.AsyncClient) -> AsyncIterator[House]:
    time = RunningTime()
    async with Sandbox.make(clock=time.clock, sleep=time.sleep) as receivers:
        clients = clients_of(receivers, http, time.clock)
        recorded: list[Delivery] = []
        dead: list[str] = []

        async def record(delivery: Delivery) -> None:
            recorded.append(delivery)

        async def dead_letter(command: Command, reason: str, attempts: int) -> None:
            dead.append(f"{command.id}: {reason}")

        deliverer = Deliverer(
            clients,
            record,
            dead_letter,
            time.clock,
            time.sleep,
            lambda: 0.5,
            gates={sink: ReceiverGate(EAGER, time.clock, time.sleep) for sink in clients},
        )
        yield House(receivers, deliverer, recorded, dead)
        await deliverer.close()


def life() -> list[Command]:
    """All that is told of an incident that is declared, acknowledged and resolved."""
    opened = incident()
    taken = incident(state="acknowledged", acknowledged_at=OPENED + MINUTE, acknowledged_by="Ada")
    over = incident(state="resolved", resolved_at=OPENED + 50 * MINUTE, resolved_reason="recovered")
    steps = [
        (opened, "opened", "pagerduty", "trigger", "critical"),
        (opened, "opened", "datadog", "event", "error"),
        (opened, "opened", "slack", "post", "info"),
        (opened, "declared", "datadog", "incident_create", "error"),
        (opened, "declared", "slack", "update", "info"),
        (opened, "declared", "slack", "broadcast", "info"),
        (taken, "acknowledged", "pagerduty", "acknowledge", "critical"),
        (taken, "acknowledged", "slack", "update", "info"),
        (taken, "acknowledged", "slack", "reply", "info"),
        (over, "resolved", "pagerduty", "resolve", "critical"),
        (over, "resolved", "datadog", "event", "ok"),
        (over, "resolved", "datadog", "incident_resolve", "ok"),
        (over, "resolved", "slack", "update", "info"),
        (over, "resolved", "slack", "reply", "info"),
    ]
    return [
        command(
            sink, action, incident=about, kind=kind, level=level, by="Ada" if kind == "acknowledged" else None
        )
        for about, kind, sink, action, level in steps
    ]


async def test_a_whole_incident_reaches_all_three_once_and_in_order(house: House) -> None:
    for each in life():
        await house.deliver(each)
    pagerduty, datadog, slack = house.receivers.pagerduty, house.receivers.datadog, house.receivers.slack
    assert house.dead == []
    assert [request.body["event_action"] for request in pagerduty.requests] == [
        "trigger",
        "acknowledge",
        "resolve",
    ]
    assert len(pagerduty.woken) == 1
    assert pagerduty.alerts[0].status == "resolved"
    assert [event["attributes"]["status"] for event in datadog.events] == ["error", "ok"]
    (only,) = datadog.incidents.values()
    assert only["attributes"]["fields"]["state"]["value"] == "resolved"
    (root,) = slack.roots
    assert root.words.startswith("🟢 was SEV 1: SSOe sign-in works again")
    assert [message.words.partition(",")[0] for message in slack.thread(root.ts)] == [
        "This is declared a service outage (Datadog SEV-2). ~9",
        "*Ada* has it",
        "*Resolved*",
    ]
    assert house.receivers.timeline[0].sink == "pagerduty"


async def test_what_all_receivers_answer_first_is_500_or_429_or_nothing_and_nobody_is_paged_twice(
    house: House,
) -> None:
    for receiver in house.receivers.receivers:
        receiver.fail(2, status=500)
        receiver.fail(1, status=429, headers={"Retry-After": "5"})
        receiver.cut(1)
    for each in life():
        await house.deliver(each)
    assert house.dead == []
    assert {one.command_id for one in house.recorded} >= {each.id for each in life()}
    assert len(house.receivers.pagerduty.woken) == 1
    assert len(house.receivers.datadog.incidents) == 1


async def test_an_incident_that_was_created_before_a_crash_is_found_after_it(house: House) -> None:
    create = next(each for each in life() if each.action == "incident_create")
    await house.deliver(create)
    await house.deliver(msgspec.structs.replace(create, id="as if it had never been recorded"))
    assert len(house.receivers.datadog.incidents) == 1
    assert house.recorded[1].receipt == house.recorded[0].receipt


async def test_the_answer_to_a_creation_that_is_cut_off_leads_to_a_search(house: House) -> None:
    create = next(each for each in life() if each.action == "incident_create")
    answers = iter(["search", "cut"])

    original = house.receivers.datadog._take_fault

    def second_request_is_cut(path: str) -> Any:
        if path.startswith("/api/v2/incidents") and next(answers, None) == "cut":
            house.receivers.datadog.cut()
        return original(path)

    house.receivers.datadog._take_fault = second_request_is_cut  # type: ignore[method-assign]
    await house.deliver(create)
    asked = [(request.method, request.status) for request in house.receivers.datadog.requests]
    assert asked == [("GET", 200), ("POST", 0), ("GET", 200), ("PATCH", 200)]
    assert len(house.receivers.datadog.incidents) == 1


async def test_links_to_the_other_receivers_are_given_as_they_become_known(house: House) -> None:
    for each in life()[1:4]:
        await house.deliver(each)
    await house.deliver(life()[0])
    links = {link["text"]: link["href"] for link in house.receivers.pagerduty.requests[0].body["links"]}
    assert links["Slack thread"].startswith(f"{house.receivers.slack.url}/archives/C0SANDBOX/p")
    assert links["Datadog incident"] == f"{house.receivers.datadog.url}/incidents/1"
