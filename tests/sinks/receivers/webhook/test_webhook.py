"""A webhook gets the incident's JSON, signed so that its receiver can check it, or an event for ServiceNow."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import given
from pydantic import SecretStr

from detectors.incidents import Command, Note
from detectors.instants import DAY
from sinks.receivers.answers import Delivered, Refused, Retry
from sinks.receivers.webhook.client import Webhook
from sinks.receivers.webhook.signing import key_of, message_id, signed_headers
from sinks.receivers.webhook.wording import BODY_BYTES, render, render_em_event
from sinks.sandbox.inbox import InboxSandbox
from streams.records.models import encode_incident
from streams.settings.settings import SettingsError, read_settings
from tests.sinks.samples import NAMES, OPENED, RunningTime, command, commands, crammed, incident, no_receipts

OLD, NEW = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2))
SCHEMA = json.loads(Path("deploy/schemas/incident.schema.json").read_text("utf-8"))
ACTIONS = ("open", "update", "resolve")


@pytest.fixture
async def inbox() -> AsyncIterator[InboxSandbox]:
    time = RunningTime()
    sandbox = InboxSandbox(clock=time.clock, sleep=time.sleep, status=204)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


def webhook(http: httpx.AsyncClient, url: str, now: int = OPENED, **more: Any) -> Webhook:
    fields = {
        "secrets": [SecretStr(NEW), SecretStr(OLD)],
        "document": encode_incident,
        "names": NAMES,
        **more,
    }
    return Webhook(http, url=SecretStr(url), clock=lambda: now, **fields)


def told(**changes: Any) -> Command:
    return command("webhook", "open", **changes)


def checked(body: bytes, headers: dict[str, str], secret: str) -> bool:
    """Whether a receiver that knows one secret takes the message; written from the specification alone."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}"
    digest = base64.b64encode(hmac.new(key, content.encode(), hashlib.sha256).digest()).decode()
    return any(one.split(",", 1) == ["v1", digest] for one in headers["webhook-signature"].split(" "))


def test_a_signature_is_that_of_the_specification() -> None:
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "A" * 200],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_") as refused:
        key_of(secret)
    assert not secret[6:] or secret[6:] not in str(refused.value)


async def test_a_receiver_with_the_old_or_the_new_secret_can_check_what_it_gets(
    http: httpx.AsyncClient, inbox: InboxSandbox
) -> None:
    assert isinstance(await webhook(http, inbox.hook).send(told(), no_receipts), Delivered)
    (message,) = inbox.messages
    assert message.headers["content-type"] == "application/json"
    assert message.headers["webhook-timestamp"] == str(OPENED // 1000)
    assert checked(message.body, message.headers, OLD)
    assert checked(message.body, message.headers, NEW)
    assert not checked(message.body, message.headers, f"whsec_{base64.b64encode(bytes(32)).decode()}")
    assert not checked(message.body + b" ", message.headers, NEW)


async def test_each_attempt_has_the_same_id_and_its_own_time(
    http: httpx.AsyncClient, inbox: InboxSandbox
) -> None:
    inbox.fail(1, status=503)
    assert isinstance(await webhook(http, inbox.hook).send(told(), no_receipts), Retry)
    inbox.cut(1)
    for late in (OPENED + DAY, OPENED + 2 * DAY):
        await webhook(http, inbox.hook, now=late).send(told(), no_receipts)
    (message,) = inbox.messages  # the repeat is recognised by its id
    assert message.headers["webhook-id"] == message_id(told().id)
    assert "." not in message.headers["webhook-id"]
    assert message.headers["webhook-timestamp"] == str((OPENED + DAY) // 1000)


def test_two_commands_have_two_ids() -> None:
    assert message_id(told().id) != message_id(told(kind="severity").id)


def test_the_body_is_the_incident_of_the_published_schema() -> None:
    body = json.loads(render(told(by="Ada"), encode_incident))
    assert (body["type"], body["timestamp"], body["by"]) == ("incident.opened", "2026-11-23T15:05:00Z", "Ada")
    assert body["reason"] == "outage fires."
    assert body["data"] == json.loads(encode_incident(incident()))


@given(commands("webhook", ACTIONS))
def test_whatever_people_write_the_body_is_small_and_keeps_to_the_schema(said: Command) -> None:
    body = render(said, encode_incident)
    assert len(body) <= BODY_BYTES
    data = json.loads(body)["data"]
    data["common"] = []  # drawn without regard to each other: more people than there are
    jsonschema.validate(data, SCHEMA)


def test_of_an_incident_with_too_many_notes_the_newest_stay() -> None:
    notes = tuple(Note(OPENED + n, "Ada", f"{n} " + "x" * 900) for n in range(100))
    body = render(told(incident=incident(notes=notes)), encode_incident)
    kept = json.loads(body)["data"]["notes"]
    assert len(body) <= BODY_BYTES
    assert kept[-1]["text"].startswith("99 ")
    assert 10 < len(kept) < 100


def test_even_the_most_crammed_incident_fits() -> None:
    assert len(render(crammed("webhook", "open"), encode_incident)) <= BODY_BYTES


# -- ServiceNow ----------------------------------------------------------------------------------------------


def test_servicenow_gets_an_event_that_opens_an_alert() -> None:
    (record,) = json.loads(render_em_event(told(), NAMES))["records"]
    info = json.loads(record.pop("additional_info"))
    assert record == {
        "source": "watchofficer",
        "event_class": "watchofficer",
        "node": "prod",
        "resource": "prod/ssoe",
        "metric_name": "burn_rate, outage",
        "type": "Sign-in incident",
        "message_key": "watchofficer:prod-7:0",
        "severity": "1",
        "time_of_event": "2026-11-23 15:05:00",
        "resolution_state": "New",
        "description": "SEV 1: SSOe sign-in is failing. SSOe sign-in is failing. ~9,400 people an hour (projected)."
        " 97 of 100 callbacks failed in the last minute.",
    }
    assert (info["incident"], info["sla_severity"], info["people_impacted"]) == ("prod-7", 1, 9431)
    assert info["link_runbook"] == "https://runbooks.example/ssoe"


def test_the_end_clears_the_same_alert() -> None:
    over = command(
        "webhook", "resolve", incident=incident(state="resolved", resolved_at=OPENED), kind="resolved"
    )
    (record,) = json.loads(render_em_event(over, NAMES))["records"]
    assert (record["severity"], record["resolution_state"]) == ("0", "Closing")
    assert record["message_key"] == "watchofficer:prod-7:0"


@given(commands("webhook", ACTIONS))
def test_every_field_for_servicenow_is_text_within_its_limits(said: Command) -> None:
    (record,) = json.loads(render_em_event(said, NAMES))["records"]
    assert all(isinstance(value, str) for value in record.values())
    assert len(record["source"]) <= 100
    assert len(record["description"]) <= 4000
    assert record["severity"] in "01235"
    assert isinstance(json.loads(record["additional_info"]), dict)


async def test_servicenow_is_asked_with_a_password(http: httpx.AsyncClient, inbox: InboxSandbox) -> None:
    client = webhook(
        http, inbox.hook, template="servicenow", secrets=[], user="watch", password=SecretStr("a:b c")
    )
    assert isinstance(await client.send(told(), no_receipts), Delivered)
    (message,) = inbox.messages
    assert message.headers["authorization"] == "Basic " + base64.b64encode(b"watch:a:b c").decode()
    assert "webhook-signature" not in message.headers
    assert message.json["records"][0]["resource"] == "prod/ssoe"


# -- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Delivered),
        (201, Delivered),
        (202, Delivered),
        (204, Delivered),
        (301, Refused),
        (400, Refused),
        (401, Refused),
        (404, Refused),
        (410, Refused),
        (413, Refused),
        (408, Retry),
        (429, Retry),
        (500, Retry),
        (503, Retry),
    ],
)
async def test_what_an_answer_means(
    http: httpx.AsyncClient, inbox: InboxSandbox, status: int, outcome: type[object]
) -> None:
    inbox.fail(1, status=status)
    answer = await webhook(http, inbox.hook).send(told(), no_receipts)
    assert isinstance(answer, outcome)
    assert (status == 410) == (isinstance(answer, Refused) and "nobody listens" in answer.why)


