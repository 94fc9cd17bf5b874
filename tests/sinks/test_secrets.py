"""No secret reaches a log line, a repr, an error, a dead letter or a record, whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr

from detectors.incidents import Command
from sinks.delivery.deliverer import Deliverer
from sinks.delivery.outcomes import Delivery
from sinks.receivers.answers import SinkClient
from sinks.receivers.datadog.client import Datadog
from sinks.receivers.pagerduty.client import PagerDuty
from sinks.receivers.slack.client import Slack
from tests.sinks.deliverer_fixture import drained
from tests.sinks.samples import OPENED, RunningTime, command

SECRET = "s3cr3t-0123456789-s3cr3t-0123456"
SENT = {"pagerduty": "trigger", "datadog": "incident_create", "slack": "post"}


def clients(http: httpx.AsyncClient, secret: str) -> dict[str, SinkClient]:
    return {
        "pagerduty": PagerDuty(http, routing_key=SecretStr(secret)),
        "datadog": Datadog(http, api_key=SecretStr(secret), app_key=SecretStr(secret), clock=lambda: OPENED),
        "slack": Slack(http, token=SecretStr(secret), channel="C1"),
    }


def echo(request: httpx.Request, secret: str) -> httpx.Response:
    """A receiver that repeats everything it was sent, as an error."""
    return httpx.Response(400, text=f"{request.headers} {request.content.decode()} {secret} {secret.strip()}")


def echo_in_json(request: httpx.Request, secret: str) -> httpx.Response:
    return httpx.Response(200, json={"ok": False, "error": f"bad token {secret}"})


def refuse_in_json(request: httpx.Request, secret: str) -> httpx.Response:
    return httpx.Response(403, json={"errors": [f"bad key {secret}"]})


def break_down(request: httpx.Request, secret: str) -> httpx.Response:
    raise httpx.ReadError(f"while sending {request.headers} {request.content!r} {secret}")


def misbehave(request: httpx.Request, secret: str) -> httpx.Response:
    raise RuntimeError(f"fault of ours about {secret}")


def redirect(request: httpx.Request, secret: str) -> httpx.Response:
    return httpx.Response(302, text=secret)


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.mark.parametrize("behave", [echo, echo_in_json, refuse_in_json, break_down, misbehave, redirect])
@pytest.mark.parametrize("sink", list(SENT))
@pytest.mark.parametrize("secret", [SECRET, SECRET + "\n", SECRET + 'é"', "é" + SECRET])
async def test_a_secret_stays_where_it_is(
    behave: Callable[[httpx.Request, str], httpx.Response],
    sink: str,
    secret: str,
    logged: list[Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    time, kept = RunningTime(), []

    async def record(delivery: Delivery) -> None:
        kept.append(repr(delivery))

    async def dead_letter(dead: Command, reason: str, attempts: int) -> None:
        kept.append(reason)

    transport = httpx.MockTransport(lambda request: behave(request, secret))
    async with httpx.AsyncClient(transport=transport) as http:
        made = clients(http, secret)
        deliverer = Deliverer(
            {sink: made[sink]}, record, dead_letter, time.clock, time.sleep, lambda: 0.5, give_up_after=30_000
        )
        deliverer.submit(command(sink, SENT[sink]))
        assert await drained(deliverer, 10)
        kept += [repr(made[sink]), str(made[sink]), str(vars(made[sink]))]
    out, err = capfd.readouterr()
    everything = "\n".join([*kept, *map(str, logged), caplog.text, out, err])
    assert "dead" in everything  # it did fail, and that was told
    assert SECRET not in everything
    assert len(asyncio.all_tasks()) == 1
