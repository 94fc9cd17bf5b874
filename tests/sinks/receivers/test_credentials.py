"""Credentials are tried against the receivers' own answers, and nobody is told anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest

from sinks.receivers.answers import Refused
from sinks.receivers.contract import ReceiverSettings
from sinks.receivers.datadog.config import DatadogSettings
from sinks.receivers.pagerduty.config import PagerDutySettings
from sinks.receivers.slack.config import SlackSettings
from sinks.sandbox import (
    DATADOG_API_KEY,
    DATADOG_APP_KEY,
    REST_TOKEN,
    ROUTING_KEY,
    SLACK_CHANNEL,
    SLACK_TOKEN,
    Sandbox,
)
from tests.sinks.samples import OPENED


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.make(clock=lambda: OPENED, sleep=asyncio.sleep) as sandbox:
        yield sandbox


def receivers(sandbox: Sandbox, **changed: str) -> Mapping[str, ReceiverSettings]:
    """The receivers with the keys that the sandbox accepts, or with others."""

    def settings(kind: type[Any], **given: str) -> Any:
        return kind(**{name: changed.get(value, value) for name, value in given.items()})

    pagerduty = settings(
        PagerDutySettings,
        routing_key=ROUTING_KEY,
        base_url=sandbox.pagerduty.url,
        rest_url=sandbox.pagerduty.url,
        rest_token=REST_TOKEN,
        rest_from="watch@example.gov",
    )
    base = sandbox.datadog.url
    return {
        "events": pagerduty,
        "rest": pagerduty.named()["rest"],
        "datadog": settings(DatadogSettings, api_key=DATADOG_API_KEY, app_key=DATADOG_APP_KEY, base_url=base),
        "datadog alone": settings(DatadogSettings, api_key=DATADOG_API_KEY, base_url=base),
        "slack": settings(
            SlackSettings, token=SLACK_TOKEN, channel=SLACK_CHANNEL, base_url=sandbox.slack.base_url
        ),
    }


async def test_what_receivers_accept_is_said_and_nobody_is_told(
    sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    said = {name: await one.tried(http) for name, one in receivers(sandbox).items()}
    assert said == {
        "events": None,  # only an event would tell
        "rest": "the token is known",
        "datadog": "the API key and the application key are known",
        "datadog alone": "the API key is known",
        "slack": "the token is that of watchofficer in Sandbox",
    }
    assert sandbox.timeline == []


async def test_what_receivers_do_not_accept_is_said_without_the_secret(
    sandbox: Sandbox, http: httpx.AsyncClient
) -> None:
    wrong = {SLACK_TOKEN: "another", REST_TOKEN: "another", DATADOG_API_KEY: "another"}
    said = {name: await one.tried(http) for name, one in receivers(sandbox, **wrong).items()}
    refused = {name: answer.why for name, answer in said.items() if isinstance(answer, Refused)}
    assert refused.keys() == {"rest", "datadog", "datadog alone", "slack"}
    assert refused["slack"] == "invalid_auth"
    assert "another" not in str(refused)
