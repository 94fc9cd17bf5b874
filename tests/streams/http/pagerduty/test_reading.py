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
from structlog.testing import capture_logs

from detectors.incidents import IncidentInput
from streams.http.pagerduty.alerts import AlertIndex
from streams.http.pagerduty.reading import Ignored, Unknown, is_signed, read_webhook
from streams.records.models import encode_input
from tests.streams.http.pagerduty.deliveries import KEY, dumps, event, read
from tests.streams.http.serving import NOW, SECRET, Serving, an_incident, serving, sign


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        ("incident.triggered", "linked"),
        ("incident.acknowledged", "acknowledge"),
        ("incident.unacknowledged", "unacknowledge"),
        ("incident.resolved", "resolve"),
        ("incident.reopened", "reopen"),
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


@pytest.mark.parametrize("kind", ["incident.acknowledged", "incident.resolved"])
def test_what_we_asked_for_ourselves_is_not_asked_for_again(kind: str) -> None:
    echo = event(kind)
    echo["event"]["agent"] = {
        "id": "PEVENTS",
        "type": "events_api_v2_inbound_integration_reference",
        "summary": "watchofficer",
    }
    assert read(echo) == Ignored("our own request has come back")


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
        "watchofficer:prod-17:1\n",
        "watchofficer:prod-१७:1",
        " watchofficer:prod-17:1",
        17,
    ],
)
def test_alerts_that_are_not_ours_are_left_alone(key: Any) -> None:
    assert read(event(incident_key=key)) == Unknown("PGR0VU2")
    assert read(event(incident_key=key, id=None)) == Ignored("no alert of ours")


def test_one_that_speaks_of_an_earlier_epoch_is_left_alone_and_one_that_is_ahead_of_us_is_not() -> None:
    assert read(event(), epoch=2) == Ignored("of an earlier epoch of the incident")
    assert isinstance(read(event(), epoch=0), IncidentInput)


def test_an_incident_that_has_not_been_read_here_yet_is_believed() -> None:
    value = read(event(incident_key="watchofficer:staging-3:0"))
    assert isinstance(value, IncidentInput)
    assert (value.env, value.incident) == ("staging", "staging-3")


@pytest.mark.parametrize(("opened_with", "is_ours"), [("watchofficer", True), ("third", False)])
def test_an_incident_is_heard_by_the_keys_with_which_it_opened(opened_with: str, is_ours: bool) -> None:
    value = read_webhook(
        dumps(event()),
        delivery="delivery-1",
        prefix="other",
        lookup={"prod-17": {"epoch": 1, "key_prefix": opened_with}}.get,
        known=AlertIndex(),
        now=NOW,
    )
    assert isinstance(value, tuple) is is_ours


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
            known=AlertIndex(),
            now=NOW + repeat,
        )
        for repeat in range(2)
    ]
    first, second = (value[0].id for value in values if isinstance(value, tuple))
    assert first == second
    assert 1 <= len(first) <= 128
    assert expected in (None, first)


async def test_a_ping_and_events_of_other_kinds_are_answered_and_change_nothing(served: Serving) -> None:
    ping = {"event": {"event_type": "pagey.ping", "data": {"message": "Hello", "type": "ping"}}}
    assert await served.webhook(dumps(ping)) == (200, {"ignored": "ping"})
    status, body = await served.webhook(dumps(event("incident.conference_bridge.updated")))
    assert (status, body) == (200, {"ignored": "incident.conference_bridge.updated changes nothing here"})
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


@pytest.mark.parametrize("size", [56_320, 200_000, 512 * 1024])
async def test_bodies_of_every_size_that_pagerduty_sends_are_taken(served: Serving, size: int) -> None:
    served.feed(an_incident(17, epoch=1))
    body = dumps(event(padding="")).decode()
    status, _ = await served.webhook(
        body.replace('"padding": ""', f'"padding": "{"x" * (size - len(body))}"').encode()
    )
    assert status == 202


async def test_a_body_that_is_too_large_is_refused_unread(served: Serving) -> None:
    status, answer = await served.webhook(b" " * (512 * 1024 + 1))
    assert (status, answer["error"]["code"]) == (413, "request_entity_too_large")


async def test_every_webhook_is_counted_and_one_without_a_good_signature_is_logged(served: Serving) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            await served.webhook(dumps(event()), signature="v1=00")
        await served.webhook(b"{")
        await served.webhook(dumps({"event": {"event_type": "pagey.ping"}}))
        await served.webhook(dumps(event()))
        await served.webhook(b" " * (512 * 1024 + 1))
    assert [line["log_level"] for line in logs if line["event"] == "webhook_not_signed"] == ["warning"]
    page = served.metrics.render(None)[0].decode()
    counts = {"accepted": 1, "ignored": 1, "unsigned": 3, "invalid": 1, "too_large": 1, "failed": 0}
    for outcome, count in counts.items():
        assert f'watchofficer_webhooks_total{{door="pagerduty",outcome="{outcome}"}} {count}.0' in page


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
                "incident.reopened",
                "incident.reassigned",
                "pagey.ping",
            ]
        )
        | json_values,
        "occurred_at": mostly("2026-11-23T15:05:00Z"),
        "agent": mostly({"summary": "Ada"}) | st.fixed_dictionaries({"summary": json_values}),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "id": mostly("PGR0VU2"),
                "incident_key": mostly(KEY),
                "content": json_values,
                "resolve_reason": json_values
                | st.fixed_dictionaries(
                    {
                        "type": mostly("merge_resolve_reason"),
                        "incident": json_values | st.fixed_dictionaries({"id": mostly("Q9")}),
                    }
                ),
                "assignees": json_values
                | st.lists(st.fixed_dictionaries({"summary": json_values}), max_size=2),
                "html_url": mostly("https://va.pagerduty.com/incidents/Q1"),
                "priority": json_values,
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
                    encode_input(value)

            whatever_arrives()
        finally:
            runner.run(running.__aexit__(None, None, None))
