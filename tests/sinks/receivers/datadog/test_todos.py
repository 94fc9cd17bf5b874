"""Datadog's incidents have the commander, and each follow-up as a todo, once."""

from __future__ import annotations

from functools import partial

import httpx
import msgspec
import pytest
from pydantic import SecretStr

from detectors.instants import HOUR
from detectors.process.record import FollowUp, Process
from detectors.process.vocabulary import Role
from sinks.receivers.answers import Answer, Delivered, Retry
from sinks.receivers.contract import Means
from sinks.receivers.datadog import wording
from sinks.receivers.datadog.client import Datadog
from sinks.receivers.datadog.config import DatadogSettings
from sinks.receivers.datadog.todos import missing_todos
from sinks.sandbox import DatadogSandbox
from tests.sinks.receivers.datadog.official import ID, check_with_the_official_model
from tests.sinks.samples import NAMES, OPENED, RunningTime, command, incident

render = partial(wording.render, names=NAMES)


@pytest.mark.parametrize("action", ["incident_create", "incident_update", "incident_resolve"])
@pytest.mark.parametrize("name", ["Ada Byron", "PagerDuty: Ada Byron", "Grace", ""])
def test_a_commander_is_named_where_datadog_knows_that_person(action: str, name: str) -> None:
    roles: dict[Role, str] = {"commander": name} if name else {}
    about = incident(process=Process(roles=roles))
    body = render(
        command("datadog", action, incident=about), now=OPENED, incident_id=ID, people={"Ada Byron": ID}
    ).body
    check_with_the_official_model(action, body)
    named = {"commander_user": {"data": {"type": "users", "id": ID}}}
    assert body["data"].get("relationships") == (named if "Ada" in name else None)


async def test_follow_ups_are_todos_once_each_and_completed_once_they_are_done() -> None:
    time = RunningTime()
    sandbox = DatadogSandbox(clock=time.clock, sleep=time.sleep)
    await sandbox.start()
    receipt: dict[str, str] = {}
    async with httpx.AsyncClient(verify=False) as http:
        datadog = Datadog(
            http, api_key=SecretStr("a"), app_key=SecretStr("b"), base_url=sandbox.url, clock=time.clock
        )

        async def tell(action: str, *tasks: FollowUp) -> Answer:
            about = incident(process=Process(follow_ups=tasks))
            said = command("datadog", action, incident=about)
            answer = await datadog.send(said, lambda sink: receipt if sink == "datadog" else {})
            receipt.update(answer.receipt if isinstance(answer, Delivered) else {})
            return answer

        def todos() -> list[tuple[str, bool, list[str]]]:
            (held,) = sandbox.todos.values()
            of = [one["attributes"] for one in held]
            return [(one["content"], bool(one.get("completed")), one["assignees"]) for one in of]

        alert, jira = (
            FollowUp(OPENED, "Ada", "alert on 5xx of SSOe"),
            FollowUp(OPENED, "Ada", "renew the key"),
        )
        await tell("incident_create")
        assert sandbox.todos == {}
        for _ in range(2):  # a repeat after a lost answer, too
            assert isinstance(await tell("incident_update", alert, jira), Delivered)
        assert todos() == [(alert.text, False, []), (jira.text, False, [])]
        (held,) = sandbox.todos.values()
        held[1]["attributes"]["assignees"] = ["@ada"]  # by a person there
        held.append(
            {"id": "theirs", "type": "incident_todos", "attributes": {"content": "ours", "assignees": []}}
        )
        linked = msgspec.structs.replace(jira, link="https://jira.example/1", done_at=OPENED + HOUR)
        await tell("incident_resolve", alert, linked)
        assert todos() == [
            (alert.text, False, []),
            ("renew the key https://jira.example/1", True, ["@ada"]),
            ("ours", False, []),
        ]
        before = len(sandbox.requests)
        await tell("incident_update", alert, linked)
        assert [one.method for one in sandbox.requests[before:]] == ["PATCH", "GET"]
    await sandbox.stop()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            httpx.Response(404, json={}),
            Delivered,
        ),  # an organisation without todos has the incident all the same
        (httpx.Response(500), Retry),
        (httpx.Response(200, text="<html>"), Retry),
        (httpx.Response(200, json={"data": [{"attributes": None}]}), Retry),
    ],
)
async def test_todos_that_cannot_be_read_are_tried_again_or_left(
    answer: httpx.Response, kind: type[Answer]
) -> None:
    def organisation(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/todos"):
            return answer
        return httpx.Response(200, json={"data": {"id": ID, "attributes": {}}})

    about = incident(process=Process(follow_ups=(FollowUp(OPENED, "Ada", "x"),)))
    async with httpx.AsyncClient(transport=httpx.MockTransport(organisation)) as http:
        datadog = Datadog(http, api_key=SecretStr("a"), app_key=SecretStr("b"), clock=lambda: OPENED)
        said = command("datadog", "incident_update", incident=about)
        assert isinstance(await datadog.send(said, lambda sink: {"incident_id": ID}), kind)


def test_a_todo_is_one_that_the_official_client_would_send() -> None:
    tasks = (
        FollowUp(OPENED, "Ada", "x" * 900, "https://jira.example/1", OPENED),
        FollowUp(OPENED, "Ada", "y"),
    )
    about = incident(process=Process(follow_ups=tasks))
    standing = {"data": [{"id": "1", "attributes": {"content": "y", "completed": None, "assignees": []}}]}
    (made,) = missing_todos(about, ID, standing)
    assert len(made.body["data"]["attributes"]["content"]) <= 500
    check_with_the_official_model("todo", made.body)


@pytest.mark.parametrize("site", ["ddog-gov.com", "us2.ddog-gov.com"])
async def test_a_government_site_gets_all_that_an_organisation_there_has(site: str) -> None:
    asked: list[str] = []

    def organisation(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(202, json={}) if "event" in request.url.host else httpx.Response(400)

    settings = DatadogSettings.model_validate({"api_key": "a", "app_key": "b", "site": site})
    async with httpx.AsyncClient(transport=httpx.MockTransport(organisation)) as http:
        client = settings.client(Means(http=http, clock=lambda: OPENED, names=NAMES))
        for action in ("event", "incident_create"):
            await client.send(command("datadog", action), lambda sink: {})
    assert asked == [f"event-management-intake.{site}", f"api.{site}"]


@pytest.mark.parametrize("text", ["Ada", "[]", '{"Ada": 5}', '{"Ada": "her"}', f'{{"Ada": "{ID}x"}}'])
def test_people_are_named_with_their_ids(text: str) -> None:
    with pytest.raises(ValueError, match="names and ids of users"):
        DatadogSettings.model_validate({"people": text})
    assert DatadogSettings.model_validate({"people": f'{{"Ada Byron": "{ID}"}}'}).people
