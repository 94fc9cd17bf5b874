"""PagerDuty's webhooks: which are believed, what they ask for, and that no body does harm."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from detectors.incidents import IncidentInput
from streams.http.pagerduty_webhook import Ignored, PagerDutyIncidents, is_signed, read_webhook
from tests.streams.http.serving import NOW, SECRET, Serving, an_incident, serving, sign

KEY = "watchofficer:prod-17:1"


def event(kind: str = "incident.acknowledged", **data: Any) -> dict[str, Any]:
    return {
        "event": {
            "id": "01BKD",
            "event_type": kind,
            "resource_type": "incident",
            "occurred_at": "2026-11-23T15:05:00Z",
            "agent": {"id": "PLH1HKV", "summary": "Ada Lovelace", "type": "user_reference"},
            "data": {"id": "PGR0VU2", "type": "incident", "incident_key": KEY, "status": "acknowledged"}
            | data,
        }
    }


def dumps(value: Any) -> bytes:
    return json.dumps(value).encode()


def read(value: Any, known: PagerDutyIncidents | None = None, epoch: int = 1) -> IncidentInput | Ignored:
    return read_webhook(
        value if isinstance(value, bytes) else dumps(value),
        delivery="delivery-1",
        prefix="watchofficer",
        lookup={"prod-17": {"epoch": epoch}}.get,
        known=known or PagerDutyIncidents(),
        now=NOW,
    )


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        ("incident.acknowledged", "acknowledge"),
        ("incident.unacknowledged", "unacknowledge"),
        ("incident.resolved", "resolve"),
    ],
)
async def test_what_a_responder_does_there_is_asked_for_here(
    served: Serving, kind: str, becomes: str
) -> None:
    served.feed(an_incident(17, epoch=1))
    status, body = await served.webhook(dumps(event(kind)), X_Webhook_Id="delivery-1")
    assert (status, body["accepted"]["id"]) == (202, "delivery-1")
    (value,) = served.submitted
    assert (value.id, value.env, value.kind, value.incident) == ("delivery-1", "prod", becomes, "prod-17")
    assert (value.by, value.via, value.at) == ("PagerDuty: Ada Lovelace", "pagerduty", NOW)


def test_a_note_is_found_by_what_an_earlier_webhook_has_told() -> None:
    known = PagerDutyIncidents()
    reference = {"id": "PGR0VU2", "type": "incident_reference", "summary": "SSOe"}
    note = event(
        "incident.annotated", id="PNOTE", incident_key=None, incident=reference, content="ISAM restarts"
    )
    assert read(note, known) == Ignored("no alert of ours")
    assert isinstance(read(event("incident.triggered"), known), Ignored)
    value = read(note, known)
    assert isinstance(value, IncidentInput)
    assert (value.kind, value.incident, value.text) == ("note", "prod-17", "ISAM restarts")


@pytest.mark.parametrize("kind", ["incident.acknowledged", "incident.resolved"])
def test_what_we_asked_for_ourselves_is_not_asked_for_again(kind: str) -> None:
    echo = event(kind)
    echo["event"]["agent"] = {
        "id": "PEVENTS",
        "type": "events_api_v2_inbound_integration_reference",
        "summary": "watchofficer",
    }
    assert read(echo) == Ignored("our own request has come back")


def test_only_so_many_incidents_are_remembered_the_latest_of_them() -> None:
    known = PagerDutyIncidents()
    for number in range(1_001):
        known.learn(f"P{number}", f"watchofficer:prod-{number}:0")
        known.learn("P1", KEY)
    assert (known.key("P0"), known.key("P1"), known.key("P1000")) == (None, KEY, "watchofficer:prod-1000:0")


@pytest.mark.parametrize(
    "data",
    [
        {"incident_key": KEY},
        {"incident_key": KEY + ":s1"},
        {"incident_key": None, "alerts": [{"alert_key": "someone else's"}, {"alert_key": KEY}]},
        {"incident_key": "", "alerts": [None, 7, {"dedup_key": KEY}]},
        {"incident_key": None, "incident": {"id": "P1", "incident_key": KEY}},
    ],
)
def test_our_key_is_found_wherever_it_stands(data: dict[str, Any]) -> None:
    value = read(event(**data))
    assert isinstance(value, IncidentInput)
    assert value.incident == "prod-17"


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "another:prod-17:1",
        "watchofficer",
        "watchofficer:blind",
        "watchofficer:blind:lag",
        "watchofficer:prod-17",
        "watchofficer:prod-17:one",
        "watchofficer:prod-17:1:s4",
        "watchofficer:prod-0:1",
        "watchofficer:moon-17:1",
        "watchofficer:prod-17:1\n",
        "watchofficer:prod-१७:1",
        " watchofficer:prod-17:1",
        17,
    ],
)
def test_alerts_that_are_not_ours_are_left_alone(key: Any) -> None:
    assert read(event(incident_key=key)) == Ignored("no alert of ours")


def test_one_that_speaks_of_an_earlier_epoch_is_left_alone_and_one_that_is_ahead_of_us_is_not() -> None:
    assert read(event(), epoch=2) == Ignored("of an earlier epoch of the incident")
    assert isinstance(read(event(), epoch=0), IncidentInput)


def test_an_incident_that_has_not_been_read_here_yet_is_believed() -> None:
    value = read(event(incident_key="watchofficer:staging-3:0"))
    assert isinstance(value, IncidentInput)
    assert (value.env, value.incident) == ("staging", "staging-3")


@pytest.mark.parametrize(
    ("delivery", "in_event", "expected"),
    [
        ("d-1", "e-1", "d-1"),
        (None, "e-1", "e-1"),
        ("", "e-1", "e-1"),
        ("x" * 129, "e-1", None),
        ("na\udcefve", "e-1", None),
        (None, 7, None),
    ],
)
def test_a_repeat_has_the_same_id_whatever_it_carries(
    delivery: str | None, in_event: Any, expected: str | None
) -> None:
    body = event()
    body["event"]["id"] = in_event
    values = [
        read_webhook(
            dumps(body),
            delivery=delivery,
            prefix="watchofficer",
            lookup=lambda _: None,
            known=PagerDutyIncidents(),
            now=NOW + repeat,
        )
        for repeat in range(2)
    ]
    first, second = (value.id for value in values if isinstance(value, IncidentInput))
    assert first == second
    assert 1 <= len(first) <= 128
    assert expected in (None, first)


async def test_a_ping_and_events_of_other_kinds_are_answered_and_change_nothing(served: Serving) -> None:
    ping = {"event": {"event_type": "pagey.ping", "data": {"message": "Hello", "type": "ping"}}}
    assert await served.webhook(dumps(ping)) == (200, {"ignored": "ping"})
    status, body = await served.webhook(dumps(event("incident.escalated")))
    assert (status, body) == (200, {"ignored": "incident.escalated changes nothing here"})
    assert served.submitted == []


async def test_while_the_broker_is_away_pagerduty_is_asked_to_try_again(served: Serving) -> None:
    served.failure = KafkaTimeoutError()
    assert (await served.webhook(dumps(event())))[0] == 503


async def test_what_is_not_signed_is_not_believed(served: Serving) -> None:
    body = dumps(event())
    for signature in (
        "",
        sign(body, "another"),
        sign(body + b" "),
        sign(body).replace("v1", "v2"),
        "v1=",
        "v1",
    ):
        status, answer = await served.webhook(body, signature=signature)
        assert (status, answer["error"]["code"]) == (401, "unauthorized")
        assert SECRET not in json.dumps(answer)
    assert served.submitted == []


async def test_without_a_secret_no_webhook_is_believed() -> None:
    async with serving(secret=None) as served:
        status, answer = await served.webhook(dumps(event()))
        assert (status, answer["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("form", ["{other}, {ours}", "{other},{ours}", "{ours} , {other}", "v0=00, {ours}"])
def test_while_the_secret_is_being_changed_one_good_signature_is_enough(form: str) -> None:
    body = b'{"event":{}}'
    header = form.format(ours=sign(body), other=sign(body, "another"))
    assert is_signed(SecretStr(SECRET), body, header)
    assert not is_signed(SecretStr("a third"), body, header)


@given(st.text(), st.binary())
def test_no_made_up_signature_is_good(header: str, body: bytes) -> None:
    assert not is_signed(SecretStr(SECRET), body, header)


async def test_a_body_that_is_too_large_is_refused_unread(served: Serving) -> None:
    status, answer = await served.webhook(b" " * (64 * 1024 + 1))
    assert (status, answer["error"]["code"]) == (413, "request_entity_too_large")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"event":[]}', b'{"event":{"data":[]}}', b"[" * 60_000]
)
async def test_a_signed_body_that_is_no_webhook_is_refused(served: Serving, body: bytes) -> None:
    status, answer = await served.webhook(body)
    assert (status, answer["error"]["code"]) == (400, "bad_request")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(KEY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def mostly(usual: Any) -> st.SearchStrategy[Any]:
    return st.just(usual) | json_values


events = st.fixed_dictionaries(
    {},
    optional={
        "id": mostly("01BKD"),
        "event_type": st.sampled_from(
            [
                "incident.acknowledged",
                "incident.unacknowledged",
                "incident.resolved",
                "incident.annotated",
                "incident.triggered",
                "pagey.ping",
            ]
        )
        | json_values,
        "agent": mostly({"summary": "Ada"}) | st.fixed_dictionaries({"summary": json_values}),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "id": mostly("PGR0VU2"),
                "incident_key": mostly(KEY),
                "content": json_values,
                "alerts": st.lists(
                    st.fixed_dictionaries({"alert_key": mostly(KEY)}) | json_values, max_size=3
                ),
                "incident": st.fixed_dictionaries({"id": mostly("PGR0VU2")}) | json_values,
            },
        )
        | json_values,
    },
)
bodies = (
    st.binary(max_size=200)
    | json_values.map(dumps)
    | (events | json_values).map(lambda value: dumps({"event": value}))
    | events.map(lambda value: dumps({"event": value})[:-3])
)


def test_no_signed_body_is_more_than_pagerduty_or_we_can_bear() -> None:
    with asyncio.Runner() as runner:
        running = serving()
        served = runner.run(running.__aenter__())
        try:

            @given(bodies, st.none() | st.text(alphabet="0123456789abcdef-", min_size=1, max_size=140))
            def whatever_arrives(body: bytes, delivery: str | None) -> None:
                served.submitted.clear()
                headers = {} if delivery is None else {"X_Webhook_Id": delivery}
                status, answer = runner.run(served.webhook(body, **headers))
                assert status in (200, 202, 400)
                assert len(served.submitted) == (status == 202)
                assert ("error" in answer) == (status == 400)
                for value in served.submitted:
                    assert value.incident == "prod-17"
                    assert 1 <= len(value.id) <= 128

            whatever_arrives()
        finally:
            runner.run(running.__aexit__(None, None, None))
