"""PagerDuty is told once of each version and policy, by an event that wakes nobody; half of REST's settings is said."""

from __future__ import annotations

import httpx
from pydantic import SecretStr

from detectors.instants import format_instant
from detectors.notification.notices import change_command
from sinks.receivers.answers import Delivered
from sinks.receivers.datadog.client import Datadog
from sinks.receivers.pagerduty.client import PagerDuty
from sinks.receivers.pagerduty.config import PagerDutySettings
from sinks.sandbox import ROUTING_KEY, DatadogSandbox, PagerDutySandbox
from streams.settings.policy_file import default_policy
from tests.sinks.samples import OPENED, Time, no_receipts


async def test_a_new_policy_is_a_change_event() -> None:
    time = Time()
    sandbox = PagerDutySandbox(clock=time.clock, sleep=time.sleep, routing_key=ROUTING_KEY)
    await sandbox.start()
    try:
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            client = PagerDuty(http, routing_key=SecretStr(ROUTING_KEY), base_url=sandbox.url)
            told = change_command("1.2.3", default_policy(), OPENED)
            assert isinstance(await client.send(told, no_receipts), Delivered)
    finally:
        await sandbox.stop()
    (change,) = sandbox.changes
    assert change["payload"]["summary"] == (
        f"The watch on sign-in is version 1.2.3 and judges by policy {default_policy().hash}"
    )
    assert sandbox.woken == []
    assert sandbox.alerts == []


async def test_a_change_while_it_runs_is_told_to_datadog_too_with_its_t() -> None:
    time = Time()
    sandbox = DatadogSandbox(clock=time.clock, sleep=time.sleep, api_key="k")
    await sandbox.start()
    try:
        async with httpx.AsyncClient(trust_env=False, verify=False) as http:
            client = Datadog(http, api_key=SecretStr("k"), base_url=sandbox.url, clock=time.clock)
            told = change_command("1.2.3", default_policy(), OPENED, sink="datadog", since=OPENED)
            assert isinstance(await client.send(told, no_receipts), Delivered)
    finally:
        await sandbox.stop()
    (change,) = sandbox.changes
    assert change["title"].endswith(
        f"judges by policy {default_policy().hash} from {format_instant(OPENED)} on"
    )
    assert change["attributes"]["changed_resource"]["type"] == "configuration"
    assert sandbox.events == []


def test_each_pair_of_version_and_policy_has_one_id() -> None:
    ids = [change_command(version, default_policy(), at).id for version in ("1", "2") for at in (0, 1)]
    assert ids[0] == ids[1] != ids[2] == ids[3]


def test_a_token_without_a_user_says_so() -> None:
    half = PagerDutySettings(routing_key=SecretStr("k" * 32), rest_token=SecretStr("t" * 20))
    assert [half.missing(names) for _, names in half.gaps()] == [["webhook_secret"], ["rest_from"]]
    whole = half.model_copy(update={"rest_from": "a@b.gov"})
    assert [half.missing(names) for _, names in whole.gaps()] == [["webhook_secret"]]
