"""Notes, titles and priorities over PagerDuty's REST API: once, at the right incident, and holding up no page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr

from detectors.incidents import Command, Page
from detectors.instants import MINUTE
from sinks.receivers.answers import Delivered, Refused, Retry
from sinks.receivers.contract import Means
from sinks.receivers.pagerduty.config import PagerDutySettings
from sinks.receivers.pagerduty.rest import PagerDutyRest
from tests.sinks.samples import NAMES, OPENED, Time, command, incident, no_receipts

KEY = "watchofficer:prod-17:0"
TOKEN = "y_NbAkKc66ryYTWUXYEu"


@dataclass
class Account:
    """An account of PagerDuty with one incident, as its REST API shows it."""

    incidents: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "Q1", "incident_key": KEY}])
    notes: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int | None = None
    priorities: int = 200

    def answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == f"Token token={TOKEN}"
        assert request.headers["From"] == "watch@example.gov"
        if self.status is not None:
            return httpx.Response(self.status, json={"error": {"message": TOKEN}})
        path = request.url.path
        if request.method == "GET" and path == "/incidents":
            wanted = request.url.params["incident_key"]
            return httpx.Response(
                200, json={"incidents": [i for i in self.incidents if i["incident_key"] == wanted]}
            )
        if path == "/priorities":
            return httpx.Response(self.priorities, json={"priorities": [{"id": "PR1", "name": "P1"}]})
        if request.method == "GET":
            return httpx.Response(200, json={"notes": self.notes})
        body = msgspec.json.decode(request.content)
        self.changed.append((f"{request.method} {path}", body))
        self.notes += [body["note"]] if "note" in body else []
        return httpx.Response(201 if request.method == "POST" else 200, json={})


async def send(account: Account, given: Command, *, clock: Callable[[], int] = lambda: OPENED) -> Any:
    async with httpx.AsyncClient(transport=httpx.MockTransport(account.answer)) as http:
        rest = PagerDutyRest(
            http, token=SecretStr(TOKEN), sender="watch@example.gov", names=NAMES, clock=clock
        )
        return await rest.send(given, no_receipts)


def a_note(**changes: Any) -> Command:
    about = incident(pages=(Page(KEY, "error"),), **changes)
    return command(
        "pagerduty:rest", "note", incident=about, kind="note", reason="15:00 Ada: looking", dedup_key=KEY
    )


async def test_a_note_is_written_once_whatever_was_lost_on_the_way() -> None:
    account = Account()
    for _ in range(2):
        assert await send(account, a_note()) == Delivered({"pagerduty_incident": "Q1"})
    assert account.changed == [
        ("POST /incidents/Q1/notes", {"note": {"content": "[watchofficer] 15:00 Ada: looking"}})
    ]


async def test_a_merged_alert_has_its_notes_at_the_target() -> None:
    account = Account()
    about = incident(pages=(Page(KEY, "error", "Q9"),))
    await send(account, msgspec.structs.replace(a_note(), incident=about))
    assert [path for path, _ in account.changed] == ["POST /incidents/Q9/notes"]


async def test_title_and_priority_follow_the_severity() -> None:
    account = Account()
    given = msgspec.structs.replace(a_note(priority="P1"), action="update", kind="severity")
    assert isinstance(await send(account, given), Delivered)
    ((path, body),) = account.changed
    assert path == "PUT /incidents/Q1"
    assert body["incident"]["priority"] == {"id": "PR1", "type": "priority_reference"}
    assert body["incident"]["title"].startswith("SEV 1: SSOe sign-in is failing")


async def test_an_account_without_priorities_has_its_title_kept_up_to_date() -> None:
    account = Account(priorities=404)
    given = msgspec.structs.replace(a_note(), action="update", kind="severity")
    assert isinstance(await send(account, given), Delivered)
    assert "priority" not in account.changed[0][1]["incident"]


async def test_an_incident_that_is_not_there_yet_is_waited_for_and_one_that_never_comes_is_not() -> None:
    account, time = Account(incidents=[]), Time()

    def paged(sink: str) -> Mapping[str, str]:
        return {"dedup_key": KEY} if sink == "pagerduty" else {}

    async with httpx.AsyncClient(transport=httpx.MockTransport(account.answer)) as http:
        rest = PagerDutyRest(
            http, token=SecretStr(TOKEN), sender="watch@example.gov", names=NAMES, clock=time.clock
        )
        for minutes in (0, 90):  # the page is waited for as long as it takes
            time.now += minutes * MINUTE
            assert await rest.send(a_note(), no_receipts) == Retry(None, "the page has not gone out yet")
        for minutes in (1, 4):
            time.now += minutes * MINUTE
            assert isinstance(await rest.send(a_note(), paged), Retry)
        time.now += MINUTE
        assert await rest.send(a_note(), paged) == Refused("PagerDuty has no incident for the alert")


@pytest.mark.parametrize(("status", "kind"), [(500, Retry), (429, Retry), (401, Refused), (404, Refused)])
async def test_its_answers_are_read_as_of_any_receiver_and_hold_no_secret(
    status: int, kind: type[Retry] | type[Refused]
) -> None:
    answer = await send(Account(status=status), a_note())
    assert isinstance(answer, kind)
    assert TOKEN not in answer.why


async def test_an_answer_that_is_no_json_object_is_not_pagerdutys() -> None:
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, html="<p>"))
    ) as http:
        rest = PagerDutyRest(http, token=SecretStr(TOKEN), sender="a@b", names=NAMES, clock=lambda: OPENED)
        assert isinstance(await rest.send(a_note(), no_receipts), Retry)


async def test_it_is_a_receiver_of_its_own_where_there_is_a_token_and_a_user() -> None:
    whole = PagerDutySettings(
        routing_key=SecretStr("r" * 32), rest_token=SecretStr(TOKEN), rest_from="watch@example.gov"
    )
    (name, rest), *others = whole.named().items()
    assert (name, rest.on, others, rest.named()) == ("rest", True, [], {})
    async with httpx.AsyncClient(verify=False) as http:
        assert isinstance(rest.client(Means(http=http, clock=lambda: OPENED, names=NAMES)), PagerDutyRest)
    assert TOKEN not in repr(rest)
    assert PagerDutySettings(rest_token=SecretStr(TOKEN)).named() == {}


def test_only_the_latest_title_need_be_sent() -> None:
    update = msgspec.structs.replace(a_note(), action="update")
    assert PagerDutySettings.overtaken(update, [update]) == "superseded"
    assert PagerDutySettings.overtaken(update, [a_note()]) is None
    assert PagerDutySettings.overtaken(a_note(), [update, a_note()]) is None
