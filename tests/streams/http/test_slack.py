"""People in Slack acknowledge, declare, note and resolve by buttons and by /watch, and the audit names them."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from aiokafka.errors import KafkaConnectionError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from detectors.incidents import Incident
from detectors.instants import HOUR
from sinks.receivers.slack.buttons import blocks
from sinks.receivers.slack.config import SlackSettings
from sinks.sandbox.slack import Message
from sinks.sandbox.slack_person import SlackPerson, sign
from streams.http.slack.reading import SIGNED_FOR, Asked, Unclear, read_request
from streams.settings.settings import SettingsError, read_settings
from tests.streams.http.serving import NOW, SECRET, Serving, an_incident, serving


def message(incident: Incident) -> Message:
    return Message("1.1", "C0SANDBOX", NOW, "", blocks(incident))


def person(served: Serving, http: httpx.AsyncClient, **more: Any) -> SlackPerson:
    url = str(served.client.make_url("/webhooks/slack"))
    return SlackPerson(http, **{"url": url, "secret": SECRET, "clock": lambda: NOW, **more})


def asked_of(served: Serving) -> list[tuple[str, str | None, str | None, str, str, str]]:
    return [(i.kind, i.incident, i.scope, i.by, i.via, i.text) for i in served.submitted]


@pytest.fixture
async def http() -> Any:
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        yield client


@pytest.mark.parametrize("action", ["acknowledge", "declare", "resolve"])
async def test_a_button_is_an_act_by_who_pressed_it(
    served: Serving, http: httpx.AsyncClient, action: str
) -> None:
    incident = an_incident()
    served.feed(incident)
    answer = await person(served, http).press(message(incident), action, times=3)
    assert answer.status_code == 200
    assert asked_of(served)[0] == (action, incident.id, None, "ada (Slack U0ADA)", "slack", "")
    assert len({one.id for one in served.submitted}) == 1  # three clicks, one act
    assert served.submitted[0].at == NOW


async def test_the_field_puts_a_note_on_the_incident(served: Serving, http: httpx.AsyncClient) -> None:
    incident = an_incident()
    served.feed(incident)
    answer = await person(served, http).write(message(incident), "IAM restarts\r\n*now* & <!channel>")
    assert answer.status_code == 200
    assert served.submitted[0].kind == "note"
    assert served.submitted[0].text == "IAM restarts\r\n*now* & <!channel>"


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("ack prod-17", ("acknowledge", "prod-17", None, "")),
        ("ACK  prod-17 looking ", ("acknowledge", "prod-17", None, "looking")),
        ("note prod-17 a certificate ended", ("note", "prod-17", None, "a certificate ended")),
        ("resolve prod-17 all well", ("resolve", "prod-17", None, "all well")),
        ("declare prod-17", ("declare", "prod-17", None, "")),
        ("declare prod/sis people call", ("declare", None, "prod/sis", "people call")),
        ("report prod/*/idme nobody gets in", ("report", None, "prod/*/idme", "nobody gets in")),
    ],
)
async def test_a_command_is_the_act_of_the_same_name(
    served: Serving, http: httpx.AsyncClient, typed: str, means: tuple[str, str | None, str | None, str]
) -> None:
    served.feed(an_incident())
    answer = await person(served, http).type(typed)
    assert (answer.status_code, answer.json()["response_type"]) == (200, "ephemeral")
    assert "Taken" in answer.json()["text"]
    (given,) = served.submitted
    assert (given.kind, given.incident, given.scope, given.text) == means
    assert (given.by, given.via) == ("ada (Slack U0ADA)", "slack")


@pytest.mark.parametrize(
    ("typed", "kind", "fields"),
    [
        ("assign prod-17 Technical-Lead Bob Ray", "assign", {"role": "technical_lead", "who": "Bob Ray"}),
        (
            "stage prod-17 triage the cause is known",
            "stage",
            {"stage": "triage", "text": "the cause is known"},
        ),
        ("eta prod-17 2h IAM restarts", "eta", {"until": NOW + 2 * HOUR, "text": "IAM restarts"}),
        ("eta prod-17 nobody knows", "eta", {"until": None, "text": "nobody knows"}),
        ("follow-up prod-17 https://a.example/1 rotate it", "follow_up", {"link": "https://a.example/1"}),
        ("follow-up prod-17 2", "follow_up", {"item": "2", "text": ""}),
        ("check prod-17 sign_in_sis", "check", {"item": "sign_in_sis"}),
        ("update prod-17 public We are on it.", "update", {"public": True, "text": "We are on it."}),
        ("unack prod-17", "unacknowledge", {}),
        ("declare prod-17 states=tx,AR it fails", "declare", {"states": ("AR", "TX"), "text": "it fails"}),
    ],
)
async def test_words_of_a_command_are_fields_of_the_act(
    served: Serving, http: httpx.AsyncClient, typed: str, kind: str, fields: dict[str, Any]
) -> None:
    served.feed(an_incident())
    await person(served, http).type(typed)
    (given,) = served.submitted
    assert given.kind == kind
    assert {name: getattr(given, name) for name in fields} == fields


async def test_a_value_is_retired_by_a_command(served: Serving, http: httpx.AsyncClient) -> None:
    await person(served, http).type("retire csp MHV")
    assert (served.submitted[0].axis, served.submitted[0].value) == ("csp", "mhv")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "/watch list"),
        ("help", "/watch list"),
        ("ack", "needs more words"),
        ("note prod-17", "needs a text"),
        ("assign prod-17 boss Bob", "role is one of commander"),
        ("assign prod-17", "assign needs ROLE NAME"),
        ("declare prod-99", "There is no incident prod-99"),
        ("declare prod-17 states=AR,XX", "is no state or territory"),
        ("ack prod-99", "There is no incident prod-99"),
        ("ack <!channel>", "There is no incident"),
        ("report nowhere! x", "no scope such as"),
        ("retire colour red", "A value is retired on"),
        ("list", "*prod-17* severity 1, prod/ssoe, open"),
        ("show prod-17", "*prod-17*"),
        ("show prod-8", "no such incident"),
    ],
)
async def test_what_changes_nothing_is_answered_in_words(
    served: Serving, http: httpx.AsyncClient, typed: str, says: str
) -> None:
    served.feed(an_incident())
    answer = await person(served, http).type(typed)
    assert answer.status_code == 200
    assert says in answer.json()["text"]
    assert served.submitted == []


async def test_a_button_of_an_earlier_epoch_acts_on_nothing(served: Serving, http: httpx.AsyncClient) -> None:
    served.feed(an_incident(epoch=1))
    answer = await person(served, http).press(message(an_incident(epoch=0)), "acknowledge")
    assert "reopened since" in answer.json()["text"]
    assert served.submitted == []


async def test_an_incident_that_is_over_offers_nothing(served: Serving, http: httpx.AsyncClient) -> None:
    assert blocks(an_incident(state="resolved")) == []
    acknowledged = an_incident(state="acknowledged", acknowledged_at=NOW, declared_at=NOW)
    assert person(served, http).shown(message(acknowledged)) == ["resolve", "note"]


# -- who is believed -----------------------------------------------------------------------------------------


async def post(served: Serving, body: bytes, **headers: str) -> int:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.client.post("/webhooks/slack", data=body, headers=given) as response:
        return response.status


BODY = urlencode({"command": "/watch", "text": "ack prod-17", "user_id": "U0ADA", "trigger_id": "1"}).encode()


@pytest.mark.parametrize(
    ("late", "status"),
    [(0, 200), (SIGNED_FOR, 200), (-SIGNED_FOR, 200), (SIGNED_FOR + 1000, 401), (-SIGNED_FOR - 1000, 401)],
)
async def test_a_request_is_believed_for_five_minutes(served: Serving, late: int, status: int) -> None:
    served.feed(an_incident())
    stamp = (NOW + late) // 1000
    signature = sign(SECRET, stamp, BODY)
    assert (
        await post(served, BODY, X_Slack_Signature=signature, X_Slack_Request_Timestamp=str(stamp)) == status
    )
    assert len(served.submitted) == (status == 200)


@pytest.mark.parametrize(
    ("signature", "stamp"),
    [
        ("", str(NOW // 1000)),
        (sign("another", NOW // 1000, BODY), str(NOW // 1000)),
        (sign(SECRET, NOW // 1000, BODY + b"&"), str(NOW // 1000)),
        (sign(SECRET, NOW // 1000 - 1, BODY), str(NOW // 1000)),
        (sign(SECRET, NOW // 1000, BODY), "soon"),
        (sign(SECRET, NOW // 1000, BODY), ""),
        (sign(SECRET, NOW // 1000, BODY).upper(), str(NOW // 1000)),
    ],
)
async def test_what_is_not_signed_is_refused_and_counted(served: Serving, signature: str, stamp: str) -> None:
    served.feed(an_incident())
    status = await post(served, BODY, X_Slack_Signature=signature, X_Slack_Request_Timestamp=stamp)
    assert status == 401
    assert served.submitted == []
    async with served.client.get("/metrics") as response:
        text = await response.text()
    assert 'watchofficer_webhooks_total{door="slack",outcome="unsigned"} 1' in text


async def test_without_a_secret_nobody_is_believed(http: httpx.AsyncClient) -> None:
    async with serving(slack=SlackSettings()) as served:
        served.feed(an_incident())
        answer = await person(served, http).type("ack prod-17")
        assert answer.status_code == 403
        assert "SLACK__SIGNING_SECRET" in answer.json()["error"]["message"]
        assert served.submitted == []


@pytest.mark.parametrize(
    ("roles", "typed", "heard"),
    [
        ("U0ADA=respond", "ack prod-17", True),
        ("*=respond", "ack prod-17", True),
        ("U0ADA=read, *=respond", "ack prod-17", False),
        ("U0ADA=read", "list", True),
        ("U0BOB=respond", "ack prod-17", False),
        ("U0BOB=respond", "list", False),
        ("U0BOB=respond *=read", "list", True),
        ("U0ADA=none *=respond", "ack prod-17", False),
    ],
)
async def test_roles_say_who_may_do_what(
    http: httpx.AsyncClient, roles: str, typed: str, heard: bool
) -> None:
    settings = SlackSettings(signing_secret=SecretStr(SECRET), roles=roles)
    async with serving(slack=settings) as served:
        served.feed(an_incident())
        answer = await person(served, http).type(typed)
        assert answer.status_code == 200
        assert ("do not have the role" in answer.json()["text"]) == (not heard)
        assert len(served.submitted) == (heard and typed != "list")


async def test_another_workspace_is_not_heard(http: httpx.AsyncClient) -> None:
    settings = SlackSettings(signing_secret=SecretStr(SECRET), team="T0OURS")
    async with serving(slack=settings) as served:
        served.feed(an_incident())
        assert "own workspace" in (await person(served, http).type("ack prod-17")).json()["text"]
        assert "Taken" in (await person(served, http, team="T0OURS").type("ack prod-17")).json()["text"]
        assert len(served.submitted) == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ROLES", "ada=respond", "ids of people"),
        ("ROLES", "U1=admin", "ids of people"),
        ("TEAM", "ours", "id of a workspace"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read_settings({f"WATCHOFFICER_SLACK__{name}": value})


# -- what goes wrong -----------------------------------------------------------------------------------------


async def test_without_the_broker_a_person_is_told_that_it_was_not_taken(
    served: Serving, http: httpx.AsyncClient
) -> None:
    served.feed(an_incident())
    served.failure = KafkaConnectionError()
    assert "It was not taken" in (await person(served, http).type("ack prod-17")).json()["text"]
    assert (await person(served, http).press(message(an_incident()), "acknowledge")).status_code == 503


async def test_an_answer_is_given_before_slack_stops_waiting(
    served: Serving, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.feed(an_incident())

    async def never(value: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(served, "submit", never)
    async with asyncio.timeout(3):
        assert (await person(served, http).press(message(an_incident()), "acknowledge")).status_code == 503


@given(
    st.one_of(
        st.binary(max_size=200),
        st.dictionaries(st.sampled_from(["payload", "command", "text", "user_id"]), st.text(max_size=40)).map(
            lambda fields: urlencode(fields, errors="replace").encode()
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["type", "actions", "user", "team", "action_id", "value", "id"]), inner
                )
            ),
            max_leaves=12,
        ).map(lambda value: urlencode({"payload": json.dumps(value)}).encode()),
    )
)
def test_whatever_is_signed_is_read_or_refused(body: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(read_request(body), Asked | Unclear)
