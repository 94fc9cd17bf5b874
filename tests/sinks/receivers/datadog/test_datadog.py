"""Which events and incidents of Datadog's API a command becomes, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import example, given
from pydantic import SecretStr

from detectors.incidents import Command
from detectors.instants import HOUR
from sinks.receivers.answers import Answer, Delivered, Refused, Retry
from sinks.receivers.datadog import wording as module
from sinks.receivers.datadog.client import Datadog
from tests.sinks.receivers.datadog.official import ID, check_with_the_official_model
from tests.sinks.samples import (
    IN_COMMON,
    NAMES,
    OPENED,
    SAID_IN_COMMON,
    command,
    commands,
    crammed,
    incident,
)

render = partial(module.render, names=NAMES)

ACTIONS = ("event", "incident_create", "incident_update", "incident_resolve")


def attributes(given: Command, **settings: Any) -> dict[str, Any]:
    incident_id = None if given.action in ("event", "incident_create") else ID
    request = render(given, now=OPENED, incident_id=incident_id, **settings)
    found: dict[str, Any] = request.body["data"]["attributes"]
    return found


def test_each_value_that_a_scope_names_is_a_tag() -> None:
    tags = attributes(command("datadog", "event", incident=incident(scope="prod/sis/*/vaweb")))["tags"]
    assert {"env:prod", "auth_method:sis", "client_id:vaweb"} <= set(tags)
    assert not [tag for tag in tags if tag.startswith("csp:")]


def test_the_check_with_the_official_model_can_fail() -> None:
    body = render(command("datadog", "incident_create"), now=OPENED).body
    body["data"]["attributes"]["customer_impacted"] = "yes"
    with pytest.raises(Exception, match="customer_impacted"):
        check_with_the_official_model("incident_create", body)
    body = render(command("datadog", "event", level="dreadful"), now=OPENED).body
    with pytest.raises(AssertionError):
        check_with_the_official_model("event", body)


@pytest.mark.parametrize("action", ACTIONS)
def test_each_body_is_one_that_the_official_client_would_send(action: str) -> None:
    request = render(command("datadog", action), now=OPENED, incident_id=ID, notify=("@slack-oncall",))
    check_with_the_official_model(action, request.body)


@example(crammed("datadog", "event"))
@example(crammed("datadog", "incident_create"))
@example(crammed("datadog", "incident_update"))
@given(commands("datadog", ACTIONS))
def test_whatever_others_wrote_the_limits_hold(given: Command) -> None:
    request = render(given, now=OPENED, incident_id=ID)
    check_with_the_official_model(given.action, request.body)
    found = request.body["data"]["attributes"]
    assert len(found.get("title", "")) <= 500
    if given.action == "event":
        assert 1 <= len(found["message"]) <= 4000
        assert 1 <= len(found["aggregation_key"]) <= 100
        assert all(len(tag) <= 200 for tag in found["tags"])
        assert len(found["attributes"].get("links", [])) <= 20
    elif found["customer_impacted"]:
        assert found["customer_impact_scope"]


def test_titles_follow_the_template_until_it_is_over() -> None:
    assert attributes(command("datadog", "event"))["title"] == "SSOe sign-in is experiencing degraded service"
    over = command("datadog", "event", level="ok", incident=incident(state="resolved", resolved_at=OPENED))
    assert attributes(over)["title"] == "SSOe sign-in has recovered"


@pytest.mark.parametrize(("level", "priority"), [("error", "P1"), ("warn", "P3"), ("ok", "P4")])
def test_an_event_has_the_level_for_status_and_the_priority_as_a_digit(level: str, priority: str) -> None:
    found = attributes(command("datadog", "event", level=level, incident=incident(priority=priority)))
    assert found["attributes"]["status"] == level
    assert found["attributes"]["priority"] == priority[1]
    assert found["aggregation_key"] == "watchofficer:prod-7:0"
    assert "env:prod" in found["tags"]
    assert "auth_method:ssoe" in found["tags"]


def test_an_event_says_what_failing_people_have_in_common() -> None:
    found = attributes(command("datadog", "event", incident=incident(common=(IN_COMMON,))))
    assert f"In common: {SAID_IN_COMMON}." in found["message"].splitlines()
    assert "In common" not in attributes(command("datadog", "event"))["message"]


def test_an_event_says_when_it_happened_only_while_datadog_would_believe_it() -> None:
    young, old = (
        command("datadog", "event", at=OPENED - 17 * HOUR),
        command("datadog", "event", at=OPENED - 18 * HOUR),
    )
    assert attributes(young)["timestamp"] == "2026-11-22T22:05:00Z"
    assert "timestamp" not in attributes(old)


def test_an_incident_carries_its_key_in_the_title_and_the_people_in_its_scope() -> None:
    found = attributes(command("datadog", "incident_create"))
    assert found["title"] == "SSOe sign-in is experiencing degraded service [watchofficer:prod-7:0]"
    assert found["customer_impacted"] is True
    assert found["customer_impact_scope"] == (
        "~9,400 people an hour (projected), SSOe sign-in, since 23 Nov 2026 15:04 UTC"
    )
    assert found["fields"] == {
        "severity": {"type": "dropdown", "value": "SEV-2"},
        "state": {"type": "dropdown", "value": "active"},
    }


def test_outside_prod_no_customer_is_impacted() -> None:
    found = attributes(command("datadog", "incident_create", incident=incident(env="dev", scope="dev")))
    assert found["customer_impacted"] is False
    assert "customer_impact_scope" not in found


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("open", "active"),
        ("acknowledged", "active"),
        ("recovering", "stable"),
        ("resolved", "resolved"),
        ("closed", "resolved"),
    ],
)
def test_states_follow_ours(ours: str, theirs: str) -> None:
    found = attributes(command("datadog", "incident_update", incident=incident(state=ours)))
    assert found["fields"]["state"]["value"] == theirs


def test_resolving_says_when_customers_were_no_longer_impacted() -> None:
    ended = incident(state="resolved", resolved_at=OPENED + HOUR)
    found = attributes(
        command("datadog", "incident_resolve", kind="resolved", incident=ended, at=OPENED + HOUR)
    )
    assert found["fields"]["state"]["value"] == "resolved"
    assert found["customer_impact_start"] == "2026-11-23T15:04:30Z"
    assert found["customer_impact_end"] == "2026-11-23T16:05:00Z"


def test_a_title_is_changed_only_when_the_scope_has_changed() -> None:
    assert "title" not in attributes(command("datadog", "incident_update", kind="severity"))
    wider = command("datadog", "incident_update", kind="scope", incident=incident(scope="prod"))
    assert (
        attributes(wider)["title"] == "All sign-in is experiencing degraded service [watchofficer:prod-7:0]"
    )


class Organisation:
    """Answers by method and path; remembers what was asked."""

    def __init__(self, **answers: httpx.Response | Exception) -> None:
        self.answers: dict[str, httpx.Response | Exception] = {
            "change": httpx.Response(200, json={"data": {"id": ID}}),
            **answers,
        }
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        kind = {"GET": "search", "PATCH": "change"}.get(
            request.method, "event" if request.url.path.endswith("/events") else "create"
        )
        answer = self.answers[kind]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.url.host}{request.url.path}" for request in self.asked]


def listing(*titles: str) -> httpx.Response:
    incidents = [
        {"data": {"id": f"id-{n}", "type": "incidents", "attributes": {"title": title, "public_id": n}}}
        for n, title in enumerate(titles)
    ]
    return httpx.Response(200, json={"data": {"attributes": {"incidents": incidents}}})


def created() -> httpx.Response:
    return httpx.Response(201, json={"data": {"id": ID, "attributes": {"public_id": 12, "title": "t"}}})


async def send(
    organisation: Organisation,
    given: Command,
    receipt: Mapping[str, str] | None = None,
    app_key: str | None = "app",
) -> Answer:
    async with httpx.AsyncClient(transport=httpx.MockTransport(organisation)) as http:
        client = Datadog(
            http,
            api_key=SecretStr("api"),
            app_key=SecretStr(app_key) if app_key else None,
            site="ddog-gov.com",
            clock=lambda: OPENED,
        )
        return await client.send(given, lambda sink: (receipt or {}) if sink == "datadog" else {})


async def test_an_event_goes_to_the_intake_with_the_api_key_alone() -> None:
    accepted = {
        "data": {"attributes": {"attributes": {"evt": {"id": "42", "uid": "u"}}}},
        "links": {"self": "https://app.ddog-gov.com/event/42"},
    }
    organisation = Organisation(event=httpx.Response(202, json=accepted))
    answer = await send(organisation, command("datadog", "event"))
    assert organisation.lines == ["POST event-management-intake.ddog-gov.com/api/v2/events"]
    assert organisation.asked[0].headers["DD-API-KEY"] == "api"
    assert "DD-APPLICATION-KEY" not in organisation.asked[0].headers
    assert answer == Delivered({"event_id": "42", "event_url": "https://app.ddog-gov.com/event/42"})


async def test_an_incident_is_looked_for_before_it_is_created() -> None:
    organisation = Organisation(search=listing("something else"), create=created())
    answer = await send(organisation, command("datadog", "incident_create"))
    assert organisation.lines == [
        "GET api.ddog-gov.com/api/v2/incidents/search",
        "POST api.ddog-gov.com/api/v2/incidents",
        f"PATCH api.ddog-gov.com/api/v2/incidents/{ID}",
    ]
    changed = msgspec.json.decode(organisation.asked[2].content)["data"]["attributes"]
    assert changed["customer_impact_start"] == "2026-11-23T15:04:30Z"
    assert changed["detected"] == "2026-11-23T15:05:00Z"
    assert answer == Delivered({"incident_id": ID, "incident_url": "https://app.ddog-gov.com/incidents/12"})


async def test_an_incident_that_exists_already_is_not_created_again() -> None:
    organisation = Organisation(search=listing("x", "SSOe … [watchofficer:prod-7:0]"))
    answer = await send(organisation, command("datadog", "incident_create"))
    assert [one.method for one in organisation.asked] == ["GET", "PATCH"]
    assert isinstance(answer, Delivered)
    assert organisation.asked[1].url.path.endswith("/id-1")


async def test_an_incident_of_a_longer_number_is_not_taken_for_ours() -> None:
    organisation = Organisation(
        search=listing("[watchofficer:prod-77:0]", "[watchofficer:prod-7:01]"), create=created()
    )
    await send(organisation, command("datadog", "incident_create"))
    assert [one.method for one in organisation.asked] == ["GET", "POST", "PATCH"]


async def test_an_update_goes_straight_to_the_incident_of_the_receipt() -> None:
    organisation = Organisation(change=httpx.Response(200, json={"data": {"id": ID, "attributes": {}}}))
    answer = await send(organisation, command("datadog", "incident_update"), {"incident_id": ID})
    assert organisation.lines == [f"PATCH api.ddog-gov.com/api/v2/incidents/{ID}"]
    body = msgspec.json.decode(organisation.asked[0].content)
    assert (body["data"]["id"], body["data"]["type"]) == (ID, "incidents")
    assert isinstance(answer, Delivered)


async def test_an_update_without_a_receipt_finds_its_incident() -> None:
    organisation = Organisation(
        search=listing("[watchofficer:prod-7:0]"),
        change=httpx.Response(200, json={"data": {"id": "id-0", "attributes": {"public_id": 0}}}),
    )
    answer = await send(organisation, command("datadog", "incident_update"))
    assert organisation.lines[-1] == "PATCH api.ddog-gov.com/api/v2/incidents/id-0"
    assert isinstance(answer, Delivered)
    assert answer.receipt["incident_id"] == "id-0"


async def test_an_update_of_an_incident_that_is_not_there_creates_it() -> None:
    organisation = Organisation(search=listing(), create=created())
    answer = await send(organisation, command("datadog", "incident_update"))
    assert organisation.lines[-2] == "POST api.ddog-gov.com/api/v2/incidents"
    assert isinstance(answer, Delivered)
    assert answer.receipt["incident_id"] == ID


async def test_a_resolution_of_an_incident_that_is_not_there_creates_none() -> None:
    organisation = Organisation(search=listing())
    assert isinstance(await send(organisation, command("datadog", "incident_resolve")), Refused)
    assert len(organisation.asked) == 1


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"search": httpx.ReadTimeout("late")}, Retry),
        ({"search": httpx.Response(403, json={"errors": ["Forbidden"]})}, Refused),
        ({"search": httpx.Response(200, text="<html>")}, Retry),
        ({"search": listing(), "create": httpx.ReadTimeout("late")}, Retry),
        ({"search": listing(), "create": httpx.Response(201, text="")}, Retry),
        ({"search": listing(), "create": httpx.Response(400, json={"errors": ["no"]})}, Refused),
        ({"search": listing(), "create": httpx.Response(503)}, Retry),
        ({"search": listing(), "create": created(), "change": httpx.Response(503)}, Retry),
        ({"search": listing(), "create": created(), "change": httpx.Response(400)}, Delivered),
    ],
)
async def test_nothing_is_created_on_a_guess(answers: dict[str, Any], kind: type) -> None:
    assert isinstance(await send(Organisation(**answers), command("datadog", "incident_create")), kind)


async def test_without_an_application_key_events_go_and_incidents_do_not() -> None:
    organisation = Organisation(event=httpx.Response(202, text=""))
    assert isinstance(await send(organisation, command("datadog", "event"), app_key=None), Delivered)
    assert isinstance(await send(organisation, command("datadog", "incident_create"), app_key=None), Refused)


async def test_a_spent_rate_limit_pauses_after_a_success() -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "8"}
    answer = await send(Organisation(event=httpx.Response(202, headers=headers)), command("datadog", "event"))
    assert answer == Delivered({}, pause=8.0)


def test_a_dedup_key_that_does_not_fit_is_never_cut() -> None:
    with pytest.raises(ValueError, match="dedup key"):
        render(command("datadog", "event", dedup_key="k" * 101), now=OPENED)


async def test_an_action_that_it_does_not_know_is_refused() -> None:
    assert isinstance(await send(Organisation(), command("datadog", "trigger")), Refused)
