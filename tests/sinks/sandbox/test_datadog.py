"""The sandbox Datadog behaves as Datadog does."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from sinks.sandbox import DatadogSandbox
from tests.sinks.samples import OPENED

HEADERS = {"DD-API-KEY": "a", "DD-APPLICATION-KEY": "b"}


def new_incident(**changes: Any) -> dict[str, Any]:
    attributes = {"title": "t", "customer_impacted": False, **changes}
    return {"data": {"type": "incidents", "attributes": attributes}}


async def test_datadog_creates_finds_and_changes_incidents(http: httpx.AsyncClient) -> None:
    datadog = DatadogSandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await datadog.start()
    api = f"{datadog.url}/api/v2/incidents"
    ids = []
    for severity in ("SEV-1", "SEV-2", "SEV-3"):
        fields = {"severity": {"type": "dropdown", "value": severity}}
        response = await http.post(api, headers=HEADERS, json=new_incident(fields=fields))
        assert response.status_code == 201
        ids.append(response.json()["data"]["id"])
    resolved = {"fields": {"state": {"type": "dropdown", "value": "resolved"}}}
    body = {"data": {"id": ids[1], "type": "incidents", "attributes": resolved}}
    assert (await http.patch(f"{api}/{ids[1]}", headers=HEADERS, json=body)).status_code == 200

    async def found(query: str, **more: str) -> list[str]:
        answer = await http.get(f"{api}/search", headers=HEADERS, params={"query": query, **more})
        listed = answer.json()["data"]["attributes"]["incidents"]
        return [entry["data"]["id"] for entry in listed]

    assert await found("state:active") == [ids[0], ids[2]]
    assert await found("state:(active OR resolved)", sort="-created") == ids[::-1]
    assert await found("state:(active OR resolved) AND severity:SEV-2") == [ids[1]]
    assert await found("state:active", **{"page[size]": "1", "page[offset]": "1"}) == [ids[2]]
    read = (await http.get(f"{api}/{ids[1]}", headers=HEADERS)).json()["data"]["attributes"]
    assert (read["fields"]["severity"]["value"], read["fields"]["state"]["value"]) == ("SEV-2", "resolved")
    assert [state for _, each, state, _ in datadog.history if each == ids[1]] == ["active", "resolved"]
    await datadog.stop()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (new_incident(title=""), 400),
        (new_incident(customer_impacted=True), 400),
        (new_incident(fields={"severity": {"type": "dropdown", "value": "SEV-9"}}), 400),
        (new_incident(fields={"state": {"type": "dropdown", "value": "open"}}), 400),
        ({"data": {"type": "incident", "attributes": {}}}, 400),
        ({"no": "data"}, 400),
    ],
)
async def test_datadog_refuses_what_is_no_incident(http: httpx.AsyncClient, body: Any, status: int) -> None:
    datadog = DatadogSandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await datadog.start()
    response = await http.post(f"{datadog.url}/api/v2/incidents", headers=HEADERS, json=body)
    assert response.status_code == status
    assert response.json()["errors"]
    assert datadog.incidents == {}
    await datadog.stop()


async def test_datadog_refuses_wrong_keys_and_unknown_incidents(http: httpx.AsyncClient) -> None:
    datadog = DatadogSandbox(sleep=asyncio.sleep, clock=lambda: OPENED, api_key="a", app_key="b")
    await datadog.start()
    api = f"{datadog.url}/api/v2/incidents"
    for headers in ({}, {"DD-API-KEY": "a"}, {**HEADERS, "DD-API-KEY": "x"}):
        assert (await http.post(api, headers=headers, json=new_incident())).status_code == 403
    assert (await http.get(f"{api}/nobody", headers=HEADERS)).status_code == 404
    assert (await http.patch(f"{api}/nobody", headers=HEADERS, json=new_incident())).status_code == 404
    await datadog.stop()


def new_event(**changes: Any) -> dict[str, Any]:
    attributes = {"title": "t", "category": "alert", "attributes": {"status": "error"}, **changes}
    return {"data": {"type": "event", "attributes": attributes}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (new_event(), 202),
        (new_event(timestamp="2026-11-22T22:00:00Z"), 202),
        (new_event(timestamp="2026-11-22T20:00:00Z"), 400),
        (new_event(title="t" * 501), 400),
        (new_event(message="m" * 4001), 400),
        (new_event(aggregation_key="k" * 101), 400),
        (new_event(tags=["t"] * 101), 400),
        (new_event(tags=["t" * 201]), 400),
        (new_event(category="whim"), 400),
        (new_event(attributes={"status": "bad"}), 400),
        (new_event(attributes={"status": "ok", "priority": "6"}), 400),
        (new_event(attributes={"status": "ok", "links": [{}] * 21}), 400),
    ],
)
async def test_datadog_takes_events_within_its_limits(
    http: httpx.AsyncClient, body: Any, status: int
) -> None:
    datadog = DatadogSandbox(sleep=asyncio.sleep, clock=lambda: OPENED)
    await datadog.start()
    response = await http.post(f"{datadog.url}/api/v2/events", headers={"DD-API-KEY": "a"}, json=body)
    assert response.status_code == status
    assert len(datadog.events) == (1 if status == 202 else 0)
    assert int(response.headers["X-RateLimit-Remaining"] if status == 202 else 0) >= 0
    await datadog.stop()
