"""Whatever a worker says of an incident, it says by the policy in force: pages, the API, messages, charts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from detectors.policy.policy import Policy
from sinks.receivers.answers import Delivered
from sinks.sandbox.inbox import InboxSandbox
from streams.dispatch.receivers import receivers
from streams.runtime.clocks import RealClock
from streams.settings.policy_file import default_policy, read_policy
from streams.settings.settings import read_settings
from tests.sinks.samples import RunningTime, command, no_receipts
from tests.streams.http.serving import NOW, Serving, an_incident, serving

RENAMED = read_policy(
    """
notify: {console_url: https://watch.example}
runbooks: {ssoe: https://wiki.va.gov/ssoe}
values: {auth_method: {ssoe: {name: Old SSO, banner: ssoe}}}
""",
    "a test",
)


async def text_of(served: Serving, path: str) -> str:
    async with served.client.get(path) as response:
        assert response.status == 200
        return await response.text()


@pytest.fixture
async def inbox() -> AsyncIterator[InboxSandbox]:
    time = RunningTime()
    sandbox = InboxSandbox(clock=time.clock, sleep=time.sleep)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def test_pages_and_api_follow_the_policy_that_comes_into_force(served: Serving) -> None:
    served.feed(an_incident())
    served.feed_banner(an_incident())
    paths = ("/runbooks/ssoe?incident=prod-17", "/v0/backend_statuses")
    for path in paths:
        assert "Old SSO" not in await text_of(served, path), path
    served.policy = RENAMED
    for path in (*paths, "/status"):  # whose pages are kept for some seconds once made
        assert "Old SSO" in await text_of(served, path), path
    told = json.loads(await text_of(served, "/api/v1/incidents/prod-17"))
    assert told["runbook"] == "https://wiki.va.gov/ssoe"


async def test_the_address_of_a_chart_is_that_of_the_console_in_force() -> None:
    async with serving(chart_key="a key of thirty-two bytes, of a test") as served:
        served.views.traces.add("prod/ssoe", NOW, success=0.03, people=90)
        about = command("slack", "post", incident=an_incident(), at=NOW)
        assert served.charts.url(about) is None
        served.policy = RENAMED
        assert (served.charts.url(about) or "").startswith("https://watch.example/charts/prod-17/")


async def test_a_message_calls_values_as_the_policy_in_force_does(inbox: InboxSandbox) -> None:
    in_force: Policy = default_policy()
    settings = read_settings({"WATCHOFFICER_TEAMS__URL": inbox.hook})
    async with httpx.AsyncClient(verify=False) as http, serving() as served:
        (client,) = receivers(settings, http, RealClock(), lambda: in_force, served.charts).values()
        for name in ("SSOe", "Old SSO"):
            about = command("teams", "open", incident=an_incident(), at=NOW)
            assert isinstance(await client.send(about, no_receipts), Delivered)
            message = inbox.messages[-1].body.decode()
            assert f"{name} sign-in is failing" in message
            in_force = RENAMED
