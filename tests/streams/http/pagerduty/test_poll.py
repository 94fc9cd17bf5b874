"""What a webhook has missed is learned over the REST API of PagerDuty, and means the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from detectors.incidents import Incident, Page
from detectors.instants import MINUTE, SECOND
from sinks.sandbox import ROUTING_KEY
from streams.records.models import encode_incident
from tests.sinks.paging import enqueue
from tests.sinks.samples import OPENED, incident
from tests.streams.http.pagerduty.polled import Polled, polled

KEY = "watchofficer:prod-7:0"
OTHER = "watchofficer:prod-8:0"


class House(Polled):
    """PagerDuty without webhooks, and a poll of it."""

    def know(self, *incidents: Incident) -> None:
        for one in incidents:
            self.views.apply("incidents", one.id.encode(), encode_incident(one))

    async def page(self, key: str) -> None:
        await enqueue(self.http, self.pagerduty, dedup_key=key, routing_key=ROUTING_KEY)

    async def asks(self, after: int = MINUTE) -> list[tuple[str, str | None, str]]:
        """Poll some ms later: the kinds of inputs, their incidents, and who is behind them."""
        await self.after(after)
        return [(one.kind, one.incident, one.by) for one in self.made]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with polled(House, lambda incident: incident != "prod-9") as house:
        yield house


def failing(number: int = 7, **more: Any) -> Incident:
    key = f"watchofficer:prod-{number}:0"
    return incident(**{"id": f"prod-{number}", "pages": (Page(key, "critical"),), **more})


async def test_an_acknowledgement_whose_webhook_is_missing_is_learned_once(house: House) -> None:
    house.know(failing())
    await house.page(KEY)
    assert await house.asks() == []
    house.pagerduty.acknowledge(KEY, "Grace Hopper")
    assert await house.asks(10 * SECOND) == []  # the webhook may be on its way
    assert await house.asks() == [("acknowledge", "prod-7", "PagerDuty: Grace Hopper")]
    (made,) = house.made
    assert made.alert is not None
    assert (made.alert.incident, made.alert.occurred_at) == (house.pagerduty.alerts[0].id, OPENED + MINUTE)
    assert await house.asks() == []


async def test_what_is_known_here_asks_for_nothing(house: House) -> None:
    house.know(
        failing(state="acknowledged", acknowledged_at=OPENED, acknowledged_by="PagerDuty: Grace Hopper")
    )
    await house.page(KEY)
    house.pagerduty.acknowledge(KEY, "Grace Hopper")
    assert await house.asks() == []


async def test_a_resolution_is_a_persons_word_and_a_merge_is_none(house: House) -> None:
    house.know(failing(7), failing(8))
    await house.page(KEY)
    await house.page(OTHER)
    assert house.pagerduty.merge(KEY, OTHER, "Grace Hopper")
    assert await house.asks() == [("merge", "prod-7", "PagerDuty: Grace Hopper")]
    assert house.made[0].alert is not None
    assert house.made[0].alert.into == house.pagerduty.alerts[1].id
    # From now on prod-7 stands at the target, whose resolution holds for both.
    house.know(
        failing(
            7, pages=(Page(KEY, "critical", incident=house.pagerduty.alerts[1].id),), updated_at=OPENED + 1
        )
    )
    house.pagerduty.resolve(OTHER, "Ada Byron")
    assert sorted(await house.asks()) == [
        ("resolve", "prod-7", "PagerDuty: Ada Byron"),
        ("resolve", "prod-8", "PagerDuty: Ada Byron"),
    ]


async def test_our_own_acknowledgement_and_resolution_come_not_back(house: House) -> None:
    house.know(failing())
    await house.page(KEY)
    for action in ("acknowledge", "resolve"):
        await enqueue(
            house.http, house.pagerduty, dedup_key=KEY, routing_key=ROUTING_KEY, event_action=action
        )
        assert await house.asks() == []


async def test_only_open_incidents_of_this_worker_are_asked_for(house: House) -> None:
    house.know(
        failing(7, state="resolved", resolved_at=OPENED),
        failing(9),
        failing(8, pages=(Page(OTHER, "critical", closed_at=OPENED),)),
    )
    assert await house.asks() == []
    assert [one for one in house.pagerduty.requests if one.method == "GET"] == []


async def test_a_pagerduty_that_does_not_answer_costs_one_request_a_round(house: House) -> None:
    house.know(failing(7), failing(8))
    house.pagerduty.fail(1, status=503)
    assert await house.asks() == []
    assert len(house.pagerduty.requests) == 1
