"""Incident inputs over HTTP reach the incident through the topic, once, and only with the token."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.harness.deployment import TOKEN, Deployment, login
from tests.e2e.harness.worker import until

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("shared"), pytest.mark.asyncio(loop_scope="session")]

FAILED: dict[str, Any] = {"outcome": "failure", "error_code": "007"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def incident(deployment: Deployment) -> dict[str, Any]:
    """An incident of the environment staging that does not end by itself."""
    await sign_in(deployment, "failing", range(20), **FAILED)
    return await deployment.incident_in("staging-1", ["open"], 30.0)


async def sign_in(deployment: Deployment, called: str, people: Iterable[int], **fields: Any) -> None:
    events = [login(f"{called} {n}", flow_id=f"{called}:{n}", env="staging", **fields) for n in people]
    await deployment.produce(events)


@asynccontextmanager
async def meanwhile(deployment: Deployment, called: str, people: int, **fields: Any) -> AsyncIterator[None]:
    """Let this many people sign in each half a second, from now to the end: an outage lasts while it is evident."""

    done = asyncio.Event()

    async def go_on() -> None:
        for first in itertools.count(1_000, people):
            await sign_in(deployment, called, range(first, first + people), **fields)
            if done.is_set():
                return
            await asyncio.sleep(0.5)

    going = asyncio.create_task(go_on())
    try:
        yield
    finally:
        done.set()
        await going


async def asked(deployment: Deployment) -> list[dict[str, Any]]:
    return [one.json() for one in await deployment.on("incident-inputs") if one.key == "staging"]


async def log_of(deployment: Deployment, kind: str) -> list[dict[str, Any]]:
    lines = [one.json() for one in await deployment.on("incident-log") if one.key == "staging-1"]
    return [line for line in lines if line["type"] == kind]


async def test_nothing_is_taken_without_the_token(deployment: Deployment, incident: dict[str, Any]) -> None:
    path = "/api/v1/incidents/staging-1/resolve"
    for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": f"Basic {TOKEN}"}):
        status, body = await deployment.worker.post(path, {"by": "Mallory"}, **headers)
        assert (status, body["error"]["code"]) == (401, "unauthorized")
    assert await asked(deployment) == []


async def test_what_cannot_be_asked_is_refused_at_once(
    deployment: Deployment, incident: dict[str, Any]
) -> None:
    post = deployment.worker.post
    assert (await post("/api/v1/incidents/staging-99/ack", {}, **BEARER))[0] == 404
    assert (await post("/api/v1/incidents/staging-1/note", {}, **BEARER))[0] == 400
    assert (await post("/api/v1/incidents/staging-1/close", {}, **BEARER))[0] == 404
    assert await asked(deployment) == []


async def test_an_incident_is_led_through_its_life_over_http(
    deployment: Deployment, incident: dict[str, Any]
) -> None:
    async def post(action: str, key: str, **body: str) -> None:
        headers = BEARER | {"Idempotency-Key": key}
        status, answer = await deployment.worker.post(
            f"/api/v1/incidents/staging-1/{action}", {"by": "Grace Hopper", **body}, **headers
        )
        assert (status, answer["accepted"]["id"]) == (202, key)

    async def stands(**wanted: Any) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = await deployment.incident("staging-1")
            return found if found and all(found[name] == value for name, value in wanted.items()) else None

        return await until(look, 60.0, f"staging-1 with {wanted}", deployment.worker)

    async def fails_for(people: int) -> None:
        async def seen() -> bool:
            found = await deployment.incident("staging-1")
            return found is not None and found["counts_now"]["users_impacted"] >= people

        await until(seen, 60.0, f"staging-1 with {people} people", deployment.worker)

    async with meanwhile(deployment, "failing on", 2, **FAILED):
        for _ in range(3):
            await post("ack", "key of the acknowledgement")
        await stands(state="acknowledged", acknowledged_by="Grace Hopper")
        await post("note", "key of the note", text="The <identity> provider has been called.")
        await post("note", "key of the note", text="The <identity> provider has been called.")
        await post("declare", "key of the declaration")
        found = await stands(declared_by="Grace Hopper")
        assert [(note["by"], note["text"]) for note in found["notes"]] == [
            ("Grace Hopper", "The <identity> provider has been called.")
        ]
        await fails_for(30)  # those of now are seen, not only those that opened it
        await post("resolve", "key of the resolution", text="It was a test.")
        found = await stands(said_resolved_by="Grace Hopper", state="open", acknowledged_by=None)
    assert found["resolved_at"] is None  # it fails still: a person's word does not end it
    status, became = await deployment.worker.get("/api/v1/inputs/key%20of%20the%20resolution")
    assert (status, became["state"], became["incident"]) == (200, "applied", "staging-1")

    async with meanwhile(deployment, "well", 100):
        await stands(resolved_reason="recovered", resolved_by=None)

    inputs = await asked(deployment)
    kinds = ["acknowledge"] * 3 + ["note"] * 2 + ["declare", "resolve"]
    assert [one["kind"] for one in inputs] == kinds
    assert {(one["env"], one["incident"], one["via"]) for one in inputs} == {("staging", "staging-1", "http")}
    assert len(await log_of(deployment, "acknowledged")) == 1
    refused = await log_of(deployment, "refused")
    again = {(line["input"], line["reason"]) for line in refused}
    assert again == {
        (key, "it was dealt with before") for key in ("key of the acknowledgement", "key of the note")
    }


async def test_the_receivers_follow_and_nobody_is_woken_for_staging(
    deployment: Deployment, incident: dict[str, Any]
) -> None:
    def words() -> str:
        slack = deployment.sandbox.slack
        root = next(one for one in slack.roots if "staging-1" in one.words)
        return "\n".join([root.words, *(one.words for one in slack.thread(root.ts))])

    async def resolved() -> bool:
        return "*Resolved*" in words()

    await until(resolved, 20.0, "the resolution in the thread", deployment.worker)
    for told in ("*Grace Hopper* has it", "a service outage (Datadog SEV-5)", "It was a test."):
        assert told in words()

    async def declared() -> list[str]:  # Datadog does not wait for Slack, nor Slack for Datadog
        incidents = [one["attributes"] for one in deployment.sandbox.datadog.incidents.values()]
        mine = [one for one in incidents if "staging-1" in one["title"]]
        return [one["fields"]["severity"]["value"] for one in mine]

    assert await until(declared, 20.0, "the incident in Datadog", deployment.worker) == ["SEV-5"]
    await deployment.all_told()
    assert await declared() == ["SEV-5"]
    assert not any("staging" in alert.dedup_key for alert in deployment.sandbox.pagerduty.alerts)


async def test_a_report_of_a_person_opens_an_incident_that_says_who_said_it(deployment: Deployment) -> None:
    status, _ = await deployment.worker.post(
        "/api/v1/reports", {"scope": "dev/sis", "by": "a caller", "text": "no luck"}, **BEARER
    )
    assert status == 202

    found = await deployment.incident_in("dev-1", ["open"], 20.0)
    assert found["sentence"] == "a caller reports that dev/sis fails: no luck"
    assert not any("dev" in alert.dedup_key for alert in deployment.sandbox.pagerduty.alerts)
