"""Which events of PagerDuty's API a command becomes, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import example, given
from pydantic import SecretStr

from detectors.incidents import Command, Note
from sinks.receivers.answers import Delivered, Refused, Retry
from sinks.receivers.pagerduty import wording as module
from sinks.receivers.pagerduty.client import PagerDuty
from sinks.receivers.pagerduty.wording import render_blind, render_seeing
from sinks.wording import CHART_WORDS
from tests.sinks.samples import (
    IN_COMMON,
    NAMES,
    OPENED,
    SAID_IN_COMMON,
    command,
    commands,
    crammed,
    incident,
    no_receipts,
)

render = partial(module.render, names=NAMES)
summary = partial(module.summary, names=NAMES)

KEY = "r" * 32


async def send(given: Command, *answers: httpx.Response) -> tuple[Any, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(msgspec.json.decode(request.content))
        assert request.url == "https://events.pagerduty.com/v2/enqueue"
        return left.pop(0)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        return await PagerDuty(http, routing_key=SecretStr(KEY)).send(given, no_receipts), sent


@pytest.mark.parametrize("chart", ["https://watch.example/charts/1.png", "http://127.0.0.1/charts/1.png"])
def test_a_page_shows_the_chart_where_it_is_served_by_https(chart: str) -> None:
    links = {**incident().links, "chart": chart}
    event = render(command("pagerduty", "trigger", incident=incident(links=links)))
    shown = {"src": chart, "href": links["console"], "alt": CHART_WORDS}
    assert event.get("images") == ([shown] if chart.startswith("https:") else None)


def test_the_summary_is_one_line_that_a_woken_person_understands() -> None:
    assert summary(incident()) == (
        "SEV 1: SSOe sign-in is failing, ~9,400 people an hour (projected)."
        " 97 of 100 callbacks failed in the last minute."
    )
    assert summary(incident(env="staging", scope="staging/sis", severity=3)).startswith(
        "[staging] SEV 3: SiS sign-in in staging is failing,"
    )


def test_a_trigger_carries_all_that_is_known() -> None:
    event = render(
        command(
            incident=incident(
                fail_over="Switch web sign-in to SiS.",
                common=(IN_COMMON,),
                notes=(Note(OPENED, "Ada", "looking"),),
            )
        ),
        found={"datadog": "https://dd.example/1", "slack": "https://slack.example/1"},
    )
    payload = event["payload"]
    assert event["event_action"] == "trigger"
    assert event["dedup_key"] == "watchofficer:prod-7:0"
    assert event["client_url"] == "https://watch.example/incidents/prod-7"
    assert [link["text"] for link in event["links"]] == [
        "Console",
        "Runbook",
        "Datadog event",
        "Slack thread",
    ]
    assert payload["severity"] == "critical"
    assert payload["timestamp"] == "2026-11-23T15:05:00Z"
    assert (payload["component"], payload["group"], payload["class"]) == (
        "prod/ssoe",
        "prod",
        "burn_rate, outage",
    )
    details = payload["custom_details"]
    assert details["counts_now"] == {
        "window": "5m",
        "good": 3,
        "bad": 97,
        "excluded": 2,
        "started": 140,
        "success_ratio": 0.03,
        "people_impacted": 91,
    }
    assert details["first_bad_at"] == "2026-11-23T15:04:30Z"
    assert details["people_impacted"] == 9431
    assert details["people_impacted_basis"] == "projected"
    assert details["runbook"] == "https://runbooks.example/ssoe"
    assert details["fail_over"] == "Switch web sign-in to SiS."
    assert details["in_common"] == SAID_IN_COMMON
    assert details["notes"] == ["2026-11-23T15:05:00Z Ada: looking"]


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
def test_acknowledge_and_resolve_carry_the_key_and_nothing_else(action: str) -> None:
    assert render(command(action=action)) == {"event_action": action, "dedup_key": "watchofficer:prod-7:0"}


def test_the_key_of_a_linked_trigger_is_kept_as_it_is() -> None:
    assert render(command(dedup_key="watchofficer:prod-7:0:s1"))["dedup_key"] == "watchofficer:prod-7:0:s1"


@pytest.mark.parametrize("key", ["", "k" * 101])
def test_a_dedup_key_that_does_not_fit_is_never_cut(key: str) -> None:
    with pytest.raises(ValueError, match="dedup key"):
        render(command(dedup_key=key))


@example(crammed("pagerduty", "trigger"))
@given(commands("pagerduty", ("trigger",)))
def test_whatever_others_wrote_the_limits_hold(given: Command) -> None:
    event = render(given)
    payload = event["payload"]
    assert 1 <= len(payload["summary"]) <= 1024
    assert "\n" not in payload["summary"]
    assert len(msgspec.json.encode({"routing_key": KEY, **event})) <= 512 * 1024
    assert all(link["href"].startswith("https://") for link in event["links"])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (202, Delivered),
        (200, Retry),
        (400, Refused),
        (403, Refused),
        (413, Refused),
        (429, Retry),
        (500, Retry),
    ],
)
async def test_only_202_is_delivered(status: int, kind: type) -> None:
    answer, _ = await send(command(), httpx.Response(status, json={"status": "success"}))
    assert isinstance(answer, kind)


async def test_the_routing_key_goes_into_the_body_and_the_receipt_is_the_key() -> None:
    answer, sent = await send(command(), httpx.Response(202, json={"status": "success"}))
    assert sent[0]["routing_key"] == KEY
    assert answer == Delivered({"dedup_key": "watchofficer:prod-7:0", "shows": ""})


async def test_an_action_that_it_does_not_know_is_refused_without_a_request() -> None:
    answer, sent = await send(command(action="post"))
    assert isinstance(answer, Refused)
    assert sent == []


async def test_links_that_other_receivers_gave_are_passed_on() -> None:
    given: Mapping[str, Mapping[str, str]] = {
        "datadog": {"event_url": "https://dd.example/e", "incident_url": "https://dd.example/i"},
        "slack": {"permalink": "https://slack.example/p"},
    }
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(msgspec.json.decode(request.content))
        return httpx.Response(202)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await PagerDuty(http, routing_key=SecretStr(KEY)).send(command(), lambda sink: given.get(sink, {}))
    assert [link["href"] for link in sent[0]["links"]][2:] == [
        "https://dd.example/e",
        "https://dd.example/i",
        "https://slack.example/p",
    ]


def test_blindness_pages_and_is_resolved_at_the_same_key() -> None:
    key = "watchofficer:blind:write"
    blind = render_blind(
        key,
        at=OPENED,
        why="write",
        sentence="Topic sli refuses records.",
        remedy="Grant WRITE.",
        worker="worker 1",
    )
    assert blind["payload"]["severity"] == "critical"
    assert blind["payload"]["summary"].startswith("The watch is blind: nobody is watching sign-in. Topic sli")
    assert blind["payload"]["source"] == "worker 1"
    assert blind["payload"]["custom_details"] == {
        "why": "write",
        "what_does_not_get_on": "Topic sli refuses records.",
        "what_to_do": "Grant WRITE.",
        "blind_since": "2026-11-23T15:05:00Z",
        "worker": "worker 1",
    }
    assert render_seeing(key) == {"event_action": "resolve", "dedup_key": key}


def test_a_sentence_of_any_length_about_blindness_fits() -> None:
    blind = render_blind(
        "k", at=OPENED, why="write", sentence="x\n" * 9_000, remedy="y" * 9_000, worker="z" * 900
    )
    assert len(blind["payload"]["summary"]) <= 1024
    assert "\n" not in blind["payload"]["summary"]
    assert len(str(blind)) < 8_000