async def test_no_secret_comes_back_in_an_answer(http: httpx.AsyncClient, inbox: InboxSandbox) -> None:
    client = webhook(http, f"{inbox.hook}?token=t0psecret", user="u", password=SecretStr("hunter2pass"))
    inbox.fail(1, status=400, body=f"{inbox.hook}?token=t0psecret {OLD} {NEW} hunter2pass".encode())
    answer = await client.send(told(), no_receipts)
    assert isinstance(answer, Refused)
    assert "***" in answer.why
    assert not [secret for secret in ("t0psecret", OLD, NEW, "hunter2pass") if secret in answer.why]


# -- settings ------------------------------------------------------------------------------------------------


def test_several_addresses_are_receivers_of_their_own() -> None:
    endpoints = {
        "servicenow": {
            "url": "https://va.example/api",
            "template": "servicenow",
            "user": "u",
            "password": "p" * 9,
        },
        "rootly": {"url": "https://rootly.example/hook?key=abc", "secrets": NEW},
    }
    settings = read_settings({"WATCHOFFICER_WEBHOOK__ENDPOINTS": json.dumps(endpoints)})
    assert settings.sinks() == {"webhook:servicenow", "webhook:rootly"}
    assert {"https://rootly.example/hook?key=abc", "p" * 9, NEW} <= set(settings.secrets())
    assert "abc" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("URL", "http://elsewhere.example/hook", "https"),
        ("URL", "hook", "URL"),
        ("SECRETS", "whsec_short", "must be whsec_"),
        ("SECRETS", f"{NEW} plain", "must be whsec_"),
        ("TEMPLATE", "xml", "incident"),
        ("ENDPOINTS", "{", "JSON object"),
        ("ENDPOINTS", '{"A b": {"url": "https://a.example"}}', "name"),
        ("ENDPOINTS", '{"a": {"secrets": "x"}}', "url"),
        ("ENDPOINTS", '{"a": {"url": "ftp://s3cr3t.example"}}', "must be a URL"),
        ("ENDPOINTS", '{"a": {"url": "https://a.example", "secrets": "s3cr3t"}}', "whsec_"),
        ("ENDPOINTS", '{"a": ["https://s3cr3t.example"]}', "object"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_without_its_value(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({f"WATCHOFFICER_WEBHOOK__{name}": value})
    assert says in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
