"""Writes over HTTP need the token, become records of incident inputs, and are refused if they are invalid."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from detectors.incidents import IncidentInput
from streams.http import inputs as http_module
from streams.http.input_states import InputStates
from streams.records.models import decode_input, encode_input
from tests.streams.http.serving import NOW, TOKEN, Serving, an_incident, dumps, serving

BEARER = f"Bearer {TOKEN}"
ACK = "/api/v1/incidents/prod-17/ack"


@pytest.mark.parametrize(
    ("action", "kind"),
    [("ack", "acknowledge"), ("note", "note"), ("declare", "declare"), ("resolve", "resolve")],
)
async def test_what_a_person_asks_for_is_accepted_when_the_broker_has_it(
    served: Serving, action: str, kind: str
) -> None:
    served.feed(an_incident(17))
    status, body = await served.post(
        f"/api/v1/incidents/prod-17/{action}",
        {"by": " Ada ", "text": "on it"},
        Authorization=BEARER,
        Idempotency_Key="key-1",
    )
    assert (status, body) == (202, {"accepted": {"id": "key-1", "kind": kind, "incident": "prod-17"}})
    (value,) = served.submitted
    assert (value.id, value.env, value.kind, value.incident) == ("key-1", "prod", kind, "prod-17")
    assert (value.by, value.text, value.via, value.at) == ("Ada", "on it", "http", NOW)


async def test_an_acknowledgement_needs_no_body_and_gets_an_id_of_its_own(served: Serving) -> None:
    served.feed(an_incident(17))
    for _ in range(2):
        async with served.client.post(ACK, headers={"Authorization": BEARER}) as response:
            assert response.status == 202
    first, second = served.submitted
    assert first.id != second.id
    assert first.by == "somebody"


async def test_a_report_names_what_fails(served: Serving) -> None:
    body = {"scope": "staging/*/idme", "text": "ID.me turns me away", "by": "help desk"}
    status, answer = await served.post("/api/v1/reports", body, Authorization=BEARER, Idempotency_Key="r")
    assert (status, answer) == (202, {"accepted": {"id": "r", "kind": "report", "scope": "staging/*/idme"}})
    assert served.submitted == [
        IncidentInput(
            id="r",
            env="staging",
            kind="report",
            scope="staging/*/idme",
            by="help desk",
            text="ID.me turns me away",
            at=NOW,
        )
    ]


async def test_a_ci_job_can_tell_a_deploy(served: Serving) -> None:
    body = {"item": "vets-api", "value": "v123", "by": "CI", "since": "2026-11-23T15:00:00Z"}
    for _ in range(2):  # a retry has the same key, and so the same input
        status, answer = await served.post(
            "/api/v1/deploys", body, Authorization=BEARER, Idempotency_Key="run-7"
        )
        assert (status, answer["accepted"]["kind"]) == (202, "deploy")
    first, second = served.submitted
    assert first == second
    assert first == IncidentInput(
        id="run-7", env="prod", kind="deploy", scope="prod", item="vets-api", value="v123", by="CI",
        since=NOW - 300_000, at=NOW,
    )  # fmt: skip
    assert decode_input(encode_input(first)) == first
    for wrong in ({"value": ""}, {"value": "V 1"}, {"item": "x" * 200}, {"until": "2026-11-23T15:00:00Z"}):
        status, _ = await served.post("/api/v1/deploys", body | wrong, Authorization=BEARER)
        assert status == 400


async def test_a_person_can_retire_a_value_of_an_axis(served: Serving) -> None:
    body = {"axis": "csp", "value": "mhv", "by": "Ada", "text": "switched off"}
    status, answer = await served.post("/api/v1/retire", body, Authorization=BEARER, Idempotency_Key="r")
    assert status == 202
    assert answer == {"accepted": {"id": "r", "kind": "retire", "axis": "csp", "value": "mhv"}}
    (value,) = served.submitted
    assert value == IncidentInput(
        id="r", env="prod", kind="retire", axis="csp", value="mhv", by="Ada", text="switched off", at=NOW
    )
    assert decode_input(encode_input(value)) == value


@pytest.mark.parametrize(
    ("path", "body", "complaint"),
    [
        (ACK, {"who": "Ada"}, "who: "),
        (ACK, {"by": ""}, "by: "),
        (ACK, {"by": "x" * 201}, "by: "),
        (ACK, {"by": 7}, "by: "),
        (ACK, ["by"], "Input should be"),
        (ACK, {"text": "x" * 4001}, "text: "),
        ("/api/v1/incidents/prod-17/note", {"by": "Ada"}, "text: "),
        ("/api/v1/incidents/prod-17/note", {"text": "   "}, "text: "),
        ("/api/v1/reports", {"scope": "prod/No where"}, "scope: no such scope"),
        ("/api/v1/reports", {"scope": None}, "scope: "),
        ("/api/v1/retire", {"axis": "acr", "value": "loa3"}, "axis: is one of auth_method, csp, client_id"),
        ("/api/v1/retire", {"axis": "csp", "value": "*"}, "value: "),
        ("/api/v1/retire", {"axis": "csp", "value": "other"}, "value: other stands for many"),
        ("/api/v1/retire", {"axis": "csp"}, "value: "),
        ("/api/v1/retire", {"axis": "csp", "value": "mhv", "env": "no/where"}, "env: "),
    ],
)
async def test_a_body_that_makes_no_sense_is_refused_by_name(
    served: Serving, path: str, body: Any, complaint: str
) -> None:
    served.feed(an_incident(17))
    status, answer = await served.post(path, body, Authorization=BEARER)
    assert (status, answer["error"]["code"]) == (400, "bad_request")
    assert answer["error"]["message"].startswith(complaint)
    assert served.submitted == []


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"by": "\\ud800"}', b"[" * 60_000, b'{"by": NaN}'])
async def test_a_body_that_is_not_json_is_refused(served: Serving, body: bytes) -> None:
    served.feed(an_incident(17))
    headers = {"Authorization": BEARER, "Content-Type": "application/json"}
    async with served.client.post(ACK, data=body, headers=headers) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"by=Ada", 415),
        (
            {"Content-Type": "application/json", "Content-Encoding": "deflate"},
            b"x\x9c\xab\xae\x05\x00\x01u\x00\xf9",
            415,
        ),
        ({"Content-Type": "application/json"}, b" " * (64 * 1024 + 1), 413),
        ({"Content-Type": "application/json"}, b" " * (64 * 1024 - 2) + b"{}", 202),
    ],
)
async def test_bodies_are_json_uncompressed_and_of_64_kib_at_most(
    served: Serving, headers: dict[str, str], body: bytes, status: int
) -> None:
    served.feed(an_incident(17))
    async with served.client.post(ACK, data=body, headers={"Authorization": BEARER, **headers}) as response:
        assert response.status == status
        assert ("error" in await response.json()) == (status != 202)


async def test_a_body_without_a_length_is_bounded_too(served: Serving) -> None:
    served.feed(an_incident(17))

    async def endless() -> Any:
        for _ in range(40):
            yield b" " * 4096

    headers = {"Authorization": BEARER, "Content-Type": "application/json"}
    async with served.client.post(ACK, data=endless(), headers=headers) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (
            413,
            "request_entity_too_large",
        )


@pytest.mark.parametrize("key", ["", "x" * 129, "naïve"])
async def test_an_idempotency_key_is_short_and_plain(served: Serving, key: str) -> None:
    served.feed(an_incident(17))
    status, answer = await served.post(ACK, {}, Authorization=BEARER, Idempotency_Key=key)
    assert (status, answer["error"]["code"]) == (400, "bad_request")


async def test_an_incident_that_is_not_there_cannot_be_acknowledged(served: Serving) -> None:
    status, answer = await served.post(ACK, {}, Authorization=BEARER)
    assert (status, answer["error"]["code"]) == (404, "not_found")


async def test_a_closed_incident_takes_notes_alone(served: Serving) -> None:
    served.feed(an_incident(17, state="closed"))
    status, answer = await served.post(ACK, {}, Authorization=BEARER)
    assert (status, answer["error"]["code"]) == (409, "conflict")
    note = {"text": "the post-mortem is drafted"}
    assert (await served.post("/api/v1/incidents/prod-17/note", note, Authorization=BEARER))[0] == 202


@pytest.mark.parametrize("failure", [KafkaTimeoutError(), OSError("unreachable"), TimeoutError()])
async def test_what_the_broker_does_not_have_is_not_accepted(served: Serving, failure: Exception) -> None:
    served.feed(an_incident(17))
    served.failure = failure
    async with served.client.post(ACK, json={}, headers={"Authorization": BEARER}) as response:
        body = await response.json()
        assert (response.status, body["error"]["code"]) == (503, "service_unavailable")
        assert "Retry-After" in response.headers


async def test_what_the_topic_takes_for_too_large_is_refused_in_words(served: Serving) -> None:
    served.feed(an_incident(17))
    served.failure = MessageSizeTooLargeError()
    status, answer = await served.post(ACK, {}, Authorization=BEARER)
    assert (status, answer["error"]["code"]) == (413, "request_entity_too_large")
    assert "as large" in answer["error"]["message"]


async def test_a_broker_that_hangs_is_not_waited_for(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "_BROKER_PATIENCE", 0.01)
    hung = asyncio.Event()

    async def never(value: IncidentInput) -> None:
        await hung.wait()

    monkeypatch.setattr(served, "submit", never)
    served.feed(an_incident(17))
    assert (await served.post(ACK, {}, Authorization=BEARER))[0] == 503


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
async def test_without_the_token_nothing_is_written(served: Serving, given: str | None) -> None:
    served.feed(an_incident(17))
    for path in (ACK, "/api/v1/reports", "/api/v1/retire"):
        headers = {} if given is None else {"Authorization": given}
        async with served.client.post(path, json={}, headers=headers) as response:
            body = await response.json()
            assert (response.status, body["error"]["code"]) == (401, "unauthorized")
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert TOKEN not in body["error"]["message"]
    assert served.submitted == []


async def test_the_scheme_of_the_token_is_read_in_any_case(served: Serving) -> None:
    served.feed(an_incident(17))
    assert (await served.post(ACK, {}, Authorization=f"bearer {TOKEN}"))[0] == 202


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.0.2.1", "::", "watch.example"])
async def test_without_a_token_a_server_that_others_can_reach_takes_no_writes(bind: str) -> None:
    async with serving(token=None, bind=bind) as served:
        served.feed(an_incident(17))
        status, body = await served.post(ACK, {})
        assert (status, body["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"Host": "localhost:6066"}, 202),
        ({"Host": "[::1]:6066"}, 202),
        (
            {"Host": "127.0.0.1:6066", "Origin": "http://127.0.0.1:6066", "Sec-Fetch-Site": "same-origin"},
            202,
        ),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost@evil.example"}, 403),
        ({"Host": "["}, 403),
        ({"Host": "127.0.0.1:6066", "Origin": "http://evil.example"}, 403),
        ({"Host": "127.0.0.1:6066", "Origin": "http://127.0.0.1:8080"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_without_a_token_only_this_machine_and_this_console_may_write(
    headers: dict[str, str], status: int
) -> None:
    async with serving(token=None) as served:
        served.feed(an_incident(17))
        async with served.client.post(ACK, json={}, headers=headers) as response:
            assert response.status == status
        assert len(served.submitted) == (status == 202)


async def test_with_a_token_it_does_not_matter_which_page_writes(served: Serving) -> None:
    served.feed(an_incident(17))
    assert (await served.post(ACK, {}, Authorization=BEARER, Origin="http://elsewhere.example"))[0] == 202


async def test_a_person_can_declare_an_outage_of_a_scope_that_has_no_incident(served: Serving) -> None:
    status, body = await served.post(
        "/api/v1/incidents", {"scope": "prod/*/idme", "by": "Ada", "text": "calls"}, Authorization=BEARER
    )
    assert (status, body["accepted"]["scope"]) == (202, "prod/*/idme")
    (value,) = served.submitted
    assert (value.kind, value.incident, value.env, value.text) == ("declare", None, "prod", "calls")
    assert (await served.post("/api/v1/incidents", {}, Authorization=BEARER))[0] == 400
    assert (await served.post("/api/v1/incidents", {"scope": "prod"}))[0] == 401


async def state_of(served: Serving, name: str) -> tuple[int, dict[str, Any]]:
    async with served.client.get(f"/api/v1/inputs/{name}", headers={"Authorization": BEARER}) as response:
        return response.status, await response.json()


async def test_what_became_of_an_input_can_be_asked(served: Serving) -> None:
    headers = {"Authorization": BEARER, "Idempotency_Key": "mine/1"}
    await served.post("/api/v1/reports", {"scope": "prod/ssoe", "by": "Ada"}, **headers)
    status, body = await state_of(served, "mine%2F1")
    assert (status, body["state"], body["kind"], body["scope"]) == (200, "accepted", "report", "prod/ssoe")
    line = {
        "type": "opened",
        "incident": "prod-4",
        "at": "2026-11-23T15:05:02Z",
        "input": "mine/1",
        "reason": "r",
    }
    repeat = {**line, "type": "refused", "reason": "it was dealt with before", "at": "2026-11-23T15:06:00Z"}
    for one in (line, repeat):
        served.views.apply("incident-log", b"prod-4", dumps(one))
    status, body = await state_of(served, "mine/1")
    assert (body["state"], body["incident"], body["applied_at"]) == (
        "applied",
        "prod-4",
        "2026-11-23T15:05:02Z",
    )
    assert body["scope"] == "prod/ssoe"


async def test_why_an_input_was_refused_can_be_asked_at_a_worker_that_did_not_take_it(
    served: Serving,
) -> None:
    line = {
        "type": "refused",
        "incident": None,
        "at": "2026-11-23T15:05:02Z",
        "input": "x",
        "reason": "no scope",
    }
    served.views.apply("incident-log", b"prod", dumps(line))
    assert (await state_of(served, "x"))[1] == {
        "id": "x",
        "state": "refused",
        "decided_at": "2026-11-23T15:05:02Z",
        "reason": "no scope",
    }


async def test_an_input_that_nobody_knows_is_not_found_once_the_topics_are_read(served: Serving) -> None:
    assert (await state_of(served, "x"))[0] == 404
    served.views.ready = False
    assert (await state_of(served, "x"))[0] == 503


def test_only_so_many_inputs_are_remembered_the_latest_of_them() -> None:
    states = InputStates()
    for number in range(10_001):
        states.accepted({"id": str(number)})
    assert (states.get("0"), states.get("10000")) == (None, {"state": "accepted", "id": "10000"})
