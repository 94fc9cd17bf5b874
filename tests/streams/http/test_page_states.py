"""Each page of an incident says whether it went out, at every worker that reads the deliveries."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.incidents import Page
from sinks.delivery.outcomes import Delivery, Outcome
from streams.http.page_states import PageStates
from tests.streams.http.serving import NOW, Serving, an_incident

KEY = "watchofficer:prod-3:0"


def delivery(outcome: Outcome, at: int = NOW, **more: Any) -> Delivery:
    fields: dict[str, Any] = {"sink": "pagerduty", "action": "trigger", "dedup_key": KEY, **more}
    return Delivery(
        command_id=f"c-{outcome}-{at}", incident_id="prod-3", epoch=0, outcome=outcome, at=at, **fields
    )


def learn(served: Serving, *deliveries: Delivery) -> None:
    for one in deliveries:
        served.views.apply("incident-deliveries", one.command_id.encode(), msgspec.json.encode(one))


async def page_of(served: Serving, path: str = "/api/v1/incidents/prod-3") -> Any:
    async with served.client.get(path) as response:
        body = json.loads(await response.text())
    (page,) = body.get("incidents", [body])[0]["pages"]
    assert page["dedup_key"] == KEY
    return page["delivery"]


@pytest.mark.parametrize("path", ["/api/v1/incidents/prod-3", "/api/v1/incidents"])
async def test_a_page_waits_until_it_went_out(served: Serving, path: str) -> None:
    served.feed(an_incident(3, pages=(Page(KEY, "critical"),)))
    assert await page_of(served, path) == {"state": "pending"}
    learn(served, delivery("delivered", NOW + 1000, attempts=2))
    assert await page_of(served, path) == {
        "state": "delivered",
        "at": "2026-11-23T15:05:01Z",
        "attempts": 2,
    }


async def test_a_refused_page_says_why_and_a_retry_of_it_that_it_went_out(served: Serving) -> None:
    served.feed(an_incident(3, pages=(Page(KEY, "critical"),)))
    learn(served, delivery("dead", attempts=1, reason="HTTP 403: the key is not valid"))
    refused = await page_of(served)
    assert (refused["state"], refused["reason"]) == ("refused", "HTTP 403: the key is not valid")
    learn(served, delivery("delivered", NOW + 60_000))
    assert (await page_of(served))["state"] == "delivered"


async def test_other_commands_say_nothing_of_a_page(served: Serving) -> None:
    served.feed(an_incident(3, pages=(Page(KEY, "critical"),)))
    learn(
        served,
        delivery("delivered", action="acknowledge"),
        delivery("delivered", sink="slack", action="post"),
        delivery("superseded"),
        delivery("delivered", dedup_key=f"{KEY}:s1"),
    )
    assert await page_of(served) == {"state": "pending"}


async def test_records_of_earlier_versions_name_the_key_in_the_receipt(served: Serving) -> None:
    served.feed(an_incident(3, pages=(Page(KEY, "critical"),)))
    learn(served, delivery("delivered", dedup_key="", receipt={"dedup_key": KEY}))
    assert (await page_of(served))["state"] == "delivered"


def test_where_pagerduty_is_not_set_up_a_page_waits_for_nothing() -> None:
    record = {"state": "open", "pages": [{"dedup_key": KEY, "level": "critical"}]}
    told = PageStates().told(record, on=False)
    assert told["pages"][0]["delivery"] == {"state": "off"}
    assert PageStates().told({**record, "state": "closed"}, on=True)["pages"][0]["delivery"] == {
        "state": "unknown"
    }


OUTCOMES: list[Outcome] = ["delivered", "superseded", "dropped", "dead"]


@given(st.lists(st.tuples(st.sampled_from(OUTCOMES), st.integers(0, 3)), max_size=8), st.randoms())
def test_the_order_and_the_repeats_of_records_change_nothing(
    outcomes: list[tuple[Outcome, int]], random: Any
) -> None:
    records = [msgspec.json.encode(delivery(outcome, NOW + n)) for outcome, n in outcomes]
    again = [*records, *random.sample(records, len(records) // 2)]
    random.shuffle(again)
    record = {"state": "open", "pages": [{"dedup_key": KEY, "level": "critical"}]}
    said = []
    for each in (records, again):
        states = PageStates()
        for value in each:
            states.learn(value)
        said.append(states.told(record, on=True))
    assert said[0] == said[1]
